//! Health of a tab's pseudo labels, and the collapse alarm: a state machine without I/O.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{LearningSettings, PseudoLabel};
use crate::emotion::{EMOTIONS, Emotion};

/// Clips that the figures are of, unless the alarm needs more.
pub const WINDOW: usize = 60;

/// Figures of the pseudo labels of a tab's recent clips.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LabelFigures {
    /// Recent clips that were labelled, kept or not: the last 60 at most.
    pub clips: usize,
    /// Share of them that was kept, 0 to 1.
    pub acceptance_rate: f64,
    /// Mean over them of their labels' probability, 0 to 1.
    pub mean_confidence: f64,
    /// Entropy of the labels of the last kept clips, divided by that of a uniform distribution: 1 if all emotions are as
    /// common, 0 if there is one emotion, or none.
    pub class_balance: f64,
    /// The most common of those labels and its share, 0 to 1.
    pub dominant: Option<(Emotion, f64)>,
}

/// What the collapse alarm says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CollapseAlarm {
    /// Labels are not concentrated in one emotion, or there are too few.
    #[default]
    Quiet,
    /// They are: contributing pauses. A model that is trained on them unlearns the others.
    Raised {
        /// The emotion that they name.
        emotion: Emotion,
    },
    /// They are, and the student wants to contribute nevertheless.
    Overruled {
        /// The emotion that they name.
        emotion: Emotion,
    },
}

/// The labels of a tab's recent clips, and whether they have collapsed to one emotion.
///
/// The alarm is raised when at least `collapse_minimum_clips` recent clips are kept and `collapse_share` of their labels name
/// the same emotion. It ends by itself when that is not so any more, by [`Self::clear`], and, for that emotion, by
/// [`Self::overrule`].
///
/// ```
/// use emofed_core::learning::{CollapseAlarm, LabelHealth, LearningSettings, pseudo_label};
///
/// let settings = LearningSettings { collapse_minimum_clips: 3, ..LearningSettings::default() };
/// let happiness = pseudo_label(&[[0.0, 0.0, 0.0, 0.9, 0.1, 0.0]], 0.5).unwrap();
/// let mut health = LabelHealth::default();
/// for _ in 0..3 {
///     assert_eq!(health.alarm(), CollapseAlarm::Quiet);
///     health.observe(&happiness, &settings);
/// }
/// assert!(health.pauses_contributing());
/// health.overrule();
/// assert!(!health.pauses_contributing());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LabelHealth {
    /// The last clips: each label's probability, and whether the clip was kept.
    labelled: VecDeque<(f64, bool)>,
    /// The labels of the last kept clips, which may be older.
    kept: VecDeque<Emotion>,
    alarm: CollapseAlarm,
}

impl LabelHealth {
    /// A clip was labelled, and kept unless the label is rejected.
    pub fn observe(&mut self, label: &PseudoLabel, settings: &LearningSettings) {
        let minimum = settings.collapse_minimum_clips as usize;
        push(&mut self.labelled, (f64::from(label.mean[label.emotion.index()]), label.is_kept()), WINDOW);
        if label.is_kept() {
            push(&mut self.kept, label.emotion, WINDOW.max(minimum));
        }
        let is_due = minimum > 0 && self.kept.len() >= minimum;
        let dominant = self.figures().dominant.filter(|(_, share)| is_due && *share >= settings.collapse_share);
        self.alarm = match (dominant, self.alarm) {
            (None, _) => CollapseAlarm::Quiet,
            (Some((emotion, _)), CollapseAlarm::Overruled { emotion: overruled }) if emotion == overruled => self.alarm,
            (Some((emotion, _)), _) => CollapseAlarm::Raised { emotion },
        };
    }

    /// The student wants to contribute although the labels have collapsed: the alarm is not raised again for the same emotion
    /// until it has ended.
    pub fn overrule(&mut self) {
        if let CollapseAlarm::Raised { emotion } = self.alarm {
            self.alarm = CollapseAlarm::Overruled { emotion };
        }
    }

    /// The clips are gone: figures and alarm begin anew.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// What the alarm says.
    pub fn alarm(&self) -> CollapseAlarm {
        self.alarm
    }

