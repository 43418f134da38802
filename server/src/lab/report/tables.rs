//! The paper's two tables, and what goes beyond them, as sections of a report.

use emofed::emotion::{EMOTIONS, Emotion};

use super::{Cell, Report, plots};
use crate::lab::LabError;
use crate::lab::adaptation::{Adapted, Method};
use crate::lab::confidence_interval::{ConfidenceInterval, confidence_interval, difference};
use crate::lab::metrics::{FIGURES, Metrics, Prediction};
use crate::lab::supervised::{LabelRuns, Run, Table1};

/// Seeds the resampling, so that a report can be made again.
const RESAMPLING_SEED: u64 = 1;

/// Table 1: every kind of label, and the image head, on the test clips.
///
/// # Errors
/// The disk fails.
pub fn supervised(report: &mut Report, table: &Table1) -> Result<(), LabError> {
    report.text("## Table 1: discrete against partial labels");
    report.text(
        "Mean over seeds on the test subjects' clips, with 95 % bootstrap intervals over seeds and, within each, over \
         subjects. Precision, recall and F1 are against the raters' majority.",
    );
    let names: Vec<&str> = ["labels"].into_iter().chain(FIGURES.iter().map(|(name, _)| *name)).collect();
    let row = |name: String, runs: &[Vec<Prediction>]| {
        let metrics =
            FIGURES.iter().map(|(_, metric)| Cell::Interval(confidence_interval(runs, metric, RESAMPLING_SEED)));
        [Cell::Text(name)].into_iter().chain(metrics).collect::<Vec<Cell>>()
    };
    let mut rows: Vec<Vec<Cell>> =
        table.rows.iter().map(|row_runs| row(row_runs.labels.to_string(), &row_runs.predictions())).collect();
    rows.push(row("image head alone".into(), &table.image_head));
    report.table("table1", &names, &rows)?;

    let mut rows = Vec::new();
    for LabelRuns { labels, runs } in &table.rows {
        let pooled = pooled(runs);
        for emotion in Emotion::ALL {
            let scores = pooled.emotions[emotion.index()];
            let mut row: Vec<Cell> = vec![labels.to_string().into(), emotion.name().into()];
            row.extend([scores.precision, scores.recall, scores.f1].map(Cell::Value));
            row.push(scores.support.to_string().into());
            rows.push(row);
        }
    }
    report.text("Each emotion, pooled over seeds:");
    report.table("table1-emotions", &["labels", "emotion", "precision", "recall", "F1", "clips"], &rows)?;
    differences(report, table)?;
    plots_of(report, table)
}

fn differences(report: &mut Report, table: &Table1) -> Result<(), LabError> {
    let Some((first, others)) = table.rows.split_first() else { return Ok(()) };
    report.text(format!("Difference to `{}`, on the same clips and seeds:", first.labels));
    let mut rows = Vec::new();
    for other in others {
        for (name, metric) in FIGURES {
            let pairs: Vec<_> =
                first.runs.iter().zip(&other.runs).map(|(a, b)| (&a.predictions[..], &b.predictions[..])).collect();
            let found = difference(&pairs, metric, RESAMPLING_SEED);
            rows.push(vec![
                other.labels.to_string().into(),
                name.into(),
                Cell::Interval(found),
                verdict(&found).into(),
            ]);
        }
    }
    report.table("table1-differences", &["labels", "metric", "difference", ""], &rows)
}

fn verdict(difference: &ConfidenceInterval) -> &'static str {
    if difference.includes_zero() { "within noise" } else { "" }
}

fn pooled(runs: &[Run]) -> Metrics {
    Metrics::of(runs.iter().flat_map(|run| &run.predictions))
}

fn plots_of(report: &mut Report, table: &Table1) -> Result<(), LabError> {
    let curve = |row: &LabelRuns, value: fn(&crate::lab::train::EpochReport) -> f64| {
        let epochs = row.runs.first().map_or(0, |run| run.epochs.len());
        let mean =
            |epoch: usize| row.runs.iter().map(|run| value(&run.epochs[epoch])).sum::<f64>() / row.runs.len() as f64;
        (row.labels.to_string(), (0..epochs).map(|epoch| ((epoch + 1) as f64, mean(epoch))).collect())
    };
    let curves = |value| table.rows.iter().map(|row| curve(row, value)).collect::<Vec<plots::Line>>();
    let f1 = plots::lines("Validation macro F1", "epoch", "macro F1", &curves(|epoch| epoch.validation_macro_f1));
    report.plot("learning-f1", "Validation macro F1 over epochs, mean over seeds", f1)?;
    let loss = plots::lines("Validation loss", "epoch", "nats", &curves(|epoch| epoch.validation_loss));
    report.plot("learning-loss", "Validation loss over epochs, mean over seeds", loss)?;
    let bars: Vec<(String, [f64; EMOTIONS])> = table
        .rows
        .iter()
        .map(|row| (row.labels.to_string(), pooled(&row.runs).emotions.map(|scores| scores.f1)))
        .collect();
    report.plot("emotions", "F1 of each emotion", plots::emotion_bars("F1 of each emotion", "F1", &bars))?;
    for row in &table.rows {
        let name = format!("confusion-{}", row.labels.to_string().replace([':', '.'], "-"));
        let title = format!("Confusions, {} labels", row.labels);
        report.plot(&name, &title, plots::confusion(&title, &pooled(&row.runs).confusion))?;
    }
    Ok(())
}

