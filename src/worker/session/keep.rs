//! Clips and the state of training on the device, over a reload: only if the student allows it, and encrypted. All of it is
//! written, read and deleted one after the other; what is withdrawn while it is written is deleted right after.
//!
//! The record of the clips is written before an update of them is stored, and again, as one that may count, before it is sent: so
//! no clip counts twice, whenever the tab is killed (`worker/clips/tests/at_random.rs`).

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use gloo::timers::future::TimeoutFuture;
use wasm_bindgen_futures::spawn_local;
use web_sys::console;

use super::sequencer::Sequencer;
use super::{Session, post};
use crate::browser::encrypted_storage::EncryptedStorage;
use crate::messages::{FromWorker, KeptClipsLoss, KeptClipsReport, device};
use crate::worker::clip_intake::ClipIntake;
use crate::worker::kept_clips::{self, Owner};

/// Clips that were kept since are written when the last record has taken this long, in milliseconds for each of its bytes: at
/// most 100 kB a second are written.
const MS_PER_BYTE: f64 = 0.01;

/// What keeping carries from write to write.
#[derive(Default)]
pub(super) struct Keeping {
    turns: Sequencer,
    encrypted: RefCell<Option<Rc<EncryptedStorage>>>,
    /// What the record on the device is of: the clips' revision, and whether it says that their update may count.
    written: Cell<Option<(u64, bool)>>,
    written_bytes: Cell<usize>,
    /// A write is going to happen.
    scheduled: Cell<bool>,
    /// The last write failed.
    failed: Cell<bool>,
    /// The session ends: nothing more is written.
    closed: Cell<bool>,
}

impl Session {
    fn keeps_clips(&self) -> bool {
        self.page.keep_clips.get() && !self.keeping.closed.get()
    }

    /// Restores the clips of an earlier visit, if they may be kept.
    pub(super) async fn restore_kept_clips(&self) {
        if !self.keeps_clips() {
            return;
        }
        let (_turn, Some(owner)) = (self.keeping.turns.enter().await, self.owner()) else { return };
        let Some(encrypted) = self.encrypted().await else { return };
        let record = encrypted.get(device::KEPT_CLIPS).await;
        let restored = match record {
            Ok(None) => return,
            Ok(Some(record)) => kept_clips::decode(&record, &owner),
            Err(_) => Err(KeptClipsLoss::Undecryptable),
        };
        match restored {
            Ok((clips, intake)) => {
                let frames = &mut *self.frames.borrow_mut();
                (frames.clips, frames.intake) = (clips, ClipIntake::resume(intake));
            }
            Err(loss) => {
                self.storage.delete(device::KEPT_CLIPS).await;
                self.storage.delete(device::CHECKPOINT).await;
                report(0, 0, Some(loss));
            }
        }
    }

    /// Tells the page of the clips that were restored.
    pub(super) fn report_kept_clips(&self) {
        let (training, held_out) = self.frames.borrow().clips.counts();
        if training + held_out > 0 {
            report(training, held_out, None);
            self.report_label_health();
        }
    }

    /// The student has allowed that clips are kept, or withdrawn that.
    pub(super) async fn allow_keeping_clips(&self, on: bool) {
        match on {
            true => self.keep_clips().await,
            false => self.forget_kept_clips().await,
        }
    }

    /// Deletes the key, and then all that was encrypted with it.
    pub(super) async fn forget_kept_clips(&self) {
        let _turn = self.keeping.turns.enter().await;
        self.keeping.encrypted.take();
        self.keeping.written.set(None);
        if !EncryptedStorage::delete_key().await {
            console::warn_1(&"the key of kept clips is not deleted".into());
        }
        self.storage.delete(device::KEPT_CLIPS).await;
        self.storage.delete(device::CHECKPOINT).await;
    }

    /// Writes the record of the clips soon, if it is out of date: the longer it is, the later.
    pub(super) fn keep_clips_soon(self: &Rc<Self>) {
        let is_up_to_date = self.keeping.written.get() == Some(self.revision());
        if !self.keeps_clips() || is_up_to_date || self.keeping.scheduled.replace(true) {
            return;
        }
        let session = self.clone();
        spawn_local(async move {
            let wait_ms = session.keeping.written_bytes.get() as f64 * MS_PER_BYTE;
            TimeoutFuture::new(wait_ms as u32).await;
            session.keeping.scheduled.set(false);
            session.keep_clips().await;
        });
    }

