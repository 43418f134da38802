//! What the models said over the session, second by second. It is in the page's memory alone.

use std::fmt::Write as _;

use crate::emotion::{EMOTIONS, Emotion};
use crate::messages::{ClipEdit, ClipOutcome, ClipReport};

/// Seconds that are kept: a day.
const MAX_SECONDS: usize = 24 * 3_600;
/// Clips that are kept.
const MAX_CLIPS: usize = 20_000;

/// Which model's probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Model {
    /// The image model's, of single frames.
    #[default]
    Image,
    /// The video model's, of the clip up to a frame.
    Video,
}

/// A second in which there was a face.
#[derive(Clone, Copy)]
struct Second {
    /// Seconds since the beginning.
    at_s: u32,
    /// Sums of the probabilities, by model, and of how many frames.
    sums: [([f32; EMOTIONS], u32); 2],
}

/// A clip on the time axis.
#[derive(Clone, Debug, PartialEq)]
pub struct ClipSpan {
    /// [`ClipReport::id`].
    pub id: Option<u64>,
    /// Seconds since the beginning.
    pub from_s: f64,
    /// Seconds since the beginning.
    pub to_s: f64,
    /// Its label: the pseudo label, or the student's.
    pub label: Emotion,
    /// What became of it.
    pub state: ClipState,
}

/// What became of a clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClipState {
    /// Kept to learn from, or set aside.
    Kept,
    /// Dropped.
    Dropped,
    /// Struck out by the student.
    StruckOut,
}

/// The session's probabilities and clips.
pub struct Series {
    /// Time of the beginning in the frames' clock, in milliseconds.
    begin_ms: Option<f64>,
    /// The same in milliseconds since 1970.
    begin_epoch_ms: f64,
    seconds: Vec<Second>,
    clips: Vec<ClipSpan>,
}

impl Series {
    /// Nothing yet. `frame_clock_epoch_ms` is when the frames' clock was 0, in milliseconds since 1970.
    pub fn new(frame_clock_epoch_ms: f64) -> Self {
        Self { begin_ms: None, begin_epoch_ms: frame_clock_epoch_ms, seconds: Vec::new(), clips: Vec::new() }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.seconds.clear();
        self.clips.clear();
    }

    /// Seconds since the beginning, which is the first frame's time.
    fn seconds_at(&mut self, at_ms: f64) -> f64 {
        let begin_ms = *self.begin_ms.get_or_insert_with(|| {
            self.begin_epoch_ms += at_ms;
            at_ms
        });
        ((at_ms - begin_ms) / 1_000.0).max(0.0)
    }

    /// A frame's probabilities, by model.
    pub fn add(&mut self, at_ms: f64, image: Option<[f32; EMOTIONS]>, video: Option<[f32; EMOTIONS]>) {
        if image.is_none() && video.is_none() {
            return;
        }
        let at_s = self.seconds_at(at_ms) as u32;
        if self.seconds.last().is_none_or(|last| last.at_s < at_s) {
            if self.seconds.len() == MAX_SECONDS {
                self.seconds.remove(0);
            }
            self.seconds.push(Second { at_s, sums: [([0.0; EMOTIONS], 0); 2] });
        }
        let Some(second) = self.seconds.last_mut() else { return };
        for ((sums, count), probabilities) in second.sums.iter_mut().zip([image, video]) {
            let Some(probabilities) = probabilities else { continue };
            sums.iter_mut().zip(probabilities).for_each(|(sum, probability)| *sum += probability);
            *count += 1;
        }
    }

    /// A clip has ended.
    pub fn add_clip(&mut self, report: &ClipReport) {
        if self.clips.len() == MAX_CLIPS {
            self.clips.remove(0);
        }
        let is_dropped = matches!(report.outcome, ClipOutcome::Dropped { .. });
        let span = ClipSpan {
            id: report.id,
            from_s: self.seconds_at(report.started_at_ms),
            to_s: self.seconds_at(report.ended_at_ms),
            label: report.label,
            state: if is_dropped { ClipState::Dropped } else { ClipState::Kept },
        };
        self.clips.push(span);
    }

