//! The federation's state for calls that change nothing: an immutable copy.

use std::sync::Arc;

use emofed::protocol::{Manifest, RoundSettings, sha256_hex};
use emofed::weights::Weights;

/// Everything a call without side effects needs; replaced as a whole.
pub struct Snapshot {
    /// The manifest.
    pub manifest: Manifest,
    /// Its JSON.
    pub json: String,
    /// Its strong entity tag, with quotes.
    pub etag: String,
    /// The global model's weights.
    pub base: Arc<Weights>,
    /// How rounds go now.
    pub settings: RoundSettings,
    /// Rounds that were ever opened.
    pub rounds: u64,
}

impl Snapshot {
    /// The snapshot of a manifest and what goes with it.
    pub(super) fn new(manifest: Manifest, base: Arc<Weights>, settings: RoundSettings, rounds: u64) -> Self {
        let json = serde_json::to_string(&manifest).expect("a manifest is plain data");
        let etag = format!("\"{}\"", &sha256_hex(json.as_bytes())[..32]);
        Self { manifest, json, etag, base, settings, rounds }
    }
}
