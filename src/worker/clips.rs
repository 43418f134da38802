//! The life cycle of a tab's kept clips: a state machine without I/O.
//!
//! A clip waits; it goes into the update for one round; and that round's outcome in the manifest settles it: it is released if
//! the round was published, and waits again if the round was rejected or abandoned. A new model version alone settles
//! nothing, since a roll-back makes one, too. While a round is being aggregated, nothing changes. A tab has one update at a
//! time, so that every clip counts in at most one published round.

use serde::{Deserialize, Serialize};

use crate::emotion::EMOTIONS;
use crate::learning::Clip;
use crate::protocol::{EndedRound, RoundOutcome};

#[cfg(test)]
mod tests;

/// Maximum number of clips in memory; the oldest is removed first. 200 clips of 30 frames are 6 MB.
const MAX_WAITING: usize = crate::protocol::MAX_EXAMPLES as usize;

/// Maximum number of clips of the hold-out; the oldest is removed first.
const MAX_HELD_OUT: usize = 50;

/// Clips that wait, clips whose update is under way, and the hold-out, which no update is trained on.
#[derive(Clone, Default)]
pub struct ClipStore {
    waiting: Vec<KeptClip>,
    held_out: Vec<KeptClip>,
    update: Option<Update>,
    /// Ids are given from 0 on and never reused.
    next_id: u64,
    /// Counts changes.
    revision: u64,
}

/// A clip and its id, by which the student changes its label.
#[derive(Clone)]
struct KeptClip {
    id: u64,
    clip: Clip,
}

/// What a record of the store has. Ids are not part of it.
#[derive(Debug, PartialEq)]
pub struct StoredClips<'a> {
    /// Clips that wait.
    pub waiting: Vec<&'a Clip>,
    /// The hold-out.
    pub held_out: Vec<&'a Clip>,
    /// The update under way: its round, what is known of it, and its clips.
    pub update: Option<(u64, Stage, Vec<&'a Clip>)>,
}

/// What the student wants of a kept clip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ClipEdit {
    /// Its target is this distribution.
    Relabel([f32; EMOTIONS]),
    /// It is not used.
    StrikeOut,
}

/// The update under way, and the clips that went into it. After a reload they are gone, unless the student lets the tab keep
/// them; the update is not.
#[derive(Clone)]
struct Update {
    round: u64,
    clips: Vec<KeptClip>,
    stage: Stage,
}

