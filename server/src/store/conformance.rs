//! What every store must do: both run the same functions.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Barrier};

use emofed::model::vfer::VferArchitecture;
use emofed::protocol::{BlobRef, ModelOrigin};

use super::*;

pub fn records_are_all_or_none(store: &dyn Store) {
    let put = |key: &str| Write::Put { key: key.into(), value: b"1".to_vec() };
    store.commit(&[put("a/1"), put("a/2"), put("b/1")]).unwrap();
    let insert = Write::Insert { key: "a/1".into(), value: b"2".to_vec() };
    assert!(matches!(store.commit(&[put("c"), insert]), Err(StoreError::Exists(_))));
    assert_eq!(store.get("c").unwrap(), None);
    assert_eq!(store.get("a/1").unwrap(), Some(b"1".to_vec()));
    let keys: Vec<String> = store.scan("a/").unwrap().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["a/1", "a/2"]);
}

pub fn records_are_listed_from_the_end_and_deleted(store: &dyn Store) {
    let put = |key: &str| Write::Put { key: key.into(), value: b"1".to_vec() };
    store.commit(&[put("l/1"), put("l/2"), put("l/3"), put("m/1"), put("k/1")]).unwrap();
    let keys = |before, limit| -> Vec<String> {
        store.scan_back("l/", before, limit).unwrap().into_iter().map(|(key, _)| key).collect()
    };
    assert_eq!(keys(None, 2), ["l/3", "l/2"]);
    assert_eq!(keys(Some("l/2"), 9), ["l/1"]);
    store.commit(&[Write::Delete { key: "l/3".into() }, Write::Delete { key: "l/9".into() }]).unwrap();
    assert_eq!(keys(None, 9), ["l/2", "l/1"]);
    store.check_health().unwrap();
    assert!(store.free_bytes().unwrap().is_none_or(|bytes| bytes > 0));
}

pub fn a_commit_waits_for_what_it_expects(store: &dyn Store) {
    let value = |text: &str| text.as_bytes().to_vec();
    let put = |key: &str, text: &str| Write::Put { key: key.into(), value: value(text) };
    let expect = |key: &str, text: Option<&str>| Write::Expect { key: key.into(), value: text.map(value) };
    let conflict = |writes: &[Write]| matches!(store.commit(writes), Err(StoreError::Conflict(_)));
    store.commit(&[expect("e/1", None), put("e/1", "a"), put("e/2", "x")]).unwrap();
    assert!(conflict(&[expect("e/1", None), put("e/1", "b"), put("e/2", "y")]));
    assert!(conflict(&[put("e/2", "y"), expect("e/1", Some("b"))]));
    assert!(conflict(&[expect("e/3", Some("b")), put("e/2", "y")]));
    assert_eq!(store.get("e/2").unwrap().unwrap(), b"x");
    store.commit(&[expect("e/1", Some("a")), put("e/1", "b"), expect("e/2", Some("x")), put("e/3", "z")]).unwrap();
    assert_eq!(store.get("e/1").unwrap().unwrap(), b"b");
    assert_eq!((store.count("e/").unwrap(), store.count("").unwrap() >= 3), (3, true));
}

pub fn no_more_records_than_allowed(store: &dyn Store) {
    let writes = |key: &str| {
        [Write::Insert { key: key.into(), value: b"1".to_vec() }, Write::AtMost { prefix: "full/".into(), limit: 2 }]
    };
    store.commit(&writes("full/1")).unwrap();
    store.commit(&writes("full/2")).unwrap();
    assert!(matches!(store.commit(&writes("full/3")), Err(StoreError::Full(_))));
    assert_eq!(store.count("full/").unwrap(), 2);
    store.commit(&[Write::Delete { key: "full/1".into() }]).unwrap();
    store.commit(&writes("full/3")).unwrap();
}

/// Many change one record at once, each from what it has read: none of the changes is lost.
pub fn changes_at_once_are_all_there(stores: &[&dyn Store]) {
    const EACH: u32 = 20;
    stores[0].commit(&[Write::Put { key: "sum".into(), value: b"0".to_vec() }]).unwrap();
    let add = |store: &dyn Store| {
        let before = store.get("sum").unwrap().unwrap();
        let sum: u32 = std::str::from_utf8(&before).unwrap().parse().unwrap();
        let value = (sum + 1).to_string().into_bytes();
        store.commit(&[
            Write::Expect { key: "sum".into(), value: Some(before) },
            Write::Put { key: "sum".into(), value },
        ])
    };
    std::thread::scope(|scope| {
        for store in stores.iter().chain(stores) {
            scope.spawn(move || {
                for _ in 0..EACH {
                    while let Err(error) = add(*store) {
                        assert!(error.is_conflict(), "{error}");
                    }
                }
            });
        }
    });
    let sum = stores[0].get("sum").unwrap().unwrap();
    assert_eq!(std::str::from_utf8(&sum).unwrap(), (EACH * 2 * stores.len() as u32).to_string());
}