/// Table 2: the test subjects before and after federated adaptation by the paper's method.
///
/// # Errors
/// The disk fails.
pub fn adaptation(report: &mut Report, adapted: &[Adapted]) -> Result<(), LabError> {
    report.text("## Table 2: before and after federated adaptation");
    report.text(
        "One round by the aggregator's own code: every test subject's tab labels its adaptation half with the image head \
         (c ≥ 0.5), tunes for one epoch at 1e-5, and FedAvg averages. Measured on the test halves. Intervals as above.",
    );
    let before: Vec<Vec<Prediction>> = adapted.iter().map(|run| run.before.clone()).collect();
    let after: Vec<Vec<Prediction>> = adapted.iter().map(|run| run.after.clone()).collect();
    let pairs: Vec<_> = adapted.iter().map(|run| (&run.before[..], &run.after[..])).collect();
    let rows: Vec<Vec<Cell>> = FIGURES
        .iter()
        .map(|(name, metric)| {
            let change = difference(&pairs, metric, RESAMPLING_SEED);
            let [before, after] =
                [&before, &after].map(|runs| Cell::Interval(confidence_interval(runs, metric, RESAMPLING_SEED)));
            vec![(*name).into(), before, after, Cell::Interval(change), verdict(&change).into()]
        })
        .collect();
    report.table("table2", &["metric", "before", "after", "change", ""], &rows)?;
    let (kept, all): (u32, u32) = adapted.iter().fold((0, 0), |sum, run| (sum.0 + run.kept.0, sum.1 + run.kept.1));
    let right: u32 = adapted.iter().map(|run| run.right).sum();
    let share = |part: u32, whole: u32| 100.0 * f64::from(part) / f64::from(whole.max(1));
    report.text(format!(
        "{:.0} % of the clips were confident enough; of these pseudo labels {:.0} % are the raters' majority.",
        share(kept, all),
        share(right, kept)
    ));
    Ok(())
}

/// Beyond the paper: every method's gain, its forgetting on others, and the bytes it costs.
///
/// # Errors
/// The disk fails.
pub fn comparison(report: &mut Report, methods: &[Method], adapted: &[Vec<Adapted>]) -> Result<(), LabError> {
    report.text("## Beyond the paper: ways to adapt");
    report.text(
        "Each changes the row it is indented under in one thing. Gain: change of macro F1 on the test halves of the subjects \
         who take part. Others: change of macro F1 on the validation subjects, who do not; below 0 it is forgetting. \
         Bytes: what all students sent, mean over seeds.",
    );
    let macro_f1 = |metrics: &Metrics| metrics.macro_f1;
    let mut rows = Vec::new();
    for (method, runs) in methods.iter().zip(adapted) {
        let gain: Vec<_> = runs.iter().map(|run| (&run.before[..], &run.after[..])).collect();
        let others: Vec<_> = runs.iter().map(|run| (&run.others_before[..], &run.others_after[..])).collect();
        let [gain, others] = [gain, others].map(|pairs| difference(&pairs, macro_f1, RESAMPLING_SEED));
        let bytes = runs.iter().map(|run| run.bytes as f64).sum::<f64>() / runs.len().max(1) as f64;
        let (kept, all) = runs.iter().fold((0, 0), |sum, run| (sum.0 + run.kept.0, sum.1 + run.kept.1));
        let right: u32 = runs.iter().map(|run| run.right).sum();
        rows.push(vec![
            method.name.clone().into(),
            Cell::Interval(gain),
            verdict(&gain).into(),
            Cell::Interval(others),
            verdict(&others).into(),
            Cell::Value(f64::from(kept) / f64::from(all.max(1))),
            Cell::Value(f64::from(right) / f64::from(kept.max(1))),
            format!("{:.1} MB", bytes / 1e6).into(),
        ]);
    }
    let header = ["method", "gain", "", "others", " ", "kept", "labels right", "bytes"];
    report.table("adaptation", &header, &rows)?;
    let curve = |pick: fn(&(f64, f64)) -> f64| {
        let lines = methods.iter().zip(adapted).filter(|(method, _)| method.rounds > 1).map(|(method, runs)| {
            let rounds = runs.first().map_or(0, |run| run.curve.len());
            let mean = |round: usize| runs.iter().map(|run| pick(&run.curve[round])).sum::<f64>() / runs.len() as f64;
            (method.name.clone(), (0..rounds).map(|round| (round as f64, mean(round))).collect())
        });
        lines.collect::<Vec<plots::Line>>()
    };
    let gain = plots::lines("Students who take part", "round", "macro F1", &curve(|point| point.0));
    report.plot("adaptation-gain", "Macro F1 of the students who take part, over rounds", gain)?;
    let forgetting = plots::lines("Others", "round", "macro F1", &curve(|point| point.1));
    report.plot("adaptation-forgetting", "Macro F1 of others, over rounds", forgetting)
}
