//! Records of a feature cache and their bytes.
//!
//! A record is its payload's length (u32), the first eight bytes of the payload's SHA-256, and the payload: one byte
//! that says what it is, and the rest. Header, diagnostic and complete records are JSON; a clip is the length of its JSON
//! (u32), the JSON, the features and the probabilities (f32). All numbers are little-endian.

use std::collections::BTreeMap;
use std::io::Read;

use emofed::emotion::EMOTIONS;
use emofed::model::vfer::FEATURES;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::lab::dataset::{Provenance, RatedClip, Sex, Subset};
use crate::lab::diagnostic::{Diagnostic, DiagnosticKind};

/// Of this file format.
pub const FORMAT_VERSION: u32 = 1;
/// Most frames of a clip: one hour and forty minutes at ten frames a second.
pub const MAX_FRAMES: usize = 60_000;
/// Bytes in front of a payload.
const FRAMING: usize = 4 + CHECKSUM;
const CHECKSUM: usize = 8;
/// A longer payload cannot be ours: it bounds what a damaged length makes us read.
const MAX_PAYLOAD: usize = MAX_FRAMES * (FEATURES + EMOTIONS) * 4 + (1 << 20);

const HEADER: u8 = b'H';
const CLIP: u8 = b'C';
const DIAGNOSTIC: u8 = b'X';
const COMPLETE: u8 = b'Z';

/// The first record: what the cache is of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT_VERSION`] of who wrote it.
    pub format: u32,
    /// Where the numbers come from.
    pub provenance: Provenance,
    /// How many records of clips and diagnostics there will be.
    pub clips: usize,
    /// SHA-256 of the list of clips with subjects and votes, lower-case hexadecimal.
    pub list_sha256: String,
}

/// The last record: nothing is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Clips with features.
    pub clips: usize,
    /// Their frames.
    pub frames: usize,
    /// Diagnostics by kind. Caches of earlier versions call them `complaints`.
    #[serde(alias = "complaints")]
    pub diagnostics: BTreeMap<DiagnosticKind, usize>,
    /// Clips that the set has and that were left out on purpose: none of the six emotions has most votes.
    pub left_out: usize,
}

impl Counts {
    /// Counts what a clip gave.
    pub fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Clip(clip) => {
                self.clips += 1;
                self.frames += clip.frames();
            }
            Outcome::Diagnostic(diagnostic) => *self.diagnostics.entry(diagnostic.kind).or_default() += 1,
        }
    }
}

/// What the extraction of a clip resulted in.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Features.
    Clip(RatedClip),
    /// Why there are none.
    Diagnostic(Diagnostic),
}

impl Outcome {
    /// The clip's id.
    pub fn id(&self) -> &str {
        match self {
            Self::Clip(clip) => &clip.id,
            Self::Diagnostic(diagnostic) => &diagnostic.clip,
        }
    }
}

/// A record.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// The first.
    Header(Header),
    /// One for each clip.
    Outcome(Outcome),
    /// The last.
    Complete(Counts),
}

/// A clip without its numbers.
#[derive(Serialize, Deserialize)]
struct ClipFacts {
    id: String,
    subject: String,
    sex: Option<Sex>,
    subset: Option<Subset>,
    votes: [u32; EMOTIONS],
    frames: usize,
}

/// Why no record could be read.
#[derive(Debug)]
pub enum ReadError {
    /// The file ends here, between two records.
    End,
    /// The file ends within a record, or the record is damaged.
    Torn(String),
    /// The system cannot read.
    File(std::io::Error),
}

impl Record {
    /// The record with its length and checksum.
    pub fn encode(&self) -> Vec<u8> {
        let payload = match self {
            Self::Header(header) => json(HEADER, header),
            Self::Outcome(Outcome::Clip(clip)) => encode_clip(clip),
            Self::Outcome(Outcome::Diagnostic(diagnostic)) => json(DIAGNOSTIC, diagnostic),
            Self::Complete(counts) => json(COMPLETE, counts),
        };
        let mut bytes = Vec::with_capacity(FRAMING + payload.len());
        bytes.extend((payload.len() as u32).to_le_bytes());
        bytes.extend(&Sha256::digest(&payload)[..CHECKSUM]);
        bytes.extend(payload);
        bytes
    }

