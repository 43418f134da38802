//! From a dataset's clips to a feature cache, by the same processing as in the tab.

mod extractor;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use emofed::model::{BackboneKind, CROP_MARGIN, Device, MIN_LUMINANCE};
use extractor::Extractor;
use serde::Serialize;
use serde_json::json;

use super::LabError;
use super::cache::Cache;
use super::cache::record::{Counts, FORMAT_VERSION, Header, Outcome};
use super::dataset::Provenance;
use super::datasets::{Content, Entry, SourceList};
use super::diagnostic::Diagnostic;
use super::media::{MAX_WIDTH, Media, MediaError, Sampling, video};
use super::models::Models;
use crate::ordered_pipeline::{Threads, ordered_pipeline};

/// How many clips a thread may be ahead of the oldest one that is not done.
const AHEAD: usize = 8;

/// Which part of a frame the backbone gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Crop {
    /// The largest face, as in the tab.
    LargestFace,
    /// All of it: the pictures are crops already.
    WholePicture,
}

/// How clips are processed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// How frames are taken.
    pub sampling: Sampling,
    /// Which part of them the backbone gets.
    pub crop: Crop,
}

/// The models and where they run.
#[derive(Clone, Copy, Debug)]
pub struct Engines<'a> {
    /// The weights.
    pub models: &'a Models,
    /// Where the backbone runs.
    pub device: &'a Device,
    /// Threads; each has models of its own.
    pub jobs: usize,
}

/// Progress of an extraction.
#[derive(Clone, Debug)]
pub enum Progress<'a> {
    /// So many clips of all are done, `resumed` of them by an earlier run.
    Started {
        /// Clips done by an earlier run.
        resumed: usize,
        /// All clips.
        all: usize,
    },
    /// One more clip is done.
    Clip(&'a Outcome),
}

/// Fills the cache at `path` with what `list`'s clips give, or goes on where an earlier run stopped. Every outcome is
/// in the file before the next clip is processed; `stop` ends it between two frames.
///
/// # Errors
/// [`LabError::Interrupted`]; [`LabError::Missing`] without ffmpeg or without `engines` where frames need them; the
/// cache is of something else; the disk or a model fails. What is in the cache stays usable.
pub fn extract(
    list: &SourceList,
    settings: &Settings,
    engines: Option<Engines<'_>>,
    path: &Path,
    stop: &AtomicBool,
    mut progress: impl FnMut(Progress<'_>),
) -> Result<Counts, LabError> {
    let header = Header {
        format: FORMAT_VERSION,
        provenance: provenance(list, settings, engines)?,
        clips: list.entries.len(),
        list_sha256: list.sha256(),
    };
    let mut cache = Cache::open(path, &header)?;
    let resumed = cache.done().len();
    progress(Progress::Started { resumed, all: list.entries.len() });
    if resumed > list.entries.len() {
        return Err(LabError::malformed(path, "it holds more clips than its header says; delete it"));
    }
    if cache.is_complete() {
        return Ok(cache.counts().clone());
    }
    let is_video =
        |entry: &Entry| matches!(entry, Entry::Clip(clip) if matches!(clip.content, Content::Media(Media::Video(_))));
    if list.entries[resumed..].iter().any(is_video) {
        video::check_ffmpeg().map_err(|error| no_ffmpeg(&error))?;
    }
    let start = || match (&list.stored, engines) {
        (Some(_), _) | (None, None) => Ok(None),
        (None, Some(engines)) => Extractor::load(engines.models, engines.device, settings.crop).map(Some),
    };
    let process = |extractor: &Option<Extractor>, index: usize| {
        if stop.load(Ordering::Relaxed) {
            return Err(LabError::Interrupted { done: index });
        }
        outcome(list, &list.entries[index], extractor.as_ref(), settings, stop)
    };
    let threads = Threads { count: engines.map_or(1, |engines| engines.jobs), ahead: AHEAD };
    let done = ordered_pipeline(resumed..list.entries.len(), threads, start, process, |_, outcome| {
        cache.push(&outcome)?;
        progress(Progress::Clip(&outcome));
        Ok(())
    });
    match done {
        Err(LabError::Interrupted { .. }) => return Err(LabError::Interrupted { done: cache.done().len() }),
        done => done?,
    }
    cache.finish(list.left_out).cloned()
}

/// What an entry gives.
fn outcome(
    list: &SourceList,
    entry: &Entry,
    extractor: Option<&Extractor>,
    settings: &Settings,
    stop: &AtomicBool,
) -> Result<Outcome, LabError> {
    let source = match entry {
        Entry::Diagnostic(diagnostic) => return Ok(Outcome::Diagnostic(diagnostic.clone())),
        Entry::Clip(source) => source,
    };
    let found = match (&source.content, &list.stored, extractor) {
        (Content::Stored(row), Some(stored), _) => stored.frame(*row),
        (Content::Media(media), _, Some(extractor)) => {
            extractor.extract(&source.id, media, &settings.sampling, stop)?
        }
        _ => {
            return Err(LabError::Missing {
                what: "a backbone".to_owned(),
                way_out: "name one with --data DIR".to_owned(),
            });
        }
    };
    Ok(match found {
        Ok((features, probabilities)) => Outcome::Clip(source.with(features, probabilities)),
        Err((kind, message)) => Outcome::Diagnostic(Diagnostic::new(&source.id, kind, message)),
    })
}

/// What the numbers depend on.
fn provenance(list: &SourceList, settings: &Settings, engines: Option<Engines<'_>>) -> Result<Provenance, LabError> {
    if let Some(stored) = &list.stored {
        return Ok(Provenance {
            set: list.set.clone(),
            synthetic: false,
            backbone: BackboneKind::Lite,
            backbone_sha256: stored.backbone_sha256.clone(),
            detector_sha256: None,
            settings: json!({ "stored_features_sha256": stored.sha256, "crop": Crop::WholePicture }),
        });
    }
    let Some(Engines { models, device, .. }) = engines else {
        return Err(LabError::Missing {
            what: "a backbone".to_owned(),
            way_out: "name one with --data DIR".to_owned(),
        });
    };
    let Sampling { frames_per_second, film_seconds, seed } = settings.sampling;
    let is_still =
        |entry: &Entry| matches!(entry, Entry::Clip(clip) if matches!(clip.content, Content::Media(Media::Picture(_))));
    let rendered = film_seconds > 0.0 && list.entries.iter().any(is_still);
    let searched = settings.crop == Crop::LargestFace;
    Ok(Provenance {
        set: list.set.clone(),
        synthetic: false,
        backbone: models.kind,
        backbone_sha256: models.backbone_sha256.clone(),
        detector_sha256: searched.then(|| models.detector_sha256.clone()),
        settings: json!({
            "frames_per_second": frames_per_second,
            "max_width": MAX_WIDTH,
            "crop": settings.crop,
            "followed": searched,
            "crop_margin": searched.then_some(CROP_MARGIN),
            "dark_below": searched.then_some(MIN_LUMINANCE),
            // The name in caches since format version 1.
            "filming": rendered.then(|| json!({ "seconds": film_seconds, "seed": seed })),
            "device": if matches!(device, Device::Cpu) { "cpu" } else { "gpu" },
        }),
    })
}

fn no_ffmpeg(error: &MediaError) -> LabError {
    LabError::Missing {
        what: format!("ffmpeg, which decodes videos ({error}),"),
        way_out: "install your system's package `ffmpeg` (Debian: apt-get install ffmpeg), then run this again"
            .to_owned(),
    }
}
