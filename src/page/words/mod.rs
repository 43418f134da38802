//! Every sentence that the pages' code shows, by code and parameters. Nothing else in `page` holds prose, and nothing
//! outside of it: the session worker and the aggregator send codes. Text that never changes is in `www/`.

pub mod backend;
pub mod camera;
pub mod contribution;
pub mod instructor;
pub mod ledger;
pub mod model;
pub mod problem;
pub mod session;

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
}

/// ` (detail)`, or nothing if there is none.
fn bracketed(detail: &str) -> String {
    let detail = detail.trim().trim_end_matches('.');
    if detail.is_empty() { String::new() } else { format!(" ({detail})") }
}