    /// Writes the record of the clips, if it is out of date. If that fails there is none: an old one could make clips count
    /// twice.
    pub(super) async fn keep_clips(&self) {
        if !self.keeps_clips() {
            return;
        }
        let _turn = self.keeping.turns.enter().await;
        let (revision, may_be_sent) = self.revision();
        if !self.keeps_clips() || self.keeping.written.get() == Some((revision, may_be_sent)) {
            return;
        }
        let (Some(owner), Some(encrypted)) = (self.owner(), self.encrypted().await) else { return };
        let record = {
            let frames = self.frames.borrow();
            kept_clips::encode(&owner, &frames.clips.stored(may_be_sent), frames.intake.state())
        };
        let is_written = encrypted.put(device::KEPT_CLIPS, &record).await;
        if !is_written || !self.page.keep_clips.get() {
            self.storage.delete(device::KEPT_CLIPS).await;
        }
        self.keeping.written.set(is_written.then_some((revision, may_be_sent)));
        self.keeping.written_bytes.set(record.len());
        let has_failed_before = self.keeping.failed.replace(!is_written);
        if !is_written && !has_failed_before {
            report(0, 0, Some(KeptClipsLoss::StorageFull));
        }
    }

    /// Writes an encoded checkpoint of the training under way.
    pub(super) async fn keep_checkpoint(&self, checkpoint: &[u8]) {
        if !self.keeps_clips() {
            return;
        }
        let _turn = self.keeping.turns.enter().await;
        let Some(encrypted) = self.encrypted().await else { return };
        let is_written = encrypted.put(device::CHECKPOINT, checkpoint).await;
        if !is_written || !self.page.keep_clips.get() {
            self.storage.delete(device::CHECKPOINT).await;
        }
    }

    /// The checkpoint of an earlier visit. One that cannot be read is deleted: training begins again, and ends in the same update.
    pub(super) async fn kept_checkpoint(&self) -> Option<Vec<u8>> {
        if !self.keeps_clips() {
            return None;
        }
        let _turn = self.keeping.turns.enter().await;
        match self.encrypted().await?.get(device::CHECKPOINT).await {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                console::warn_1(&format!("the checkpoint is not usable: {error}").into());
                self.storage.delete(device::CHECKPOINT).await;
                None
            }
        }
    }

    /// The training that a checkpoint may be of is over.
    pub(super) async fn drop_checkpoint(&self) {
        if self.keeps_clips() {
            let _turn = self.keeping.turns.enter().await;
            self.storage.delete(device::CHECKPOINT).await;
        }
    }

    /// Writes nothing more.
    pub(super) async fn close_keeping(&self) {
        self.keeping.closed.set(true);
        self.keeping.turns.enter().await;
    }

    /// What a record would be of now.
    fn revision(&self) -> (u64, bool) {
        (self.frames.borrow().clips.revision(), self.contribution.borrow().is_stored())
    }

    fn owner(&self) -> Option<Owner> {
        let participant = self.stored.borrow().as_ref()?.participant.clone();
        let backbone_sha256 = self.models.borrow().as_ref()?.backbone_sha256.clone();
        Some(Owner { participant, backbone_sha256 })
    }

    /// The encrypted storage. Where the browser has none, nothing is kept from now on.
    async fn encrypted(&self) -> Option<Rc<EncryptedStorage>> {
        if let Some(encrypted) = self.keeping.encrypted.borrow().clone() {
            return Some(encrypted);
        }
        let opened = EncryptedStorage::open(self.storage.clone()).await.map(Rc::new);
        if opened.is_none() {
            self.page.keep_clips.set(false);
            report(0, 0, Some(KeptClipsLoss::NoEncryption));
        }
        *self.keeping.encrypted.borrow_mut() = opened.clone();
        opened
    }
}

fn report(training: usize, held_out: usize, loss: Option<KeptClipsLoss>) {
    post(&FromWorker::KeptClips(KeptClipsReport { training, held_out, loss }));
}
