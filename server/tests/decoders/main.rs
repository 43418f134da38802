//! Every decoder of what comes from elsewhere, on bytes that were valid before they were changed at random: nothing panics, nothing
//! allocates more than a multiple of what it reads, and what is accepted is the same after another round trip.
#![allow(clippy::unwrap_used, reason = "in a test, a panic is how a failure is told")]

mod mutation;
mod samples;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use emofed::learning::FineTuneCheckpoint;
use emofed::protocol::{
    ClientUpdate, EncodedUpdate, Event, FederationStatus, JoinRequest, Lecture, Manifest, Problem, RoundSettingsChange,
    UpdateLimits,
};
use emofed::weights::{ValueRanges, Weights, WeightsError};
use emofed_server::backup::{self, Part};
use emofed_server::config::Config;
use peak_alloc::PeakAlloc;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::mutation::mutate;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// One test at a time, its samples included, since the allocator counts for all threads.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes that a decoder may have allocated at once: for each byte that it reads, since a JSON value is 32 bytes and a vector that grows
/// is there twice, and beside that.
const A_BYTE: usize = 128;
const BESIDE: usize = 256 << 10;

/// Decodes `cases` changed forms of the samples. `decode` gives the encoded form of what it accepts, of which the same has to come out again.
fn decoder(name: &str, samples: &[Vec<u8>], cases: u64, decode: impl Fn(&[u8]) -> Option<Vec<u8>>) {
    for sample in samples {
        assert!(decode(sample).is_some(), "{name}: a sample is refused");
    }
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..cases {
        let bytes = mutate(samples, seed);
        ALLOCATOR.reset_peak_usage();
        let before = ALLOCATOR.current_usage();
        let found = catch_unwind(AssertUnwindSafe(|| decode(&bytes)));
        let allocated = ALLOCATOR.peak_usage().saturating_sub(before);
        let found = found.unwrap_or_else(|_| panic!("{name} panics, seed {seed}"));
        let most = BESIDE + A_BYTE * bytes.len();
        assert!(allocated <= most, "{name} allocates {allocated} bytes for {}, seed {seed}", bytes.len());
        match found {
            Some(encoded) => {
                accepted += 1;
                let again = decode(&encoded);
                let is_stable = again.as_ref().is_some_and(|again| is_same(again, &encoded));
                assert!(is_stable, "{name} is not stable, seed {seed}");
            }
            None => refused += 1,
        }
    }
    println!("{name}: {accepted} accepted, {refused} refused");
    assert!(accepted > 0 && refused > 0, "{name}: {accepted} accepted, {refused} refused");
}

/// Whether two encoded forms are the same; numbers of JSON may differ in the last place, since serde_json reads them so without its
/// `float_roundtrip`, which would make the pages larger.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    fn is_near(one: &Value, other: &Value) -> bool {
        match (one, other) {
            (Value::Array(one), Value::Array(other)) => {
                one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_near(one, other))
            }
            (Value::Object(one), Value::Object(other)) => {
                one.len() == other.len()
                    && one.iter().all(|(key, value)| other.get(key).is_some_and(|other| is_near(value, other)))
            }
            (Value::Number(one), Value::Number(other)) if one.is_f64() && other.is_f64() => {
                let [one, other] = [one, other].map(|number| number.as_f64().unwrap());
                (one - other).abs() <= 1e-15 * one.abs()
            }
            _ => one == other,
        }
    }
    let value = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
    one == other || value(one).zip(value(other)).is_some_and(|(one, other)| is_near(&one, &other))
}

fn json<T: DeserializeOwned + Serialize>(name: &str, samples: &[Vec<u8>]) {
    decoder(name, samples, 8_000, |bytes| {
        let found: T = serde_json::from_slice(bytes).ok()?;
        Some(serde_json::to_vec(&found).unwrap())
    });
}

