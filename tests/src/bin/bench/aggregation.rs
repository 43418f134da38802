//! Aggregation rules beside flwr (`tests/peers/aggregation.py`), on the same updates.
//!
//! Bytes of updates in memory go in, a model's bytes come out. Ours is what the aggregator does with a round: every body is checked as a whole.
//! flwr's is the `aggregate_fit` of its strategy.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Instant;

use emofed::learning::robust::{self, Blocks, CoordinateWise, UpdateSource};
use emofed::learning::{EncodedDelta, FedAvg};
use emofed::protocol::{ClientUpdate, EncodedUpdate, UpdateError, UpdateLimits};
use emofed::weights::{EncodedWeights, Tensor, ValueRanges, Weights, WeightsError};
use emofed_server::ordered_pipeline::{Threads, ordered_batches};
use serde::Deserialize;

use super::native::{bytes, folder, python, write};
use super::{Outcome, median};

/// Values of an update.
pub const COORDINATES: usize = 1_000_000;
/// Where the next client's window begins.
const STEP: usize = 997;
const CLIENTS: usize = 100;
/// Updates that are summed together, as in the aggregator.
const BATCH: usize = 4;
/// How often ours and the peer are measured in turn.
const ROUNDS: usize = 3;
/// Runs of each in a row, of which the first, that finds nothing in caches and no memory allocated, does not count.
const RUNS: usize = 4;
/// The peer's name.
pub const FLWR: &str = "flwr 1.42";

/// What the peer prints.
#[derive(Deserialize)]
pub struct Peer {
    /// Milliseconds.
    pub times: Vec<f64>,
    /// Largest resident set.
    peak_kb: f64,
}

/// Milliseconds of a rule.
pub fn milliseconds(rule: &str) -> Result<Outcome, String> {
    let bodies = Bodies::Memory(bodies(CLIENTS)?);
    let base = zeros();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut model = aggregate(rule, &bodies, &base)?;
        for _ in 1..RUNS {
            let started = Instant::now();
            model = aggregate(rule, &bodies, &base)?;
            ours.push(1_000.0 * started.elapsed().as_secs_f64());
        }
        let (measured, expected) = peer(rule, CLIENTS, RUNS)?;
        check(&model, &expected)?;
        theirs.extend(&measured.times[1..]);
    }
    Ok(Outcome { ours: median(ours), peer: Some((FLWR, median(theirs))) })
}

/// Largest resident set in MB of a process that aggregates once; of ours with the updates in files, as the aggregator has them.
pub fn memory(rule: &str) -> Result<Outcome, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    for (client, body) in bodies(CLIENTS)?.into_iter().enumerate() {
        std::fs::write(folder.path().join(client.to_string()), body).map_err(|error| error.to_string())?;
    }
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = std::process::Command::new(program).arg(AGGREGATE).arg(rule).arg(folder.path()).output();
    let output = output.map_err(|error| error.to_string())?;
    let kilobytes = String::from_utf8_lossy(&output.stdout).trim().parse::<f64>();
    let kilobytes = kilobytes.map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let (measured, _) = peer(rule, CLIENTS, 1)?;
    Ok(Outcome { ours: kilobytes / 1_000.0, peer: Some((FLWR, measured.peak_kb / 1_000.0)) })
}

/// First argument of the process whose memory is measured; its others are the rule and the folder of bodies.
pub const AGGREGATE: &str = "--aggregate";

/// That process: prints its largest resident set in kB.
pub fn aggregate_files(rule: &str, folder: &str) -> Result<(), String> {
    let bodies = (0..CLIENTS).map(|client| PathBuf::from(folder).join(client.to_string())).collect();
    aggregate(rule, &Bodies::Files(bodies), &zeros())?;
    println!("{}", super::peak_kilobytes("self"));
    Ok(())
}

/// Runs the peer and reads what it has computed.
pub fn peer(rule: &str, clients: usize, runs: usize) -> Result<(Peer, Vec<f32>), String> {
    let file = write("updates.f32", &bytes(&values(clients)))?;
    let result = folder().join("aggregate.f32");
    let [file, path] = [&file, &result].map(|path| path.display().to_string());
    let measured = python("aggregation.py", &[rule, &file, &path, &clients.to_string(), &runs.to_string()])?;
    let found = std::fs::read(&result).map_err(|error| format!("{}: {error}", result.display()))?;
    Ok((measured, found.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()))
}

/// That ours and the peer's are the same to 1e-4 of the largest.
pub fn check(model: &[u8], expected: &[f32]) -> Result<(), String> {
    let model = Weights::from_safetensors(model).map_err(|error| error.to_string())?;
    let found = &model.get("values").map_err(|error| error.to_string())?.values;
    let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let same = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-4 * largest;
    match found.len() == expected.len() && found.iter().zip(expected).all(same) {
        true => Ok(()),
        false => Err(format!("{FLWR} computes something else")),
    }
}

fn values(clients: usize) -> Vec<f32> {
    emofed_tests::values("updates", COORDINATES + STEP * (clients - 1))
}

pub fn zeros() -> Weights {
    let mut base = Weights::new();
    base.insert("values", Tensor::new([COORDINATES], vec![0.0; COORDINATES]));
    base
}

/// The deltas and their numbers of examples, as `aggregation.py` makes them, too.
pub fn deltas(clients: usize) -> impl Iterator<Item = (Weights, u32)> {
    let values = values(clients);
    (0..clients).map(move |client| {
        let factor = (0.5 + client as f64 / clients as f64) as f32;
        let window = values[STEP * client..][..COORDINATES].iter().map(|value| value * factor).collect();
        let mut delta = Weights::new();
        delta.insert("values", Tensor::new([COORDINATES], window));
        (delta, client as u32 + 1)
    })
}

