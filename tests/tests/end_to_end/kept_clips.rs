//! Clips that are kept over a reload, if the student allows it: encrypted, gone when they shall be, and counted once whenever the
//! tab is killed.

use std::time::Duration;

use emofed::random::SplitMix64;
use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::Camera;
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::student::Student;
use hyper::Method;
use tokio::time::sleep;

const CAMERA: Camera = Camera::Granted(Film::Portrait(3));
const RECORD: &str = "/on-this-device/kept-clips";
const CHECKPOINT: &str = "/on-this-device/checkpoint";

#[tokio::test]
async fn kept_clips_come_back_after_a_reload_and_others_do_not() {
    let aggregator = Aggregator::start_with(&Aggregator::by_hand()).await;
    let student = Student::join(aggregator.student_link(), CAMERA).await;
    student.wait_for_clips(2).await;
    assert!(!student.kept_on_the_device().await.iter().any(|path| path == RECORD), "nothing is kept unasked");
    assert_eq!(databases(&student).await, 0);
    student.browser().reload().await;
    student.wait_for_frames().await;
    assert_eq!(student.browser().text("#kept-clips-report").await, "");

    student.browser().click("#keep-clips").await;
    let kept = student.clips_kept().await.max(1) + 1;
    student.wait_for_clips(kept).await;
    wait_for_record(&student, true).await;
    // The record of the newest clip may be under way.
    sleep(Duration::from_secs(1)).await;
    student.browser().click("#pause").await;
    student.browser().reload().await;
    let words = wait_for_report(&student, "back from before").await;
    assert!(student.clips_kept().await >= kept, "{words}");

    // Withdrawing the permission deletes them, and the key.
    student.browser().click("#keep-clips").await;
    wait_for_record(&student, false).await;
    wait_for_no_database(&student).await;
    student.browser().reload().await;
    student.wait_for_backend("cpu").await;
    assert_eq!(student.browser().text("#kept-clips-report").await, "");
    assert_eq!(student.clips_kept().await, 0);
}

#[tokio::test]
async fn kept_clips_are_unreadable_without_the_key_and_forgetting_leaves_neither() {
    let aggregator = Aggregator::start_with(&Aggregator::by_hand()).await;
    let student = join_and_keep(&aggregator).await;
    student.wait_for_clips(3).await;
    wait_for_record(&student, true).await;

    let record = stored_bytes(&student).await;
    assert!(record.len() > 3 * 4 * 256 * 4, "clips of three frames at least: {} bytes", record.len());
    assert_is_noise(&record);
    // The question makes sense: with the key it is a record of features, in which the same check fails.
    let opened: Vec<u8> = student.browser().script(&with_key("return Array.from(new Uint8Array(plain));")).await;
    assert!(opened.windows(16).any(|bytes| bytes == b"waiting.features"));
    assert!(plausible_features(&opened) > 0.9, "{}", plausible_features(&opened));
    let exported = with_key("return crypto.subtle.exportKey('raw', key).then(() => 'exported', error => error.name);");
    assert_eq!(student.browser().script::<String>(&exported).await, "InvalidAccessError");

    student.forget("forget").await;
    assert_eq!(student.kept_on_the_device().await, [""; 0]);
    assert_eq!(databases(&student).await, 0);
}

#[tokio::test]
async fn a_damaged_record_is_dropped_and_keeps_nobody_from_joining() {
    let aggregator = Aggregator::start_with(&Aggregator::by_hand()).await;
    let student = join_and_keep(&aggregator).await;
    student.wait_for_clips(1).await;
    wait_for_record(&student, true).await;
    student.browser().click("#pause").await;
    sleep(Duration::from_secs(1)).await;
    let cut = format!(
        "return (async () => {{
            const cache = await caches.open('emofed-v1');
            const bytes = await (await cache.match({RECORD:?})).arrayBuffer();
            await cache.put({RECORD:?}, new Response(bytes.slice(0, bytes.byteLength / 2)));
            return true;
        }})();"
    );
    assert!(student.browser().script::<bool>(&cut).await);
    student.browser().reload().await;
    wait_for_report(&student, "cannot be decrypted").await;
    assert_eq!(student.clips_kept().await, 0);
    // What is kept from now on is readable again.
    student.browser().click("#pause").await;
    student.wait_for_clips(1).await;
    wait_for_record(&student, true).await;
    sleep(Duration::from_secs(1)).await;
    student.browser().click("#pause").await;
    student.browser().reload().await;
    wait_for_report(&student, "back from before").await;
    assert!(student.clips_kept().await >= 1);
}

