//! The student's own timeline: what it holds and how its chart is drawn. `student/timeline.rs` shows it.

pub mod chart;
pub mod series;
