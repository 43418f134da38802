//! Geometry of the chart: stacked areas of the emotions' probabilities over time. No document here.

use std::fmt::Write as _;

use crate::emotion::EMOTIONS;

/// The chart's width in its own units; the page stretches it.
pub const WIDTH: f64 = 1_000.0;
/// Its height.
pub const HEIGHT: f64 = 100.0;

/// For each emotion the path of its area, stacked in order from the bottom: one polygon for each run of columns with a face.
/// Empty where there is none.
pub fn areas(columns: &[Option<[f32; EMOTIONS]>]) -> [String; EMOTIONS] {
    let step = WIDTH / columns.len().max(1) as f64;
    let mut paths: [String; EMOTIONS] = Default::default();
    let mut at = 0;
    while at < columns.len() {
        let run: Vec<[f32; EMOTIONS]> = columns[at..].iter().map_while(|column| *column).collect();
        if run.is_empty() {
            at += 1;
            continue;
        }
        for (emotion, path) in paths.iter_mut().enumerate() {
            polygon(path, &run, emotion, at as f64 * step, step);
        }
        at += run.len();
    }
    paths
}

/// Adds the area of `emotion` in a run of columns that begins at `left`. Each column is flat, so that a single one shows.
fn polygon(path: &mut String, run: &[[f32; EMOTIONS]], emotion: usize, left: f64, step: f64) {
    let height = |column: &[f32; EMOTIONS], emotions: usize| {
        let total: f32 = column.iter().sum();
        HEIGHT * (1.0 - f64::from(column[..emotions].iter().sum::<f32>() / total.max(f32::MIN_POSITIVE)))
    };
    let edges = |index: usize| (left + index as f64 * step, left + (index + 1) as f64 * step);
    for (index, column) in run.iter().enumerate() {
        let ((from, to), top) = (edges(index), height(column, emotion + 1));
        let command = if index == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{command}{from:.1} {top:.1}L{to:.1} {top:.1}");
    }
    for (index, column) in run.iter().enumerate().rev() {
        let ((from, to), bottom) = (edges(index), height(column, emotion));
        let _ = write!(path, "L{to:.1} {bottom:.1}L{from:.1} {bottom:.1}");
    }
    path.push('Z');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_stacked_and_interrupted_by_gaps() {
        let half = [0.5, 0.5, 0.0, 0.0, 0.0, 0.0];
        let paths = areas(&[Some(half), None, Some(half), Some(half)]);
        assert_eq!(paths[0].matches('M').count(), 2, "{}", paths[0]);
        assert!(paths[0].starts_with("M0.0 50.0L250.0 50.0L250.0 100.0L0.0 100.0Z"), "{}", paths[0]);
        assert!(paths[1].starts_with("M0.0 0.0L250.0 0.0L250.0 50.0L0.0 50.0Z"), "{}", paths[1]);
        assert!(paths[0].ends_with("L500.0 100.0Z"), "{}", paths[0]);
        assert!(areas(&[None, None]).iter().all(String::is_empty));
    }

    #[test]
    fn the_stack_fills_the_height_whatever_the_sum() {
        let paths = areas(&[Some([0.2; EMOTIONS])]);
        assert!(paths[EMOTIONS - 1].starts_with("M0.0 0.0"), "{}", paths[EMOTIONS - 1]);
    }
}
