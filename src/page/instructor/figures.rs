//! Figures of the acceptance checks over the versions, and the geometry of their charts. No document here.

use std::fmt::Write as _;

use crate::protocol::ModelVersion;

/// Width of a chart in its own units; the page stretches it.
pub const WIDTH: f64 = 1_000.0;
/// Its height.
pub const HEIGHT: f64 = 100.0;
/// Share of the height above and below the values.
const MARGIN: f64 = 0.12;

/// Which figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Macro F1 on the held-out clips, 0 to 1.
    MacroF1,
    /// Loss on the held-out clips, in nats.
    Loss,
    /// Share of clips that students' tabs kept, 0 to 1.
    AcceptanceRate,
    /// How evenly emotions are spread over them, 0 to 1.
    ClassBalance,
}

/// A chart of one figure.
#[derive(Debug, PartialEq)]
pub struct Plot {
    /// The line through all points, for the `d` of an SVG path.
    pub line: String,
    /// A dot at each point, as line segments without length.
    pub dots: String,
    /// The values at the top and at the bottom edge.
    pub range: (f64, f64),
    /// Each point: version, and x in the chart's units.
    pub points: Vec<(u64, f64)>,
}

/// The figure of a version, where it was measured on the way to it.
pub fn value(model: &ModelVersion, figure: Figure) -> Option<f64> {
    let value = match figure {
        Figure::MacroF1 => model.acceptance_report.as_ref()?.macro_f1_after,
        Figure::Loss => model.acceptance_report.as_ref()?.loss_after,
        Figure::AcceptanceRate => model.class_metrics.as_ref()?.acceptance_rate,
        Figure::ClassBalance => model.class_metrics.as_ref()?.class_balance,
    };
    value.is_finite().then_some(value)
}

/// The chart of `figure` over the versions in `models`, newest first; `None` where no version has one.
pub fn plot(models: &[ModelVersion], figure: Figure) -> Option<Plot> {
    let values: Vec<(u64, f64)> =
        models.iter().rev().filter_map(|model| Some((model.version, value(model, figure)?))).collect();
    let least = values.iter().map(|(_, value)| *value).reduce(f64::min)?;
    let most = values.iter().map(|(_, value)| *value).reduce(f64::max)?;
    // A line of equal values is drawn in the middle.
    let margin = if most > least { (most - least) * MARGIN } else { 0.01_f64.max(most.abs() * MARGIN) };
    let (bottom, top) = (least - margin, most + margin);
    let step = WIDTH / values.len() as f64;
    let (mut line, mut dots, mut points) = (String::new(), String::new(), Vec::new());
    for (index, (version, value)) in values.into_iter().enumerate() {
        let (x, y) = ((index as f64 + 0.5) * step, HEIGHT * (top - value) / (top - bottom));
        // Writing into a string does not fail.
        let _ = write!(line, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' });
        let _ = write!(dots, "M{x:.1} {y:.1}h0");
        points.push((version, x));
    }
    Some(Plot { line, dots, range: (top, bottom), points })
}

/// The version whose point is nearest to `share` of the width, 0 to 1.
pub fn nearest(plot: &Plot, share: f64) -> Option<u64> {
    let distance = |point: &&(u64, f64)| (point.1 - share * WIDTH).abs();
    plot.points.iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).map(|point| point.0)
}

#[cfg(test)]
mod tests {
    use super::super::lineage::tests::model;
    use super::*;
    use crate::protocol::AcceptanceReport;

    fn checked(version: u64, macro_f1: f64, loss: f64) -> ModelVersion {
        let report = AcceptanceReport {
            dataset: "d".to_owned(),
            clips: 10,
            macro_f1_before: 0.5,
            macro_f1_after: macro_f1,
            loss_before: 1.0,
            loss_after: loss,
        };
        ModelVersion { acceptance_report: Some(report), ..model(version, Some(version - 1), Some(version)) }
    }

    #[test]
    fn versions_with_figures_are_points_from_left_to_right() {
        let models = [checked(4, 0.6, f64::NAN), model(3, Some(2), None), checked(2, 0.5, 1.0)];
        let chart = plot(&models, Figure::MacroF1).unwrap();
        assert_eq!(chart.points, [(2, 250.0), (4, 750.0)]);
        assert!((chart.range.0 - 0.612).abs() < 1e-9 && (chart.range.1 - 0.488).abs() < 1e-9, "{:?}", chart.range);
        assert_eq!(chart.line, "M250.0 90.3L750.0 9.7");
        assert_eq!(chart.dots.matches("h0").count(), 2);
        assert_eq!((nearest(&chart, 0.4), nearest(&chart, 0.9)), (Some(2), Some(4)));
        let loss = plot(&models, Figure::Loss).unwrap();
        assert_eq!((loss.points, loss.line), (vec![(2, 500.0)], "M500.0 50.0".to_owned()), "NaN is no point");
        assert_eq!(plot(&models[1..2], Figure::Loss), None);
    }
}
