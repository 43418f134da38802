//! What every store must do, and what is particular to a database and to several replicas.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use super::super::registry_conformance::{self, IDS, make};
use super::super::{FederationRegistry as _, SERVING, conformance};
use super::*;

#[path = "../../../tests/protocol/postgres.rs"]
mod postgres_program;
#[path = "../../../tests/protocol/s3.rs"]
mod s3_program;

use postgres_program::Postgres;
use s3_program::S3;

/// A store of a federation of its own.
fn open(postgres: &Postgres, folder: &std::path::Path, federation: &str) -> PostgresStore {
    let (blobs, federation) = (format!("file://{}", folder.display()), federation.to_owned());
    let s3 = S3Variables::default();
    PostgresStore::open(&PostgresSettings { url: postgres.url(), blobs, s3, federation }).unwrap()
}

/// The same with its objects in a bucket.
fn open_with_bucket(postgres: &Postgres, s3: &S3, federation: &str) -> PostgresStore {
    let (url, blobs, federation) = (postgres.url(), s3.blobs(), federation.to_owned());
    PostgresStore::open(&PostgresSettings { url, blobs, s3: s3.variables().collect(), federation }).unwrap()
}

const TESTS: [fn(&dyn Store); 10] = [
    conformance::records_are_all_or_none,
    conformance::records_are_listed_from_the_end_and_deleted,
    conformance::a_commit_waits_for_what_it_expects,
    conformance::no_more_records_than_allowed,
    conformance::objects_come_and_go,
    conformance::folders_are_listed,
    conformance::objects_are_read_in_parts,
    conformance::folders_go_without_disturbing_who_writes,
    conformance::names_cannot_leave_the_store,
    conformance::a_snapshot_stays_as_it_was,
];

#[test]
fn conforms() {
    let (postgres, folder) = (Postgres::start(), tempfile::tempdir().unwrap());
    for (index, test) in TESTS.into_iter().enumerate() {
        test(&open(&postgres, folder.path(), &format!("f{index}")));
    }
    let left = std::fs::read_dir(folder.path().join("f9/snapshots")).unwrap();
    let copies = left.flat_map(|id| std::fs::read_dir(id.unwrap().path().join("blobs")).unwrap()).count();
    assert_eq!(copies, 0, "the copies of a snapshot go with it");
    let (one, two) = (open(&postgres, folder.path(), "shared"), open(&postgres, folder.path(), "shared"));
    conformance::changes_at_once_are_all_there(&[&one, &two]);
    let both = ["rounds"; 2].map(|name| Arc::new(open(&postgres, folder.path(), name)) as Arc<dyn Store>);
    conformance::opening_and_publishing_exclude_one_another(both);
    conformance::a_join_expects_the_secrets_that_admitted(Arc::new(open(&postgres, folder.path(), "joins")));
    assert_eq!(open(&postgres, folder.path(), "other").scan("").unwrap(), [], "federations share no record");
}

#[test]
fn conforms_with_a_bucket() {
    let (postgres, s3) = (Postgres::start(), S3::start());
    for (index, test) in TESTS.into_iter().enumerate() {
        test(&open_with_bucket(&postgres, &s3, &format!("f{index}")));
    }
    let left: Vec<String> = s3.objects().into_iter().filter(|name| name.contains("snapshots")).collect();
    assert_eq!(left, Vec::<String>::new(), "neither the copies of a snapshot nor what was tried at the start stay");
    let of_federations = |name: &String| name.starts_with(&format!("{}/f", s3.prefix()));
    assert!(s3.objects().iter().all(of_federations), "{:?}", s3.objects());
}

/// A bucket that does not answer costs no call more than half a minute, and is used again when it is back.
#[test]
fn a_bucket_that_was_away_is_told_and_used_again() {
    let (postgres, mut s3) = (Postgres::start(), S3::start());
    let store = open_with_bucket(&postgres, &s3, "a");
    store.put_object("blobs/x", b"weights").unwrap();
    s3.kill();
    let since = std::time::Instant::now();
    assert!(matches!(store.put_object("blobs/y", b"lost"), Err(StoreError::Io(_))));
    assert!(matches!(store.object("blobs/x"), Err(StoreError::Io(_))));
    assert!(since.elapsed() < Duration::from_secs(30), "{:?}", since.elapsed());
    s3.run();
    store.put_object("blobs/y", b"kept").unwrap();
    assert_eq!(
        (store.object("blobs/x").unwrap(), store.object("blobs/y").unwrap()),
        (b"weights".to_vec(), b"kept".to_vec())
    );
}

