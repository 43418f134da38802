//! A federation and its rounds: Open → Aggregating → Evaluating → Published, Rejected or Abandoned.
//!
//! One file per phase. Each transition is one transaction, so that a crash resumes in the phase it interrupted; every
//! phase computes from what is stored, so that doing it again gives the same.

mod aggregating;
mod config;
mod ended;
mod error;
mod evaluating;
mod lease;
mod lecture;
mod members;
mod models;
mod open;
mod replicas;
mod seed;
mod settings;
mod snapshot;
mod state;
mod stored_updates;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use emofed::learning::Recipe;
use emofed::protocol::{
    BackboneRef, BlobRef, MINIMUM_CONTRIBUTORS, Manifest, ModelVersion, OpenRound, PROTOCOL, Rejection, RoundPhase,
    RoundSettings, RoundSummary,
};

pub use self::config::{FederationBounds, FederationConfig, Stage};
pub use self::error::{Refusal, RoundError};
pub(crate) use self::evaluating::misfit;
pub use self::evaluating::{AcceptanceCheck, SanityCheck};
use self::members::Members;
use self::models::load;
pub use self::models::{latest_model, model_values, publish_made};
pub use self::seed::seed;
pub use self::snapshot::Snapshot;
use self::state::State;
use crate::clock::Clock;
use crate::event_log::EventLog;
use crate::store::{Phase, Records, RoundRecord};

/// A federation: its models, rounds and participants over a store.
pub struct Federation {
    records: Records,
    clock: Arc<dyn Clock>,
    config: FederationConfig,
    backbone: BackboneRef,
    detector: BlobRef,
    acceptance: Box<dyn AcceptanceCheck>,
    events: EventLog,
    /// Held by whatever changes a round or a model: transitions happen one at a time.
    transitions: Mutex<State>,
    /// Updates that this process has committed beside others.
    committed: AtomicU64,
    snapshot: RwLock<Arc<Snapshot>>,
    members: Members,
}

impl Federation {
    /// Opens the federation in `records`, whose backbone, detector and first model must be there, and finishes what a crash
    /// interrupted.
    ///
    /// # Errors
    /// The store fails, or has no backbone, detector or model: the error says what to do.
    pub fn open(
        records: Records,
        clock: Arc<dyn Clock>,
        config: FederationConfig,
        acceptance: Box<dyn AcceptanceCheck>,
    ) -> Result<Self, RoundError> {
        let backbone = records.backbone()?.ok_or(Refusal::NoBackbone)?.backbone;
        let detector = records.detector()?.ok_or(Refusal::NoDetector)?;
        let state = State::load(&records, &backbone)?;
        if config.learning.recipe == Recipe::PersonalHead && !state.latest_model.architecture.is_paper() {
            return Err(Refusal::RecipeNeedsPaperArchitecture.into());
        }
        let base = load(&records, &state.latest_model.vfer)?;
        let events = EventLog::new(clock.now_s());
        let participants = records.participant_count()?;
        let manifest = Manifest {
            protocol: PROTOCOL,
            name: config.name.clone(),
            deployment: config.deployment.clone(),
            lecture: config.stage.lecture.clone(),
            backbone: backbone.clone(),
            detector: detector.clone(),
            model: state.latest_model.clone().into(),
            learning: config.learning.clone(),
            capture: config.capture.clone(),
            round: None,
            recent_rounds: Vec::new(),
            few_contributors: config.few_contributors,
            takes_metrics: true,
        };
        let snapshot = Snapshot::new(manifest, base, config.rounds.clone(), state.newest_round, Arc::default());
        let federation = Self {
            records,
            clock,
            config,
            backbone,
            detector,
            acceptance,
            events,
            transitions: Mutex::new(state),
            committed: AtomicU64::new(0),
            snapshot: RwLock::new(Arc::new(snapshot)),
            members: Members::new(participants),
        };
        federation.transition(|state| {
            if state.latest_model.version < state.newest_version {
                // The backbone was changed back: versions only ever go up.
                let latest = state.latest_model.clone();
                federation.publish_again(state, &latest)?;
            }
            federation.abandon_stale_round(state)?;
            federation.fix_strategy(state)?;
            federation.refresh(state)
        })?;
        federation.sweep()?;
        federation.advance()?;
        Ok(federation)
    }

    /// Deletes what ended rounds and old versions left, whenever that was.
    fn sweep(&self) -> Result<(), RoundError> {
        let unfinished = self.transition(|state| Ok(state.round.as_ref().map(|round| round.id.to_string())))?;
        let is_shared = self.records.store().is_shared();
        let rounds = if is_shared { self.records.rounds()? } else { Vec::new() };
        let is_over = |folder: &str| rounds.iter().any(|round| round.phase.is_over() && round.id.to_string() == folder);
        for folder in self.records.store().folders("updates")? {
            // Another replica may have opened a round meanwhile.
            if if is_shared { is_over(&folder) } else { Some(&folder) != unfinished.as_ref() } {
                self.records.store().delete_objects(&format!("updates/{folder}"))?;
            }
        }
        self.drop_old_weights(usize::MAX)
    }

    /// The manifest and what goes with it.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The events.
    pub fn events(&self) -> &EventLog {
        &self.events
    }

    /// The records.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// What it is now, in seconds since 1970.
    pub fn now_s(&self) -> u64 {
        self.clock.now_s()
    }

    /// What is fixed while the aggregator runs.
    pub fn config(&self) -> &FederationConfig {
        &self.config
    }