/// What is known of an update under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    /// What a record of the store has. Once the update is stored on the device, it `may_be_sent` at any time: the record says
    /// from then on that it may count.
    pub fn stored(&self, may_be_sent: bool) -> StoredClips<'_> {
        let update = self.update.as_ref().map(|Update { round, clips, stage }| {
            let stage = if may_be_sent && *stage == Stage::Unsent { Stage::Unanswered } else { *stage };
            (*round, stage, references(clips))
        });
        StoredClips { waiting: references(&self.waiting), held_out: references(&self.held_out), update }
    }

    /// The store that a record describes.
    pub fn restore(waiting: Vec<Clip>, held_out: Vec<Clip>, update: Option<(u64, Stage, Vec<Clip>)>) -> Self {
        let mut store = Self::default();
        store.waiting = waiting.into_iter().map(|clip| store.identified(clip)).collect();
        store.held_out = held_out.into_iter().map(|clip| store.identified(clip)).collect();
        store.update = update.map(|(round, stage, clips)| {
            let clips = clips.into_iter().map(|clip| store.identified(clip)).collect();
            Update { round, clips, stage }
        });
        store
    }

    /// How many clips there are to learn from, waiting or in the update under way, and in the hold-out.
    pub fn counts(&self) -> (usize, usize) {
        let in_update = self.update.as_ref().map_or(0, |update| update.clips.len());
        (self.waiting.len() + in_update, self.held_out.len())
    }

    /// Counts changes: a record of the same revision is up to date.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    fn changed(&mut self) {
        self.revision += 1;
    }

    fn identified(&mut self, clip: Clip) -> KeptClip {
        self.next_id += 1;
        KeptClip { id: self.next_id - 1, clip }
    }

    /// Keeps a clip; returns its id.
    pub fn keep(&mut self, clip: Clip) -> u64 {
        let clip = self.identified(clip);
        let id = clip.id;
        if self.waiting.len() == MAX_WAITING {
            self.waiting.remove(0);
        }
        self.waiting.push(clip);
        self.changed();
        id
    }

    /// Sets a clip aside: it never is in an update. Returns its id.
    pub fn hold_out(&mut self, clip: Clip) -> u64 {
        let clip = self.identified(clip);
        let id = clip.id;
        if self.held_out.len() == MAX_HELD_OUT {
            self.held_out.remove(0);
        }
        self.held_out.push(clip);
        self.changed();
        id
    }

    /// Whether the clip is in an update that was not sent: it can be edited once that is withdrawn.
    pub fn is_in_unsent_update(&self, id: u64) -> bool {
        let update = self.update.as_ref().filter(|update| update.stage == Stage::Unsent);
        update.is_some_and(|update| update.clips.iter().any(|clip| clip.id == id))
    }

    /// Edits a clip that waits or is in the hold-out; `false` if it is in neither.
    pub fn edit(&mut self, id: u64, edit: ClipEdit) -> bool {
        let group =
            [&mut self.waiting, &mut self.held_out].into_iter().find(|group| group.iter().any(|clip| clip.id == id));
        let Some(group) = group else { return false };
        match edit {
            ClipEdit::StrikeOut => group.retain(|clip| clip.id != id),
            ClipEdit::Relabel(target) => {
                group.iter_mut().filter(|clip| clip.id == id).for_each(|kept| kept.clip.target = target);
            }
        }
        self.changed();
        true
    }

    /// A copy of the clips that were set aside, oldest first.
    pub fn held_out(&self) -> Vec<Clip> {
        copies(&self.held_out)
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
        let copies = copies(&clips);
        self.update = Some(Update { round, clips, stage: Stage::Unsent });
        self.changed();
        Some(copies)
    }

    /// A copy of the clips of an update for `round` whose making was interrupted, to train on again.
    pub fn interrupted(&self, round: u64) -> Option<Vec<Clip>> {
        let update = self.update.as_ref().filter(|update| update.round == round && update.stage == Stage::Unsent);
        update.map(|update| copies(&update.clips)).filter(|clips| !clips.is_empty())
    }

    /// Goes on after a reload, with the clips of a record or none: `pending` is the round of the update that is stored on the
    /// device and not acknowledged, `acknowledged` the last round that acknowledged one.
    pub fn resume(&mut self, pending: Option<u64>, acknowledged: Option<u64>) {
        let known = match (pending, acknowledged) {
            // That visit may have sent it.
            (Some(round), _) => (round, Stage::Unanswered),
            (None, Some(round)) => (round, Stage::Acknowledged),
            (None, None) => return,
        };
        let (round, stage) = known;
        match &mut self.update {
            Some(update) if update.round == round => update.stage = stage,
            // Of a later round than the one that was acknowledged.
            Some(update) if pending.is_none() && update.round > round => {}
            _ => {
                if self.update.is_some() || pending.is_some() {
                    // The record is older than the update, which may have been trained on any of these clips.
                    self.waiting.clear();
                }
                self.update = Some(Update { round, clips: Vec::new(), stage });
            }
        }
        self.changed();
    }

    /// The update for `round` is about to be sent: from now on it may count.
    pub fn sending(&mut self, round: u64) {
        if let Some(update) = self.update_for(round).filter(|update| update.stage == Stage::Unsent) {
            update.stage = Stage::Unanswered;
            self.changed();
        }
    }

    /// The aggregator has acknowledged the update for `round`.
    pub fn acknowledged(&mut self, round: u64) {
        if let Some(update) = self.update_for(round) {
            update.stage = Stage::Acknowledged;
            self.changed();
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
            self.changed();
            return Some(Settled::Released);
        }
        self.take_back();
        Some(Settled::Returned)
    }

    /// Forgets the clips that are in no update: those that wait, and the hold-out.
    pub fn clear_waiting(&mut self) {
        self.waiting.clear();
        self.held_out.clear();
        self.changed();
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
        self.changed();
    }
}

fn references(clips: &[KeptClip]) -> Vec<&Clip> {
    clips.iter().map(|kept| &kept.clip).collect()
}

fn copies(clips: &[KeptClip]) -> Vec<Clip> {
    clips.iter().map(|kept| kept.clip.clone()).collect()
}