#[test]
fn buckets_that_cannot_be_used_are_told() {
    let (postgres, s3) = (Postgres::start(), S3::start());
    let settings = |blobs: String, changed: &[(&str, &str)]| {
        let changed = changed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let s3 = s3.variables().chain(changed).collect();
        PostgresSettings { url: postgres.url(), blobs, s3, federation: "a".to_owned() }
    };
    let said = settings(s3.blobs(), &[]).check().unwrap();
    assert!(
        said.contains(&s3.blobs()) && said.contains("http://127.0.0.1") && said.contains("AWS_ACCESS_KEY_ID"),
        "{said}"
    );
    assert!(!said.contains(S3::SECRET), "{said}");
    let http = PostgresSettings {
        s3: s3.variables().filter(|(name, _)| name != "AWS_ALLOW_HTTP").collect(),
        ..settings(s3.blobs(), &[])
    };
    for (settings, named) in [
        (http, "AWS_ALLOW_HTTP=true"),
        (settings(s3.blobs(), &[("AWS_ENDPOINT", "127.0.0.1:9000")]), "begin with https://"),
        (settings("s3://".to_owned(), &[]), "s3://BUCKET"),
        (settings("s3:///prefix".to_owned(), &[]), "s3://BUCKET"),
    ] {
        for error in [PostgresStore::open(&settings).err().unwrap(), settings.check().unwrap_err()] {
            assert!(matches!(error, StoreError::Settings(_)) && error.to_string().contains(named), "{error}");
        }
    }
    for (settings, named) in [
        (settings(s3.blobs(), &[("AWS_SECRET_ACCESS_KEY", "another")]), "SignatureDoesNotMatch"),
        (settings("s3://elsewhere/x".to_owned(), &[]), "s3://elsewhere/x"),
    ] {
        let error = PostgresStore::open(&settings).err().unwrap();
        assert!(matches!(error, StoreError::Objects { .. }) && error.to_string().contains(named), "{error}");
    }
}

fn put(store: &PostgresStore, key: &str) -> Result<(), StoreError> {
    store.commit(&[Write::Put { key: key.into(), value: b"1".to_vec() }])
}

/// What this store has heard so far.
fn heard(store: &PostgresStore) -> u64 {
    *store.changes().unwrap().borrow()
}

/// Waits for another count of changes than `before`.
fn wait_for_change(store: &PostgresStore, before: u64) -> u64 {
    for _ in 0..200 {
        let now = heard(store);
        if now != before {
            return now;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("nothing was heard");
}

#[test]
fn others_are_heard_also_after_the_database_was_away() {
    let (mut postgres, folder) = (Postgres::start(), tempfile::tempdir().unwrap());
    let (one, two) = (open(&postgres, folder.path(), "a"), open(&postgres, folder.path(), "a"));
    let elsewhere = open(&postgres, folder.path(), "b");
    wait_for_change(&one, 0);
    let own = wait_for_change(&two, 0);
    put(&elsewhere, "k").unwrap();
    put(&two, "k").unwrap();
    let before = wait_for_change(&one, 1);
    assert_eq!((before, heard(&two)), (2, own), "neither oneself nor another federation is heard");
    postgres.crash();
    assert!(matches!(put(&two, "l"), Err(StoreError::Database(_))));
    assert!(matches!(one.check_health(), Err(StoreError::Database(_))));
    postgres.run();
    put(&two, "l").unwrap();
    wait_for_change(&one, before);
    assert!(one.get("k").unwrap().is_some() && one.get("l").unwrap().is_some());
}

/// The connection that listens ends alone, all others stay.
#[test]
fn others_are_heard_again_after_the_listening_connection_was_lost() {
    let (postgres, folder) = (Postgres::start(), tempfile::tempdir().unwrap());
    let (one, two) = (open(&postgres, folder.path(), "a"), open(&postgres, folder.path(), "a"));
    let before = wait_for_change(&one, 0);
    let end = "select pg_terminate_backend(pid)::text from pg_stat_activity where $1 <> '' and query ilike 'listen %'";
    assert_eq!(one.query(end, Vec::new(), None).unwrap().len(), 1);
    put(&two, "missed").unwrap();
    let again = wait_for_change(&one, before);
    // What was missed may be heard apart from the connection's being there again.
    std::thread::sleep(Duration::from_millis(300));
    let again = again.max(heard(&one));
    put(&two, "heard").unwrap();
    wait_for_change(&one, again);
}

#[test]
fn who_serves_is_in_the_way_of_who_must_be_alone() {
    let (postgres, folder) = (Postgres::start(), tempfile::tempdir().unwrap());
    let [one, two, command] = ["a"; 3].map(|name| open(&postgres, folder.path(), name));
    drop(command.lease(SERVING).unwrap().unwrap());
    let freed = |is_free: bool| {
        (0..200).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            command.lease(SERVING).unwrap().is_some() == is_free
        })
    };
    assert!(freed(true));
    wait_for_change(&one, 0);
    wait_for_change(&two, 0);
    drop(one);
    assert!(command.lease(SERVING).unwrap().is_none(), "one of two still serves");
    drop(two);
    assert!(freed(true), "none serves any more");
}

