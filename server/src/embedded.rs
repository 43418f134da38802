//! What a build with the feature `embedded` has in itself: the built page, and the lite models. Without it, there is neither.

use std::path::Path;

use crate::import::ImportError;
use crate::import::lite::{self, LitePack};
use crate::serve::Page;

#[cfg(feature = "embedded")]
mod files {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}

#[cfg(not(feature = "embedded"))]
mod files {
    pub(crate) static PAGE: &[crate::serve::EmbeddedFile] = &[];
    pub(crate) static LITE: &[(&str, &[u8])] = &[];
}

/// The page, if the program has it.
pub fn page() -> Page {
    if files::PAGE.is_empty() { Page::None } else { Page::Embedded(files::PAGE) }
}

/// The lite backbone and the face detector, if the program has them.
///
/// # Errors
/// They are not what they should be.
pub fn lite() -> Result<Option<LitePack>, ImportError> {
    if files::LITE.is_empty() {
        return Ok(None);
    }
    let read = |path: &Path| {
        let found = files::LITE.iter().find(|(name, _)| path == Path::new(name));
        found.map(|(_, bytes)| bytes.to_vec()).ok_or_else(|| std::io::ErrorKind::NotFound.into())
    };
    lite::convert_files(Path::new(""), read).map(Some)
}
