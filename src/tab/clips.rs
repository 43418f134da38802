//! The clips that a tab may learn from, from being kept to being learned from: a state machine without I/O.
//!
//! A clip waits; it goes into the update for one round; and the fate of that round, as the manifest tells it, settles it:
//! it is released where the round was published, and waits again where the round came to nothing. A version settles
//! nothing, since a roll-back raises it, too. While a round is aggregated, nothing happens. A tab has one update at a
//! time, so every clip counts in at most one published round.

use crate::learning::Clip;
use crate::protocol::{EndedRound, RoundOutcome};

#[cfg(test)]
mod tests;

/// Most clips kept in memory; the oldest goes first. 200 clips of 30 frames are 6 MB.
const MOST_CLIPS: usize = crate::protocol::MAX_EXAMPLES as usize;

/// Clips waiting, and clips whose update is under way.
#[derive(Default)]
pub struct ClipStore {
    waiting: Vec<Clip>,
    update: Option<Update>,
    dropped: usize,
}

/// The update under way, and the clips that went into it. After a reload they are gone, but the update is not.
struct Update {
    round: u64,
    clips: Vec<Clip>,
    stage: Stage,
}

/// What is known of an update under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It is being made, or was made and never sent: it counts nowhere.
    Unsent,
    /// It was sent, and no answer came: it may count.
    Unanswered,
    /// The aggregator has it.
    Acknowledged,
}

/// What became of the clips of an update whose round has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// They were learned from, or may have been: no later update has them.
    Released,
    /// They wait again.
    Returned,
}

impl ClipStore {
    /// Keeps a clip.
    pub fn keep(&mut self, clip: Clip) {
        if self.waiting.len() == MOST_CLIPS {
            self.waiting.remove(0);
        }
        self.waiting.push(clip);
    }

    /// Counts a clip that was not confident enough.
    pub fn count_dropped(&mut self) {
        self.dropped += 1;
    }

    /// Clips waiting to be learned from.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Clips dropped so far.
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// The round of the update under way, and what is known of it.
    pub fn under_way(&self) -> Option<(u64, Stage)> {
        self.update.as_ref().map(|update| (update.round, update.stage))
    }

    /// Takes what is waiting into an update for `round`, and gives a copy to train on. `None` if nothing waits, or while
    /// another update is under way.
    pub fn contribute(&mut self, round: u64) -> Option<Vec<Clip>> {
        if self.update.is_some() || self.waiting.is_empty() {
            return None;
        }
        let clips = std::mem::take(&mut self.waiting);
        self.update = Some(Update { round, clips: clips.clone(), stage: Stage::Unsent });
        Some(clips)
    }

    /// Takes up an update of before a reload, whose clips are gone.
    pub fn resume(&mut self, round: u64, stage: Stage) {
        if self.update.is_none() {
            self.update = Some(Update { round, clips: Vec::new(), stage });
        }
    }

    /// The update for `round` is about to be sent: from now on it may count.
    pub fn sending(&mut self, round: u64) {
        if let Some(update) = self.update_for(round).filter(|update| update.stage == Stage::Unsent) {
            update.stage = Stage::Unanswered;
        }
    }

    /// The aggregator has the update for `round`.
    pub fn acknowledged(&mut self, round: u64) {
        if let Some(update) = self.update_for(round) {
            update.stage = Stage::Acknowledged;
        }
    }

    /// The update for `round` is known not to count: its clips wait again.
    pub fn refused(&mut self, round: u64) {
        if self.update_for(round).is_some_and(|update| update.stage != Stage::Acknowledged) {
            self.take_back();
        }
    }

    /// The student opts out. Clips of an update that was never sent wait again; those of one that may have arrived count as
    /// sent until its round's fate is out. Returns the round and what was known of an update that is not acknowledged.
    pub fn withdraw(&mut self) -> Option<(u64, Stage)> {
        let (round, stage) = self.under_way().filter(|(_, stage)| *stage != Stage::Acknowledged)?;
        if stage == Stage::Unsent {
            self.take_back();
        }
        Some((round, stage))
    }

    /// Settles the update under way if its round has ended, given the manifest's `open` round and the fates of the `recent`
    /// ones, newest first. `None` if there is nothing to settle yet: the round is open, or being aggregated.
    pub fn settle(&mut self, open: Option<u64>, recent: &[EndedRound]) -> Option<Settled> {
        let (round, stage) = self.under_way()?;
        if open == Some(round) {
            return None;
        }
        let may_count = match recent.iter().find(|ended| ended.round == round) {
            Some(ended) => !matches!(ended.outcome, RoundOutcome::Rejected | RoundOutcome::Abandoned),
            // It ended too long ago to be told of; a round opens only after the fate of the one before is out.
            None if open.is_some() || recent.first().is_some_and(|newest| newest.round > round) => true,
            None => return None,
        };
        if may_count && stage != Stage::Unsent {
            self.update = None;
            return Some(Settled::Released);
        }
        self.take_back();
        Some(Settled::Returned)
    }

    /// Forgets every clip, as when the backbone changes and features no longer fit. An update under way stays under way.
    pub fn clear(&mut self) {
        self.waiting.clear();
        if let Some(update) = &mut self.update {
            update.clips.clear();
        }
    }

    fn update_for(&mut self, round: u64) -> Option<&mut Update> {
        self.update.as_mut().filter(|update| update.round == round)
    }

    /// Ends the update under way; its clips wait again, before those that were kept since.
    fn take_back(&mut self) {
        let Some(update) = self.update.take() else { return };
        let since = std::mem::replace(&mut self.waiting, update.clips);
        self.waiting.extend(since);
        let excess = self.waiting.len().saturating_sub(MOST_CLIPS);
        self.waiting.drain(..excess);
    }
}
