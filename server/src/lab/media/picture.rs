//! Pictures as frames.

use std::path::{Path, PathBuf};

use emofed::model::Frame;
use image::{DynamicImage, ImageDecoder as _, ImageError, ImageReader, Limits, imageops::FilterType};

use super::{MAX_WIDTH, MediaError, is_picture};

/// Most pixels on a side, and most bytes that decoding may take: what a hostile header cannot exceed.
const MAX_SIDE: u32 = 16_384;
const MAX_BYTES: u64 = 512 << 20;

/// Reads a picture, turned as its EXIF data say, at most [`MAX_WIDTH`] wide.
///
/// # Errors
/// It is not there, or cannot be decoded.
pub fn read(path: &Path) -> Result<Frame, MediaError> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let unreadable = |error: ImageError| MediaError::Unreadable(format!("{name}: {error}"));
    let in_file = |error: std::io::Error| unreadable(ImageError::IoError(error));
    let mut reader = ImageReader::open(path).and_then(ImageReader::with_guessed_format).map_err(in_file)?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    let orientation = decoder.orientation().map_err(unreadable)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    picture.apply_orientation(orientation);
    if picture.width() > MAX_WIDTH {
        picture = picture.resize_exact(MAX_WIDTH, shrunk_height(&picture), FilterType::Triangle);
    }
    let rgba = picture.into_rgba8();
    let (width, height) = (rgba.width() as usize, rgba.height() as usize);
    Frame::new(width, height, rgba.into_raw()).map_err(|error| MediaError::Unreadable(format!("{name}: {error}")))
}

fn shrunk_height(picture: &DynamicImage) -> u32 {
    let scale = f64::from(MAX_WIDTH) / f64::from(picture.width());
    ((f64::from(picture.height()) * scale).round() as u32).max(1)
}

/// The pictures in a folder, in the order of their names.
///
/// # Errors
/// The folder cannot be read.
pub fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, MediaError> {
    let unreadable = |error: std::io::Error| MediaError::Unreadable(format!("{}: {error}", folder.display()));
    let mut pictures = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if is_picture(&path) && path.is_file() {
            pictures.push(path);
        }
    }
    pictures.sort();
    Ok(pictures)
}
