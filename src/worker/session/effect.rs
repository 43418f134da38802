//! What a new global model means for this tab: its loss on the hold-out beside the one of the model before.

use gloo::timers::future::TimeoutFuture;

use super::{GlobalModel, Session};
use crate::learning::HoldOutCheck;
use crate::messages::HoldOutEffect;

impl Session {
    /// The mean losses of two global models on the clips that this tab has set aside, which neither was trained on here. `None`
    /// if there are too few, or a model is not of the paper's architecture.
    pub(super) async fn effect_on_hold_out(&self, before: &GlobalModel, after: &GlobalModel) -> Option<HoldOutEffect> {
        let (before, after) = (before.by_hand()?, after.by_hand()?);
        let held_out = self.frames.borrow().clips.held_out();
        let mut check = HoldOutCheck::default();
        for clip in held_out {
            check.add(&clip.target, &before.probabilities(&clip.features), &after.probabilities(&clip.features));
            // Frames first.
            TimeoutFuture::new(0).await;
        }
        let result = check.result()?;
        Some(HoldOutEffect { clips: result.clips, loss_before: result.loss_before, loss_after: result.loss_after })
    }
}
