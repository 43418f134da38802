//! The life cycle of a tab's kept clips: a state machine without I/O.
//!
//! A clip waits; it goes into the update for one round; and that round's outcome in the manifest settles it: it is released if
//! the round was published, and waits again if the round was rejected or abandoned. A new model version alone settles
//! nothing, since a roll-back makes one, too. While a round is being aggregated, nothing changes. A tab has one update at a
//! time, so that every clip counts in at most one published round.

use crate::learning::Clip;
use crate::protocol::{EndedRound, RoundOutcome};

#[cfg(test)]
mod tests;

/// Maximum number of clips in memory; the oldest is removed first. 200 clips of 30 frames are 6 MB.
const MAX_WAITING: usize = crate::protocol::MAX_EXAMPLES as usize;

/// Maximum number of clips of the hold-out; the oldest is removed first.
const MAX_HELD_OUT: usize = 50;

/// Clips that wait, clips whose update is under way, and the hold-out, which no update is trained on.
#[derive(Default)]
pub struct ClipStore {
    waiting: Vec<Clip>,
    held_out: Vec<Clip>,
    update: Option<Update>,
}

/// The update under way, and the clips that went into it. After a reload they are gone, but the update is not.
struct Update {
    round: u64,
    clips: Vec<Clip>,
    stage: Stage,
}

/// What is known of an update under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It is being made, or was made and never sent: it does not count.
    Unsent,
    /// It was sent, and there was no response: it may count.
    Unanswered,
    /// The aggregator has acknowledged it: it counts.
    Acknowledged,
}

/// What happens to the clips of an update whose round has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// They were learned from, or may have been: no later update contains them.
    Released,
    /// They wait again.
    Returned,
}

impl ClipStore {
    /// Keeps a clip.
    pub fn keep(&mut self, clip: Clip) {
        if self.waiting.len() == MAX_WAITING {
            self.waiting.remove(0);
        }
        self.waiting.push(clip);
    }

    /// Sets a clip aside: it never is in an update.
    pub fn hold_out(&mut self, clip: Clip) {
        if self.held_out.len() == MAX_HELD_OUT {
            self.held_out.remove(0);
        }
        self.held_out.push(clip);
    }

    /// The clips that were set aside, oldest first.
    pub fn held_out(&self) -> &[Clip] {
        &self.held_out
    }

    /// The number of clips that wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The round of the update under way, and what is known of it.
    pub fn under_way(&self) -> Option<(u64, Stage)> {
        self.update.as_ref().map(|update| (update.round, update.stage))
    }

    /// Moves the clips that wait into an update for `round`, and returns a copy to train on. `None` if none waits, or while
    /// another update is under way.
    pub fn contribute(&mut self, round: u64) -> Option<Vec<Clip>> {
        if self.update.is_some() || self.waiting.is_empty() {
            return None;
        }
        let clips = std::mem::take(&mut self.waiting);
        self.update = Some(Update { round, clips: clips.clone(), stage: Stage::Unsent });
        Some(clips)
    }

    /// Resumes an update made before a reload, whose clips are gone.
    pub fn resume(&mut self, round: u64, stage: Stage) {
        if self.update.is_none() {
            self.update = Some(Update { round, clips: Vec::new(), stage });
        }
    }

    /// The update for `round` is about to be sent: from now on it may count.
    pub fn sending(&mut self, round: u64) {
        if let Some(update) = self.update_for(round).filter(|update| update.stage == Stage::Unsent) {
            update.stage = Stage::Unanswered;
        }
    }

    /// The aggregator has acknowledged the update for `round`.
    pub fn acknowledged(&mut self, round: u64) {
        if let Some(update) = self.update_for(round) {
            update.stage = Stage::Acknowledged;
        }
    }

    /// The update for `round` is known not to count: its clips wait again.
    pub fn refused(&mut self, round: u64) {
        if self.update_for(round).is_some_and(|update| update.stage != Stage::Acknowledged) {
            self.take_back();
        }
    }

    /// The student opts out. Clips of an update that was never sent wait again; those of one that may have arrived stay with
    /// it until its round is settled. Returns the round and stage of an update that is not acknowledged.
    pub fn withdraw(&mut self) -> Option<(u64, Stage)> {
        let (round, stage) = self.under_way().filter(|(_, stage)| *stage != Stage::Acknowledged)?;
        if stage == Stage::Unsent {
            self.take_back();
        }
        Some((round, stage))
    }

    /// Settles the update under way if its round has ended, given the manifest's `open` round and the outcomes of its `recent` rounds, newest
    /// first. `None` while the round is open or being aggregated.
    pub fn settle(&mut self, open: Option<u64>, recent: &[EndedRound]) -> Option<Settled> {
        let (round, stage) = self.under_way()?;
        if open == Some(round) {
            return None;
        }
        let may_count = match recent.iter().find(|ended| ended.round == round) {
            Some(ended) => !matches!(ended.outcome, RoundOutcome::Rejected | RoundOutcome::Abandoned),
            // It ended too long ago to be listed; a round opens only after the one before has ended.
            None if open.is_some() || recent.first().is_some_and(|newest| newest.round > round) => true,
            None => return None,
        };
        if may_count && stage != Stage::Unsent {
            self.update = None;
            return Some(Settled::Released);
        }
        self.take_back();
        Some(Settled::Returned)
    }

    /// Forgets the clips that are in no update: those that wait, and the hold-out.
    pub fn clear_waiting(&mut self) {
        self.waiting.clear();
        self.held_out.clear();
    }

    /// Forgets all clips, as when the backbone changes and their features no longer fit. An update stays under way.
    pub fn clear(&mut self) {
        self.clear_waiting();
        if let Some(update) = &mut self.update {
            update.clips.clear();
        }
    }

    fn update_for(&mut self, round: u64) -> Option<&mut Update> {
        self.update.as_mut().filter(|update| update.round == round)
    }

    /// Ends the update under way; its clips wait again, before those kept since.
    fn take_back(&mut self) {
        let Some(update) = self.update.take() else { return };
        let since = std::mem::replace(&mut self.waiting, update.clips);
        self.waiting.extend(since);
        let excess = self.waiting.len().saturating_sub(MAX_WAITING);
        self.waiting.drain(..excess);
    }
}
