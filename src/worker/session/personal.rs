//! The personalised head of this tab, under the recipe `personal-head`. It decides what is shown, and nothing else.

use std::rc::Rc;

use crate::emotion::EMOTIONS;
use crate::learning::PersonalHead;
use crate::model::vfer::{HIDDEN, Vfer};
use crate::worker::segment::Segment;

/// The head, and the global model with it.
#[derive(Default)]
pub(super) struct Personalisation {
    head: PersonalHead,
    /// The version of the global model that `model` is based on.
    base_version: Option<u64>,
    /// The global model with the personalised head; absent until there are enough clips.
    model: Option<Rc<Vfer>>,
}

impl Personalisation {
    /// Takes in a clip. `hidden` is the LSTM's last state over it and `prediction` the global model's probabilities.
    pub(super) fn learn(
        &mut self,
        version: u64,
        vfer: &Rc<Vfer>,
        clip: &Segment,
        hidden: &[f32; HIDDEN],
        prediction: &[f32; EMOTIONS],
    ) {
        self.rebase(version, vfer);
        self.head.add(clip.features.clone(), *hidden, &clip.probabilities, prediction);
        self.model = self.head.tuned(vfer).map(Rc::new);
    }

    /// The global model with the personalised head, or as it is while there is none.
    pub(super) fn model(&mut self, version: u64, vfer: &Rc<Vfer>) -> Rc<Vfer> {
        self.rebase(version, vfer);
        self.model.as_ref().unwrap_or(vfer).clone()
    }

    /// The number of clips that the head was tuned on, if there is one.
    pub(super) fn clips(&self) -> Option<usize> {
        self.model.is_some().then(|| self.head.clips())
    }

    fn rebase(&mut self, version: u64, vfer: &Rc<Vfer>) {
        if self.base_version.replace(version) != Some(version) {
            self.head.rebase(vfer);
            self.model = self.head.tuned(vfer).map(Rc::new);
        }
    }
}
