//! What a new global model means for this tab: its loss on the hold-out beside the one of the model before; and what is told of
//! it, if the student has opted in to that.

use gloo::timers::future::TimeoutFuture;

use super::{GlobalModel, Session};
use crate::learning::HoldOutCheck;
use crate::messages::HoldOutEffect;
use crate::protocol::ClientMetrics;

impl Session {
    /// The mean losses of two global models on the clips that this tab has set aside, which neither was trained on here. `None`
    /// if there are too few, or a model is not of the paper's architecture. Their difference is told only where `after` was made from
    /// `before`: a class that has gone back, or a tab that was away, says nothing of the round that made it.
    pub(super) async fn effect_on_hold_out(
        &self,
        before: &GlobalModel,
        after: &GlobalModel,
        is_parent: bool,
    ) -> Option<HoldOutEffect> {
        self.loss_change.set(None);
        let (before, after) = (before.by_hand()?, after.by_hand()?);
        let held_out = self.frames.borrow().clips.held_out();
        let mut check = HoldOutCheck::default();
        for clip in held_out {
            check.add(&clip.target, &before.probabilities(&clip.features), &after.probabilities(&clip.features));
            // Frames first.
            TimeoutFuture::new(0).await;
        }
        let result = check.result()?;
        self.loss_change.set(is_parent.then_some(result.loss_after - result.loss_before));
        Some(HoldOutEffect { clips: result.clips, loss_before: result.loss_before, loss_after: result.loss_after })
    }

    /// What goes with an update of the global model in use, if the student has opted in to that and the aggregator takes it.
    pub(super) fn client_metrics(&self) -> Option<ClientMetrics> {
        let takes_them = self.manifest.borrow().as_ref().is_some_and(|manifest| manifest.read.takes_metrics);
        let figures = self.frames.borrow().intake.label_figures();
        let is_told = takes_them && self.page.share_metrics.get() && figures.clips > 0;
        is_told.then(|| ClientMetrics::rounded(&figures, self.loss_change.get()))
    }
}