#[test]
fn one_at_a_time_has_a_lease() {
    let (postgres, folder) = (Postgres::start(), tempfile::tempdir().unwrap());
    let (one, two) = (open(&postgres, folder.path(), "a"), open(&postgres, folder.path(), "a"));
    let held = one.lease("work").unwrap().unwrap();
    assert!(two.lease("work").unwrap().is_none() && two.lease("other").unwrap().is_some());
    drop(held);
    let again = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        two.lease("work").unwrap().is_some()
    });
    assert!(again, "it ends with who had it");
}

/// What two do who share a record does not wait for one another, and who changes it waits for both.
#[test]
fn who_expects_the_same_does_not_wait() {
    let (postgres, folder) = (Postgres::start(), tempfile::tempdir().unwrap());
    let store = open(&postgres, folder.path(), "a");
    put(&store, "round").unwrap();
    let expect = || Write::Expect { key: "round".into(), value: Some(b"1".to_vec()) };
    let counted = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for who in 0..8 {
            let (store, counted) = (&store, &counted);
            scope.spawn(move || {
                for update in 0..50 {
                    let key = format!("update/{who}/{update}");
                    match store.commit(&[expect(), Write::Insert { key, value: b"u".to_vec() }]) {
                        Ok(()) => counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst),
                        Err(StoreError::Conflict(_)) => return,
                        Err(error) => panic!("{error}"),
                    };
                }
            });
        }
        std::thread::sleep(Duration::from_millis(30));
        store.commit(&[expect(), Write::Put { key: "round".into(), value: b"closed".to_vec() }]).unwrap();
        let at_close = store.count("update/").unwrap();
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(store.count("update/").unwrap(), at_close, "nothing comes after the close");
    });
    assert_eq!(store.count("update/").unwrap(), counted.into_inner());
}

