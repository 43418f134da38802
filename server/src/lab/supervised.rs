//! Table 1 of the paper: the video model on discrete against partial labels, on the same splits and seeds.

use emofed::learning::LabelKind;
use emofed::model::vfer::Vfer;

use super::LabError;
use super::dataset::{Dataset, Subset};
use super::metrics::{Prediction, predictions};
use super::parallel;
use super::split::Split;
use super::train::{EpochReport, TrainSettings, image_head, probabilities, train};
use super::video_model::Compute;

/// One training run and what its model says of the test clips.
pub struct Run {
    /// Seed of the split, the initial weights and the order of clips.
    pub seed: u64,
    /// The split.
    pub split: Split,
    /// The model after the best epoch.
    pub vfer: Vfer,
    /// The best epoch, from 1.
    pub best_epoch: usize,
    /// Every epoch.
    pub epochs: Vec<EpochReport>,
    /// Of the test clips.
    pub predictions: Vec<Prediction>,
}

/// A kind of label over all seeds.
pub struct LabelRuns {
    /// The kind.
    pub labels: LabelKind,
    /// One run a seed.
    pub runs: Vec<Run>,
}

/// Table 1.
pub struct Table1 {
    /// One row a kind of label.
    pub rows: Vec<LabelRuns>,
    /// The image head alone on the same test clips, one a seed.
    pub image_head: Vec<Vec<Prediction>>,
}

/// Trains and tests every kind of label with every seed, on all cores.
///
/// # Errors
/// A split cannot be made, or training fails.
pub fn table1(
    dataset: &Dataset,
    kinds: &[LabelKind],
    seeds: &[u64],
    settings: &TrainSettings,
    progress: impl Fn() + Sync,
) -> Result<Table1, LabError> {
    let mut runs = parallel::map(kinds.len() * seeds.len(), |index| {
        let (labels, seed) = (kinds[index / seeds.len()], seeds[index % seeds.len()]);
        let split = Split::by_subject(dataset, seed)?;
        let [training, validation, test] =
            [Subset::Train, Subset::Validation, Subset::Test].map(|subset| split.clips(dataset, subset));
        let settings = TrainSettings { labels, seed, ..settings.clone() };
        let trained = train(&training, &validation, &settings, &Compute::Cpu, |_| {})?;
        let vfer = Vfer::from_weights(&trained.weights)?;
        let predictions = predictions(&test, &probabilities(&vfer, &test));
        progress();
        let (best_epoch, epochs) = (trained.best_epoch, trained.epochs);
        Ok(Run { seed, split, vfer, best_epoch, epochs, predictions })
    })?
    .into_iter();
    let mut rows = Vec::with_capacity(kinds.len());
    for &labels in kinds {
        rows.push(LabelRuns { labels, runs: runs.by_ref().take(seeds.len()).collect() });
    }
    let image_head = rows.first().map_or_else(Vec::new, |row| {
        let of_run = |run: &Run| {
            let test = run.split.clips(dataset, Subset::Test);
            predictions(&test, &image_head(&test))
        };
        row.runs.iter().map(of_run).collect()
    });
    Ok(Table1 { rows, image_head })
}

impl LabelRuns {
    /// The predictions of every run.
    pub fn predictions(&self) -> Vec<Vec<Prediction>> {
        self.runs.iter().map(|run| run.predictions.clone()).collect()
    }
}
