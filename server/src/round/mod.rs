//! A class and its rounds: Open → Aggregating → Evaluating → Published, Rejected or Abandoned.
//!
//! One file per phase. Each transition is one transaction, so that a crash resumes in the phase it interrupted; every
//! phase computes from what is stored, so that doing it again gives the same.

mod aggregating;
mod ended;
mod evaluating;
mod open;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use emofed::learning::Strategy;
use emofed::protocol::{
    BackboneRef, BlobRef, CapturePlan, Deployment, Event, LearningSettings, Manifest, ModelCard, ModelOrigin,
    ModelVersion, OpenRound, PROTOCOL, ProblemCode, RoundSettings, RoundSummary, UpdateLimits, sha256_hex,
};
use emofed::weights::Weights;

pub use self::evaluating::{AcceptanceCheck, SanityCheck};
use crate::clock::Clock;
use crate::error::ServeError;
use crate::event_log::EventLog;
use crate::store::{Phase, Records, RoundRecord, Store};

/// What is fixed while the aggregator runs.
#[derive(Clone, Debug)]
pub struct ClassConfig {
    /// What the class is called.
    pub class: String,
    /// Who runs it and why.
    pub deployment: Option<Deployment>,
    /// How tabs learn.
    pub learning: LearningSettings,
    /// How tabs look.
    pub capture: CapturePlan,
    /// How rounds go, unless the instructor has changed it.
    pub rounds: RoundSettings,
    /// What an update may be at most.
    pub limits: UpdateLimits,
    /// What becomes of the mean of a round's updates.
    pub strategy: Strategy,
}

/// Everything a call without side effects needs; replaced as a whole.
pub struct Snapshot {
    /// The manifest.
    pub manifest: Manifest,
    /// Its JSON.
    pub json: String,
    /// Its strong entity tag, with quotes.
    pub etag: String,
    /// The central model's weights.
    pub base: Arc<Weights>,
}

/// A class.
pub struct Classroom {
    records: Records,
    clock: Arc<dyn Clock>,
    config: ClassConfig,
    backbone: BackboneRef,
    detector: BlobRef,
    acceptance: Box<dyn AcceptanceCheck>,
    events: EventLog,
    /// Held by whatever changes a round or a model: transitions happen one at a time.
    transitions: Mutex<State>,
    snapshot: RwLock<Arc<Snapshot>>,
}

struct State {
    settings: RoundSettings,
    /// The round that has not ended, if any.
    round: Option<RoundRecord>,
    received: u32,
}