    /// How rounds go now.
    pub fn settings(&self) -> RoundSettings {
        self.snapshot().settings.clone()
    }

    /// Fewest distinct participants whose updates may become one published model.
    pub fn fewest_contributors(&self) -> u32 {
        if self.config.few_contributors { 1 } else { MINIMUM_CONTRIBUTORS }
    }

    /// Up to `limit` rounds before the round `before`, newest first.
    ///
    /// # Errors
    /// The store fails.
    pub fn rounds(&self, before: Option<u64>, limit: usize) -> Result<Vec<RoundSummary>, RoundError> {
        let mut rounds = Vec::new();
        for round in self.records.newest_rounds(before, limit)? {
            let received = round.received.map_or_else(|| self.records.update_count(round.id), Ok)?;
            let (base_version, opened_at_s) = (round.base_version, round.opened_at_s);
            rounds.push(RoundSummary {
                id: round.id,
                base_version,
                received,
                phase: RoundPhase::from(&round.phase),
                opened_at_s,
            });
        }
        Ok(rounds)
    }

    /// Up to `limit` published models before the version `before`, newest first.
    ///
    /// # Errors
    /// The store fails.
    pub fn models(&self, before: Option<u64>, limit: usize) -> Result<Vec<ModelVersion>, RoundError> {
        Ok(self.records.newest_models(before, limit)?.into_iter().map(ModelVersion::from).collect())
    }

    /// Does whatever is due now: closes a full or late round, aggregates, evaluates, publishes, opens the next.
    ///
    /// # Errors
    /// The store fails; calling it again goes on where it stopped.
    pub fn advance(&self) -> Result<(), RoundError> {
        self.transition(|state| self.advance_from(state))
    }

    fn advance_from(&self, state: &mut State) -> Result<(), RoundError> {
        loop {
            let Some(round) = state.round.clone() else {
                if !self.effective_settings(state).continuous {
                    return Ok(());
                }
                self.open_next(state)?;
                continue;
            };
            let (id, phase) = (round.id, round.phase.name());
            // An open round is looked at every second.
            let _in_span = match round.phase {
                Phase::Open => tracing::debug_span!("round", round = id, phase),
                _ => tracing::info_span!("round", round = id, phase),
            }
            .entered();
            let is_work = matches!(round.phase, Phase::Aggregating { .. } | Phase::Evaluating(_));
            if !is_work {
                state.lease.release();
            } else if !self.acquire_lease(state)? {
                // Another replica is at it; the next tick looks again.
                return Ok(());
            }
            let next = match &round.phase {
                Phase::Open => match self.close_reason(&round, state.received) {
                    None => return Ok(()),
                    Some(reason) => Ok(Phase::Aggregating { reason }),
                },
                Phase::Aggregating { reason } => self.aggregate(state, &round, *reason),
                Phase::Evaluating(candidate) => self.evaluate(state, &round, candidate),
                Phase::Published { .. } | Phase::Rejected { .. } | Phase::Abandoned { .. } => {
                    self.clean_up(&round);
                    state.round = None;
                    state.remember_ended(&round);
                    self.refresh(state)?;
                    self.notify_ended(&round);
                    continue;
                }
            };
            let phase = match next {
                // Trying again would give the same error, and the next round has to open.
                Err(error) if error.is_damage() => {
                    tracing::error!(%error, "the round cannot be completed");
                    Phase::Rejected { reason: Rejection::StorageDamaged { detail: error.to_string() } }
                }
                next => next?,
            };
            let next = RoundRecord { phase, received: Some(state.received), ..round.clone() };
            self.persist_phase(&round, &next)?;
            if let Phase::Evaluating(candidate) = &round.phase
                && !matches!(next.phase, Phase::Published { .. })
            {
                self.drop_candidate(candidate);
            }
            state.round = Some(next.clone());
            self.refresh(state)?;
            tracing::debug!(next = next.phase.name(), "phase ended");
            self.notify_closed(&next);
        }
    }

    /// Makes the snapshot say what the store and the state say.
    fn refresh(&self, state: &State) -> Result<(), RoundError> {
        let before = self.snapshot();
        let model = ModelVersion::from(state.latest_model.clone());
        let base = if model.vfer == before.manifest.model.vfer {
            before.base.clone()
        } else {
            load(&self.records, &model.vfer)?
        };
        let round = state.round.as_ref().filter(|round| round.phase == Phase::Open).map(|round| OpenRound {
            id: round.id,
            base_version: round.base_version,
            minimum_clients: round.minimum_clients.max(self.fewest_contributors()),
            target_clients: self.closes_at(round),
            // Counted apart, so that the manifest does not change with each update.
            received: 0,
            deadline_s: round.deadline_s,
        });
        let received = before.count_for(round.as_ref(), state.received);
        let recent_rounds = state.ended_rounds.iter().cloned().collect();
        let detector = self.detector.clone();
        // The configuration of this start may not allow what was set under another one.
        let stored = state.lecture.clone().filter(|lecture| self.config.stage.check(lecture).is_ok());
        let lecture = stored.unwrap_or_else(|| self.config.stage.lecture.clone());
        let manifest = Manifest { model, round, detector, recent_rounds, lecture, ..before.manifest.clone() };
        let settings = self.effective_settings(state);
        let snapshot = Arc::new(Snapshot::new(manifest, base, settings, state.newest_round, received));
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = snapshot;
        Ok(())
    }
}
