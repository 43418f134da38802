//! The federation's state for calls that change nothing: an immutable copy, and a count.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use emofed::protocol::{Manifest, OpenRound, RoundSettings, sha256_hex};
use emofed::weights::Weights;

/// Everything a call without side effects needs; replaced as a whole with each transition.
pub struct Snapshot {
    /// The manifest. It does not say how many updates the open round has: [`Self::open_round`] does.
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
    /// Updates of the manifest's round. Snapshots of the same round share it.
    received: Arc<AtomicU32>,
}

impl Snapshot {
    /// The snapshot of a manifest and what goes with it, with `received` updates in its round.
    pub(super) fn new(
        manifest: Manifest,
        base: Arc<Weights>,
        settings: RoundSettings,
        rounds: u64,
        received: Arc<AtomicU32>,
    ) -> Self {
        let json = serde_json::to_string(&manifest).expect("a manifest is plain data");
        let etag = format!("\"{}\"", &sha256_hex(json.as_bytes())[..32]);
        Self { manifest, json, etag, base, settings, rounds, received }
    }

    /// The open round with the number of updates that it has now.
    pub fn open_round(&self) -> Option<OpenRound> {
        let round = self.manifest.round.clone()?;
        Some(OpenRound { received: self.received.load(Ordering::Acquire), ..round })
    }

    /// The count that the next snapshot goes on with: its own where another round is open in it.
    pub(super) fn count_for(&self, round: Option<&OpenRound>, received: u32) -> Arc<AtomicU32> {
        let is_same = round.map(|round| round.id) == self.manifest.round.as_ref().map(|round| round.id);
        let count = if is_same { self.received.clone() } else { Arc::default() };
        count.store(received, Ordering::Release);
        count
    }

    /// The open round has `received` updates now.
    pub(super) fn count(&self, received: u32) {
        self.received.store(received, Ordering::Release);
    }
}
