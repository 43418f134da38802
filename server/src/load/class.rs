//! What all participants share: settings, calls, who contributes with which fault, and what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use emofed::protocol::{Event, Manifest};
use emofed::random::SplitMix64;
use emofed::weights::Weights;
use tokio::sync::watch;

use super::api::Api;
use super::body::{Bodies, Fault};
use super::report::LoadReport;
use super::{LoadSettings, Progress};

pub(super) struct Class {
    pub settings: LoadSettings,
    /// The calls of each address, at least one.
    pub apis: Vec<Api>,
    pub bodies: Bodies,
    /// The spread in milliseconds once all listen and contributing begins.
    begun: watch::Sender<Option<u32>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    listening: usize,
    /// Participants that contribute at the moment.
    contributing: usize,
    /// The first round that anybody contributes to.
    first_round: Option<u64>,
    ended: BTreeSet<u64>,
    /// Updates that went into a published model, by round.
    counted: BTreeMap<u64, u32>,
    /// By round.
    acknowledged: BTreeMap<u64, u32>,
    outcomes: BTreeMap<String, u64>,
    unexpected: BTreeMap<String, u64>,
    events: BTreeMap<&'static str, u64>,
}

impl Class {
    pub fn new(settings: LoadSettings, apis: Vec<Api>, manifest: &Manifest, base: Weights) -> Self {
        let bodies = Bodies::new(&base, &manifest.learning, settings.seed);
        Self { settings, apis, bodies, begun: watch::channel(None).0, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Contributing begins, over `within_ms`; only the first call counts.
    pub fn begin(&self, within_ms: u32) {
        self.begun.send_if_modified(|begun| begun.is_none() && begun.replace(within_ms).is_none());
    }

    /// Waits until contributing begins; gives the spread.
    pub async fn begun(&self) -> u32 {
        let mut begun = self.begun.subscribe();
        // The sender lives as long as the class.
        begun.wait_for(Option::is_some).await.ok().and_then(|begun| *begun).unwrap_or_default()
    }

    /// A stream was opened for the first time.
    pub fn listens(&self) {
        self.state().listening += 1;
    }

    /// An event came.
    pub fn heard(&self, event: &Event) {
        let name = match event {
            Event::RoundOpened { .. } => "round-opened",
            Event::UpdateReceived { .. } => "update-received",
            Event::RoundClosed { .. } => "round-closed",
            Event::ModelPublished { .. } => "model-published",
            Event::ModelRolledBack { .. } => "model-rolled-back",
            Event::LectureChanged => "lecture-changed",
            Event::FederationEnded => "federation-ended",
            Event::Unknown => "unknown",
        };
        *self.state().events.entry(name).or_default() += 1;
    }

    /// Notes how rounds ended.
    pub fn saw(&self, manifest: &Manifest) {
        let mut state = self.state();
        let Some(first) = state.first_round else { return };
        let rounds = first..first + self.settings.rounds;
        let ended = manifest.recent_rounds.iter().map(|ended| ended.round).filter(|round| rounds.contains(round));
        state.ended.extend(ended);
        if let Some(round) = manifest.model.round.filter(|round| rounds.contains(round)) {
            state.counted.insert(round, manifest.model.num_clients);
        }
    }

    /// Whether the participant `index` contributes to `round`, and with which fault.
    pub fn part(&self, index: usize, round: u64) -> Option<(Option<Fault>, SplitMix64)> {
        let number = {
            let mut state = self.state();
            round.checked_sub(*state.first_round.get_or_insert(round))?
        };
        let LoadSettings { participants, updates, rounds, seed, .. } = self.settings;
        // Others each round, and all of them in turn.
        let first = (number as usize).wrapping_mul(updates) % participants;
        if number >= rounds || (index + participants - first) % participants >= updates {
            return None;
        }
        let mut random = SplitMix64::new(seed ^ (round << 32) ^ index as u64);
        let mut left = random.open_unit();
        let fault = self.settings.faults.iter().find_map(|(fault, share)| {
            left -= share;
            (left < 0.0).then_some(*fault)
        });
        Some((fault, random))
    }

    /// A participant begins to contribute.
    pub fn contributes(&self) {
        self.state().contributing += 1;
    }

    /// It has its answers.
    pub fn has_contributed(&self) {
        self.state().contributing -= 1;
    }

    pub fn acknowledged(&self, round: u64) {
        *self.state().acknowledged.entry(round).or_default() += 1;
    }

    /// What an update came to, in words.
    pub fn outcome(&self, outcome: &str) {
        *self.state().outcomes.entry(outcome.to_owned()).or_default() += 1;
    }

    /// What must not happen.
    pub fn unexpected(&self, what: String) {
        *self.state().unexpected.entry(what).or_default() += 1;
    }

    pub fn progress(&self) -> Progress {
        let state = self.state();
        let acknowledged = state.acknowledged.values().sum::<u32>() as usize;
        Progress { listening: state.listening, acknowledged, rounds: state.ended.len() }
    }

    /// Whether all rounds have ended, and nobody waits for an answer.
    pub fn is_done(&self) -> bool {
        let state = self.state();
        state.ended.len() as u64 >= self.settings.rounds && state.contributing == 0
    }

    pub fn report(&self, took: Duration) -> LoadReport {
        let state = self.state();
        LoadReport {
            participants: self.settings.participants,
            updates: self.settings.updates,
            seed: self.settings.seed,
            seconds: took.as_secs_f64(),
            listened: state.listening,
            rounds_ended: state.ended.len(),
            acknowledged: state.acknowledged.clone(),
            counted: state.counted.clone(),
            outcomes: state.outcomes.clone(),
            unexpected: state.unexpected.clone(),
            events: state.events.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
            calls: self.apis.first().map(Api::figures).unwrap_or_default(),
        }
    }
}
