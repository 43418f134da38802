//! The life of clips beside a model of the aggregator, over random interleavings.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::protocol::RECENT_ROUNDS;
use crate::random::SplitMix64;

/// An aggregator with one participant, as far as clips are concerned.
#[derive(Default)]
struct Aggregator {
    newest: u64,
    /// The round that is not over, and whether it is open.
    round: Option<(u64, bool)>,
    /// Clips by round, as they were accepted.
    accepted: BTreeMap<u64, Vec<usize>>,
    outcomes: BTreeMap<u64, RoundOutcome>,
}

impl Aggregator {
    fn open(&mut self) {
        if self.round.is_none() {
            self.newest += 1;
            self.round = Some((self.newest, true));
        }
    }

    /// Closes the open round, or ends the one that is being aggregated.
    fn go_on(&mut self, random: &mut SplitMix64) {
        match self.round {
            Some((round, true)) => self.round = Some((round, false)),
            Some((round, false)) => {
                let outcome =
                    [RoundOutcome::Published, RoundOutcome::Published, RoundOutcome::Rejected, RoundOutcome::Abandoned]
                        [random.below(4)];
                self.outcomes.insert(round, outcome);
                self.round = None;
            }
            None => {}
        }
    }

    fn roll_back(&mut self) {
        if let Some((round, true)) = self.round {
            self.outcomes.insert(round, RoundOutcome::Abandoned);
            self.round = None;
        }
    }

    /// `PUT` of an update: whether it counts.
    fn put(&mut self, round: u64, clips: &[usize]) -> bool {
        if self.round == Some((round, true)) && !self.accepted.contains_key(&round) {
            self.accepted.insert(round, clips.to_vec());
        }
        // The same bytes are acknowledged again, also after the end.
        self.accepted.get(&round).is_some_and(|known| known == clips)
    }

    fn manifest(&self) -> (Option<u64>, Vec<EndedRound>) {
        let open = self.round.and_then(|(round, is_open)| is_open.then_some(round));
        (open, self.outcomes.iter().rev().take(RECENT_ROUNDS).map(|(&round, &outcome)| ended(round, outcome)).collect())
    }

    /// Checks that no clip is in two published rounds.
    fn check_counted_once(&self, seed: u64) {
        let mut counted = BTreeSet::new();
        for (round, clips) in &self.accepted {
            if self.outcomes.get(round) == Some(&RoundOutcome::Published) {
                for clip in clips {
                    assert!(counted.insert(*clip), "seed {seed}: clip {clip} counts again in round {round}");
                }
            }
        }
    }
}

/// A tab: the store, what is on the device, and what the last manifest said.
#[derive(Default)]
struct Tab {
    clips: ClipStore,
    open: Option<u64>,
    /// The body on the device: round and clips.
    pending: Option<(u64, Vec<usize>)>,
    acknowledged: Option<u64>,
    /// The record of the clips on the device, if the student allows one.
    record: Option<ClipStore>,
}

impl Tab {
    /// The clips that it still has.
    fn has(&self) -> Vec<usize> {
        let under_way = self.clips.update.iter().flat_map(|update| &update.clips);
        numbers(&copies(&self.clips.waiting.iter().chain(under_way).cloned().collect::<Vec<_>>()))
    }

    fn sync(&mut self, aggregator: &Aggregator, seed: u64) {
        let (open, recent) = aggregator.manifest();
        self.open = open;
        let (before, under_way) = (self.has(), self.clips.under_way());
        let settled = self.clips.settle(open, &recent);
        let lost = before.len() - self.has().len();
        if let (Some(_), Some((round, stage))) = (settled, under_way) {
            self.pending = None;
            assert!(aggregator.outcomes.contains_key(&round), "seed {seed}: settled before its outcome was known");
            let is_told = recent.iter().any(|ended| ended.round == round);
            let came_to_nothing = is_told && aggregator.outcomes[&round] != RoundOutcome::Published;
            if came_to_nothing || stage == Stage::Unsent {
                assert_eq!(lost, 0, "seed {seed}: clips lost to round {round}, which they are not in");
            }
        } else {
            assert_eq!(lost, 0, "seed {seed}: clips lost without an outcome");
        }
    }

