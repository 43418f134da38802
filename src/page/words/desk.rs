//! The instructor's page: the lecture, versions of the model, the log, and the session's report.

use super::instructor::phase;
use super::{id, milliseconds, text, text_with};
use crate::page::instructor::LogEvent;
use crate::page::instructor::lineage::is_restored;
use crate::page::words::model;
use crate::protocol::{CloseReason, Lecture, ModelVersion, RoundPhase, RoundSummary};

/// A round and where it stands.
pub fn round_stands(round: &RoundSummary) -> String {
    stands(round.id, &round.phase)
}

fn stands(round: u64, stands: &RoundPhase) -> String {
    text_with("round-stands", &[("round", id(round)), ("phase", phase(stands).into())])
}

/// So many of so many updates.
pub fn received(received: u32, needed: u32) -> String {
    text_with("round-received", &[("received", received.into()), ("needed", needed.into())])
}

/// The time that a round has left.
pub fn countdown(left_s: u64) -> String {
    let (hours, minutes, seconds) = (left_s / 3_600, left_s / 60 % 60, left_s % 60);
    match hours {
        0 => text_with("round-countdown", &[("minutes", minutes.into()), ("seconds", seconds.into())]),
        _ => text_with(
            "round-countdown-hours",
            &[("hours", id(hours)), ("minutes", minutes.into()), ("seconds", seconds.into())],
        ),
    }
}

/// Why the round cannot be closed.
pub fn too_few_to_close(needed: u32) -> String {
    text_with("round-too-few", &[("needed", needed.into())])
}

/// What the QR code is, for those who do not see it.
pub fn qr_code(link: &str) -> String {
    text_with("qr-code", &[("link", link.into())])
}

/// What is on the stage.
pub fn stage_now(lecture: &Lecture) -> String {
    text_with("stage-now", &[("lecture", self::lecture(lecture).into())])
}

fn lecture(lecture: &Lecture) -> String {
    match lecture {
        Lecture::None => text("stage-kind-none"),
        Lecture::Video { address } => text_with("stage-is-video", &[("address", address.into())]),
        Lecture::Document { address } => text_with("stage-is-document", &[("address", address.into())]),
        Lecture::Page { address } => text_with("stage-is-page", &[("address", address.into())]),
        Lecture::Pictures { addresses } => text_with("stage-is-pictures", &[("count", addresses.len().into())]),
        Lecture::Unknown => text("phase-unknown"),
    }
}

/// Which addresses the stage takes.
pub fn stage_help(has_files: bool, origins: &[String]) -> String {
    let origins = origins.join(&text("list-separator"));
    match (has_files, origins.is_empty()) {
        (_, true) => text("stage-help-files"),
        (true, false) => text_with("stage-help-both", &[("origins", origins.into())]),
        (false, false) => text_with("stage-help-origins", &[("origins", origins.into())]),
    }
}

/// There is no address in the form.
pub fn address_missing() -> String {
    text("stage-address-missing")
}

/// A setting is not in its range.
pub fn out_of_range(least: u32, most: u32) -> String {
    text_with("settings-out-of-range", &[("least", least.into()), ("most", most.into())])
}

/// A version in all that is known of it.
pub fn version_text(model: &ModelVersion, is_current: bool) -> String {
    let mut said = match model.parent.filter(|_| is_restored(model)) {
        Some(restored) => text_with(
            "version-restored",
            &[("version", id(model.version)), ("restored", id(restored)), ("time", milliseconds(model.published_at_s))],
        ),
        None => text_with(
            "version-described",
            &[
                ("version", id(model.version)),
                ("origin", model::origin(model).into()),
                ("time", milliseconds(model.published_at_s)),
            ],
        ),
    };
    if let Some(report) = &model.acceptance_report {
        said += &text_with(
            "version-figures",
            &[
                ("clips", report.clips.into()),
                ("dataset", report.dataset.as_str().into()),
                ("f1before", report.macro_f1_before.into()),
                ("f1after", report.macro_f1_after.into()),
                ("lossbefore", report.loss_before.into()),
                ("lossafter", report.loss_after.into()),
            ],
        );
    }
    if let Some(metrics) = &model.class_metrics {
        said += &text_with(
            "version-metrics",
            &[
                ("clients", metrics.clients.into()),
                ("accepted", metrics.acceptance_rate.into()),
                ("balance", metrics.class_balance.into()),
            ],
        );
        if let (Some(change), Some(parent)) = (metrics.loss_change, model.parent) {
            said += &text_with("version-metrics-change", &[("parent", id(parent)), ("change", change.into())]);
        }
    }
    if is_current {
        said += &text("version-current");
    }
    said
}