impl Classroom {
    /// Opens the class in `store`, whose backbone, detector and first model must be there, and finishes what a crash
    /// interrupted.
    ///
    /// # Errors
    /// The store fails, or has no backbone, detector or model: the problem says what to do.
    pub fn open(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        config: ClassConfig,
        acceptance: Box<dyn AcceptanceCheck>,
    ) -> Result<Self, ServeError> {
        let records = Records(store);
        let missing = |what: &str| {
            let detail = format!("There is no {what} yet: run `emofed import lite DIR` first.");
            ServeError::problem(ProblemCode::Conflict, detail)
        };
        let backbone = records.backbone()?.ok_or_else(|| missing("backbone"))?.backbone;
        let detector = records.detector()?.ok_or_else(|| missing("face detector"))?;
        let model = head(&records, &backbone)?.ok_or_else(|| missing("video model"))?;
        let base = load(&records, &model.vfer)?;
        let settings = records.settings()?.unwrap_or_else(|| config.rounds.clone());
        let last = records.rounds()?.pop();
        let round = last.clone().filter(|round| !is_over(&round.phase));
        let received = round.as_ref().map_or(Ok(0), |round| count(&records, round.id))?;
        let events = EventLog::new(clock.now_s());
        let manifest = Manifest {
            protocol: PROTOCOL,
            class: config.class.clone(),
            deployment: config.deployment.clone(),
            backbone: backbone.clone(),
            detector: detector.clone(),
            model,
            learning: config.learning.clone(),
            capture: config.capture.clone(),
            round: None,
        };
        let snapshot = RwLock::new(Arc::new(Snapshot::new(manifest, base)));
        let state = Mutex::new(State { settings, round, received });
        let class =
            Self { records, clock, config, backbone, detector, acceptance, events, transitions: state, snapshot };
        if let Some(last) = last.filter(|last| is_over(&last.phase)) {
            class.clean_up(&last);
        }
        {
            let mut state = class.state();
            class.leave_stale_round(&mut state)?;
            class.refresh(&state)?;
        }
        class.advance()?;
        Ok(class)
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

    /// How rounds go now.
    pub fn settings(&self) -> RoundSettings {
        self.state().settings.clone()
    }

    /// Changes how rounds go from the next round on.
    ///
    /// # Errors
    /// A value makes no sense, or the store fails.
    pub fn set_settings(&self, settings: RoundSettings) -> Result<(), ServeError> {
        if settings.minimum_clients == 0 || settings.duration_s == 0 {
            let detail = "A round needs at least one client and one second.";
            return Err(ServeError::problem(ProblemCode::BadRequest, detail));
        }
        self.records.put_settings(&settings)?;
        self.state().settings = settings;
        self.advance()
    }

    /// Rounds, newest first.
    ///
    /// # Errors
    /// The store fails.
    pub fn rounds(&self) -> Result<Vec<RoundSummary>, ServeError> {
        let mut rounds = Vec::new();
        for round in self.records.rounds()?.into_iter().rev() {
            let received = count(&self.records, round.id)?;
            let (base_version, opened_at_s) = (round.base_version, round.opened_at_s);
            rounds.push(RoundSummary { id: round.id, base_version, received, phase: words(&round.phase), opened_at_s });
        }
        Ok(rounds)
    }

    /// Makes the weights of `version` central again, under a new version. An open round, whose base is then stale, is
    /// abandoned.
    ///
    /// # Errors
    /// There is no such version of this backbone, a round is being aggregated, or the store fails.
    pub fn restore(&self, version: u64) -> Result<u64, ServeError> {
        let new_version = {
            let mut state = self.state();
            if state.round.as_ref().is_some_and(|round| round.phase != Phase::Open) {
                let detail = "A round is being aggregated; try again in a moment.";
                return Err(ServeError::problem(ProblemCode::Conflict, detail));
            }
            let models = self.records.models()?;
            let restored = models
                .iter()
                .find(|model| model.version == version && model.backbone_sha256 == self.backbone.blob.sha256)
                .ok_or_else(|| {
                    ServeError::problem(ProblemCode::NotFound, format!("There is no version {version} to restore."))
                })?;
            if let Err(error) = load(&self.records, &restored.vfer) {
                tracing::error!(%error, version, "a version cannot be restored");
                let detail = format!("The stored weights of version {version} cannot be read.");
                return Err(ServeError::problem(ProblemCode::Conflict, detail));
            }
            let model = ModelVersion {
                version: next_version(&models),
                parent: Some(version),
                published_at_s: self.clock.now_s(),
                round: None,
                ..restored.clone()
            };
            self.records.insert_model(&model)?;
            self.leave_stale_round(&mut state)?;
            self.refresh(&state)?;
            self.events.push(Event::ModelRolledBack { version: model.version, restored: version });
            model.version
        };
        self.advance()?;
        Ok(new_version)
    }

    /// Does whatever is due now: closes a full or late round, aggregates, evaluates, publishes, opens the next.
    ///
    /// # Errors
    /// The store fails; calling it again goes on where it stopped.
    pub fn advance(&self) -> Result<(), ServeError> {
        let mut state = self.state();
        loop {
            let Some(round) = state.round.clone() else {
                if !state.settings.continuous {
                    return Ok(());
                }
                self.open_next(&mut state)?;
                continue;
            };
            let next = match &round.phase {
                Phase::Open => match self.why_close(&round, state.received) {
                    None => return Ok(()),
                    Some(reason) => Ok(Phase::Aggregating { reason }),
                },
                Phase::Aggregating { reason } => self.aggregate(&round, *reason),
                Phase::Evaluating { candidate, clients, clips, strategy_state } => {
                    self.evaluate(&round, candidate, *clients, *clips, strategy_state.as_ref())
                }
                Phase::Published { .. } | Phase::Rejected { .. } | Phase::Abandoned => {
                    self.clean_up(&round);
                    state.round = None;
                    self.refresh(&state)?;
                    self.tell_end(&round);
                    continue;
                }
            };
            let phase = match next {
                // Trying again would not help, and the class has to go on.
                Err(error) if error.is_damage() => {
                    tracing::error!(%error, round = round.id, "the round cannot be completed");
                    Phase::Rejected { reason: error.to_string() }
                }
                next => next?,
            };
            let next = RoundRecord { phase, ..round };
            self.enter(&next)?;
            state.round = Some(next.clone());
            self.refresh(&state)?;
            self.tell_closed(&next);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.transitions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The current central model.
    fn head(&self) -> Result<ModelVersion, ServeError> {
        head(&self.records, &self.backbone)?
            .ok_or_else(|| ServeError::problem(ProblemCode::Internal, "The central model is gone."))
    }

    /// Makes the snapshot say what the store and the state say.
    fn refresh(&self, state: &State) -> Result<(), ServeError> {
        let before = self.snapshot();
        let model = self.head()?;
        let base = if model.vfer == before.manifest.model.vfer {
            before.base.clone()
        } else {
            load(&self.records, &model.vfer)?
        };
        let round = state.round.as_ref().filter(|round| round.phase == Phase::Open).map(|round| OpenRound {
            id: round.id,
            base_version: round.base_version,
            minimum_clients: round.minimum_clients,
            received: state.received,
            deadline_s: round.deadline_s,
        });
        let manifest = Manifest { model, round, detector: self.detector.clone(), ..before.manifest.clone() };
        let snapshot = Arc::new(Snapshot::new(manifest, base));
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = snapshot;
        Ok(())
    }
}

impl Snapshot {
    fn new(manifest: Manifest, base: Arc<Weights>) -> Self {
        let json = serde_json::to_string(&manifest).expect("a manifest is plain data");
        let etag = format!("\"{}\"", &sha256_hex(json.as_bytes())[..32]);
        Self { manifest, json, etag, base }
    }
}

/// Publishes a model that no round made: the first of a backbone, or one trained in the lab.
///
/// # Errors
/// The store fails.
pub fn publish_made(
    records: &Records,
    backbone: &BackboneRef,
    origin: ModelOrigin,
    vfer: &[u8],
    card: Option<ModelCard>,
    now_s: u64,
) -> Result<ModelVersion, ServeError> {
    let model = ModelVersion {
        version: next_version(&records.models()?),
        parent: None,
        origin,
        round: None,
        clients: 0,
        clips: 0,
        published_at_s: now_s,
        backbone_sha256: backbone.blob.sha256.clone(),
        vfer: records.put_blob(vfer)?,
        evaluation: None,
        card,
        strategy_state: None,
    };
    records.insert_model(&model)?;
    Ok(model)
}

/// The newest model over a backbone.
///
/// # Errors
/// The store fails.
pub fn head(records: &Records, backbone: &BackboneRef) -> Result<Option<ModelVersion>, ServeError> {
    let models = records.models()?;
    Ok(models.into_iter().rev().find(|model| model.backbone_sha256 == backbone.blob.sha256))
}

fn next_version(models: &[ModelVersion]) -> u64 {
    models.last().map_or(1, |model| model.version + 1)
}

fn load(records: &Records, vfer: &BlobRef) -> Result<Arc<Weights>, ServeError> {
    Ok(Arc::new(Weights::from_safetensors(&records.blob(&vfer.sha256)?)?))
}

fn count(records: &Records, round: u64) -> Result<u32, ServeError> {
    Ok(u32::try_from(records.updates(round)?.len()).unwrap_or(u32::MAX))
}

fn is_over(phase: &Phase) -> bool {
    matches!(phase, Phase::Published { .. } | Phase::Rejected { .. } | Phase::Abandoned)
}

fn words(phase: &Phase) -> String {
    match phase {
        Phase::Open => "open".to_owned(),
        Phase::Aggregating { .. } => "aggregating".to_owned(),
        Phase::Evaluating { .. } => "evaluating".to_owned(),
        Phase::Published { version } => format!("published as version {version}"),
        Phase::Rejected { reason } => format!("rejected: {reason}"),
        Phase::Abandoned => "abandoned".to_owned(),
    }
}
