//! The real federation beside its specification.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use emofed::learning::{LearningSettings, Strategy};
use emofed::protocol::{CaptureSettings, RoundOutcome, RoundSettings, UpdateLimits, sha256_hex};
use emofed_server::backup::Backup;
use emofed_server::round::{Federation, FederationBounds, FederationConfig, RoundError, SanityCheck, Stage};
use emofed_server::store::Records;

use super::super::harness::{TestClock, model};
use super::calls::Outcome;
use super::compare::compare;
use super::disk::{Disk, FailingStore, Failure};
use super::sent::{Sent, first_value, sent};
use super::specification::{KEPT_MODELS, MAX_PARTICIPANTS, Reached, SHORTEST_ROUND_S, Specification};
use super::steps::{PEOPLE, Step};

pub struct Machine {
    disk: Disk,
    store: Option<Arc<FailingStore>>,
    federation: Option<Federation>,
    clock: Arc<TestClock>,
    pub specification: Specification,
    /// What each participant sent last and had acknowledged, and for which round.
    last: Vec<Option<(u64, Vec<u8>)>>,
    backup: Option<(Vec<u8>, Specification)>,
    reached: Reached,
}

impl Machine {
    pub fn start(disk: Disk) -> Result<Self, String> {
        let mut machine = Self {
            disk,
            store: None,
            federation: None,
            clock: Arc::new(TestClock(AtomicU64::new(1_000))),
            specification: Specification::new(first_value(&model())),
            last: vec![None; PEOPLE],
            backup: None,
            reached: Reached::default(),
        };
        machine.start_again()?;
        machine.specification.advance(machine.now_s());
        compare(machine.federation(), &machine.specification)?;
        Ok(machine)
    }

    pub fn reached(&self) -> Reached {
        self.reached
    }

    /// Does `step` and compares.
    pub fn step(&mut self, step: &Step) -> Result<(), String> {
        let before = self.specification.clone();
        match step {
            Step::Clock { by_s } => {
                let now_s = self.now_s().saturating_add_signed(*by_s);
                self.clock.0.store(now_s, Ordering::SeqCst);
            }
            Step::BackUp => {
                let mut bytes = Vec::new();
                let store = self.store.as_deref().unwrap();
                let taken = Backup::take(store, None, self.now_s()).and_then(|backup| backup.write(&mut bytes));
                taken.map_err(|error| error.to_string())?;
                self.backup = Some((bytes, before.clone()));
            }
            Step::RestoreBackup => {
                if let Some((bytes, specification)) = self.backup.clone() {
                    self.stop();
                    self.disk = self.disk.restored(&bytes);
                    self.specification = specification;
                    self.start_again()?;
                    self.specification.advance(self.now_s());
                    self.reached.restored_backups += 1;
                }
            }
            Step::Failing { failure, during } => self.fail_during(*failure, during)?,
            step => {
                let sent = sent(step, &self.specification, &self.last);
                let outcome = self.act(step, sent.as_ref());
                let predictions = self.predictions(step, sent.as_ref());
                let then = predictions.iter().find(|(predicted, _)| *predicted == outcome);
                let (_, then) =
                    then.ok_or_else(|| format!("it ended as {outcome:?}, not as {:?}", predictions[0].0))?;
                self.specification = then.clone();
                self.count(step, &before, &outcome, sent.as_ref());
                self.remember(sent);
            }
        }
        compare(self.federation(), &self.specification)
    }