    fn contribute(&mut self, random: &mut SplitMix64) {
        let Some(round) = self.open else { return };
        if self.acknowledged == Some(round) || self.pending.is_some() {
            return;
        }
        let Some(clips) = self.clips.interrupted(round).or_else(|| self.clips.contribute(round)) else { return };
        self.write_record(false);
        // Killed while it trains.
        if self.record.is_some() && random.below(4) == 0 {
            return self.reload();
        }
        self.pending = Some((round, numbers(&clips)));
        // Killed before the record says that it is stored.
        if self.record.is_some() && random.below(8) == 0 {
            return self.reload();
        }
        self.write_record(true);
    }

    /// Writes the clips on the device, if that is allowed.
    fn write_record(&mut self, may_be_sent: bool) {
        if self.record.is_some() {
            let StoredClips { waiting, held_out, update } = self.clips.stored(may_be_sent);
            let update = update.map(|(round, stage, clips)| (round, stage, cloned(clips)));
            self.record = Some(ClipStore::restore(cloned(waiting), cloned(held_out), update));
        }
    }

    /// Sends what is pending; the request or its answer may get lost.
    fn send(&mut self, aggregator: &mut Aggregator, random: &mut SplitMix64) {
        let Some((round, body)) = self.pending.clone().filter(|(round, _)| self.open == Some(*round)) else { return };
        self.clips.sending(round);
        let way = random.below(4);
        if way == 0 {
            return;
        }
        let counts = aggregator.put(round, &body);
        match (way, counts) {
            (1, _) => {}
            (_, true) => {
                self.clips.acknowledged(round);
                self.acknowledged = Some(round);
                self.pending = None;
            }
            (_, false) => {
                let before = self.has().len();
                self.clips.refused(round);
                self.pending = None;
                assert_eq!(self.has().len(), before);
            }
        }
    }

    fn reload(&mut self) {
        self.clips = self.record.clone().unwrap_or_default();
        self.clips.resume(self.pending.as_ref().map(|(round, _)| *round), self.acknowledged);
    }
}

#[test]
fn whatever_happens_every_clip_counts_at_most_once_and_none_is_lost_to_a_failed_round() {
    let (mut published, mut refused) = (0, 0);
    for seed in 0..2_000 {
        let mut random = SplitMix64::new(seed);
        let (mut aggregator, mut tab) = (Aggregator::default(), Tab::default());
        tab.record = (seed % 2 == 0).then(ClipStore::default);
        for number in 0..400 {
            match random.below(16) {
                0..=2 if number % 5 == 0 => _ = tab.clips.hold_out(clip(number)),
                0..=2 => _ = tab.clips.keep(clip(number)),
                3..=4 => tab.contribute(&mut random),
                5..=7 => tab.send(&mut aggregator, &mut random),
                8..=10 => tab.sync(&aggregator, seed),
                11 => aggregator.open(),
                12..=13 => aggregator.go_on(&mut random),
                14 if random.below(4) == 0 => aggregator.roll_back(),
                15 if random.below(4) == 0 => {
                    if random.below(2) == 0 {
                        tab.reload();
                    } else if tab.clips.withdraw().is_some() {
                        tab.pending = None;
                    }
                }
                // Away for so long that rounds are no longer told of.
                15 if random.below(16) == 0 => {
                    for _ in 0..3 * RECENT_ROUNDS {
                        aggregator.open();
                        aggregator.go_on(&mut random);
                    }
                }
                _ => {}
            }
            // Records are written now and then.
            if random.below(6) == 0 {
                tab.write_record(tab.pending.is_some());
            }
            aggregator.check_counted_once(seed);
            let in_updates =
                aggregator.accepted.values().flatten().chain(tab.pending.iter().flat_map(|(_, clips)| clips));
            assert!(
                in_updates.into_iter().all(|clip| clip % 5 != 0),
                "seed {seed}: a clip of the hold-out is in an update"
            );
            let has = tab.has();
            assert_eq!(has.iter().collect::<BTreeSet<_>>().len(), has.len(), "seed {seed}: a clip is there twice");
        }
        // In the end every outcome is known, and nothing is under way.
        aggregator.go_on(&mut random);
        aggregator.go_on(&mut random);
        aggregator.open();
        tab.sync(&aggregator, seed);
        assert_eq!(tab.clips.under_way(), None, "seed {seed}");
        published +=
            aggregator.accepted.keys().filter(|round| aggregator.outcomes[round] == RoundOutcome::Published).count();
        refused +=
            aggregator.accepted.keys().filter(|round| aggregator.outcomes[round] != RoundOutcome::Published).count();
    }
    assert!(published > 1_000 && refused > 1_000, "the runs reach both ends: {published} and {refused}");
}
