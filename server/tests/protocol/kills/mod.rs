//! `kill -9` at random instants under load: the program over a data folder, and two replicas over Postgres.
//!
//! Participants join, contribute, send again over every kill and leave, while rounds open, aggregate and publish without a pause, so that
//! kills fall into all of that and into starts. What must hold is checked over HTTP alone: every acknowledged update is in the model of its
//! round, once, and nothing else is; numbers of rounds and versions have no gaps and never mean two things.
//!
//! `EMOFED_KILLS=500 EMOFED_KILLS_SEED=1 cargo test --release --workspace --test protocol many_kills -- --ignored --nocapture` is the long run.

mod check;
mod clients;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use emofed::random::SplitMix64;
use emofed::weights::{Tensor, Weights};
use emofed_server::store::{EmbeddedStore, Records};
use tempfile::TempDir;

use self::clients::Class;
use super::harness::prepare_with;
use super::program::{Program, configured, killed_while_starting};
use super::shared_store::Shared;

/// Participants at a time, and how many of them a round waits for: the others are late.
const CLIENTS: usize = 6;
const MINIMUM_CLIENTS: &str = "4";
/// Values of the model, enough for aggregation to take a while.
const VALUES: usize = 100_000;
/// Old weights are deleted meanwhile, and who checks has to fetch them before.
const LIMITS: &str = "kept_models = 30\nmax_participants = 100000\n";
/// Longest times between a start and the kill, and between the beginning of a start and a kill in its middle.
const LONGEST_LIFE_MS: usize = 700;
const LONGEST_START_MS: usize = 60;

/// Where the records are, and which processes there are.
enum Deployment {
    Folder(TempDir),
    Replicas(Box<Shared>, Records),
}

impl Deployment {
    fn folder() -> Self {
        let folder = tempfile::tempdir().unwrap();
        prepare_with(folder.path(), &base());
        Self::Folder(folder)
    }

    fn replicas() -> Self {
        let shared = Shared::over(&base()).limited(LIMITS);
        let records = Records::open(Arc::new(shared.store())).unwrap();
        Self::Replicas(Box::new(shared), records)
    }

    fn names(&self) -> &'static [&'static str] {
        match self {
            Self::Folder(_) => &["a"],
            Self::Replicas(..) => &["a", "b"],
        }
    }

    fn start(&self, name: &str) -> Program {
        let arguments = ["--minimum-clients", MINIMUM_CLIENTS];
        match self {
            Self::Folder(folder) => Program::start_limited(folder.path(), LIMITS, &arguments),
            Self::Replicas(shared, _) => shared.replica(name, (name != "a").then_some("a"), &arguments),
        }
    }

    /// Starts it, and kills it while it starts.
    fn start_in_vain(&self, name: &str, after: Duration) {
        let command = match self {
            Self::Folder(folder) => configured(folder.path(), LIMITS),
            Self::Replicas(shared, _) => shared.command(name),
        };
        killed_while_starting(command, after);
    }

    /// The phase of the newest round, in the records as the kill has left them.
    fn phase(&self) -> String {
        let newest = |records: &Records| records.newest_rounds(None, 1).unwrap().remove(0).phase.name().to_owned();
        match self {
            Self::Folder(folder) => {
                // A copy: the program itself has to mend the original.
                let copy = tempfile::tempdir().unwrap();
                let file = EmbeddedStore::DATABASE;
                std::fs::copy(folder.path().join(file), copy.path().join(file)).unwrap();
                newest(&Records::open(Arc::new(EmbeddedStore::open(copy.path()).unwrap())).unwrap())
            }
            Self::Replicas(_, records) => newest(records),
        }
    }
}

fn base() -> Weights {
    let mut weights = Weights::new();
    weights.insert("head", Tensor::new([VALUES], vec![0.0; VALUES]));
    weights
}

/// Kills the processes of `deployment` so often, and checks what has become of all updates. Gives the phases in which kills fell.
async fn killed(deployment: Deployment, kills: usize, seed: u64) -> BTreeMap<String, usize> {
    let (names, mut random) = (deployment.names(), SplitMix64::new(seed));
    let since = Instant::now();
    let mut programs: BTreeMap<&str, Program> = names.iter().map(|name| (*name, deployment.start(name))).collect();
    let class = Arc::new(Class::new(programs["a"].code(), programs["a"].instructor_token()));
    programs.values().for_each(|program| class.is_at(program.url("")));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|index| tokio::spawn(class.clone().participate(index, SplitMix64::new(seed ^ (index as u64 + 1) << 32))))
        .collect();
    let collector = tokio::spawn(class.clone().collect());

    let mut phases = BTreeMap::new();
    let mut done = 0;
    while done < kills {
        tokio::time::sleep(Duration::from_millis(random.below(LONGEST_LIFE_MS) as u64)).await;
        let first = random.below(names.len());
        let all = if random.below(4) == 0 { names.len() } else { 1 };
        let chosen: Vec<&str> = (0..all).map(|index| names[(first + index) % names.len()]).collect();
        tokio::task::block_in_place(|| {
            for name in &chosen {
                let program = programs.remove(name).unwrap();
                class.is_not_at(&program.url(""));
                program.kill();
                done += 1;
            }
            *phases.entry(deployment.phase()).or_default() += 1;
            for name in chosen {
                while random.below(4) == 0 {
                    deployment.start_in_vain(name, Duration::from_millis(random.below(LONGEST_START_MS) as u64));
                    *phases.entry("starting".to_owned()).or_default() += 1;
                    done += 1;
                }
                let program = deployment.start(name);
                class.is_at(program.url(""));
                programs.insert(name, program);
            }
        });
        assert!(clients.iter().all(|client| !client.is_finished()), "a client has given up");
        assert!(!collector.is_finished(), "who checks has given up");
    }
    let last = class.finish();
    for client in clients {
        tokio::time::timeout(Duration::from_secs(60), client).await.expect("clients end with the last round").unwrap();
    }
    collector.await.unwrap();
    class.check(last).await;
    println!("seed {seed}: {done} kills in {:?}, {last} rounds, {}; {phases:?}", since.elapsed(), class.told());
    phases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_count_once_whenever_the_program_is_killed() {
    killed(Deployment::folder(), 10, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_count_once_whenever_replicas_are_killed() {
    killed(Deployment::replicas(), 10, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn many_kills() {
    let variable = |name: &str, usual: u64| std::env::var(name).map_or(usual, |number| number.parse().unwrap());
    let (kills, seed) = (variable("EMOFED_KILLS", 500) as usize, variable("EMOFED_KILLS_SEED", 1));
    for deployment in [Deployment::folder(), Deployment::replicas()] {
        let phases = killed(deployment, kills.div_ceil(2), seed).await;
        assert!(kills < 500 || phases.len() >= 4, "kills do not fall into all phases: {phases:?}");
    }
}