    /// The student has edited a clip.
    pub fn edit(&mut self, id: u64, edit: ClipEdit) {
        let Some(clip) = self.clips.iter_mut().rev().find(|clip| clip.id == Some(id)) else { return };
        match edit {
            ClipEdit::Relabel { emotion } => clip.label = emotion,
            ClipEdit::StrikeOut => clip.state = ClipState::StruckOut,
        }
    }

    /// Another worker numbers clips anew: earlier ones are not to be taken for its own.
    pub fn forget_ids(&mut self) {
        self.clips.iter_mut().for_each(|clip| clip.id = None);
    }

    /// Whether there is anything to show.
    pub fn is_empty(&self) -> bool {
        self.seconds.is_empty()
    }

    /// The last second there is, since the beginning.
    pub fn end_s(&self) -> f64 {
        self.seconds.last().map_or(0.0, |last| f64::from(last.at_s) + 1.0)
    }

    /// The first second there is, since the beginning.
    pub fn first_s(&self) -> f64 {
        self.seconds.first().map_or(0.0, |first| f64::from(first.at_s))
    }

    /// When second `at_s` was, in milliseconds since 1970.
    pub fn epoch_ms(&self, at_s: f64) -> f64 {
        self.begin_epoch_ms + 1_000.0 * at_s
    }

    /// Clips that overlap the time from `from_s` to `to_s`.
    pub fn clips(&self, from_s: f64, to_s: f64) -> impl Iterator<Item = &ClipSpan> {
        self.clips.iter().filter(move |clip| clip.to_s >= from_s && clip.from_s <= to_s)
    }

    /// Mean probabilities in `count` equal parts of the time from `from_s` to `to_s`; `None` where there was no face.
    pub fn columns(&self, model: Model, from_s: f64, to_s: f64, count: usize) -> Vec<Option<[f32; EMOTIONS]>> {
        let mut columns = vec![([0.0_f32; EMOTIONS], 0_u32); count];
        let width_s = (to_s - from_s) / count as f64;
        let first = self.seconds.partition_point(|second| f64::from(second.at_s) < from_s);
        for second in &self.seconds[first..] {
            let column = ((f64::from(second.at_s) - from_s) / width_s) as usize;
            let Some((sums, frames)) = columns.get_mut(column) else { break };
            let (seconds_sums, count) = &second.sums[model as usize];
            sums.iter_mut().zip(seconds_sums).for_each(|(sum, value)| *sum += value);
            *frames += count;
        }
        let mean = |(sums, frames): ([f32; EMOTIONS], u32)| (frames > 0).then(|| sums.map(|sum| sum / frames as f32));
        columns.into_iter().map(mean).collect()
    }