#[tokio::test]
async fn a_tab_that_is_killed_at_random_moments_contributes_once() {
    for seed in [1, 2] {
        let aggregator = Aggregator::start_with(&Aggregator::with_long_training()).await;
        let student = join_and_keep(&aggregator).await;
        let round = aggregator.manifest().await.round.unwrap().id;
        student.wait_for_clips(2).await;
        student.contribute().await;
        let mut random = SplitMix64::new(seed);
        let mut has_had_a_checkpoint = false;
        for kill in 0..6 {
            // While it trains or sends, or while the page loads or collects clips.
            if kill % 2 == 0 {
                wait_until_busy(&student).await;
                sleep(Duration::from_millis(random.below(400) as u64)).await;
            } else {
                sleep(Duration::from_millis(300 + random.below(6_000) as u64)).await;
            }
            has_had_a_checkpoint |= student.kept_on_the_device().await.iter().any(|path| path == CHECKPOINT);
            student.browser().reload().await;
        }
        student.wait_for_acknowledgement(round).await;
        for _ in 0..2 {
            sleep(Duration::from_millis(random.below(4_000) as u64)).await;
            student.browser().reload().await;
        }
        student.wait_for_backend("cpu").await;
        sleep(Duration::from_secs(8)).await;

        let status = aggregator.status().await;
        let open = status.round.expect("it waits for another student");
        assert_eq!((open.id, open.received), (round, 1), "seed {seed}: one update of this participant");
        let exchanges = student.browser().proxy().exchanges();
        let joined = exchanges.iter().filter(|exchange| exchange.method == Method::POST).count();
        assert_eq!(joined, 1, "seed {seed}: one participant");
        let updates = student.acknowledged_updates(round);
        assert!(updates[0].num_examples >= 2, "seed {seed}");
        assert!(updates.iter().all(|update| *update == updates[0]), "seed {seed}: the same bytes each time");
        println!("seed {seed}: sent {} times, a checkpoint was seen: {has_had_a_checkpoint}", updates.len());
    }
}

/// Waits until the tab trains or sends, for ten seconds at most: it may have sent already.
async fn wait_until_busy(student: &Student) {
    let busy = "return document.querySelector('#training').checkVisibility()
        || document.querySelector('#upload').dataset.state === 'sending'";
    for _ in 0..200 {
        if student.browser().script(busy).await {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// Joins with the permission to keep clips.
async fn join_and_keep(aggregator: &Aggregator) -> Student {
    let student = Student::open(aggregator.student_link(), "cpu", CAMERA).await;
    student.browser().click("#keep-clips-consent").await;
    student.consent().await;
    student.wait_for_backend("cpu").await;
    student
}

/// Waits until there is a record of clips on the device, or none.
async fn wait_for_record(student: &Student, expected: bool) {
    for _ in 0..100 {
        if student.kept_on_the_device().await.iter().any(|path| path == RECORD) == expected {
            return;
        }
        sleep(Duration::from_millis(200)).await;
    }
    panic!("there is a record of clips: {}, expected {expected}", !expected);
}

async fn wait_for_report(student: &Student, words: &str) -> String {
    let text = "document.querySelector('#kept-clips-report').textContent";
    let shown = format!("{text}.toLowerCase().includes({words:?}) && {text}");
    student.browser().wait(&format!("“{words}” about kept clips"), 60, &shown).await
}

async fn databases(student: &Student) -> usize {
    student.browser().script("return indexedDB.databases().then(databases => databases.length)").await
}

async fn wait_for_no_database(student: &Student) {
    for _ in 0..50 {
        if databases(student).await == 0 {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("the key is still there");
}

async fn stored_bytes(student: &Student) -> Vec<u8> {
    let script = format!(
        "return caches.match({RECORD:?}).then(found => found.arrayBuffer())
            .then(bytes => Array.from(new Uint8Array(bytes)));"
    );
    student.browser().script(&script).await
}

/// A script that decrypts the record into `plain` with the device's `key`, and then does `more`.
fn with_key(more: &str) -> String {
    format!(
        "return (async () => {{
            const answer = request => new Promise((resolve, reject) => {{
                request.onsuccess = () => resolve(request.result);
                request.onerror = () => reject(request.error);
            }});
            const database = await answer(indexedDB.open('emofed-key'));
            const key = await answer(database.transaction('keys').objectStore('keys').get('kept-clips'));
            database.close();
            const bytes = new Uint8Array(await (await caches.match({RECORD:?})).arrayBuffer());
            const parameters = {{
                name: 'AES-GCM', iv: bytes.slice(1, 13), additionalData: new TextEncoder().encode({RECORD:?})
            }};
            const plain = await crypto.subtle.decrypt(parameters, key, bytes.slice(13));
            {more}
        }})();"
    )
}

/// Nothing of the form of a record can be found, and bytes are as even as random ones.
fn assert_is_noise(record: &[u8]) {
    for text in ["waiting", "features", "targets", "clips", "participant"] {
        assert!(!record.windows(text.len()).any(|bytes| bytes == text.as_bytes()), "{text}");
    }
    let plausible = plausible_features(record);
    assert!(plausible < 0.3, "{plausible} of the values could be features");
    let mut counts = [0_u32; 256];
    record.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let share = |count: &u32| f64::from(*count) / record.len() as f64;
    let entropy: f64 = counts.iter().filter(|count| **count > 0).map(|count| -share(count) * share(count).log2()).sum();
    assert!(entropy > 7.9, "{entropy} bits a byte");
}

/// The largest share, over the four alignments, of values that are zero or of an ordinary size as F32. Of random bytes it is
/// about a tenth.
fn plausible_features(bytes: &[u8]) -> f64 {
    let share = |offset: usize| {
        let values = bytes[offset..].as_chunks::<4>().0;
        let is_plausible = |value: f32| value == 0.0 || (1e-5..1e3).contains(&value.abs());
        values.iter().filter(|bytes| is_plausible(f32::from_le_bytes(**bytes))).count() as f64 / values.len() as f64
    };
    (0..4).map(share).fold(0.0, f64::max)
}

#[test]
fn features_are_told_from_noise() {
    let mut random = SplitMix64::new(1);
    let noise: Vec<u8> = (0..40_000).map(|_| random.next_u64() as u8).collect();
    assert_is_noise(&noise);
    let features: Vec<u8> = (0..10_000).flat_map(|_| random.signed().to_le_bytes()).collect();
    assert!(plausible_features(&features[1..]) > 0.9);
}