    /// Does `during` while the store fails, and finds out whether it has happened. It has if it was acknowledged; otherwise it has as a
    /// whole or not at all.
    fn fail_during(&mut self, failure: Failure, during: &Step) -> Result<(), String> {
        let sent = sent(during, &self.specification, &self.last);
        let predictions = self.predictions(during, sent.as_ref());
        let store = self.store.clone().unwrap();
        store.fail(Some(failure));
        let outcome = self.act(during, sent.as_ref());
        let has_failed = store.has_failed();
        store.fail(None);
        drop(store);
        if self.federation.is_none() || (has_failed && failure.is_crash) {
            self.stop();
            self.start_again()?;
        } else {
            self.federation().advance().map_err(|error| format!("it does not go on: {error}"))?;
        }
        self.reached.failures += usize::from(has_failed);
        self.reached.crashes += usize::from(has_failed && failure.is_crash);
        if !has_failed && outcome == Outcome::Failed {
            return Err("it failed although the store did not".to_owned());
        }
        let mut possible = Vec::new();
        for (predicted, then) in predictions {
            if predicted == outcome || outcome == Outcome::Failed {
                possible.push(then);
            }
        }
        if outcome == Outcome::Failed {
            possible.push(self.specification.clone());
        }
        let mut errors = vec![format!("it ended as {outcome:?}")];
        for mut then in possible {
            then.advance(self.now_s());
            match compare(self.federation(), &then) {
                Ok(()) => {
                    self.specification = then;
                    self.remember(sent);
                    return Ok(());
                }
                Err(error) => errors.push(error),
            }
        }
        Err(errors.join("; "))
    }

    pub fn now_s(&self) -> u64 {
        self.clock.0.load(Ordering::SeqCst)
    }

    pub fn federation(&self) -> &Federation {
        self.federation.as_ref().unwrap()
    }

    fn stop(&mut self) {
        self.federation = None;
        self.store = None;
    }

    fn start_again(&mut self) -> Result<(), String> {
        self.stop();
        self.store = Some(self.disk.open());
        self.open().map_err(|error| format!("it does not start again: {error}"))
    }

    /// Opens the federation over the store.
    pub fn open(&mut self) -> Result<(), RoundError> {
        let config = FederationConfig {
            name: "test".to_owned(),
            deployment: None,
            stage: Stage::default(),
            learning: LearningSettings::default(),
            capture: CaptureSettings::default(),
            rounds: RoundSettings::default(),
            limits: UpdateLimits::default(),
            strategy: Strategy::default(),
            few_contributors: false,
            bounds: FederationBounds {
                shortest_round_s: SHORTEST_ROUND_S,
                kept_models: KEPT_MODELS,
                max_participants: MAX_PARTICIPANTS,
                ..FederationBounds::default()
            },
        };
        let acceptance = Box::new(SanityCheck { max_norm: config.limits.max_norm });
        self.federation = None;
        let records = Records::open(self.store.clone().unwrap())?;
        self.federation = Some(Federation::open(records, self.clock.clone(), config, acceptance)?);
        Ok(())
    }

    /// Remembers what was sent if it counts now.
    fn remember(&mut self, sent: Option<Sent>) {
        let Some(Sent { path, bytes, .. }) = sent else { return };
        let sha256 = sha256_hex(&bytes);
        let known = self.specification.acknowledged.iter();
        for ((_, who), _) in known.filter(|((round, _), update)| *round == path && update.sha256 == sha256) {
            self.last[*who] = Some((path, bytes.clone()));
        }
    }

    fn count(&mut self, step: &Step, before: &Specification, outcome: &Outcome, sent: Option<&Sent>) {
        let (reached, now) = (&mut self.reached, &self.specification);
        let made = |specification: &Specification| {
            specification.ended.values().filter(|(outcome, _)| *outcome == RoundOutcome::Published).count()
        };
        let published = made(now) - made(before);
        reached.published += published;
        reached.abandoned += now.ended.len() - before.ended.len() - published;
        reached.bad += usize::from(*outcome == Outcome::BadUpdate);
        reached.refused += usize::from(matches!(outcome, Outcome::Refused(_)));
        let is_done = *outcome == Outcome::Done;
        let is_new = now.acknowledged.len() > before.acknowledged.len();
        reached.repeated += usize::from(is_done && sent.is_some() && !is_new);
        reached.restored_versions += usize::from(is_done && matches!(step, Step::Restore { .. }));
        let is_started =
            matches!(step, Step::Restart) && before.round.as_ref().is_some_and(|open| before.received(open.id) > 0);
        reached.restarts_of_open_rounds += usize::from(is_started);
    }
}