    /// Everything as comma-separated values: a row a second, with the probabilities of both models and the clip's label.
    pub fn csv(&self, date_time: impl Fn(f64) -> String) -> String {
        let mut csv = "second,time".to_owned();
        for model in ["image", "video"] {
            for emotion in Emotion::ALL {
                let _ = write!(csv, ",{model}_{}", emotion.name());
            }
        }
        csv.push_str(",clip_label,clip_state\r\n");
        for second in &self.seconds {
            let at_s = f64::from(second.at_s);
            let _ = write!(csv, "{},{}", second.at_s, date_time(self.epoch_ms(at_s)));
            for (sums, frames) in &second.sums {
                for sum in sums {
                    let _ = match frames {
                        0 => write!(csv, ","),
                        frames => write!(csv, ",{:.4}", sum / *frames as f32),
                    };
                }
            }
            let clip = self.clips.iter().rev().find(|clip| clip.from_s <= at_s + 1.0 && clip.to_s >= at_s);
            let state = |clip: &ClipSpan| match clip.state {
                ClipState::Kept => "kept",
                ClipState::Dropped => "dropped",
                ClipState::StruckOut => "struck-out",
            };
            let (label, state) = clip.map_or(("", ""), |clip| (clip.label.name(), state(clip)));
            let _ = write!(csv, ",{label},{state}\r\n");
        }
        csv
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::ClipDropReason;

    fn sure_of(emotion: Emotion) -> Option<[f32; EMOTIONS]> {
        Some(emotion.one_hot())
    }

    fn report(id: Option<u64>, from_ms: f64, to_ms: f64, label: Emotion) -> ClipReport {
        let dropped = ClipOutcome::Dropped { reason: ClipDropReason::LowConfidence };
        ClipReport {
            id,
            started_at_ms: from_ms,
            ended_at_ms: to_ms,
            frames: 9,
            mean: label.one_hot(),
            label,
            video: label.one_hot(),
            personal_head_clips: None,
            outcome: if id.is_some() { ClipOutcome::Kept } else { dropped },
            waiting: 1,
        }
    }

    /// Ten frames of happiness in second 0, none in second 1, fear by the image model alone in second 2.
    fn series() -> Series {
        let mut series = Series::new(1_000_000.0);
        for frame in 0..10 {
            series.add(5_000.0 + 90.0 * f64::from(frame), sure_of(Emotion::Happiness), sure_of(Emotion::Neutral));
        }
        series.add(6_500.0, None, None);
        series.add(7_000.0, sure_of(Emotion::Fear), None);
        series.add(7_100.0, sure_of(Emotion::Anger), None);
        series.add_clip(&report(Some(0), 5_000.0, 5_810.0, Emotion::Happiness));
        series.add_clip(&report(None, 7_000.0, 7_100.0, Emotion::Fear));
        series
    }

    #[test]
    fn columns_are_means_and_gaps_are_gaps() {
        let series = series();
        assert_eq!((series.first_s(), series.end_s()), (0.0, 3.0));
        let image = series.columns(Model::Image, 0.0, 3.0, 3);
        assert_eq!(image[0].unwrap()[Emotion::Happiness.index()], 1.0);
        assert_eq!(image[1], None);
        let third = image[2].unwrap();
        assert_eq!((third[Emotion::Fear.index()], third[Emotion::Anger.index()]), (0.5, 0.5));
        let video = series.columns(Model::Video, 0.0, 3.0, 3);
        assert_eq!((video[0].unwrap()[Emotion::Neutral.index()], video[2]), (1.0, None));
        let whole = series.columns(Model::Image, 0.0, 3.0, 1)[0].unwrap();
        assert!((whole.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert_eq!(series.columns(Model::Image, 2.0, 4.0, 2)[0], image[2], "a window begins where it says");
    }

    #[test]
    fn edits_change_the_clip_with_the_id() {
        let mut series = series();
        series.edit(0, ClipEdit::Relabel { emotion: Emotion::Sadness });
        let labels: Vec<_> = series.clips(0.0, 3.0).map(|clip| (clip.label, clip.state)).collect();
        assert_eq!(labels, [(Emotion::Sadness, ClipState::Kept), (Emotion::Fear, ClipState::Dropped)]);
        series.edit(0, ClipEdit::StrikeOut);
        assert_eq!(series.clips(0.0, 1.0).next().unwrap().state, ClipState::StruckOut);
        series.forget_ids();
        series.edit(0, ClipEdit::Relabel { emotion: Emotion::Anger });
        assert_eq!(series.clips(0.0, 1.0).next().unwrap().label, Emotion::Sadness, "not another worker's clip 0");
    }

    #[test]
    fn the_export_has_a_row_a_second_and_empty_fields_where_nothing_was_seen() {
        let csv = series().csv(|epoch_ms| format!("t{epoch_ms}"));
        let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
        assert!(rows.iter().all(|row| row.len() == 2 + 2 * EMOTIONS + 2), "{csv}");
        assert_eq!((rows.len(), rows[0][2], rows[0][8]), (3, "image_anger", "video_anger"));
        assert_eq!((rows[1][0], rows[1][1], rows[1][14]), ("0", "t1005000", "happiness"));
        assert_eq!((rows[2][0], rows[2][8], rows[2][15]), ("2", "", "dropped"));
    }

    #[test]
    fn what_is_cleared_is_gone() {
        let mut series = series();
        series.clear();
        assert!(series.is_empty() && series.clips(0.0, 9e9).next().is_none());
        assert_eq!(series.csv(|_| String::new()).lines().count(), 1);
    }
}