/// The round `id` over the version `base`.
fn round(id: u64, base: u64) -> RoundRecord {
    let (opened_at_s, deadline_s) = (0, 1);
    let (strategy, received, phase) = (None, None, Phase::Open);
    RoundRecord {
        id,
        base_version: base,
        minimum_clients: 3,
        target_clients: 5,
        opened_at_s,
        deadline_s,
        strategy,
        received,
        phase,
    }
}

fn model(version: u64) -> ModelRecord {
    ModelRecord {
        version,
        parent: None,
        origin: ModelOrigin::Trained,
        round: None,
        num_clients: 0,
        num_examples: None,
        difference: None,
        class_metrics: None,
        published_at_s: 0,
        backbone_sha256: "b".to_owned(),
        architecture: VferArchitecture::default(),
        vfer: BlobRef { sha256: "v".to_owned(), size: 1 },
        acceptance_report: None,
        card: None,
        strategy_state: None,
    }
}

/// No round is opened over a model that is replaced in the same moment, whoever comes first.
pub fn opening_and_publishing_exclude_one_another(stores: [Arc<dyn Store>; 2]) {
    const TIMES: u64 = 30;
    let [one, two] = stores.map(|store| Records::open(store).unwrap());
    // One after the other, both from what was there before.
    let first = one.insert_model(None, &model(1), None).unwrap();
    let second = one.insert_round(Some(&first), &round(1, 1)).unwrap();
    assert!(two.insert_model(Some(&first), &model(2), None).unwrap_err().is_conflict());
    let third = two.insert_model(Some(&second), &model(2), None).unwrap();
    assert!(one.insert_round(Some(&second), &round(2, 1)).unwrap_err().is_conflict());
    assert!(one.insert_model(None, &model(3), None).unwrap_err().is_conflict());
    assert_eq!(one.newest().unwrap(), Some(third.clone()));
    assert_eq!(
        (third, one.models().unwrap().len(), one.rounds().unwrap().len()),
        (NewestRecord { round: 1, version: 2 }, 2, 1)
    );
    // A publication changes a round or nothing.
    let (newest, open) = (two.newest().unwrap(), round(1, 1));
    let other = RoundRecord { minimum_clients: 4, ..open.clone() };
    let ended = RoundRecord { phase: Phase::Published { version: 3 }, ..open.clone() };
    assert!(one.insert_model(newest.as_ref(), &model(3), Some((&other, &ended))).unwrap_err().is_conflict());
    assert_eq!((one.newest().unwrap(), one.model(3).unwrap()), (newest.clone(), None));
    one.insert_model(newest.as_ref(), &model(3), Some((&open, &ended))).unwrap();
    assert_eq!(two.rounds().unwrap(), [ended]);
    // At once.
    let barrier = Barrier::new(2);
    for time in 0..TIMES {
        let newest = one.newest().unwrap().unwrap();
        let (barrier, from) = (&barrier, Some(&newest));
        let (opened, published) = std::thread::scope(|scope| {
            let opened = scope.spawn(|| {
                barrier.wait();
                one.insert_round(from, &round(newest.round + 1, newest.version))
            });
            let published = scope.spawn(|| {
                barrier.wait();
                two.insert_model(from, &model(newest.version + 1), None)
            });
            (opened.join().unwrap(), published.join().unwrap())
        });
        for error in [&opened, &published].into_iter().filter_map(|done| done.as_ref().err()) {
            assert!(error.is_conflict(), "{error}");
        }
        assert_eq!(u8::from(opened.is_ok()) + u8::from(published.is_ok()), 1, "time {time}");
    }
}

/// Who joins by secrets that were changed meanwhile does not.
pub fn a_join_expects_the_secrets_that_admitted(store: Arc<dyn Store>) {
    let records = Records::open(store).unwrap();
    let (join_code_expires_at_s, instructor_token_sha256) = (None, "i".to_owned());
    let before = FederationRecord { join_code: "A".to_owned(), join_code_expires_at_s, instructor_token_sha256 };
    let after = FederationRecord { join_code: "B".to_owned(), ..before.clone() };
    records.change_federation(None, &before).unwrap();
    let join = |token: &str, federation: &FederationRecord| {
        let participant = ParticipantRecord { id: token.to_owned(), joined_at_s: None };
        let grant = Grant { federation: federation.clone(), code_use: None };
        records.insert_participant(token, &participant, Some(&grant), 10)
    };
    join("one", &before).unwrap();
    records.change_federation(Some(&before), &after).unwrap();
    assert!(matches!(join("two", &before), Err(StoreError::Conflict(_))));
    join("two", &after).unwrap();
    assert_eq!(records.participant_count().unwrap(), 2);
}

