//! The global model: its version and where it comes from.

use super::{id, no_value, text, text_with, whole};
use crate::protocol::{ModelOrigin, ModelVersion};

/// The version in use, in short.
pub fn version(version: u64) -> String {
    text_with("model-version", &[("version", id(version))])
}

/// The version in use and where it comes from, for students; `personal_head_clips` is the number of clips that a personalised
/// head was tuned on.
pub fn report(model: &ModelVersion, personal_head_clips: Option<usize>) -> String {
    let personal = personal_head_clips.map(|clips| text_with("model-personal", &[("clips", clips.into())]));
    lineage(model) + &personal.unwrap_or_default()
}

fn lineage(model: &ModelVersion) -> String {
    let version = id(model.version);
    match model.origin {
        ModelOrigin::Bootstrap => text_with("model-bootstrap", &[("version", version)]),
        ModelOrigin::Trained => match &model.card {
            Some(card) if card.synthetic => text_with("model-synthetic", &[("version", version)]),
            Some(card) => {
                let (clips, dataset) = (card.clips.into(), card.dataset.as_str().into());
                text_with("model-trained-on", &[("version", version), ("clips", clips), ("dataset", dataset)])
            }
            None => text_with("model-trained", &[("version", version)]),
        },
        ModelOrigin::Unknown => text_with("model-unknown", &[("version", version)]),
        ModelOrigin::Federated => federated(model),
    }
}

fn federated(model: &ModelVersion) -> String {
    let parent = model.parent.map(|parent| text_with("model-from-version", &[("version", id(parent))]));
    let round = model.round.map(|round| text_with("model-in-round", &[("round", id(round))]));
    let (parent, round) = (parent.unwrap_or_default().into(), round.unwrap_or_default().into());
    let (version, clients) = (id(model.version), model.num_clients.into());
    match model.num_examples {
        Some(clips) => text_with(
            "model-federated-clips",
            &[
                ("version", version),
                ("parent", parent),
                ("round", round),
                ("clients", clients),
                ("clips", clips.into()),
            ],
        ),
        None => text_with(
            "model-federated",
            &[("version", version), ("parent", parent), ("round", round), ("clients", clients)],
        ),
    }
}

/// Where a model comes from, for the instructor's table.
pub fn origin(model: &ModelVersion) -> String {
    match model.origin {
        ModelOrigin::Bootstrap => text("origin-bootstrap"),
        ModelOrigin::Trained => match &model.card {
            Some(card) if card.synthetic => text("origin-synthetic"),
            Some(card) => text_with("origin-trained-on", &[("dataset", card.dataset.as_str().into())]),
            None => text("origin-trained"),
        },
        ModelOrigin::Unknown => no_value(),
        ModelOrigin::Federated => match model.round {
            Some(round) => text_with("origin-round", &[("round", id(round))]),
            None => text("origin-restored"),
        },
    }
}

/// The number of clips behind a model, for the instructor's table.
pub fn clips(model: &ModelVersion) -> String {
    model.num_examples.map_or_else(|| text("model-clips-untold"), whole)
}

/// Macro F1 on the held-out clips, before and after, for the instructor's table.
pub fn held_out(model: &ModelVersion) -> String {
    let Some(report) = &model.acceptance_report else { return no_value() };
    let (before, after) = (report.macro_f1_before.into(), report.macro_f1_after.into());
    text_with("model-held-out", &[("before", before), ("after", after)])
}
