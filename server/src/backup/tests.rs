//! What a backup promises: it comes back as it was, or is refused for what is wrong with it.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use emofed::protocol::sha256_hex;

use super::*;
use crate::store::{EmbeddedStore, Records, Store as _, StoreError, Write as Change, blob_name};

/// A store with a record of its own and two objects.
fn store(folder: &Path) -> Arc<EmbeddedStore> {
    let store = Arc::new(EmbeddedStore::open(folder).unwrap());
    Records::open(store.clone()).unwrap().put_blob(b"weights").unwrap();
    store.put_object(&format!("updates/7/p-{}", sha256_hex(b"update")), b"update").unwrap();
    let value = br#"{"sha256":"d","size":9007199254740993,"schema_version":3}"#.to_vec();
    store.commit(&[Change::Put { key: "detector".to_owned(), value }]).unwrap();
    store
}

fn bytes(backup: &Backup) -> Vec<u8> {
    let mut bytes = Vec::new();
    backup.write(&mut bytes).unwrap();
    bytes
}

fn backup() -> (Vec<(String, Vec<u8>)>, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    (store.scan("").unwrap(), bytes(&Backup::take(store.as_ref(), Some("the token\n".to_owned()), 77).unwrap()))
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn it_comes_back_as_it_was() {
    let (records, backup) = backup();
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("new/data");
    let restored = restore(backup.as_slice(), &folder, false).unwrap();
    assert!(read_all(backup.as_slice()).unwrap().is_none(), "of one federation");
    assert_eq!((restored.contents.made_at_s, restored.contents.files.len(), restored.version), (77, 4, None));
    let again = EmbeddedStore::open(&folder).unwrap();
    // Beside what was there: with which numbers rounds and versions go on.
    let (newest, rest): (Vec<_>, Vec<_>) = again.scan("").unwrap().into_iter().partition(|(key, _)| key == "newest");
    assert_eq!((rest, newest.len()), (records, 1));
    assert_eq!(again.object(&blob_name(&sha256_hex(b"weights"))).unwrap(), b"weights");
    assert_eq!(again.object(&format!("updates/7/p-{}", sha256_hex(b"update"))).unwrap(), b"update");
    assert_eq!(std::fs::read_to_string(folder.join(TOKEN)).unwrap(), "the token\n");
    // The same state gives the same file, as long as it says.
    let same = || Backup::take(&again, Some("the token".to_owned()), 77).unwrap();
    assert_eq!(same().size(), bytes(&same()).len() as u64);
    assert_eq!(bytes(&same()), bytes(&same()));
}

#[test]
fn one_that_is_cut_off_anywhere_is_refused_and_nothing_is_put_in_place() {
    let (_, backup) = backup();
    // Behind the last part are its padding and two empty blocks, which hold nothing.
    let end = backup.len() - 2 * 512 - (512 - 65);
    for length in (0..end).step_by(7).chain([end - 1]) {
        let error = read(&backup[..length], |_| Ok(())).unwrap_err();
        assert!(matches!(error, BackupError::Truncated { .. }), "{length}: {error:?}");
    }
    for length in [0, 1_000, end / 2, end - 1] {
        let folder = tempfile::tempdir().unwrap();
        let error = restore(&backup[..length], folder.path(), false).unwrap_err();
        assert!(matches!(error, BackupError::Truncated { .. }), "{length}: {error:?}");
        assert!(is_empty(folder.path()), "{length}");
    }
}

#[test]
fn one_that_is_altered_anywhere_is_refused_or_gives_the_same() {
    let parts = |backup: &[u8]| {
        let mut parts = Vec::new();
        read(backup, |part| {
            parts.push(part);
            Ok(())
        })
        .map(|contents| (contents, parts))
    };
    let (_, backup) = backup();
    let whole = parts(&backup).unwrap();
    let mut accepted = 0;
    for at in 0..backup.len() {
        let mut altered = backup.clone();
        altered[at] ^= 1 << (at % 8);
        match parts(&altered) {
            // In the padding.
            Ok(found) => {
                assert_eq!(found, whole, "{at}");
                accepted += 1;
            }
            Err(BackupError::Altered { .. } | BackupError::NotABackup | BackupError::Truncated { .. }) => {}
            Err(error) => panic!("{at}: {error:?}"),
        }
    }
    assert!(accepted < backup.len() / 2, "{accepted} of {} bytes are not checked", backup.len());
}

#[test]
fn every_bit_of_what_counts_is_checked() {
    let (_, backup) = backup();
    let find = |text: &[u8]| backup.windows(text.len()).position(|window| window == text).unwrap();
    for (text, name) in [
        (&b"\"detector\""[..], RECORDS.to_owned()),
        (b"the token\n", TOKEN.to_owned()),
        (b"weights\0", format!("blobs/{}", sha256_hex(b"weights"))),
        (b"update\0\0", format!("updates/7/p-{}", sha256_hex(b"update"))),
        (b"\"made_at_s\"", CONTENTS.to_owned()),
    ] {
        let mut altered = backup.clone();
        altered[find(text) + 1] ^= 1;
        match read(altered.as_slice(), |_| Ok(())) {
            Err(BackupError::Altered { name: found }) => assert_eq!(found, name),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn what_is_no_backup_or_a_newer_one_is_told() {
    assert!(matches!(read(&[b'x'; 4_096][..], |_| Ok(())), Err(BackupError::NotABackup)));
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    let contents = br#"{"format":2,"parts":[]}"#;
    header.set_size(contents.len() as u64);
    archive.append_data(&mut header, CONTENTS, &contents[..]).unwrap();
    let newer = archive.into_inner().unwrap();
    assert!(matches!(read(newer.as_slice(), |_| Ok(())), Err(BackupError::NewerFormat { found: 2 })));
}

#[test]
fn a_damaged_object_is_told_rather_than_backed_up() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let name = blob_name(&sha256_hex(b"weights"));
    store.put_object(&name, b"Weights").unwrap();
    match Backup::take(store.as_ref(), None, 0) {
        Err(BackupError::Damaged { name: found }) => assert_eq!(found, name),
        other => panic!("{:?}", other.map(|_| ())),
    }
}

#[test]
fn a_full_disk_and_a_broken_one_are_told() {
    struct Full(usize);
    impl io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let backup = Backup::take(store(folder.path()).as_ref(), None, 0).unwrap();
    for room in [0, 700, 3_000] {
        let is_full = |error: &io::Error| error.kind() == io::ErrorKind::StorageFull;
        assert!(matches!(backup.write(Full(room)), Err(BackupError::Write(error)) if is_full(&error)), "{room}");
    }
    let whole = bytes(&backup);
    let half = whole[..whole.len() / 2].chain(Broken);
    assert!(matches!(read(half, |_| Ok(())), Err(BackupError::Read(error)) if error.to_string().contains("gone")));
}

#[test]
fn a_folder_in_use_or_with_something_in_it_is_left_alone() {
    let (_, backup) = backup();
    let folder = tempfile::tempdir().unwrap();
    let before = store(folder.path());
    before.commit(&[Change::Put { key: "lecture".to_owned(), value: b"{}".to_vec() }]).unwrap();
    let error = restore(backup.as_slice(), folder.path(), false).unwrap_err();
    assert!(matches!(error, BackupError::FolderNotEmpty { .. }), "{error:?}");
    let error = restore(backup.as_slice(), folder.path(), true).unwrap_err();
    assert!(matches!(error, BackupError::Store(StoreError::InUse)), "{error:?}");
    assert!(before.get("lecture").unwrap().is_some());
    drop(before);

    // A damaged backup does not move it aside either.
    assert!(restore(&backup[..3_000], folder.path(), true).is_err());
    assert!(EmbeddedStore::open(folder.path()).unwrap().get("lecture").unwrap().is_some());
    let aside = restore(backup.as_slice(), folder.path(), true).unwrap().before.unwrap();
    assert!(EmbeddedStore::open(folder.path()).unwrap().get("lecture").unwrap().is_none());
    assert!(EmbeddedStore::open(&aside).unwrap().get("lecture").unwrap().is_some());
    // And once more, with a database that cannot be opened.
    std::fs::write(folder.path().join(EmbeddedStore::DATABASE), vec![b'x'; 100_000]).unwrap();
    assert_ne!(restore(backup.as_slice(), folder.path(), true).unwrap().before.unwrap(), aside);
}
