//! The camera and the face in its picture.

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
pub fn problem(problem: CameraProblem) -> &'static str {
    match problem {
        CameraProblem::NotAllowed => {
            "The browser may not use the camera. Allow it for this page (the camera sign near the address), then try again."
        }
        CameraProblem::NotFound => "There is no camera. Connect one, then try again.",
        CameraProblem::InUse => "Another program uses the camera. Close it there, then try again.",
        CameraProblem::Unavailable => {
            "This browser gives no camera to this page. Use a current browser, and the address that your instructor handed out."
        }
        CameraProblem::Lost => "The camera was unplugged, or another program took it.",
    }
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
pub fn face(status: FaceStatus) -> &'static str {
    match status {
        FaceStatus::Looking => "Looking for a face …",
        FaceStatus::NoFace => "No face. Move into the picture.",
        FaceStatus::OneFace => "Your face is in the picture.",
        FaceStatus::SeveralFaces => "Several faces: the largest is used.",
        FaceStatus::Dark => "It is too dark to see anything. Turn on a light, or uncover the camera.",
        FaceStatus::TooSlow => {
            "Your face is in the picture, but too few frames a second are looked at: no clips come of it."
        }
        FaceStatus::Dropped(reason) => match reason {
            FrameDropReason::FaceTooSmall => "Your face is too small in the picture for clips. Move closer.",
            FrameDropReason::FaceCut => {
                "Too much of your face is outside of the picture for clips. Move to the middle."
            }
            FrameDropReason::FaceTurned => "Your face is turned too far for clips. Look towards the camera.",
            FrameDropReason::TooDark => "Your face is too dark for clips. Turn on a light.",
            FrameDropReason::TooBright => "Your face is too bright for clips. Turn the light down.",
            FrameDropReason::LowContrast => "Your face has too little contrast for clips. Change the light.",
            FrameDropReason::Blurred => "Your face is blurred: no clips come of it. Hold still, or clean the lens.",
        },
        FaceStatus::CameraOff => "The camera is off.",
        FaceStatus::Muted => {
            "The camera gives no picture: its switch or cover, or another program, holds it back. It goes on by itself."
        }
        FaceStatus::Frozen => {
            "The camera's picture stands still. If it stays so, choose another camera, or pause and resume."
        }
    }
}

/// The label of the pause button. `has_key` says whether the key P does the same.
pub fn pause_button(is_paused: bool, has_key: bool) -> String {
    let verb = if is_paused { "Resume" } else { "Pause" };
    format!("{verb} camera{}", if has_key { " (P)" } else { "" })
}

/// A camera whose name the browser does not tell.
pub fn unnamed(number: usize) -> String {
    format!("Camera {number}")
}