    /// Whether no update is made because of the alarm.
    pub fn pauses_contributing(&self) -> bool {
        matches!(self.alarm, CollapseAlarm::Raised { .. })
    }

    /// The figures of the recent clips.
    pub fn figures(&self) -> LabelFigures {
        let clips = self.labelled.len();
        let mean = |sum: f64| if clips > 0 { sum / clips as f64 } else { 0.0 };
        let shares = self.shares();
        let entropy: f64 = shares.iter().filter(|share| **share > 0.0).map(|share| -share * share.ln()).sum();
        let largest = shares.into_iter().fold(0.0, f64::max);
        let dominant = Emotion::ALL.into_iter().find(|emotion| largest > 0.0 && shares[emotion.index()] == largest);
        LabelFigures {
            clips,
            acceptance_rate: mean(self.labelled.iter().filter(|(_, is_kept)| *is_kept).count() as f64),
            mean_confidence: mean(self.labelled.iter().map(|(confidence, _)| confidence).sum()),
            // The entropy of one emotion is −0.0.
            class_balance: (entropy / (EMOTIONS as f64).ln()).clamp(0.0, 1.0) + 0.0,
            dominant: dominant.map(|emotion| (emotion, largest)),
        }
    }

    /// Share of each emotion among the labels of the last kept clips.
    fn shares(&self) -> [f64; EMOTIONS] {
        let mut counts = [0_u32; EMOTIONS];
        self.kept.iter().for_each(|emotion| counts[emotion.index()] += 1);
        counts.map(|count| f64::from(count) / self.kept.len().max(1) as f64)
    }
}

