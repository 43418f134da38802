//! What is particular to a folder: crashes, permissions, a disk that is full.

use std::sync::Arc;

use super::super::conformance;
use super::*;

fn with_store(test: impl FnOnce(&dyn Store)) {
    let folder = tempfile::tempdir().unwrap();
    test(&EmbeddedStore::open(folder.path()).unwrap());
}

#[test]
fn conforms() {
    with_store(conformance::records_are_all_or_none);
    with_store(conformance::records_are_listed_from_the_end_and_deleted);
    with_store(conformance::a_commit_waits_for_what_it_expects);
    with_store(conformance::no_more_records_than_allowed);
    with_store(|store| conformance::changes_at_once_are_all_there(&[store]));
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let [rounds, joins] = folders.each_ref().map(|folder| Arc::new(EmbeddedStore::open(folder.path()).unwrap()));
    conformance::opening_and_publishing_exclude_one_another([rounds.clone(), rounds]);
    conformance::a_join_expects_the_secrets_that_admitted(joins);
    with_store(conformance::objects_come_and_go);
    with_store(conformance::folders_are_listed);
    with_store(conformance::objects_are_read_in_parts);
    with_store(conformance::folders_go_without_disturbing_who_writes);
    with_store(conformance::names_cannot_leave_the_store);
    with_store(conformance::a_snapshot_stays_as_it_was);
}

#[test]
fn what_a_crash_left_half_written_goes() {
    let folder = tempfile::tempdir().unwrap();
    drop(EmbeddedStore::open(folder.path()).unwrap());
    let left = folder.path().join("updates/3/.new-x");
    fs::create_dir(left.parent().unwrap()).unwrap();
    fs::write(&left, b"half").unwrap();
    let snapshot = folder.path().join(".new-snapshot/updates");
    fs::create_dir_all(&snapshot).unwrap();
    fs::write(snapshot.join("x"), b"of a backup").unwrap();
    let store = EmbeddedStore::open(folder.path()).unwrap();
    assert!(!left.exists() && !snapshot.exists());
    store.put_object("updates/3/x", b"whole").unwrap();
}

#[cfg(unix)]
#[test]
fn the_folder_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    drop(EmbeddedStore::open(&folder).unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    // One that somebody made before, open to all.
    let open = parent.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(open.join(EmbeddedStore::DATABASE), b"").unwrap();
    drop(EmbeddedStore::open(&open).unwrap());
    assert_eq!(mode(&open.join(EmbeddedStore::DATABASE)), 0o600);
    assert_eq!((mode(&open.join("blobs")), mode(&open.join("updates"))), (0o700, 0o700));
}

#[test]
fn a_new_folder_is_durable_before_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let synced = std::cell::RefCell::new(Vec::new());
    let sync = |path: &Path| {
        synced.borrow_mut().push(path.to_owned());
        Ok(())
    };
    create_durably(&folder.path().join("updates/7"), &sync).unwrap();
    assert_eq!(*synced.borrow(), [folder.path().to_owned(), folder.path().join("updates")]);
    create_durably(&folder.path().join("updates/7"), &sync).unwrap();
    assert_eq!(synced.borrow().len(), 2);
}

#[test]
fn a_damaged_database_is_told_as_damaged() {
    let folder = tempfile::tempdir().unwrap();
    drop(EmbeddedStore::open(folder.path()).unwrap());
    let file = folder.path().join(EmbeddedStore::DATABASE);
    let length = fs::metadata(&file).unwrap().len() as usize;
    fs::write(&file, vec![b'x'; length]).unwrap();
    assert!(matches!(EmbeddedStore::open(folder.path()), Err(StoreError::Damaged { .. })));
}

/// A disk that is full while the flag is set.
#[derive(Debug)]
struct FillingDisk(redb::backends::FileBackend, std::sync::Arc<AtomicBool>);

impl FillingDisk {
    fn room(&self) -> std::io::Result<()> {
        if self.1.load(Ordering::SeqCst) {
            return Err(ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl redb::StorageBackend for FillingDisk {
    fn len(&self) -> std::io::Result<u64> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.0.read(offset, out)
    }
    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.room()?;
        self.0.set_len(len)
    }
    fn sync_data(&self) -> std::io::Result<()> {
        self.room()?;
        self.0.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.room()?;
        self.0.write(offset, data)
    }
    fn close(&self) -> std::io::Result<()> {
        self.0.close()
    }
}

#[test]
fn a_disk_that_was_full_for_a_moment_does_not_stop_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let full = std::sync::Arc::new(AtomicBool::new(false));
    let flag = full.clone();
    let open = move |path: &Path| {
        let file = fs::OpenOptions::new().read(true).write(true).open(path)?;
        let disk = FillingDisk(redb::backends::FileBackend::new(file)?, flag.clone());
        redb::Builder::new().create_with_backend(disk)
    };
    let store = EmbeddedStore::open_with(folder.path(), Box::new(open)).unwrap();
    let put = |key: &str| store.commit(&[Write::Put { key: key.into(), value: b"v".to_vec() }]);
    put("before").unwrap();
    full.store(true, Ordering::SeqCst);
    assert!(put("during").is_err());
    full.store(false, Ordering::SeqCst);
    put("after").unwrap();
    store.check_health().unwrap();
    assert!(store.get("before").unwrap().is_some() && store.get("after").unwrap().is_some());
}

#[test]
fn a_second_process_is_refused_and_a_later_one_finds_everything() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path()).unwrap();
    assert!(matches!(EmbeddedStore::open(folder.path()), Err(StoreError::InUse)));
    store.commit(&[Write::Put { key: "k".into(), value: b"v".to_vec() }]).unwrap();
    drop(store);
    let store = EmbeddedStore::open(folder.path()).unwrap();
    assert_eq!(store.get("k").unwrap(), Some(b"v".to_vec()));
}

#[test]
fn a_snapshot_has_what_its_records_name_while_rounds_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path()).unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // As a round does: the object, its record, the end of the record, the end of the object.
            for round in 0..60 {
                let key = format!("update/{round}");
                let name = format!("updates/{round}/x");
                store.put_object(&name, b"weights").unwrap();
                store.commit(&[Write::Put { key: key.clone(), value: name.into_bytes() }]).unwrap();
                store.commit(&[Write::Delete { key }]).unwrap();
                store.delete_objects(&format!("updates/{round}")).unwrap();
            }
            is_over.store(true, Ordering::SeqCst);
        });
        let mut named = 0;
        while !is_over.load(Ordering::SeqCst) {
            let snapshot = store.snapshot().unwrap();
            for (_, name) in snapshot.records() {
                snapshot.open(std::str::from_utf8(name).unwrap()).map(|_| ()).unwrap();
                named += 1;
            }
        }
        assert!(named > 0, "no snapshot was taken while a round was open");
    });
}
