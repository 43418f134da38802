//! What a federation has to do, in as few words as possible: no store, no phases in between, no snapshots.

use std::collections::{BTreeMap, BTreeSet};

use emofed::protocol::{RoundOutcome, RoundSettings, RoundSettingsChange};
use emofed_server::round::Refusal;

/// Fewest contributors to a published version.
const FLOOR: u32 = 3;
/// Most participants.
pub const MAX_PARTICIPANTS: u32 = 6;
/// A round is open for so long at least, in seconds, unless the instructor closes it.
pub const SHORTEST_ROUND_S: u64 = 10;
/// Weights of so many newest versions are kept.
pub const KEPT_MODELS: usize = 4;

/// An acknowledged update.
#[derive(Clone, Debug, PartialEq)]
pub struct Acknowledged {
    pub sha256: String,
    pub value: f64,
    pub num_examples: u32,
}

/// A round that takes updates.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenRound {
    pub id: u64,
    pub base_version: u64,
    pub minimum_clients: u32,
    pub target_clients: u32,
    pub opened_at_s: u64,
    pub deadline_s: u64,
}

/// A published version. `value` is what its first weight has to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    pub parent: Option<u64>,
    pub round: Option<u64>,
    pub num_clients: u32,
    pub num_examples: u64,
    pub value: f64,
    pub is_made_by_round: bool,
}

/// What has to be so.
#[derive(Clone, Debug, PartialEq)]
pub struct Specification {
    pub round: Option<OpenRound>,
    /// How the rounds ended, by their number.
    pub ended: BTreeMap<u64, (RoundOutcome, Option<u64>)>,
    /// By round and participant; they stay when their round ends.
    pub acknowledged: BTreeMap<(u64, usize), Acknowledged>,
    /// Version 1 first.
    pub versions: Vec<Version>,
    pub changes: RoundSettingsChange,
    pub participants: BTreeSet<usize>,
}

impl Specification {
    /// One version, whose first weight is `value`, and no round.
    pub fn new(value: f64) -> Self {
        let first =
            Version { parent: None, round: None, num_clients: 0, num_examples: 0, value, is_made_by_round: false };
        Self {
            round: None,
            ended: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            versions: vec![first],
            changes: RoundSettingsChange::default(),
            participants: BTreeSet::new(),
        }
    }

    pub fn newest_version(&self) -> u64 {
        self.versions.len() as u64
    }

    pub fn newest_round(&self) -> u64 {
        self.round.as_ref().map_or(self.ended.len() as u64, |round| round.id)
    }

    pub fn settings(&self) -> RoundSettings {
        let settings = self.changes.applied_to(&RoundSettings::default());
        RoundSettings { minimum_clients: settings.minimum_clients.max(FLOOR), ..settings }
    }

    pub fn received(&self, round: u64) -> u32 {
        self.acknowledged.keys().filter(|(of, _)| *of == round).count() as u32
    }

    pub fn join(&mut self, who: usize) -> Result<(), Refusal> {
        if self.participants.len() as u32 >= MAX_PARTICIPANTS {
            return Err(Refusal::FederationFull { limit: MAX_PARTICIPANTS });
        }
        self.participants.insert(who);
        Ok(())
    }

    /// An update that is well-formed and within the limits, sent for the round `path`.
    pub fn submit(
        &mut self,
        who: usize,
        path: u64,
        (round, base_version): (u64, u64),
        update: Acknowledged,
    ) -> Result<(), Refusal> {
        self.check_target(who, path, &update.sha256)?.map_or(Ok(()), |open| {
            if (round, base_version) != (open.id, open.base_version) {
                return Err(Refusal::StaleBase {
                    found_round: round,
                    found_base_version: base_version,
                    round: open.id,
                    base_version: open.base_version,
                });
            }
            self.acknowledged.insert((path, who), update);
            Ok(())
        })
    }

    /// The open round that an update is for; nothing if the same bytes were acknowledged before.
    pub fn check_target(&self, who: usize, path: u64, sha256: &str) -> Result<Option<OpenRound>, Refusal> {
        match self.acknowledged.get(&(path, who)) {
            Some(known) if known.sha256 == sha256 => return Ok(None),
            Some(_) => return Err(Refusal::AlreadyReceived { round: path }),
            None => {}
        }
        let open = self.round.clone().filter(|open| open.id == path);
        open.map(Some).ok_or(Refusal::RoundNotOpen { round: path })
    }

    pub fn open(&mut self, now_s: u64) -> Result<(), Refusal> {
        if let Some(open) = &self.round {
            return Err(Refusal::RoundNotEnded { round: open.id });
        }
        let settings = self.settings();
        self.round = Some(OpenRound {
            id: self.newest_round() + 1,
            base_version: self.newest_version(),
            minimum_clients: settings.minimum_clients,
            target_clients: settings.target_clients.max(settings.minimum_clients),
            opened_at_s: now_s,
            deadline_s: now_s + settings.duration_s,
        });
        Ok(())
    }