fn push<T>(recent: &mut VecDeque<T>, newest: T, most: usize) {
    recent.push_back(newest);
    let excess = recent.len().saturating_sub(most);
    recent.drain(..excess);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learning::pseudo_label;
    use crate::random::SplitMix64;

    fn settings() -> LearningSettings {
        LearningSettings { collapse_share: 0.8, collapse_minimum_clips: 5, ..LearningSettings::default() }
    }

    /// A label of `emotion` with this probability; below 0.5 it is rejected.
    fn label(emotion: Emotion, confidence: f32) -> PseudoLabel {
        let mut mean = [(1.0 - confidence) / 5.0; EMOTIONS];
        mean[emotion.index()] = confidence;
        pseudo_label(&[mean], 0.5).unwrap()
    }

    fn observe(health: &mut LabelHealth, emotion: Emotion, confidence: f32, times: usize) {
        (0..times).for_each(|_| health.observe(&label(emotion, confidence), &settings()));
    }

    const NEUTRAL: CollapseAlarm = CollapseAlarm::Raised { emotion: Emotion::Neutral };

    #[test]
    fn figures_are_those_of_the_recent_clips() {
        let mut health = LabelHealth::default();
        let nothing = health.figures();
        assert_eq!((nothing.clips, nothing.acceptance_rate, nothing.class_balance), (0, 0.0, 0.0));
        assert_eq!(nothing.dominant, None);
        observe(&mut health, Emotion::Fear, 0.8, 1);
        observe(&mut health, Emotion::Neutral, 0.8, 1);
        observe(&mut health, Emotion::Anger, 0.4, 2);
        let figures = health.figures();
        assert_eq!((figures.clips, figures.acceptance_rate), (4, 0.5));
        assert!((figures.mean_confidence - 0.6).abs() < 1e-6);
        assert!((figures.class_balance - 2f64.ln() / 6f64.ln()).abs() < 1e-9, "two emotions in equal parts");
        observe(&mut health, Emotion::Anger, 0.4, WINDOW);
        let figures = health.figures();
        assert_eq!((figures.clips, figures.acceptance_rate), (WINDOW, 0.0), "the oldest are forgotten");
        for emotion in Emotion::ALL {
            observe(&mut health, emotion, 0.9, WINDOW / EMOTIONS);
        }
        assert!((health.figures().class_balance - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_alarm_needs_enough_clips_of_one_emotion() {
        let mut health = LabelHealth::default();
        observe(&mut health, Emotion::Neutral, 0.9, 4);
        assert_eq!(health.alarm(), CollapseAlarm::Quiet);
        observe(&mut health, Emotion::Anger, 0.4, 20);
        assert_eq!(health.alarm(), CollapseAlarm::Quiet, "rejected labels are not trained on");
        observe(&mut health, Emotion::Neutral, 0.9, 1);
        assert_eq!(health.alarm(), NEUTRAL);
        assert!(health.pauses_contributing());
    }

    #[test]
    fn the_alarm_ends_when_labels_spread_again() {
        let mut health = LabelHealth::default();
        observe(&mut health, Emotion::Neutral, 0.9, 5);
        observe(&mut health, Emotion::Fear, 0.9, 1);
        assert_eq!(health.alarm(), NEUTRAL, "5 of 6");
        observe(&mut health, Emotion::Fear, 0.9, 1);
        assert_eq!(health.alarm(), CollapseAlarm::Quiet, "5 of 7");
    }

    #[test]
    fn an_overruled_alarm_stays_quiet_until_it_has_ended() {
        let mut health = LabelHealth::default();
        health.overrule();
        assert_eq!(health.alarm(), CollapseAlarm::Quiet, "nothing to overrule");
        observe(&mut health, Emotion::Neutral, 0.9, 5);
        health.overrule();
        observe(&mut health, Emotion::Neutral, 0.9, 5);
        assert_eq!(health.alarm(), CollapseAlarm::Overruled { emotion: Emotion::Neutral });
        assert!(!health.pauses_contributing());
        observe(&mut health, Emotion::Fear, 0.9, 3);
        assert_eq!(health.alarm(), CollapseAlarm::Quiet, "10 of 13");
        observe(&mut health, Emotion::Neutral, 0.9, 5);
        assert_eq!(health.alarm(), NEUTRAL, "15 of 18: it has collapsed again");
        observe(&mut health, Emotion::Fear, 0.9, 2 * WINDOW);
        assert_eq!(health.alarm(), CollapseAlarm::Raised { emotion: Emotion::Fear });
    }

    #[test]
    fn clearing_the_clips_begins_anew() {
        let mut health = LabelHealth::default();
        observe(&mut health, Emotion::Neutral, 0.9, 5);
        health.clear();
        assert_eq!((health.alarm(), health.figures().clips), (CollapseAlarm::Quiet, 0));
        observe(&mut health, Emotion::Neutral, 0.9, 5);
        assert_eq!(health.alarm(), NEUTRAL);
    }

    #[test]
    fn without_a_minimum_there_is_no_alarm() {
        let off = LearningSettings { collapse_minimum_clips: 0, ..settings() };
        let mut health = LabelHealth::default();
        (0..100).for_each(|_| health.observe(&label(Emotion::Neutral, 0.9), &off));
        assert_eq!(health.alarm(), CollapseAlarm::Quiet);
    }

    #[test]
    fn whatever_the_labels_the_alarm_is_raised_exactly_if_they_have_collapsed() {
        for seed in 0..200 {
            let mut random = SplitMix64::new(seed);
            let settings = LearningSettings {
                collapse_share: 0.3 + 0.7 * random.below(101) as f64 / 100.0,
                collapse_minimum_clips: random.below(90) as u32,
                ..LearningSettings::default()
            };
            let (mut health, mut kept) = (LabelHealth::default(), Vec::new());
            let emotions = 1 + random.below(EMOTIONS);
            for _ in 0..random.below(200) {
                let emotion = Emotion::ALL[random.below(emotions)];
                let label = label(emotion, 0.3 + 0.6 * random.below(101) as f32 / 100.0);
                health.observe(&label, &settings);
                kept.extend(label.is_kept().then_some(label.emotion));
                let minimum = settings.collapse_minimum_clips as usize;
                let recent = &kept[kept.len().saturating_sub(WINDOW.max(minimum))..];
                let most = Emotion::ALL.map(|emotion| recent.iter().filter(|other| **other == emotion).count());
                let share = most.into_iter().max().unwrap() as f64 / recent.len().max(1) as f64;
                let collapsed = minimum > 0 && recent.len() >= minimum && share >= settings.collapse_share;
                assert_eq!(health.pauses_contributing(), collapsed, "seed {seed}");
                let figures = health.figures();
                for figure in [figures.acceptance_rate, figures.class_balance, figures.mean_confidence] {
                    assert!((0.0..=1.0).contains(&figure), "seed {seed}: {figures:?}");
                }
            }
        }
    }
}
