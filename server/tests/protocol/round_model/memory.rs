//! A store in memory, so that hundreds of sequences take seconds.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{Mutex, MutexGuard};

use emofed_server::store::{Snapshot, Store, StoreError, Write};

/// Records and objects.
#[derive(Default)]
pub struct Memory {
    contents: Mutex<Contents>,
    is_shared: bool,
    /// What somebody else writes at the beginning of the next commit.
    interfering: Mutex<Vec<Write>>,
    /// What happens before the next call of this name.
    happening: Mutex<Option<(&'static str, Happening)>>,
}

type Happening = Box<dyn FnOnce() + Send>;

#[derive(Clone, Default)]
struct Contents {
    records: BTreeMap<String, Vec<u8>>,
    objects: BTreeMap<String, Vec<u8>>,
}

impl Memory {
    /// Such that several federations work on it at once, each of which has every lease.
    pub fn shared() -> Self {
        Self { is_shared: true, ..Self::default() }
    }

    /// Has somebody else commit `writes` just before the next commit, after everything that it was made up from was read.
    pub fn interfere(&self, writes: Vec<Write>) {
        *self.interfering.lock().unwrap() = writes;
    }

    /// Has something happen at the beginning of the next `call`: `put_object` or `folders`.
    pub fn before(&self, call: &'static str, happening: impl FnOnce() + Send + 'static) {
        *self.happening.lock().unwrap() = Some((call, Box::new(happening)));
    }

    fn begins(&self, call: &str) {
        let happening = self.happening.lock().unwrap().take_if(|(before, _)| *before == call);
        if let Some((_, happening)) = happening {
            happening();
        }
    }

    pub fn put_records(&self, records: Vec<(String, Vec<u8>)>) {
        self.lock().records.extend(records);
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap()
    }
}

fn below<'a>(
    map: &'a BTreeMap<String, Vec<u8>>,
    prefix: &'a str,
) -> impl DoubleEndedIterator<Item = (String, Vec<u8>)> {
    let entries = map.range(prefix.to_owned()..).take_while(move |(key, _)| key.starts_with(prefix));
    entries.map(|(key, value)| (key.clone(), value.clone())).collect::<Vec<_>>().into_iter()
}

impl Store for Memory {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.lock().records.get(key).cloned())
    }

    fn scan(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        Ok(below(&self.lock().records, prefix).collect())
    }

    fn scan_back(
        &self,
        prefix: &str,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let contents = self.lock();
        let earlier =
            below(&contents.records, prefix).rev().filter(|(key, _)| before.is_none_or(|end| key.as_str() < end));
        Ok(earlier.take(limit).collect())
    }

    fn is_shared(&self) -> bool {
        self.is_shared
    }

    fn check_health(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn free_bytes(&self) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }

    fn commit(&self, writes: &[Write]) -> Result<(), StoreError> {
        let interfering = std::mem::take(&mut *self.interfering.lock().unwrap());
        if !interfering.is_empty() {
            self.commit(&interfering)?;
        }
        let mut contents = self.lock();
        let mut records = contents.records.clone();
        for write in writes {
            match write {
                Write::Insert { key, .. } if records.contains_key(key) => return Err(StoreError::Exists(key.clone())),
                Write::Put { key, value } | Write::Insert { key, value } => {
                    records.insert(key.clone(), value.clone());
                }
                Write::Delete { key } => {
                    records.remove(key);
                }
                Write::Expect { key, value } if records.get(key) != value.as_ref() => {
                    return Err(StoreError::Conflict(key.clone()));
                }
                Write::Expect { .. } => {}
                Write::AtMost { prefix, limit } => {
                    if below(&records, prefix).count() as u64 > *limit {
                        return Err(StoreError::Full(prefix.clone()));
                    }
                }
            }
        }
        contents.records = records;
        Ok(())
    }

    fn put_object(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.begins("put_object");
        self.lock().objects.insert(name.to_owned(), bytes.to_owned());
        Ok(())
    }

    fn object(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        self.lock().objects.get(name).cloned().ok_or_else(|| StoreError::Missing(name.to_owned()))
    }

    fn object_size(&self, name: &str) -> Result<u64, StoreError> {
        Ok(self.object(name)?.len() as u64)
    }

    fn object_part(&self, name: &str, start: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        Ok(self.object(name)?.into_iter().skip(start as usize).take(length).collect())
    }

    fn delete_object(&self, name: &str) -> Result<(), StoreError> {
        self.lock().objects.remove(name);
        Ok(())
    }

    fn folders(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        self.begins("folders");
        let prefix = format!("{folder}/");
        let contents = self.lock();
        let names = below(&contents.objects, &prefix);
        let mut folders: Vec<String> =
            names.filter_map(|(name, _)| Some(name[prefix.len()..].split_once('/')?.0.to_owned())).collect();
        folders.dedup();
        Ok(folders)
    }

    fn delete_objects(&self, folder: &str) -> Result<(), StoreError> {
        let prefix = format!("{folder}/");
        self.lock().objects.retain(|name, _| !name.starts_with(&prefix));
        Ok(())
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        let Contents { records, objects } = self.lock().clone();
        let names = objects.keys().cloned().collect();
        Ok(Box::new(MemorySnapshot { records: records.into_iter().collect(), names, objects }))
    }
}

struct MemorySnapshot {
    records: Vec<(String, Vec<u8>)>,
    names: Vec<String>,
    objects: BTreeMap<String, Vec<u8>>,
}

impl Snapshot for MemorySnapshot {
    fn records(&self) -> &[(String, Vec<u8>)] {
        &self.records
    }

    fn objects(&self) -> &[String] {
        &self.names
    }

    fn open(&self, name: &str) -> Result<(Box<dyn Read + Send>, u64), StoreError> {
        let bytes = self.objects.get(name).cloned().ok_or_else(|| StoreError::Missing(name.to_owned()))?;
        let length = bytes.len() as u64;
        Ok((Box::new(std::io::Cursor::new(bytes)), length))
    }
}
