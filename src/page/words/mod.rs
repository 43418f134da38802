//! Every sentence that the pages' code shows, by code and parameters: which message of the catalogues (`www/locales/`) it is,
//! and with which parameters. Nothing else in `page` names messages, and nothing outside of it holds prose: the session
//! worker and the aggregator send codes. Text that never changes is in `www/`, with the same catalogues.
//!
//! In this folder a literal with a hyphen is a message's id, which a test looks up in all catalogues.

pub mod backend;
pub mod camera;
pub mod contribution;
pub mod desk;
pub mod emotion;
pub mod instructor;
pub mod ledger;
pub mod model;
pub mod problem;
pub mod session;
pub mod stage;
pub mod timeline;

use super::l10n::{Value, text, text_with};

/// What happened, and the way out.
pub struct Notice {
    /// What happened, in a sentence.
    pub message: String,
    /// What to do about it, in a sentence.
    pub way_out: String,
}

impl Notice {
    /// A notice of these two sentences.
    pub fn new(message: impl Into<String>, way_out: impl Into<String>) -> Self {
        Self { message: message.into(), way_out: way_out.into() }
    }

    /// Both sentences in one text.
    pub fn in_one(&self) -> String {
        format!("{} {}", self.message, self.way_out)
    }
}

/// A value that is not there.
pub fn no_value() -> String {
    text("no-value")
}

/// A whole number in the language's notation.
pub fn whole(number: impl Into<Value>) -> String {
    text_with("number-whole", &[("number", number.into())])
}

/// A number with one decimal place.
pub fn tenths(number: f64) -> String {
    text_with("number-tenths", &[("number", number.into())])
}

/// A size in whole megabytes.
pub fn megabytes(bytes: f64) -> String {
    text_with("number-megabytes", &[("number", (bytes / 1e6).into())])
}

/// A share, 0 to 1, in per cent.
pub fn percent(share: f32) -> String {
    text_with("number-percent", &[("share", share.into())])
}

/// Seconds since 1970 as date and time, in the browser's time zone.
pub fn time(at_s: u64) -> String {
    text_with("date-time", &[("time", milliseconds(at_s))])
}

/// Seconds since 1970 as a date's parameter is: in milliseconds.
fn milliseconds(at_s: u64) -> Value {
    Value::Number(at_s as f64 * 1_000.0)
}

/// A number that names something, such as a round: the same digits in every language.
fn id(number: u64) -> Value {
    Value::Text(number.to_string())
}

/// ` (detail)`, or nothing if there is none.
fn bracketed(detail: &str) -> Value {
    let detail = detail.trim().trim_end_matches('.');
    Value::Text(if detail.is_empty() {
        String::new()
    } else {
        text_with("bracketed-detail", &[("detail", detail.into())])
    })
}

#[cfg(test)]
mod tests;
