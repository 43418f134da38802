//! `emofed clients`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use emofed_server::load::{Fault, LoadError, LoadSettings, run as run_load};

use super::{Failure, print, runtime};

#[derive(clap::Args)]
#[command(
    after_help = "Each participant joins, keeps an event stream open, asks for the manifest as tabs do, and contributes random changes
within the norm limit. Contributing begins when all listen; a round ends as the aggregator's settings say, so that
rounds.minimum_clients has to be what this command's good updates reach. On the aggregator raise limits.max_participants and
limits.connections_per_address: all participants come from one address. Its records keep them; use a data folder of its own.

The exit code is 0 if every round ended, every acknowledged update is in its model, and every fault was answered as it has to be.

Examples:
  emofed clients 50 --url 'http://127.0.0.1:8080/#join=ABCD-EFGH' --updates 40 --hostile 0.2
  emofed clients 1000 --url 'http://127.0.0.1:8080/#join=ABCD-EFGH' --address http://127.0.0.1:8081
  emofed clients 10000 --url http://127.0.0.1:8080 --join-code ABCD-EFGH --updates 2000 --json crowd.json"
)]
pub struct Arguments {
    /// How many participants
    #[arg(value_name = "N")]
    participants: usize,
    /// The aggregator's origin, or the students' link, which has the join code in it
    #[arg(long, value_name = "URL")]
    url: String,
    /// The origin of another replica, for each of them: participants begin at all of these in turn, and go on to the next where one does
    /// not answer
    #[arg(long, value_name = "URL")]
    address: Vec<String>,
    /// The join code, unless it is in the link
    #[arg(long, value_name = "CODE")]
    join_code: Option<String>,
    /// How many participants contribute to each round [default: all]
    #[arg(long, value_name = "M")]
    updates: Option<usize>,
    /// For how many rounds
    #[arg(long, value_name = "R", default_value_t = 1)]
    rounds: u64,
    /// Share of the updates, 0 to 1, that take five seconds to send
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    slow: f64,
    /// Share whose connection is closed in mid-upload; the same bytes are sent again
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    dropping: f64,
    /// Share that is sent twice
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    duplicate: f64,
    /// Share that is relative to another version than the round's
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    stale: f64,
    /// Share that is no update: not finite, too large a norm, wrong shapes, a giant number of examples, too long, noise, or of
    /// nobody
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    hostile: f64,
    /// Who contributes, with which fault, and all random numbers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Ask for the manifest after events alone, not once a minute beside them
    #[arg(long)]
    no_polling: bool,
    /// Fetch the weights of each new version, as tabs do
    #[arg(long)]
    fetch_weights: bool,
    /// End after so many seconds, although not all rounds have ended
    #[arg(long, value_name = "S", default_value_t = 600)]
    timeout_s: u64,
    /// Write the report as JSON, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        let way_out = match error {
            LoadError::Setting(_) => "see `emofed clients --help`",
            LoadError::NoAnswer { .. } | LoadError::Model(_) => "see that the aggregator runs at the address of --url",
        };
        Self::new(error.to_string(), way_out)
    }
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let (origin, in_link) = match arguments.url.split_once("#join=") {
        Some((origin, code)) => (origin, Some(code.to_owned())),
        None => (arguments.url.as_str(), None),
    };
    let join_code = arguments.join_code.or(in_link).ok_or_else(|| {
        Failure::new("there is no join code", "give it with --join-code, or the students' link with --url")
    })?;
    let faults = vec![
        (Fault::Slow, arguments.slow),
        (Fault::Dropping, arguments.dropping),
        (Fault::Duplicate, arguments.duplicate),
        (Fault::Stale, arguments.stale),
        (Fault::Hostile, arguments.hostile),
    ];
    let settings = LoadSettings {
        origins: [origin].into_iter().map(str::to_owned).chain(arguments.address).collect(),
        join_code,
        participants: arguments.participants,
        updates: arguments.updates.unwrap_or(arguments.participants),
        rounds: arguments.rounds,
        faults,
        seed: arguments.seed,
        polls: !arguments.no_polling,
        fetches_weights: arguments.fetch_weights,
        timeout: Duration::from_secs(arguments.timeout_s),
    };
    let (participants, updates, rounds) = (settings.participants, settings.updates, settings.rounds);
    let (started, mut told) = (Instant::now(), None);
    let report = runtime()?.block_on(run_load(settings, |progress| {
        let now_s = started.elapsed().as_secs();
        if told.is_none_or(|told| told != progress) && now_s.is_multiple_of(2) {
            told = Some(progress);
            eprintln!(
                "{now_s:>4} s: {} of {participants} listen, {} of {} updates acknowledged, {} of {rounds} rounds ended",
                progress.listening,
                progress.acknowledged,
                updates as u64 * rounds,
                progress.rounds
            );
        }
    }))?;
    print(&report);
    if let Some(file) = &arguments.json {
        let json = serde_json::to_string_pretty(&report).unwrap_or_default();
        std::fs::write(file, json).map_err(|error| {
            Failure::new(format!("{} cannot be written: {error}", file.display()), "name another file with --json")
        })?;
    }
    if report.is_as_expected(rounds) {
        return Ok(());
    }
    Err(Failure::new("not everything went as it has to", "see the report, and the aggregator's log"))
}
