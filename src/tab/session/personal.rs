//! The head that this tab keeps for itself where the class's recipe says so: it decides what is shown, and nothing else.

use std::rc::Rc;

use super::Central;
use crate::emotion::EMOTIONS;
use crate::learning::PersonalHead;
use crate::model::vfer::Vfer;
use crate::tab::segment::Segment;

/// The student's own head, and the class's model with it.
#[derive(Default)]
pub(super) struct Personal {
    head: PersonalHead,
    /// The class's version that `model` is over.
    base_version: Option<u64>,
    /// Absent until there are enough clips.
    model: Option<Rc<Vfer>>,
}

impl Personal {
    /// Takes in a clip of which the class's model says `opinion`.
    pub(super) fn learn(&mut self, central: &Central, clip: &Segment, opinion: &[f32; EMOTIONS]) {
        self.follow(central);
        self.head.add(&central.vfer, clip.features.clone(), &clip.probabilities, opinion);
        self.model = self.head.tuned(&central.vfer).map(Rc::new);
    }

    /// What is shown: the class's model with the student's head, or without while there is none.
    pub(super) fn shown(&mut self, central: &Central) -> Rc<Vfer> {
        self.follow(central);
        self.model.as_ref().unwrap_or(&central.vfer).clone()
    }

    /// How many clips the head was tuned on, if there is one.
    pub(super) fn clips(&self) -> Option<usize> {
        self.model.is_some().then(|| self.head.clips())
    }

    fn follow(&mut self, central: &Central) {
        if self.base_version.replace(central.version) != Some(central.version) {
            self.head.rebase(&central.vfer);
            self.model = self.head.tuned(&central.vfer).map(Rc::new);
        }
    }
}