#[test]
fn settings_that_make_no_sense_are_told() {
    let settings = |url: &str, blobs: &str, federation: &str| PostgresSettings {
        url: url.to_owned(),
        blobs: blobs.to_owned(),
        s3: S3Variables::default(),
        federation: federation.to_owned(),
    };
    let good = "postgres://nobody@127.0.0.1:1/none";
    for (settings, named) in [
        (settings("mysql://x", "file:///tmp/x", "a"), "Postgres"),
        (settings(good, "ftp://x", "a"), "s3://BUCKET"),
        (settings(good, "file:///tmp/x", "../a"), "federation"),
    ] {
        for error in [PostgresStore::open(&settings).err().unwrap(), settings.check().unwrap_err()] {
            assert!(matches!(error, StoreError::Settings(_)) && error.to_string().contains(named), "{error}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let blobs = format!("file://{}", folder.path().display());
    settings(good, &blobs, "a").check().unwrap();
    assert!(matches!(PostgresStore::open(&settings(good, &blobs, "a")), Err(StoreError::Database(_))));
}

/// What has records beside the first federation of `store`.
fn records_left(store: &PostgresStore) -> Vec<String> {
    let all = "select distinct federation from emofed_records where federation like $1 || '.%' order by 1";
    store.query(all, Vec::new(), None).unwrap().iter().map(|row| row.get(0)).collect()
}

/// Tidies up until `is_done`: who has just done it may have the lease for a moment longer.
fn tidy_until(registry: &PostgresRegistry, now_s: u64, is_done: impl Fn() -> bool) -> bool {
    (0..200).any(|_| {
        registry.tidy(now_s).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        is_done()
    })
}

#[test]
fn the_registry_conforms_and_leaves_nothing_of_what_has_ended() {
    let (postgres, folder, s3) = (Postgres::start(), tempfile::tempdir().unwrap(), S3::start());
    for first in [open(&postgres, folder.path(), "a"), open_with_bucket(&postgres, &s3, "b")] {
        first.put_object("blobs/x", b"weights").unwrap();
        registry_conformance::federations_begin_and_end(&first, &first.registry());
        let is_nothing_left = || records_left(&first).is_empty();
        assert!(tidy_until(&first.registry(), 10_000_000, is_nothing_left), "{:?}", records_left(&first));
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["a"], "no folder of one that has ended");
    assert_eq!(s3.objects(), [format!("{}/b/blobs/x", s3.prefix())], "no object of one that has ended");
    for name in ["c", "d"] {
        registry_conformance::what_is_given_up_or_too_many_is_nothing(&open(&postgres, folder.path(), name).registry());
    }
}

#[test]
fn what_a_backup_reads_stays_until_it_is_written() {
    let (postgres, folder, s3) = (Postgres::start(), tempfile::tempdir().unwrap(), S3::start());
    for first in [open(&postgres, folder.path(), "a"), open_with_bucket(&postgres, &s3, "b")] {
        let (registry, [id, other, _]) = (first.registry(), IDS);
        for id in [id, other] {
            make(&registry, id).unwrap();
        }
        let snapshot = registry.store(id).unwrap().snapshot().unwrap();
        for id in [id, other] {
            registry.end(id, 1).unwrap();
        }
        let kept = [format!("{}.federations", first.federation), format!("{}.{id}", first.federation)];
        assert!(tidy_until(&registry, 10_000_000, || records_left(&first) == kept), "{:?}", records_left(&first));
        let mut read = Vec::new();
        snapshot.open("blobs/x").unwrap().0.read_to_end(&mut read).unwrap();
        assert_eq!(read, b"weights");
        drop(snapshot);
        assert!(tidy_until(&registry, 10_000_000, || records_left(&first).is_empty()), "{:?}", records_left(&first));
    }
}

#[test]
fn two_replicas_that_make_federations_at_once_never_exceed_the_limit() {
    let (postgres, folder) = (Postgres::start(), tempfile::tempdir().unwrap());
    let replicas = ["a"; 2].map(|name| open(&postgres, folder.path(), name).registry());
    let made = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for (who, registry) in replicas.iter().chain(&replicas).enumerate() {
            let made = &made;
            scope.spawn(move || {
                for letter in ["a", "b", "c"] {
                    let id = format!("kx7dq2mbw{letter}{}a", who + 2);
                    match make(registry, &id) {
                        Ok(()) => _ = made.fetch_add(1, std::sync::atomic::Ordering::SeqCst),
                        Err(StoreError::Full(_)) => registry.give_up(&id, 1).unwrap(),
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
    });
    assert_eq!((made.into_inner(), replicas[0].ids().unwrap().len()), (2, 2));
}

/// A replica that is killed while it makes a federation leaves nothing once another one has tidied up, and nobody disturbs one that is
/// still at it.
#[test]
fn what_a_killed_replica_was_making_is_ended_by_another() {
    let (postgres, folder) = (Postgres::start(), tempfile::tempdir().unwrap());
    let [one, other] = ["a"; 2].map(|name| open(&postgres, folder.path(), name));
    let (making, tidying) = (one.registry(), other.registry());
    drop(making.begin(IDS[0], 9, 0).unwrap());
    making.give_object(IDS[0], "blobs/x", b"weights").unwrap();
    tidying.tidy(1_000).unwrap();
    making.complete(IDS[0], 9, 0).unwrap();
    assert_eq!(tidying.ids().unwrap(), [IDS[0]], "it was not disturbed");

    let begun = making.begin(IDS[1], 9, 0).unwrap();
    begun.commit(&[Write::Put { key: "k".into(), value: b"1".to_vec() }]).unwrap();
    drop(begun);
    drop((making, one));
    let name = format!("a.{}", IDS[1]);
    let is_left = || folder.path().join(&name).exists() || records_left(&other).contains(&name);
    assert!(is_left());
    // The lease ends with its connection. What has ended stays for the grace time.
    let is_ended = || tidying.steps.get(&format!("ended/{}", IDS[1])).unwrap().is_some();
    assert!(tidy_until(&tidying, 1_000, is_ended) && is_left());
    assert!(tidy_until(&tidying, 10_000, || !is_left()));
    assert_eq!(tidying.ids().unwrap(), [IDS[0]]);
}

#[test]
fn the_operators_token_is_changed_by_one_at_a_time() {
    let (postgres, folder) = (Postgres::start(), tempfile::tempdir().unwrap());
    let [one, other] = ["a"; 2].map(|name| open(&postgres, folder.path(), name).registry());
    assert_eq!(one.operator_token_sha256().unwrap(), None);
    one.change_operator_token(None, "1").unwrap();
    assert!(matches!(other.change_operator_token(None, "2"), Err(StoreError::Conflict(_))));
    other.change_operator_token(Some("1"), "2").unwrap();
    assert_eq!(one.operator_token_sha256().unwrap().as_deref(), Some("2"));
}