    pub fn close(&mut self, id: u64, now_s: u64) -> Result<(), Refusal> {
        let open = self.round.clone().filter(|open| open.id == id).ok_or(Refusal::RoundNotOpen { round: id })?;
        let found = self.received(id);
        if (1..FLOOR).contains(&found) {
            return Err(Refusal::TooFewContributors { round: id, found, limit: FLOOR });
        }
        self.end(&open, found >= FLOOR);
        self.advance(now_s);
        Ok(())
    }

    pub fn restore(&mut self, version: u64, now_s: u64) -> Result<(), Refusal> {
        let index = version.checked_sub(1).ok_or(Refusal::UnknownVersion { version })?;
        let restored = self.versions.get(index as usize).ok_or(Refusal::UnknownVersion { version })?;
        self.versions.push(Version { parent: Some(version), round: None, ..restored.clone() });
        if let Some(open) = self.round.take() {
            self.ended.insert(open.id, (RoundOutcome::Abandoned, None));
        }
        self.advance(now_s);
        Ok(())
    }

    /// Whether the weights of a version have to be there.
    pub fn is_kept(&self, version: u64) -> bool {
        let Some(found) = version.checked_sub(1).and_then(|index| self.versions.get(index as usize)) else {
            return true;
        };
        !found.is_made_by_round || version + KEPT_MODELS as u64 > self.newest_version()
    }

    pub fn change_settings(&mut self, change: RoundSettingsChange, now_s: u64) -> Result<(), Refusal> {
        match (change.minimum_clients, change.target_clients, change.duration_s) {
            (Some(found), ..) if found < FLOOR => return Err(Refusal::MinimumClientsTooSmall { found, limit: FLOOR }),
            (Some(found), ..) if found > MAX_PARTICIPANTS => {
                return Err(Refusal::MinimumClientsTooLarge { found, limit: MAX_PARTICIPANTS });
            }
            (_, Some(found), _) if found > MAX_PARTICIPANTS => {
                return Err(Refusal::TargetClientsTooLarge { found, limit: MAX_PARTICIPANTS });
            }
            (.., Some(0)) => return Err(Refusal::DurationOutOfRange { found: 0, limit: 366 * 86_400 }),
            (.., Some(found)) if found < SHORTEST_ROUND_S => {
                return Err(Refusal::DurationTooShort { found, limit: SHORTEST_ROUND_S });
            }
            _ => {}
        }
        self.changes = change.or(&self.changes);
        self.advance(now_s);
        Ok(())
    }

    /// What is due at this time.
    pub fn advance(&mut self, now_s: u64) {
        loop {
            let Some(open) = self.round.clone() else {
                if !self.settings().continuous {
                    return;
                }
                self.open(now_s).unwrap();
                continue;
            };
            let (received, is_late) = (self.received(open.id), now_s >= open.deadline_s);
            let is_young = now_s >= open.opened_at_s && now_s - open.opened_at_s < SHORTEST_ROUND_S;
            let is_full = received >= open.target_clients;
            if !is_late && (!is_full || is_young) {
                return;
            }
            self.end(&open, received >= open.minimum_clients);
        }
    }

    /// Ends a round: its updates become a version, each once, or nothing.
    fn end(&mut self, open: &OpenRound, is_published: bool) {
        self.round = None;
        if !is_published {
            self.ended.insert(open.id, (RoundOutcome::Abandoned, None));
            return;
        }
        let updates: Vec<&Acknowledged> =
            self.acknowledged.iter().filter(|((round, _), _)| *round == open.id).map(|(_, update)| update).collect();
        let num_examples: u64 = updates.iter().map(|update| u64::from(update.num_examples)).sum();
        let sum: f64 = updates.iter().map(|update| update.value * f64::from(update.num_examples)).sum();
        let version = Version {
            parent: Some(open.base_version),
            round: Some(open.id),
            num_clients: updates.len() as u32,
            num_examples,
            value: self.versions[open.base_version as usize - 1].value + sum / num_examples as f64,
            is_made_by_round: true,
        };
        self.versions.push(version);
        self.ended.insert(open.id, (RoundOutcome::Published, Some(self.newest_version())));
    }
}

/// What sequences came to, so that they do not pass because nothing happens in them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reached {
    pub published: usize,
    pub abandoned: usize,
    pub repeated: usize,
    pub refused: usize,
    pub bad: usize,
    pub crashes: usize,
    pub failures: usize,
    pub restored_versions: usize,
    pub restored_backups: usize,
    pub restarts_of_open_rounds: usize,
}

impl Reached {
    pub fn add(&mut self, other: Self) {
        self.published += other.published;
        self.abandoned += other.abandoned;
        self.repeated += other.repeated;
        self.refused += other.refused;
        self.bad += other.bad;
        self.crashes += other.crashes;
        self.failures += other.failures;
        self.restored_versions += other.restored_versions;
        self.restored_backups += other.restored_backups;
        self.restarts_of_open_rounds += other.restarts_of_open_rounds;
    }

    /// Each of it happens often enough to matter.
    pub fn check(&self) {
        let Self { published, abandoned, repeated, refused, bad, crashes, failures, .. } = *self;
        let rarest = [published, abandoned, repeated, refused, bad, crashes, failures].into_iter().min().unwrap();
        let restored = self.restored_versions.min(self.restored_backups).min(self.restarts_of_open_rounds);
        assert!(rarest >= 50 && restored >= 20, "{self:?}");
    }
}
