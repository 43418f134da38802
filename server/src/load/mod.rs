//! A load generator: many participants that speak the protocol as tabs do, some of them badly, against a running aggregator.
//!
//! `participant` is one of them, from joining to its updates; `api` its calls, each of which is measured; `body` makes client updates,
//! good and hostile ones; `class` is what all of them share; `report` what came of it.

mod api;
mod body;
mod class;
mod participant;
mod report;

use std::sync::Arc;
use std::time::{Duration, Instant};

use emofed::weights::WeightsError;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::api::Api;
pub use self::body::Fault;
use self::class::Class;
use self::participant::Participant;
pub use self::report::{CallFigures, LoadReport};
use crate::event_log::spread_ms;

/// How many participants join and subscribe at a time.
const JOINING: usize = 64;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct LoadSettings {
    /// The aggregator's origin, such as `http://127.0.0.1:8080`, or those of its replicas. Participants begin at them in turn, and go on to
    /// the next where one does not answer.
    pub origins: Vec<String>,
    /// Its join code.
    pub join_code: String,
    /// How many participants join and listen.
    pub participants: usize,
    /// How many of them contribute to each round.
    pub updates: usize,
    /// For how many rounds.
    pub rounds: u64,
    /// Share of the updates that are sent with each fault, 0 to 1; together at most 1.
    pub faults: Vec<(Fault, f64)>,
    /// Who contributes, with which fault, numbers and delays.
    pub seed: u64,
    /// Participants ask for the manifest beside events, as often as tabs do.
    pub polls: bool,
    /// Participants fetch the weights of each new version, as tabs do.
    pub fetches_weights: bool,
    /// After how long it ends although not all rounds have ended.
    pub timeout: Duration,
}

/// Why there is no load.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A setting makes no sense.
    #[error("{0}")]
    Setting(&'static str),
    /// The aggregator does not answer, or not as one.
    #[error("{call}: {reason}")]
    NoAnswer {
        /// The call.
        call: &'static str,
        /// What came instead.
        reason: String,
    },
    /// The aggregator's model cannot be read.
    #[error("the global model: {0}")]
    Model(#[from] WeightsError),
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Participants with an open event stream.
    pub listening: usize,
    /// Updates that were acknowledged.
    pub acknowledged: usize,
    /// Rounds that have ended.
    pub rounds: usize,
}

impl LoadSettings {
    /// Checks that they make sense.
    ///
    /// # Errors
    /// [`LoadError::Setting`] says what does not.
    pub fn check(&self) -> Result<(), LoadError> {
        let shares = || self.faults.iter().map(|(_, share)| *share);
        let rules = [
            (self.participants > 0, "there must be at least one participant"),
            (self.updates <= self.participants, "there cannot be more updates in a round than participants"),
            (self.rounds > 0, "there must be at least one round"),
            (shares().all(|share| (0.0..=1.0).contains(&share)), "shares of faults are from 0 to 1"),
            (shares().sum::<f64>() <= 1.0 + 1e-9, "the shares of faults are more than 1 together"),
        ];
        rules.into_iter().find(|(kept, _)| !kept).map_or(Ok(()), |(_, rule)| Err(LoadError::Setting(rule)))
    }
}

/// Joins, listens and contributes until `rounds` rounds have ended or the time is over; `on_progress` is called twice a second.
///
/// # Errors
/// The settings make no sense, or the aggregator gives no manifest or model to begin with. What single participants run into
/// is in the report.
pub async fn run(settings: LoadSettings, mut on_progress: impl FnMut(Progress)) -> Result<LoadReport, LoadError> {
    settings.check()?;
    crate::serve::raised_file_limit();
    let started = Instant::now();
    let apis = Api::all(&settings.origins);
    let api = apis.first().ok_or(LoadError::Setting("there is no address"))?;
    let (manifest, _) = api
        .manifest(None)
        .await?
        .ok_or(LoadError::NoAnswer { call: "manifest", reason: "it answers 304 to a first request".to_owned() })?;
    let base = api.weights(&manifest).await?;
    let class = Arc::new(Class::new(settings, apis, &manifest, base));
    let joining = Arc::new(Semaphore::new(JOINING));
    let mut participants = JoinSet::new();
    for index in 0..class.settings.participants {
        participants.spawn(Participant::new(index, class.clone()).run(joining.clone()));
    }
    let mut told = tokio::time::interval(Duration::from_millis(500));
    loop {
        told.tick().await;
        let progress = class.progress();
        on_progress(progress);
        // Contributing begins when all listen, as if a round were opened for them.
        if progress.listening >= class.settings.participants {
            class.begin(spread_ms(class.settings.participants));
        }
        if class.is_done() || started.elapsed() >= class.settings.timeout {
            break;
        }
    }
    participants.abort_all();
    while participants.join_next().await.is_some() {}
    Ok(class.report(started.elapsed()))
}
