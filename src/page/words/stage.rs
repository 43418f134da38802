//! The stage and the student's tile.

use super::{text, text_with};

/// The messages that say what the stage's content is.
pub const VIDEO: &str = "lecture-video";
/// The same of a document.
pub const DOCUMENT: &str = "lecture-document";
/// The same of a page.
pub const PAGE: &str = "lecture-page";

/// What is on the stage does not load.
pub fn not_loaded() -> String {
    text("lecture-not-loaded")
}

/// Which of the lecture's pictures is shown, counted from 1.
pub fn picture(number: usize, count: usize) -> String {
    text_with("picture-count", &[("number", number.into()), ("count", count.into())])
}

/// The button that folds the tile away, or shows it again.
pub fn fold_button(is_folded: bool) -> String {
    text(if is_folded { "tile-unfold" } else { "tile-fold" })
}