    /// Reads the next record of `file`, of which `remaining` bytes are left, and says how many it took. Never
    /// allocates more than the file holds.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read(file: &mut impl Read, remaining: u64) -> Result<(Self, u64), ReadError> {
        if remaining == 0 {
            return Err(ReadError::End);
        }
        let torn = |words: &str| ReadError::Torn(words.to_owned());
        if remaining < FRAMING as u64 {
            return Err(torn("it ends within a record"));
        }
        let mut framing = [0; FRAMING];
        file.read_exact(&mut framing).map_err(ReadError::File)?;
        let (length, checksum) = framing.split_at(4);
        let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize;
        let taken = (FRAMING + length) as u64;
        if length == 0 || length > MAX_PAYLOAD || taken > remaining {
            return Err(torn("it ends within a record, or the record's length is damaged"));
        }
        let mut payload = vec![0; length];
        file.read_exact(&mut payload).map_err(ReadError::File)?;
        if Sha256::digest(&payload)[..CHECKSUM] != *checksum {
            return Err(torn("a record's checksum is wrong"));
        }
        Ok((Self::decode(&payload).map_err(ReadError::Torn)?, taken))
    }

    fn decode(payload: &[u8]) -> Result<Self, String> {
        let (kind, body) = payload.split_first().ok_or("a record is empty")?;
        let wrong = |error: serde_json::Error| error.to_string();
        match *kind {
            HEADER => serde_json::from_slice(body).map(Self::Header).map_err(wrong),
            CLIP => decode_clip(body).map(|clip| Self::Outcome(Outcome::Clip(clip))),
            DIAGNOSTIC => serde_json::from_slice(body)
                .map(|diagnostic| Self::Outcome(Outcome::Diagnostic(diagnostic)))
                .map_err(wrong),
            COMPLETE => serde_json::from_slice(body).map(Self::Complete).map_err(wrong),
            other => Err(format!("a record is of unknown kind {other}")),
        }
    }
}

fn json(kind: u8, value: &impl Serialize) -> Vec<u8> {
    let mut payload = vec![kind];
    payload.extend(serde_json::to_vec(value).expect("records are plain data"));
    payload
}

fn encode_clip(clip: &RatedClip) -> Vec<u8> {
    let facts = ClipFacts {
        id: clip.id.clone(),
        subject: clip.subject.clone(),
        sex: clip.sex,
        subset: clip.subset,
        votes: clip.votes,
        frames: clip.frames(),
    };
    let facts = serde_json::to_vec(&facts).expect("facts are plain data");
    let mut payload = vec![CLIP];
    payload.extend((facts.len() as u32).to_le_bytes());
    payload.extend(facts);
    for value in clip.features.iter().chain(clip.probabilities.iter().flatten()) {
        payload.extend(value.to_le_bytes());
    }
    payload
}

fn decode_clip(body: &[u8]) -> Result<RatedClip, String> {
    let (length, rest) = body.split_first_chunk::<4>().ok_or("a clip is cut short")?;
    let (facts, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or("a clip is cut short")?;
    let facts: ClipFacts = serde_json::from_slice(facts).map_err(|error| error.to_string())?;
    let id = &facts.id;
    if facts.frames == 0 || facts.frames > MAX_FRAMES || rest.len() != facts.frames * (FEATURES + EMOTIONS) * 4 {
        return Err(format!("clip {id} has {} bytes of numbers for {} frames", rest.len(), facts.frames));
    }
    if facts.votes.iter().all(|&count| count == 0) {
        return Err(format!("clip {id} has no votes"));
    }
    let values: Vec<f32> = rest.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    if values.iter().any(|value| !value.is_finite()) {
        return Err(format!("clip {id} has numbers that are not finite"));
    }
    let (features, probabilities) = values.split_at(facts.frames * FEATURES);
    Ok(RatedClip {
        features: features.to_vec(),
        probabilities: probabilities.as_chunks::<EMOTIONS>().0.to_vec(),
        id: facts.id,
        subject: facts.subject,
        sex: facts.sex,
        subset: facts.subset,
        votes: facts.votes,
    })
}
