//! The camera and the face in its picture.

use super::{text, text_with};
use crate::messages::FrameDropReason;

/// Why there is no camera.
#[derive(Clone, Copy)]
pub enum CameraProblem {
    /// The browser or the student does not allow it.
    NotAllowed,
    /// There is none.
    NotFound,
    /// Another program uses it.
    InUse,
    /// The browser gives none to this page.
    Unavailable,
    /// It ended by itself.
    Lost,
}

/// Why there is no camera, and what to do.
pub fn problem(problem: CameraProblem) -> String {
    text(match problem {
        CameraProblem::NotAllowed => "camera-not-allowed",
        CameraProblem::NotFound => "camera-not-found",
        CameraProblem::InUse => "camera-in-use",
        CameraProblem::Unavailable => "camera-unavailable",
        CameraProblem::Lost => "camera-lost",
    })
}

/// What is known of the face in the camera's picture.
#[derive(Clone, Copy)]
pub enum FaceStatus {
    /// No frame was processed yet.
    Looking,
    /// There is none.
    NoFace,
    /// There is one.
    OneFace,
    /// There are several.
    SeveralFaces,
    /// The frame is too dark.
    Dark,
    /// There is a face, but too few frames for clips.
    TooSlow,
    /// There is a face, but it is not good enough to learn from.
    Dropped(FrameDropReason),
    /// The camera is off.
    CameraOff,
    /// The camera's track is muted.
    Muted,
    /// The camera's picture does not change.
    Frozen,
}

/// What is known of the face, and what to do.
pub fn face(status: FaceStatus) -> String {
    text(match status {
        FaceStatus::Looking => "face-looking",
        FaceStatus::NoFace => "face-none",
        FaceStatus::OneFace => "face-one",
        FaceStatus::SeveralFaces => "face-several",
        FaceStatus::Dark => "face-dark",
        FaceStatus::TooSlow => "face-too-slow",
        FaceStatus::Dropped(reason) => match reason {
            FrameDropReason::FaceTooSmall => "face-too-small",
            FrameDropReason::FaceCut => "face-cut",
            FrameDropReason::FaceTurned => "face-turned",
            FrameDropReason::TooDark => "face-too-dark",
            FrameDropReason::TooBright => "face-too-bright",
            FrameDropReason::LowContrast => "face-low-contrast",
            FrameDropReason::Blurred => "face-blurred",
        },
        FaceStatus::CameraOff => "face-camera-off",
        FaceStatus::Muted => "face-muted",
        FaceStatus::Frozen => "face-frozen",
    })
}

/// The label of the pause button. `has_key` says whether the key P does the same.
pub fn pause_button(is_paused: bool, has_key: bool) -> String {
    text(match (is_paused, has_key) {
        (false, false) => "camera-pause",
        (false, true) => "camera-pause-key",
        (true, false) => "camera-resume",
        (true, true) => "camera-resume-key",
    })
}

/// The button that shows the camera before joining, or turns it off again.
pub fn preview_button(is_on: bool) -> String {
    text(if is_on { "preview-stop" } else { "preview-start" })
}

/// A camera whose name the browser does not tell.
pub fn unnamed(number: usize) -> String {
    text_with("camera-unnamed", &[("number", number.into())])
}
