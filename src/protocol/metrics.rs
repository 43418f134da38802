//! Client metrics: how labelling goes in a tab, which a student may send along with an update, and their mean over a class.

use serde::{Deserialize, Serialize};

use super::UpdateError;
use crate::learning::LabelFigures;

/// Fewest clients whose metrics are published as their mean.
pub const MINIMUM_METRICS: usize = 5;
/// Shares are rounded to multiples of it before they leave a tab.
const SHARE_STEP: f64 = 0.05;
/// The same of a change of loss, in nats.
const LOSS_STEP: f64 = 0.01;
/// Largest change of loss that is told, in nats: a single tab cannot move the mean by more than its part of it.
const MAX_LOSS_CHANGE: f64 = 1.0;

/// What a tab tells of its own labelling with an update, if the student has opted in to that: rounded figures of its last clips, no
/// label and no number of clips of an emotion.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientMetrics {
    /// Share of the clips whose pseudo label was kept, 0 to 1.
    pub acceptance_rate: f64,
    /// Entropy of the kept labels, divided by that of a uniform distribution, 0 to 1.
    pub class_balance: f64,
    /// By how much the base's loss on the tab's hold-out is above its parent's, in nats, −1 to 1; absent where the tab
    /// had not just that before, or has too few clips set aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_change: Option<f64>,
}

/// The mean of [`ClientMetrics`] over the clients of a round that sent theirs: at least [`MINIMUM_METRICS`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClassMetrics {
    /// How many sent theirs.
    pub clients: u32,
    /// Mean of [`ClientMetrics::acceptance_rate`].
    pub acceptance_rate: f64,
    /// Mean of [`ClientMetrics::class_balance`].
    pub class_balance: f64,
    /// Mean of [`ClientMetrics::loss_change`], if at least [`MINIMUM_METRICS`] sent one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_change: Option<f64>,
}

impl ClientMetrics {
    /// Of a tab's label figures and the change of loss that its base brought, rounded.
    pub fn rounded(figures: &LabelFigures, loss_change: Option<f64>) -> Self {
        // An entropy of none is −0.0.
        let share = |share: f64| round(share, SHARE_STEP).clamp(0.0, 1.0) + 0.0;
        Self {
            acceptance_rate: share(figures.acceptance_rate),
            class_balance: share(figures.class_balance),
            loss_change: loss_change
                .filter(|change| change.is_finite())
                .map(|change| round(change, LOSS_STEP).clamp(-MAX_LOSS_CHANGE, MAX_LOSS_CHANGE) + 0.0),
        }
    }

    /// Checks that each figure is within its bounds.
    ///
    /// # Errors
    /// [`UpdateError::Metrics`].
    pub fn check(&self) -> Result<(), UpdateError> {
        let is_share = |share: f64| (0.0..=1.0).contains(&share);
        let is_change = |change: f64| (-MAX_LOSS_CHANGE..=MAX_LOSS_CHANGE).contains(&change);
        let is_sound =
            is_share(self.acceptance_rate) && is_share(self.class_balance) && self.loss_change.is_none_or(is_change);
        if is_sound { Ok(()) } else { Err(UpdateError::Metrics) }
    }
}

impl ClassMetrics {
    /// The mean of what clients sent; `None` of too few: it would tell of single students.
    pub fn mean(sent: &[ClientMetrics]) -> Option<Self> {
        let mean = |figures: &[f64]| {
            let is_enough = figures.len() >= MINIMUM_METRICS;
            is_enough.then(|| figures.iter().sum::<f64>() / figures.len() as f64)
        };
        let all = |figure: fn(&ClientMetrics) -> f64| mean(&sent.iter().map(figure).collect::<Vec<_>>());
        let loss_changes: Vec<f64> = sent.iter().filter_map(|metrics| metrics.loss_change).collect();
        Some(Self {
            clients: u32::try_from(sent.len()).unwrap_or(u32::MAX),
            acceptance_rate: all(|metrics| metrics.acceptance_rate)?,
            class_balance: all(|metrics| metrics.class_balance)?,
            loss_change: mean(&loss_changes),
        })
    }
}