pub fn folders_are_listed(store: &dyn Store) {
    store.put_object("listed/1/x", b"1").unwrap();
    store.put_object("listed/20/y", b"1").unwrap();
    let mut names = store.folders("listed").unwrap();
    names.sort();
    assert_eq!(names, ["1", "20"]);
    assert!(store.folders("nothing").unwrap().is_empty());
}

pub fn objects_come_and_go(store: &dyn Store) {
    assert!(matches!(store.object("updates/1/x"), Err(StoreError::Missing(_))));
    store.put_object("updates/1/x", b"weights").unwrap();
    store.put_object("updates/1/x", b"newer").unwrap();
    assert_eq!(store.object("updates/1/x").unwrap(), b"newer");
    store.delete_object("updates/1/x").unwrap();
    store.delete_object("updates/1/x").unwrap();
    assert!(matches!(store.object("updates/1/x"), Err(StoreError::Missing(_))));
    store.delete_objects("updates/1").unwrap();
    store.put_object("updates/1/x", b"1").unwrap();
    store.put_object("updates/1/y", b"2").unwrap();
    store.put_object("updates/10/x", b"3").unwrap();
    store.delete_objects("updates/1").unwrap();
    assert!(matches!(store.object("updates/1/y"), Err(StoreError::Missing(_))));
    assert_eq!(store.object("updates/10/x").unwrap(), b"3");
}

pub fn folders_go_without_disturbing_who_writes(store: &dyn Store) {
    let writing = std::sync::atomic::AtomicUsize::new(4);
    std::thread::scope(|scope| {
        for writer in 0..writing.load(Ordering::SeqCst) {
            let writing = &writing;
            scope.spawn(move || {
                let name = format!("updates/2/{writer}");
                let result = (0..200).try_for_each(|_| store.put_object(&name, b"weights"));
                writing.fetch_sub(1, Ordering::SeqCst);
                result.unwrap();
            });
        }
        while writing.load(Ordering::SeqCst) > 0 {
            store.delete_objects("updates/2").unwrap();
        }
    });
}

pub fn objects_are_read_in_parts(store: &dyn Store) {
    store.put_object("blobs/x", b"weights").unwrap();
    assert_eq!(store.object_size("blobs/x").unwrap(), 7);
    assert_eq!(store.object_part("blobs/x", 2, 3).unwrap(), b"igh");
    assert_eq!(store.object_part("blobs/x", 5, 9).unwrap(), b"ts");
    assert_eq!(store.object_part("blobs/x", 7, 1).unwrap(), b"");
    assert!(matches!(store.object_size("blobs/y"), Err(StoreError::Missing(_))));
    assert!(matches!(store.object_part("blobs/y", 0, 1), Err(StoreError::Missing(_))));
}

pub fn a_snapshot_stays_as_it_was(store: &dyn Store) {
    let put = |value: &[u8]| store.commit(&[Write::Put { key: "s".into(), value: value.to_vec() }]).unwrap();
    let object = |snapshot: &dyn Snapshot, name: &str| {
        let (mut object, length) = snapshot.open(name)?;
        let mut bytes = Vec::new();
        object.read_to_end(&mut bytes)?;
        assert_eq!(bytes.len() as u64, length);
        Ok::<_, StoreError>(bytes)
    };
    put(b"then");
    store.put_object("updates/5/x", b"whole").unwrap();
    store.put_object("blobs/y", b"weights").unwrap();
    let snapshot = store.snapshot().unwrap();
    put(b"now");
    store.delete_objects("updates/5").unwrap();
    store.delete_object("blobs/y").unwrap();
    store.put_object("blobs/z", b"later").unwrap();
    let then = ("s".to_owned(), b"then".to_vec());
    assert!(snapshot.records().contains(&then) && snapshot.records().is_sorted());
    assert!(snapshot.objects().is_sorted() && !snapshot.objects().contains(&"blobs/z".to_owned()));
    assert_eq!(object(snapshot.as_ref(), "updates/5/x").unwrap(), b"whole");
    assert_eq!(object(snapshot.as_ref(), "blobs/y").unwrap(), b"weights");
    assert!(matches!(object(snapshot.as_ref(), "blobs/z"), Err(StoreError::Missing(_))));
    assert_eq!(store.get("s").unwrap().unwrap(), b"now");
}

pub fn names_cannot_leave_the_store(store: &dyn Store) {
    for name in ["../x", "/etc/passwd", "a/../../b", "a//b", "", "a\\b"] {
        assert!(store.put_object(name, b"x").is_err(), "{name}");
        assert!(store.object(name).is_err(), "{name}");
        assert!(store.delete_objects(name).is_err(), "{name}");
    }
}
