//! The global model: its version and where it comes from.

use crate::protocol::{ModelOrigin, ModelVersion};

/// The version in use, in short.
pub fn version(version: u64) -> String {
    format!("Model {version}")
}

/// The version in use and where it comes from, for students; `personal_head_clips` is the number of clips that a personalised
/// head was tuned on.
pub fn report(model: &ModelVersion, personal_head_clips: Option<usize>) -> String {
    let personal = personal_head_clips.map(|clips| {
        format!(". What is shown here is by a head of your own, from your last {clips} clips; it never leaves this tab")
    });
    lineage(model) + &personal.unwrap_or_default()
}

fn lineage(model: &ModelVersion) -> String {
    let version = model.version;
    match model.origin {
        ModelOrigin::Bootstrap => {
            format!("Version {version}, a start distilled from the image model: not yet a result")
        }
        ModelOrigin::Trained => match &model.card {
            Some(card) if card.synthetic => format!("Version {version}, trained on made-up clips: not yet a result"),
            Some(card) => {
                format!(
                    "Version {version}, trained on people's votes on {} faces or clips ({})",
                    card.clips, card.dataset
                )
            }
            None => format!("Version {version}, trained on labelled clips"),
        },
        ModelOrigin::Unknown => format!("Version {version}"),
        ModelOrigin::Federated => {
            let (clients, clips) = (model.num_clients, model.num_examples);
            let parent = model.parent.map_or_else(String::new, |parent| format!(" from version {parent}"));
            let round = model.round.map_or_else(String::new, |round| format!(" in round {round}"));
            match clips {
                Some(clips) => {
                    format!("Version {version}, made{parent}{round} by {clients} students with {clips} clips")
                }
                None => format!("Version {version}, made{parent}{round} by {clients} students"),
            }
        }
    }
}

/// Where a model comes from, for the instructor's table.
pub fn origin(model: &ModelVersion) -> String {
    match model.origin {
        ModelOrigin::Bootstrap => "bootstrap (a start, not a result)".to_owned(),
        ModelOrigin::Trained => match &model.card {
            Some(card) if card.synthetic => "trained on synthetic clips".to_owned(),
            Some(card) => format!("trained on {}", card.dataset),
            None => "trained".to_owned(),
        },
        ModelOrigin::Unknown => "–".to_owned(),
        ModelOrigin::Federated => model.round.map_or("restored".to_owned(), |round| format!("round {round}")),
    }
}

/// The number of clips behind a model, for the instructor's table.
pub fn clips(model: &ModelVersion) -> String {
    model.num_examples.map_or_else(|| "not told".to_owned(), |clips| clips.to_string())
}

/// Macro F1 on the held-out clips, before and after, for the instructor's table.
pub fn held_out(model: &ModelVersion) -> String {
    model
        .acceptance_report
        .as_ref()
        .map_or_else(|| "–".to_owned(), |found| format!("{:.3} → {:.3}", found.macro_f1_before, found.macro_f1_after))
}
