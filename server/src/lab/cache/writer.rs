//! Makes a cache, or goes on with one.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::MAGIC;
use super::reader::{Next, Reader};
use super::record::{Counts, Header, Outcome, Record};
use crate::lab::LabError;
use crate::lab::dataset::Provenance;

/// A cache that is being made.
pub struct Cache {
    path: PathBuf,
    file: File,
    /// Bytes of whole records.
    length: u64,
    /// Ids of clips and diagnostics that are in the file.
    done: Vec<String>,
    counts: Counts,
    complete: bool,
}

impl Cache {
    /// Opens the cache at `path` for `header`, or begins it. A torn end is cut off.
    ///
    /// # Errors
    /// [`LabError::Mismatch`] if the file is a cache of something else, [`LabError::InUse`],
    /// [`LabError::Malformed`] if it is no cache, or the file cannot be read or written.
    pub fn open(path: &Path, header: &Header) -> Result<Self, LabError> {
        let in_file = |error| LabError::file(path, error);
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(in_file)?;
        }
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = options.map_err(in_file)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => LabError::InUse { path: path.to_owned() },
            TryLockError::Error(error) => in_file(error),
        })?;
        let start = [MAGIC.as_slice(), &Record::Header(header.clone()).encode()].concat();
        if is_proper_start(&mut file, &start).map_err(in_file)? {
            let mut cache = Self {
                path: path.to_owned(),
                file,
                length: 0,
                done: Vec::new(),
                counts: Counts::default(),
                complete: false,
            };
            cache.append(&start)?;
            return Ok(cache);
        }
        Self::resume(path, file, header)
    }

    fn resume(path: &Path, file: File, header: &Header) -> Result<Self, LabError> {
        let in_file = |error| LabError::file(path, error);
        let mut reader = Reader::start(path, file.try_clone().map_err(in_file)?)?;
        if let Some(difference) = difference(&reader.header, header) {
            return Err(LabError::Mismatch {
                what: format!("{} was made differently: {difference}", path.display()),
                way_out: "name another file with --out, delete this one, or use what it was made with".to_owned(),
            });
        }
        let (mut done, mut counts, mut complete, mut length) = (Vec::new(), Counts::default(), false, reader.position);
        loop {
            match reader.next()? {
                Next::Outcome(outcome) => {
                    counts.add(&outcome);
                    done.push(outcome.id().to_owned());
                }
                Next::Complete(last) => {
                    complete = true;
                    counts = last;
                }
                Next::End { .. } => break,
            }
            length = reader.position;
        }
        let mut cache = Self { path: path.to_owned(), file, length, done, counts, complete };
        cache.cut().map_err(in_file)?;
        Ok(cache)
    }

    /// Ids of the clips and diagnostics in it, in order.
    pub fn done(&self) -> &[String] {
        &self.done
    }

    /// What is in it.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Whether it has its last record.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Appends what the next clip gave.
    ///
    /// # Errors
    /// The disk fails; what was in the file stays usable.
    pub fn push(&mut self, outcome: &Outcome) -> Result<(), LabError> {
        self.append(&Record::Outcome(outcome.clone()).encode())?;
        self.counts.add(outcome);
        self.done.push(outcome.id().to_owned());
        Ok(())
    }

    /// Appends the last record and waits until everything is on the disk.
    ///
    /// # Errors
    /// The disk fails; what was in the file stays usable.
    pub fn finish(&mut self, left_out: usize) -> Result<&Counts, LabError> {
        if !self.complete {
            self.counts.left_out = left_out;
            self.append(&Record::Complete(self.counts.clone()).encode())?;
            self.complete = true;
        }
        self.file.sync_all().map_err(|error| LabError::file(&self.path, error))?;
        Ok(&self.counts)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), LabError> {
        if let Err(error) = self.file.write_all(bytes) {
            // A full disk may have taken a part. If it cannot be cut off now, the next run does it.
            let _ = self.cut();
            return Err(LabError::file(&self.path, error));
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Cuts off what is behind the last whole record.
    fn cut(&mut self) -> std::io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length)).map(drop)
    }
}

/// Whether `file` holds nothing but a torn part of `start`; it is emptied then.
fn is_proper_start(file: &mut File, start: &[u8]) -> std::io::Result<bool> {
    let length = file.metadata()?.len();
    if length >= start.len() as u64 {
        return Ok(false);
    }
    let mut bytes = Vec::with_capacity(start.len());
    file.read_to_end(&mut bytes)?;
    file.rewind()?;
    let torn = start.starts_with(&bytes);
    if torn {
        file.set_len(0)?;
    }
    Ok(torn)
}

/// The first thing in which two headers differ, in words.
fn difference(found: &Header, wanted: &Header) -> Option<String> {
    let Provenance { set, synthetic, backbone, backbone_sha256, detector_sha256, settings } = &found.provenance;
    let now = &wanted.provenance;
    let backbones = format!("{backbone:?} {backbone_sha256}");
    let backbone_now = format!("{:?} {}", now.backbone, now.backbone_sha256);
    let detector = |sha256: &Option<String>| sha256.clone().unwrap_or_else(|| "none".to_owned());
    let compared = [
        ("the set", format!("{set} (synthetic: {synthetic})"), format!("{} (synthetic: {})", now.set, now.synthetic)),
        ("the backbone", backbones, backbone_now),
        ("the face detector", detector(detector_sha256), detector(&now.detector_sha256)),
        ("the number of clips", found.clips.to_string(), wanted.clips.to_string()),
        ("the list of clips, subjects or votes", found.list_sha256.clone(), wanted.list_sha256.clone()),
    ];
    let differing = compared.into_iter().find(|(_, found, wanted)| found != wanted);
    let words = differing.map(|(what, found, wanted)| format!("{what} was {found} and is now {wanted}"));
    words.or_else(|| different_setting(settings, &now.settings))
}

/// The first setting in which two differ, in words.
fn different_setting(found: &Value, wanted: &Value) -> Option<String> {
    let (Value::Object(before), Value::Object(now)) = (found, wanted) else {
        return (found != wanted).then(|| format!("the settings were {found} and are now {wanted}"));
    };
    let name = before.keys().chain(now.keys()).find(|name| before.get(*name) != now.get(*name))?;
    let value = |settings: &serde_json::Map<String, Value>| settings.get(name).unwrap_or(&Value::Null).to_string();
    Some(format!("the setting `{name}` was {} and is now {}", value(before), value(now)))
}
