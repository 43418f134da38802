//! When fine-tuning takes its next step, so that it is not in the way: not in a hidden tab, not on the last of a battery, and
//! not while a frame waits.

use crate::messages::{BatteryReport, TrainingPause};

/// Training pauses below this charge, 0 to 1, unless the battery is being charged.
const MINIMUM_CHARGE: f64 = 0.2;
/// A frame that is in flight for longer than this, in milliseconds, goes first.
const FRAME_MS: f64 = 150.0;
/// Frames go first for at most this long before each step, in milliseconds: on a slow machine there always is one.
const LONGEST_WAIT_MS: f64 = 300.0;

/// What is known just before a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// Whether the page is visible.
    pub visible: bool,
    /// The device's battery, where the browser tells of it.
    pub battery: Option<BatteryReport>,
    /// For how long the oldest frame in flight has been so, in milliseconds.
    pub oldest_frame_ms: Option<f64>,
    /// For how long this step has waited for frames, in milliseconds.
    pub waited_ms: f64,
}

/// What training does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Take the step.
    Step,
    /// Let frames through, and ask again.
    FramesFirst,
    /// Pause until the conditions change.
    Pause(TrainingPause),
}

/// Decides by the conditions.
///
/// ```
/// use emofed::messages::{BatteryReport, TrainingPause};
/// use emofed::worker::training_pace::{Conditions, Pace, pace};
///
/// let idle = Conditions { visible: true, battery: None, oldest_frame_ms: None, waited_ms: 0.0 };
/// assert_eq!(pace(&idle), Pace::Step);
/// let battery = Some(BatteryReport { charging: false, level: 0.1 });
/// assert_eq!(pace(&Conditions { battery, ..idle }), Pace::Pause(TrainingPause::BatteryLow));
/// ```
pub fn pace(conditions: &Conditions) -> Pace {
    let Conditions { visible, battery, oldest_frame_ms, waited_ms } = *conditions;
    if !visible {
        return Pace::Pause(TrainingPause::Hidden);
    }
    if battery.is_some_and(|battery| !battery.charging && battery.level < MINIMUM_CHARGE) {
        return Pace::Pause(TrainingPause::BatteryLow);
    }
    let frame_waits = oldest_frame_ms.is_some_and(|age_ms| age_ms > FRAME_MS);
    if frame_waits && waited_ms < LONGEST_WAIT_MS { Pace::FramesFirst } else { Pace::Step }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Conditions = Conditions { visible: true, battery: None, oldest_frame_ms: None, waited_ms: 0.0 };

    fn battery(charging: bool, level: f64) -> Option<BatteryReport> {
        Some(BatteryReport { charging, level })
    }

    #[test]
    fn a_hidden_tab_does_not_train_whatever_else() {
        let hidden = Conditions { visible: false, battery: battery(true, 1.0), ..IDLE };
        assert_eq!(pace(&hidden), Pace::Pause(TrainingPause::Hidden));
        assert_eq!(pace(&Conditions { visible: true, ..hidden }), Pace::Step);
    }

    #[test]
    fn a_low_battery_pauses_training_unless_it_is_charged() {
        for (charging, level, expected) in [
            (false, 0.19, Pace::Pause(TrainingPause::BatteryLow)),
            (false, 0.2, Pace::Step),
            (true, 0.01, Pace::Step),
            (false, f64::NAN, Pace::Step),
        ] {
            assert_eq!(pace(&Conditions { battery: battery(charging, level), ..IDLE }), expected, "{charging} {level}");
        }
    }

    #[test]
    fn frames_go_first_but_not_for_ever() {
        let waiting = Conditions { oldest_frame_ms: Some(400.0), ..IDLE };
        assert_eq!(pace(&waiting), Pace::FramesFirst);
        assert_eq!(pace(&Conditions { oldest_frame_ms: Some(20.0), ..IDLE }), Pace::Step, "it is processed in time");
        assert_eq!(pace(&Conditions { waited_ms: 299.0, ..waiting }), Pace::FramesFirst);
        assert_eq!(pace(&Conditions { waited_ms: 300.0, ..waiting }), Pace::Step, "a slow machine trains, too");
    }
}
