//! The session's report: one HTML file with everything in it. No participant and no individual result is in it, for want of any
//! on this page. No document here.

use std::fmt::Write as _;

use super::log::Log;
use crate::page::words::{self as common, desk as words, instructor, model};
use crate::protocol::{Deployment, FederationStatus};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}table{border-collapse:collapse;width:100%}\
th,td{text-align:start;padding:.3rem .5rem;border-block-end:1px solid #999;vertical-align:top}dt{font-weight:600}dd{margin:0 0 .5rem}";

/// The file's text. `language` is the page's tag and direction, `log` what has happened since the page was opened.
pub fn html(
    status: &FederationStatus,
    deployment: Option<&Deployment>,
    log: &Log,
    (language, direction): (&str, &str),
    now_s: u64,
) -> String {
    let title = escape(&words::report_title(&status.name));
    let mut html = format!(
        "<!doctype html><html lang=\"{language}\" dir=\"{direction}\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><h1>{title}</h1><p>{}</p>",
        escape(&words::report_made(now_s))
    );
    let [deployment_title, settings_title, rounds_title, models_title, log_title] = words::report_parts();
    if let Some(deployment) = deployment {
        heading(&mut html, &deployment_title);
        let values = [&deployment.purpose, &deployment.jurisdiction, &deployment.legal_basis, &deployment.contact];
        facts(&mut html, words::deployment().into_iter().zip(values.map(Clone::clone)));
    }
    heading(&mut html, &settings_title);
    let settings = &status.settings;
    let values = [
        common::whole(settings.minimum_clients),
        common::whole(settings.closes_at()),
        common::whole(settings.duration_s.div_ceil(60)),
        words::yes_or_no(settings.continuous),
    ];
    facts(&mut html, words::settings().into_iter().zip(values));
    heading(&mut html, &rounds_title);
    table(
        &mut html,
        &words::round_columns(),
        status.rounds.iter().map(|round| {
            let (received, opened) = (common::whole(round.received), common::time(round.opened_at_s));
            vec![
                round.id.to_string(),
                round.base_version.to_string(),
                received,
                opened,
                instructor::phase(&round.phase),
            ]
        }),
    );
    heading(&mut html, &models_title);
    table(
        &mut html,
        &words::model_columns(),
        status.models.iter().map(|version| {
            vec![
                version.version.to_string(),
                version.parent.map_or_else(common::no_value, |parent| parent.to_string()),
                words::origin(version),
                common::whole(version.num_clients),
                model::clips(version),
                model::held_out(version),
                words::loss(version),
                common::time(version.published_at_s),
            ]
        }),
    );
    heading(&mut html, &log_title);
    if log.is_empty() {
        // Writing into a string does not fail, here and below.
        let _ = write!(html, "<p>{}</p>", escape(&words::nothing_happened()));
    }
    facts(&mut html, log.entries().map(|entry| (common::time(entry.at_s), words::happening(&entry.what))));
    html.push_str("</body></html>\n");
    html
}

fn heading(html: &mut String, text: &str) {
    let _ = write!(html, "<h2>{}</h2>", escape(text));
}

fn facts(html: &mut String, facts: impl Iterator<Item = (String, String)>) {
    html.push_str("<dl>");
    for (term, value) in facts {
        let _ = write!(html, "<dt>{}</dt><dd dir=\"auto\">{}</dd>", escape(&term), escape(&value));
    }
    html.push_str("</dl>");
}

fn table(html: &mut String, columns: &[String], rows: impl Iterator<Item = Vec<String>>) {
    html.push_str("<table><thead><tr>");
    for column in columns {
        let _ = write!(html, "<th scope=\"col\">{}</th>", escape(column));
    }
    html.push_str("</tr></thead><tbody>");
    for row in rows {
        html.push_str("<tr>");
        for cell in row {
            let _ = write!(html, "<td>{}</td>", escape(&cell));
        }
        html.push_str("</tr>");
    }
    html.push_str("</tbody></table>");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::log::{LogEvent, tests::status};
    use super::*;
    use crate::page::l10n;

    #[test]
    fn it_has_everything_but_who_takes_part() {
        l10n::use_english();
        let mut log = Log::default();
        log.note(70, LogEvent::RolledBack { version: 4, restored: 1 });
        log.note(71, LogEvent::Revoked);
        let deployment = Deployment {
            purpose: "<script>".to_owned(),
            jurisdiction: "Utopia".to_owned(),
            legal_basis: "none".to_owned(),
            contact: "study@class.example".to_owned(),
        };
        let html = html(&status(2), Some(&deployment), &log, ("en", "ltr"), 80);
        for part in [
            "<html lang=\"en\" dir=\"ltr\">",
            "<h1>A &amp; B: report of the session</h1>",
            "<dt>Purpose</dt><dd dir=\"auto\">&lt;script&gt;</dd>",
            "<dt>End a round after minutes</dt><dd dir=\"auto\">60</dd>",
            "<td>7</td><td>3</td><td>2</td><td>@30000</td><td>open</td>",
            "<td>round 6</td><td>3</td><td>30</td>",
            "<dt>@71000</dt><dd dir=\"auto\">A participant was revoked.</dd><dt>@70000</dt>",
        ] {
            assert!(html.contains(part), "{part} is not in {html}");
        }
        assert!(!html.contains("SECRET"), "who has the report cannot join with it");
        let empty = super::html(&status(0), None, &Log::default(), ("en", "ltr"), 80);
        assert!(empty.contains("Nothing since this page was opened.") && !empty.contains("Purpose"));
    }
}