/// Where a version comes from, in short, for the tables.
pub fn origin(model: &ModelVersion) -> String {
    if is_restored(model) { text("origin-restored") } else { model::origin(model) }
}

/// A figure, in short.
pub fn figure(value: f64) -> String {
    text_with("figure-short", &[("value", value.into())])
}

/// Macro F1 before and after the acceptance check, for the graph.
pub fn macro_f1(before: f64, after: f64) -> String {
    text_with("figure-f1-change", &[("before", before.into()), ("after", after.into())])
}

/// A loss before and after.
pub fn loss(model: &ModelVersion) -> String {
    let Some(report) = &model.acceptance_report else { return super::no_value() };
    let (before, after) = (report.loss_before.into(), report.loss_after.into());
    text_with("figure-change", &[("before", before), ("after", after)])
}

/// What happened, in a sentence.
pub fn happening(what: &LogEvent) -> String {
    match what {
        LogEvent::RoundOpened { round, base_version } => {
            text_with("log-round-opened", &[("round", id(*round)), ("version", id(*base_version))])
        }
        LogEvent::UpdatesReceived { round, received, needed: Some(needed) } => text_with(
            "log-updates-of",
            &[("round", id(*round)), ("received", (*received).into()), ("needed", (*needed).into())],
        ),
        LogEvent::UpdatesReceived { round, received, needed: None } => {
            text_with("log-updates", &[("round", id(*round)), ("received", (*received).into())])
        }
        LogEvent::RoundClosed { round, reason } => {
            let message = match reason {
                CloseReason::Complete => "log-closed-complete",
                CloseReason::Instructor => "log-closed-instructor",
                CloseReason::Deadline => "log-closed-deadline",
                CloseReason::Rejected | CloseReason::Abandoned | CloseReason::Unknown => "log-closed",
            };
            text_with(message, &[("round", id(*round))])
        }
        LogEvent::RoundFailed { round, phase } => stands(*round, phase),
        LogEvent::Published { version } => text_with("log-published", &[("version", id(*version))]),
        LogEvent::RolledBack { version, restored } => {
            text_with("log-rolled-back", &[("version", id(*version)), ("restored", id(*restored))])
        }
        LogEvent::LectureChanged(lecture) => stage_now(lecture),
        LogEvent::CodeRenewed => text("log-code"),
        LogEvent::SettingsChanged => text("log-settings"),
        LogEvent::Revoked => text("log-revoked"),
    }
}

/// The report's heading.
pub fn report_title(federation: &str) -> String {
    text_with("report-title", &[("federation", federation.into())])
}

/// When the report was made, and what is not in it.
pub fn report_made(at_s: u64) -> String {
    text_with("report-made", &[("time", milliseconds(at_s))])
}

/// Headings of the report's parts: deployment, settings, rounds, models, log.
pub fn report_parts() -> [String; 5] {
    [text("deployment-title"), text("settings-title"), text("rounds-title"), text("models-title"), text("log-title")]
}

/// Names of the settings: least number of updates, minutes, whether rounds follow by themselves.
pub fn settings() -> [String; 4] {
    [text("settings-minimum"), text("settings-target"), text("settings-duration"), text("settings-continuous")]
}

/// Headings of the table of rounds.
pub fn round_columns() -> [String; 5] {
    [text("column-round"), text("column-base"), text("column-updates"), text("column-opened"), text("column-state")]
}

/// Headings of the table of models.
pub fn model_columns() -> [String; 8] {
    [
        text("column-version"),
        text("column-parent"),
        text("column-origin"),
        text("column-clients"),
        text("column-clips"),
        text("column-held-out"),
        text("column-loss"),
        text("column-published"),
    ]
}

/// Yes or no.
pub fn yes_or_no(is: bool) -> String {
    text(if is { "confirm-yes" } else { "confirm-no" })
}

/// Nothing has happened.
pub fn nothing_happened() -> String {
    text("log-empty")
}

/// Names of the deployment statement's parts, as students see them.
pub fn deployment() -> [String; 4] {
    super::session::DEPLOYMENT_TERMS.map(text)
}
