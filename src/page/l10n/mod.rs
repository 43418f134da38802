//! The pages' languages: messages in [Fluent](https://projectfluent.org) catalogues (`www/locales/*.ftl`), looked up in the
//! language of the page, then in English.
//!
//! Fluent's syntax is read by Project Fluent's own parser; numbers, dates and plurals are the browser's (`Intl`).

mod catalogue;
mod intl;
mod language;
#[cfg(target_arch = "wasm32")]
mod live;
#[cfg(target_arch = "wasm32")]
mod loading;
#[cfg(target_arch = "wasm32")]
mod markup;
#[cfg(test)]
mod tests;

use std::cell::RefCell;

pub use self::catalogue::Value;
use self::catalogue::{Arguments, Catalogue};
#[cfg(target_arch = "wasm32")]
pub use self::live::{forget, keep};
#[cfg(target_arch = "wasm32")]
pub use self::loading::{forget_choice, start};
#[cfg(target_arch = "wasm32")]
pub use self::markup::translate_attributes;

thread_local! {
    /// The catalogues in the order in which they are asked: the page's language, and English.
    static CATALOGUES: RefCell<Vec<Catalogue>> = const { RefCell::new(Vec::new()) };
}

/// A message without parameters, in the page's language. A message that no catalogue has is its id.
pub fn text(id: &str) -> String {
    text_with(id, &[])
}

/// A message with parameters by name, in the page's language.
pub fn text_with(id: &str, arguments: Arguments<'_>) -> String {
    CATALOGUES.with_borrow(|catalogues| {
        catalogues.iter().find_map(|catalogue| catalogue.value(id, arguments)).unwrap_or_else(|| id.to_owned())
    })
}

/// The attributes of a message, in the first catalogue that has the message: names and values.
#[cfg(any(test, target_arch = "wasm32"))]
fn attributes(id: &str) -> Vec<(String, String)> {
    CATALOGUES
        .with_borrow(|catalogues| catalogues.iter().find_map(|catalogue| catalogue.attributes(id)).unwrap_or_default())
}

/// The value of a message, if any catalogue has one.
#[cfg(any(test, target_arch = "wasm32"))]
fn value(id: &str) -> Option<String> {
    CATALOGUES.with_borrow(|catalogues| catalogues.iter().find_map(|catalogue| catalogue.value(id, &[])))
}

/// Replaces the catalogues.
fn set_catalogues(catalogues: Vec<Catalogue>) {
    CATALOGUES.replace(catalogues);
}

/// The English catalogue, for tests of the words.
#[cfg(test)]
pub(super) fn use_english() {
    tests::use_language(language::Language::English);
}