/// How many clients sent a change of loss, if the median of them is above `limit`, in nats; `None` too where fewer than
/// [`MINIMUM_METRICS`] sent one. It is the median, since a few clients that send anything move a mean.
pub fn loss_increased(sent: &[ClientMetrics], limit: f64) -> Option<u32> {
    let mut changes: Vec<f64> = sent.iter().filter_map(|metrics| metrics.loss_change).collect();
    changes.sort_unstable_by(f64::total_cmp);
    let count = changes.len();
    // Of an even number the lower middle one: more than half have to say so.
    let increased = count >= MINIMUM_METRICS && changes[(count - 1) / 2] > limit;
    increased.then(|| u32::try_from(count).unwrap_or(u32::MAX))
}

fn round(value: f64, step: f64) -> f64 {
    // By the inverse, which is a whole number: a multiple of 0.05 has more digits than its number of twentieths.
    let steps_of_one = (1.0 / step).round();
    (value * steps_of_one).round() / steps_of_one
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(acceptance_rate: f64, class_balance: f64) -> LabelFigures {
        LabelFigures { clips: 60, acceptance_rate, mean_confidence: 0.7, class_balance, dominant: None }
    }

    #[test]
    fn figures_are_rounded_and_bounded() {
        let metrics = ClientMetrics::rounded(&figures(0.733, 0.02), Some(-0.01234));
        assert_eq!(metrics, ClientMetrics { acceptance_rate: 0.75, class_balance: 0.0, loss_change: Some(-0.01) });
        assert!(ClientMetrics::rounded(&figures(1.0, -0.0), None).class_balance.is_sign_positive());
        assert_eq!(ClientMetrics::rounded(&figures(1.0, 0.5), Some(40.0)).loss_change, Some(1.0));
        assert_eq!(ClientMetrics::rounded(&figures(1.0, 0.5), Some(f64::NAN)).loss_change, None);
        for (acceptance, change) in [(0.0, None), (1.0, Some(9.0)), (0.49999, Some(-9.0))] {
            assert_eq!(ClientMetrics::rounded(&figures(acceptance, 1.0), change).check(), Ok(()));
        }
    }

    #[test]
    fn figures_out_of_bounds_are_refused() {
        let sound = ClientMetrics::rounded(&figures(0.5, 0.5), Some(0.0));
        for wrong in [f64::NAN, f64::INFINITY, -0.05, 1.05] {
            assert_eq!(ClientMetrics { acceptance_rate: wrong, ..sound }.check(), Err(UpdateError::Metrics));
            assert_eq!(ClientMetrics { class_balance: wrong, ..sound }.check(), Err(UpdateError::Metrics));
        }
        for wrong in [f64::NAN, -1.01, 1.01] {
            assert_eq!(ClientMetrics { loss_change: Some(wrong), ..sound }.check(), Err(UpdateError::Metrics));
        }
    }

    #[test]
    fn a_mean_is_of_five_or_more() {
        let sent =
            |change: Option<f64>| ClientMetrics { acceptance_rate: 0.5, class_balance: 1.0, loss_change: change };
        assert_eq!(ClassMetrics::mean(&[sent(Some(0.1)); 4]), None);
        let mean = ClassMetrics::mean(&[sent(Some(0.1)); 5]).unwrap();
        assert_eq!((mean.clients, mean.acceptance_rate, mean.class_balance), (5, 0.5, 1.0));
        assert!((mean.loss_change.unwrap() - 0.1).abs() < 1e-12);
        let few = [[sent(Some(0.1)); 3], [sent(None); 3]].concat();
        assert_eq!(ClassMetrics::mean(&few).unwrap().loss_change, None, "three changes are too few");
    }

    #[test]
    fn more_than_half_of_five_or_more_have_to_say_that_the_loss_increased() {
        let sent = |changes: &[f64]| -> Vec<ClientMetrics> {
            let with =
                |change: &f64| ClientMetrics { acceptance_rate: 0.5, class_balance: 1.0, loss_change: Some(*change) };
            let silent = ClientMetrics { acceptance_rate: 0.5, class_balance: 1.0, loss_change: None };
            changes.iter().map(with).chain([silent]).collect()
        };
        let increased = |changes: &[f64]| loss_increased(&sent(changes), 0.05);
        assert_eq!(increased(&[0.06, 0.2, -0.1, 0.07, 0.0]), Some(5));
        assert_eq!(increased(&[0.06, 0.2, -0.1, 0.05, 0.0]), None, "two of five, and one at the limit");
        assert_eq!(increased(&[1.0, 1.0, 1.0, 0.0, 0.0, 0.0]), None, "half are not more than half");
        assert_eq!(increased(&[1.0, 1.0, 1.0, 1.0]), None, "four are too few to be told of");
        assert_eq!(increased(&[]), None);
    }
}
