//! Media: from videos, pictures and folders of pictures to frames, one after the other, in bounded memory.

pub mod picture;
pub mod still_renderer;
pub mod video;

use std::path::{Path, PathBuf};

use emofed::model::Frame;
use serde::Serialize;
use still_renderer::StillRenderer;

/// Frames are shrunk to this width, in pixels, as a camera in a tab gives them.
pub const MAX_WIDTH: u32 = 640;
/// Extensions of videos, lower case.
const VIDEOS: [&str; 12] = ["flv", "mp4", "mkv", "avi", "mov", "webm", "m4v", "wmv", "mpg", "mpeg", "ogv", "3gp"];
/// Extensions of pictures, lower case.
const PICTURES: [&str; 5] = ["png", "jpg", "jpeg", "webp", "bmp"];

/// Where a clip's frames are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Media {
    /// A video file.
    Video(PathBuf),
    /// A picture.
    Picture(PathBuf),
    /// A folder of pictures, in the order of their names, each of which is a frame.
    Sequence(PathBuf),
}

/// Why frames cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// It is not there.
    #[error("{0} is not there")]
    Missing(String),
    /// It cannot be decoded.
    #[error("{0}")]
    Unreadable(String),
    /// ffmpeg cannot be started.
    #[error("ffmpeg does not start: {0}")]
    NoFfmpeg(String),
}

/// How frames are taken from media.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sampling {
    /// Frames a second of videos and rendered stills.
    pub frames_per_second: f64,
    /// Seconds of the clip that is rendered from a still; with 0 they are one frame as they are.
    pub film_seconds: f64,
    /// Seed of the random camera motion of rendered stills.
    pub seed: u64,
}

/// Frames, one after the other.
pub type Frames = Box<dyn Iterator<Item = Result<Frame, MediaError>>>;

impl Media {
    /// What `path` is, by its extension, or a folder.
    pub fn of(path: &Path) -> Option<Self> {
        if path.is_dir() {
            return Some(Self::Sequence(path.to_owned()));
        }
        if is_video(path) {
            return Some(Self::Video(path.to_owned()));
        }
        is_picture(path).then(|| Self::Picture(path.to_owned()))
    }

    /// Its file or folder.
    pub fn path(&self) -> &Path {
        let (Self::Video(path) | Self::Picture(path) | Self::Sequence(path)) = self;
        path
    }

    /// Its frames; `id` is the clip's, on which the camera motion of a rendered still depends.
    ///
    /// # Errors
    /// It is not there, cannot be read, or ffmpeg does not start. Frames may fail later, too.
    pub fn frames(&self, id: &str, sampling: &Sampling) -> Result<Frames, MediaError> {
        let path = self.path();
        if !path.exists() {
            return Err(MediaError::Missing(path.display().to_string()));
        }
        match self {
            Self::Video(path) => Ok(Box::new(video::frames(path, sampling.frames_per_second)?)),
            Self::Picture(path) => {
                let still = picture::read(path)?;
                if sampling.film_seconds <= 0.0 {
                    return Ok(Box::new(std::iter::once(Ok(still))));
                }
                let count = (sampling.film_seconds * sampling.frames_per_second).round().max(1.0) as usize;
                Ok(Box::new(StillRenderer::new(still, count, id, sampling.seed).map(Ok)))
            }
            Self::Sequence(folder) => {
                let pictures = picture::in_folder(folder)?;
                if pictures.is_empty() {
                    return Err(MediaError::Unreadable(format!("{} holds no pictures", folder.display())));
                }
                Ok(Box::new(pictures.into_iter().map(|path| picture::read(&path))))
            }
        }
    }
}

/// Whether the extension is a video's.
pub fn is_video(path: &Path) -> bool {
    has_extension(path, &VIDEOS)
}

/// Whether the extension is a picture's.
pub fn is_picture(path: &Path) -> bool {
    has_extension(path, &PICTURES)
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    extension.is_some_and(|extension| extensions.contains(&extension.as_str()))
}
