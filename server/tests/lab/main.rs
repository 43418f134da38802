//! The lab: from other people's videos and pictures to a feature cache, on the real detector and lite backbone.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is how a failure is told")]
mod bad_input;
mod crema_d;
mod face_track;
mod ferplus;
mod pipeline;
mod program;
mod resume;
mod stills;
mod support;
