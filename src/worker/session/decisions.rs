//! What the student decides about contributing, apart from opting in.

use std::rc::Rc;

use super::{Session, post};
use crate::messages::{ClipEdit, ClipEditReport, FromWorker};
use crate::worker::clips::Stage;

impl Session {
    /// The student opted out: an update that is not acknowledged is deleted, whatever step it is at. That step ends by
    /// itself, since its [`super::opt_in::Consent`] is no longer valid.
    pub(super) async fn withdraw(&self) {
        let withdrawn = self.frames.borrow_mut().clips.withdraw();
        if let Some((round, stage)) = withdrawn {
            post(&FromWorker::Withdrawn { round, may_have_arrived: stage != Stage::Unsent });
            self.drop_pending().await;
            self.keep_clips().await;
        }
    }

    /// The student wants the withheld update to be sent nevertheless.
    pub(super) async fn send_withheld(self: &Rc<Self>) {
        let is_withheld = std::mem::take(&mut self.contribution.borrow_mut().is_withheld);
        if let (true, Some(consent)) = (is_withheld, self.opt_in.consent())
            && self.store_pending(&consent).await
        {
            self.sync_soon();
        }
    }

    /// The student wants to contribute although the labels have collapsed to one emotion.
    pub(super) fn overrule_collapse(self: &Rc<Self>) {
        self.frames.borrow_mut().intake.overrule_collapse();
        self.report_label_health();
        self.sync_soon();
    }

    /// Forgets the clips that no update that was sent contains, and the health of their labels.
    pub(super) async fn clear_clips(&self) {
        let is_leaving = self.contribution.borrow().sending;
        let is_unsent = {
            let frames = &mut *self.frames.borrow_mut();
            let is_unsent = !is_leaving && frames.clips.under_way().is_some_and(|(_, stage)| stage == Stage::Unsent);
            if is_unsent {
                frames.clips.withdraw();
            }
            frames.clips.clear_waiting();
            frames.intake.clear_health();
            is_unsent
        };
        self.report_label_health();
        if is_unsent {
            self.drop_pending().await;
        }
        self.drop_checkpoint().await;
        self.keep_clips().await;
    }

    /// The student corrects a kept clip's label or strikes the clip out. An update that contains it and was not sent is made
    /// anew.
    pub(super) async fn edit_clip(self: &Rc<Self>, id: u64, edit: ClipEdit) {
        let is_leaving = self.contribution.borrow().sending;
        let (done, was_in_update) = {
            let clips = &mut self.frames.borrow_mut().clips;
            let was_in_update = clips.is_in_unsent_update(id) && !is_leaving;
            if was_in_update {
                clips.withdraw();
            }
            (clips.edit(id, edit.into()), was_in_update)
        };
        post(&FromWorker::ClipEdited(ClipEditReport { id, edit, done, was_in_update }));
        if was_in_update {
            self.drop_pending().await;
            self.drop_checkpoint().await;
        }
        self.keep_clips().await;
        if was_in_update {
            self.sync_soon();
        }
    }

    pub(super) fn report_label_health(&self) {
        post(&FromWorker::LabelHealth(self.frames.borrow().intake.health_report()));
    }
}
