//! The clips that a tab may learn from, from being kept to being learned from.

use crate::learning::Clip;

/// Most clips kept in memory; the oldest goes first. 200 clips of 30 frames are 6 MB.
const MOST_CLIPS: usize = crate::protocol::MAX_CLIPS as usize;

/// Clips waiting, and clips whose update is under way.
///
/// A clip is let go only when the round its update went into has been published; if that round came to nothing, it
/// waits again.
#[derive(Default)]
pub struct ClipStore {
    waiting: Vec<Clip>,
    contributed: Vec<Clip>,
    dropped: usize,
}

impl ClipStore {
    /// Keeps a clip.
    pub fn keep(&mut self, clip: Clip) {
        if self.waiting.len() == MOST_CLIPS {
            self.waiting.remove(0);
        }
        self.waiting.push(clip);
    }

    /// Counts a clip that was not confident enough.
    pub fn count_dropped(&mut self) {
        self.dropped += 1;
    }

    /// Clips waiting to be learned from.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Clips dropped so far.
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// Takes what is waiting into an update, and gives a copy to train on.
    pub fn contribute(&mut self) -> Vec<Clip> {
        self.contributed.append(&mut self.waiting);
        self.contributed.clone()
    }

    /// The update's round was published.
    pub fn release_contributed(&mut self) {
        self.contributed.clear();
    }

    /// The update came to nothing: its clips wait again.
    pub fn return_contributed(&mut self) {
        self.contributed.append(&mut self.waiting);
        std::mem::swap(&mut self.waiting, &mut self.contributed);
        let excess = self.waiting.len().saturating_sub(MOST_CLIPS);
        self.waiting.drain(..excess);
    }

    /// Forgets every clip, as when the backbone changes and features no longer fit.
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.contributed.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip(number: usize) -> Clip {
        Clip { features: vec![number as f32], target: [0.0; 6] }
    }

    fn numbers(clips: &[Clip]) -> Vec<f32> {
        clips.iter().map(|clip| clip.features[0]).collect()
    }

    #[test]
    fn a_failed_round_gives_its_clips_back_in_order() {
        let mut clips = ClipStore::default();
        clips.keep(clip(1));
        clips.keep(clip(2));
        assert_eq!(numbers(&clips.contribute()), [1.0, 2.0]);
        clips.keep(clip(3));
        clips.return_contributed();
        assert_eq!(numbers(&clips.contribute()), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn a_published_round_releases_only_its_own_clips() {
        let mut clips = ClipStore::default();
        clips.keep(clip(1));
        clips.contribute();
        clips.keep(clip(2));
        clips.release_contributed();
        assert_eq!(numbers(&clips.contribute()), [2.0]);
    }

    #[test]
    fn memory_is_bounded() {
        let mut clips = ClipStore::default();
        for number in 0..MOST_CLIPS + 5 {
            clips.keep(clip(number));
        }
        assert_eq!(clips.waiting(), MOST_CLIPS);
        assert_eq!(clips.contribute()[0].features, [5.0]);
    }
}