fn bodies(clients: usize) -> Result<Vec<Vec<u8>>, String> {
    let encode =
        |(delta, num_examples)| ClientUpdate { round: 1, base_version: 1, num_examples, metrics: None, delta }.encode();
    Ok(deltas(clients).map(encode).collect())
}

/// What the limits of updates allow here.
pub fn limits() -> UpdateLimits {
    UpdateLimits { max_norm: 1e6, ..UpdateLimits::default() }
}

/// A round's updates.
enum Bodies {
    Memory(Vec<Vec<u8>>),
    Files(Vec<PathBuf>),
}

impl Bodies {
    fn clients(&self) -> usize {
        match self {
            Self::Memory(bodies) => bodies.len(),
            Self::Files(files) => files.len(),
        }
    }

    /// Reads the bodies of `clients` on all cores, as the aggregator does, does `work` with each there, and hands the results to `take` in
    /// this order, a few at a time.
    fn for_each_batch<'a, T: Send>(
        &'a self,
        clients: &[usize],
        work: impl Fn(EncodedUpdate<EncodedWeights<Cow<'a, [u8]>>>) -> Result<T, UpdateError> + Sync,
        take: impl FnMut(Vec<T>) -> Result<(), String>,
    ) -> Result<(), String> {
        let read = |client: usize| {
            let body = match self {
                Self::Memory(bodies) => Cow::from(&bodies[client]),
                Self::Files(files) => std::fs::read(&files[client]).map_err(|error| error.to_string())?.into(),
            };
            EncodedUpdate::parse(body).and_then(&work).map_err(|error| error.to_string())
        };
        let threads = Threads::on_all_cores().ahead(BATCH);
        ordered_batches(0..clients.len(), threads, BATCH, |index| read(clients[index]), take)
    }

    fn part(&self, client: usize, start: u64, length: usize) -> std::io::Result<Cow<'_, [u8]>> {
        use std::io::{Read as _, Seek as _, SeekFrom};
        match self {
            Self::Memory(bodies) => Ok(Cow::from(&bodies[client][start as usize..][..length])),
            Self::Files(files) => {
                let mut file = std::fs::File::open(&files[client])?;
                file.seek(SeekFrom::Start(start))?;
                let mut part = vec![0; length];
                file.read_exact(&mut part)?;
                Ok(part.into())
            }
        }
    }
}

/// Bodies that were checked.
struct Checked<'a> {
    bodies: &'a Bodies,
    ranges: Vec<ValueRanges>,
}

/// Why a part of a body cannot be read.
#[derive(Debug)]
struct Unreadable(String);

impl From<WeightsError> for Unreadable {
    fn from(error: WeightsError) -> Self {
        Self(error.to_string())
    }
}

impl UpdateSource for Checked<'_> {
    type Error = Unreadable;

    fn clients(&self) -> usize {
        self.ranges.len()
    }

    fn coordinates(&self) -> usize {
        COORDINATES
    }

    fn read(&self, client: usize, first: usize, out: &mut [f32]) -> Result<(), Unreadable> {
        self.ranges[client].read(first, out, |start, length| {
            self.bodies.part(client, start, length).map_err(|error| Unreadable(error.to_string()))
        })
    }
}

/// The new model's bytes.
fn aggregate(rule: &str, bodies: &Bodies, base: &Weights) -> Result<Vec<u8>, String> {
    let clients = bodies.clients();
    let everyone: Vec<usize> = (0..clients).collect();
    // The norm is checked behind the sum, which is of no use then: one pass over all values does for both.
    let mean = |mut mean: FedAvg, clients: &[usize]| -> Result<Vec<u8>, String> {
        let delta = |EncodedUpdate { delta, num_examples, .. }: EncodedUpdate<_>| {
            Ok(EncodedDelta { delta, num_examples, factor: 1.0 })
        };
        bodies.for_each_batch(clients, delta, |deltas| {
            let norms = mean.add_encoded(&deltas, Threads::on_all_cores().count).map_err(|error| error.to_string())?;
            let counts = deltas.iter().all(|delta| (1..=limits().max_examples).contains(&delta.num_examples));
            match counts && norms.iter().all(|norm| *norm <= limits().max_norm) {
                true => Ok(()),
                false => Err("an update is beyond the limits".to_owned()),
            }
        })?;
        Ok(mean.finish().ok_or("no client counts")?.to_safetensors(None))
    };
    if rule == "fedavg" {
        return mean(FedAvg::new(base.clone()), &everyone);
    }
    let mut ranges = Vec::with_capacity(clients);
    let check = |update: EncodedUpdate<EncodedWeights<_>>| {
        let update = update.check(base)?;
        update.check_limits(&limits())?;
        Ok(update.delta.into_encoded().into_ranges())
    };
    bodies.for_each_batch(&everyone, check, |batch| {
        ranges.extend(batch);
        Ok(())
    })?;
    let checked = Checked { bodies, ranges };
    let blocks = Blocks::on_all_cores();
    let rule = match rule {
        "krum" => {
            let distances = robust::squared_distances(&checked, blocks).map_err(|Unreadable(error)| error)?;
            let nearest = robust::select(&distances, clients / 10, clients / 2);
            return mean(FedAvg::unweighted(base.clone()), &nearest);
        }
        "median" => CoordinateWise::Median,
        _ => CoordinateWise::TrimmedMean { trim: 0.1 },
    };
    let mut model = base.clone();
    let values = model.iter_mut().next().ok_or("the model has no values")?.1;
    robust::aggregate_coordinates(rule, &checked, blocks, &mut values.values).map_err(|Unreadable(error)| error)?;
    Ok(model.to_safetensors(None))
}