#[test]
fn client_updates() {
    let _turn = turn();
    let model = samples::model();
    let limits = UpdateLimits::default();
    let valid = std::cell::Cell::new(0);
    decoder("a client update", &samples::updates(), 20_000, |bytes| {
        let update = ClientUpdate::decode(bytes).ok()?;
        let checked = EncodedUpdate::parse(bytes).unwrap().check(&model);
        if checked.is_ok_and(|checked| checked.check_limits(&limits).is_ok()) {
            valid.set(valid.get() + 1);
            assert!(update.delta.check_finite().is_ok() && update.delta.norm() <= limits.max_norm);
            assert!((1..=limits.max_examples).contains(&update.num_examples));
            assert_eq!(update.delta.value_count(), model.value_count());
        }
        // What reads ranges reads the same.
        if let Ok(checked) = EncodedUpdate::parse(bytes).unwrap().check(&update.delta) {
            assert_eq!(read(&checked.delta.into_encoded().into_ranges(), bytes), bits(&update.delta));
        }
        Some(update.encode())
    });
    assert!(valid.get() > 0);
}

/// All values of a file by their ranges.
fn read(ranges: &ValueRanges, file: &[u8]) -> Vec<u32> {
    let mut values = vec![0.0; ranges.value_count()];
    let part = |start: u64, length: usize| Ok::<_, WeightsError>(file[start as usize..][..length].to_vec());
    ranges.read(0, &mut values, part).unwrap();
    values.iter().map(|value| value.to_bits()).collect()
}

fn bits(weights: &Weights) -> Vec<u32> {
    weights.iter().flat_map(|(_, tensor)| tensor.values.iter().map(|value| value.to_bits())).collect()
}

#[test]
fn files_of_weights() {
    let _turn = turn();
    decoder("a file of weights", &samples::weights(), 20_000, |bytes| {
        let _ = Weights::metadata(bytes);
        Some(Weights::from_safetensors(bytes).ok()?.to_safetensors(None))
    });
}

#[test]
fn checkpoints_of_fine_tuning() {
    let _turn = turn();
    // 2.4 MB each.
    decoder("a checkpoint", &samples::checkpoints(), 150, |bytes| {
        Some(FineTuneCheckpoint::decode(bytes).ok()?.encode())
    });
}

#[test]
fn manifests_and_statuses() {
    let _turn = turn();
    json::<Manifest>("a manifest", &samples::manifests());
    json::<FederationStatus>("a status", &samples::statuses());
}

#[test]
fn events() {
    let _turn = turn();
    let samples = samples::events();
    json::<Event>("an event", &samples);
    decoder("an event that the page reads", &samples, 8_000, |bytes| {
        let text = str::from_utf8(bytes).ok()?;
        let event = Event::read(text);
        if let Ok(by_serde) = serde_json::from_str::<Event>(text) {
            assert!(event == by_serde || event == Event::Unknown, "{text}");
        }
        (event != Event::Unknown).then(|| serde_json::to_vec(&event).unwrap())
    });
}

#[test]
fn bodies_of_the_instructors_and_participants_calls() {
    let _turn = turn();
    json::<RoundSettingsChange>("a change of settings", &samples::changes());
    json::<Lecture>("a lecture", &samples::lectures());
    json::<JoinRequest>("a request to join", &samples::join_requests());
}

#[test]
fn problem_documents() {
    let _turn = turn();
    json::<Problem>("a problem document", &samples::problems());
}

#[test]
fn configurations() {
    let _turn = turn();
    decoder("a configuration", &samples::configurations(), 6_000, |bytes| {
        let config: Config = toml::from_str(str::from_utf8(bytes).ok()?).ok()?;
        let _ = config.check(([127, 0, 0, 1], 0).into());
        Some(toml::to_string(&config).unwrap().into_bytes())
    });
}

#[test]
fn backups() {
    let _turn = turn();
    let sample = samples::backup();
    let parts = |bytes: &[u8]| {
        let mut parts = Vec::new();
        let contents = backup::read(bytes, |part: Part| {
            parts.push(part);
            Ok(())
        });
        contents.ok().map(|contents| (contents, parts))
    };
    let whole = parts(&sample);
    // What is accepted says the same: a change between the parts, or in what tar alone needs.
    decoder("a backup", std::slice::from_ref(&sample), 4_000, |bytes| {
        let found = parts(bytes)?;
        assert_eq!(Some(&found), whole.as_ref());
        Some(sample.clone())
    });
}
