//! Reads a cache, record by record.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;

use super::MAGIC;
use super::record::{Counts, FORMAT_VERSION, Header, Outcome, ReadError, Record};
use crate::lab::LabError;

/// Reads records one by one.
pub(super) struct Reader<'a> {
    path: &'a Path,
    file: BufReader<File>,
    pub(super) header: Header,
    /// Bytes of whole records read so far.
    pub(super) position: u64,
    length: u64,
    last_id: Option<String>,
    ended: bool,
}

/// What follows in a cache.
pub(super) enum Next {
    Outcome(Outcome),
    Complete(Counts),
    End { torn: Option<String> },
}

impl<'a> Reader<'a> {
    /// Reads the header.
    pub(super) fn start(path: &'a Path, file: File) -> Result<Self, LabError> {
        let in_file = |error| LabError::file(path, error);
        let length = file.metadata().map_err(in_file)?.len();
        let mut file = BufReader::new(file);
        let mut magic = Vec::new();
        file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut magic).map_err(in_file)?;
        if magic != MAGIC {
            return Err(LabError::malformed(path, "it is no feature cache; `emofed features` makes one"));
        }
        let start = MAGIC.len() as u64;
        let (header, taken) = match Record::read(&mut file, length - start) {
            Ok((Record::Header(header), taken)) => (header, taken),
            Ok(_) => return Err(LabError::malformed(path, "its first record is no header; delete it")),
            Err(ReadError::File(error)) => return Err(in_file(error)),
            Err(ReadError::End) => return Err(LabError::malformed(path, "it has no header; delete it")),
            Err(ReadError::Torn(reason)) => {
                return Err(LabError::malformed(path, format!("its header: {reason}; delete it")));
            }
        };
        if header.format != FORMAT_VERSION {
            let reason = format!("its format is {}, not {}; make it again", header.format, FORMAT_VERSION);
            return Err(LabError::malformed(path, reason));
        }
        Ok(Self { path, file, header, position: start + taken, length, last_id: None, ended: false })
    }

    /// The next record. Ids never fall; a clip's comes once.
    pub(super) fn next(&mut self) -> Result<Next, LabError> {
        let torn = |reason: String| Ok(Next::End { torn: Some(reason) });
        let (record, taken) = match Record::read(&mut self.file, self.length - self.position) {
            Ok(read) => read,
            Err(ReadError::End) => return Ok(Next::End { torn: None }),
            Err(ReadError::Torn(reason)) => return torn(reason),
            Err(ReadError::File(error)) => return Err(LabError::file(self.path, error)),
        };
        if self.ended {
            return torn("there is more".to_owned());
        }
        let next = match record {
            Record::Header(_) => return torn("there is a second header".to_owned()),
            Record::Outcome(outcome) => {
                let ordered = self.last_id.as_deref().is_none_or(|last| match &outcome {
                    Outcome::Clip(clip) => last < clip.id.as_str(),
                    Outcome::Diagnostic(diagnostic) => last <= diagnostic.clip.as_str(),
                });
                if !ordered {
                    return torn(format!("clip {} is out of order", outcome.id()));
                }
                self.last_id = Some(outcome.id().to_owned());
                Next::Outcome(outcome)
            }
            Record::Complete(counts) => {
                self.ended = true;
                Next::Complete(counts)
            }
        };
        self.position += taken;
        Ok(next)
    }
}
