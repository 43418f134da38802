//! The round that is open: its updates and its time, as bars.

use std::rc::Rc;

use gloo::timers::callback::Interval;
use js_sys::Date;
use web_sys::{Element, HtmlButtonElement, HtmlElement, HtmlProgressElement};

use crate::page::words::{self as common, desk as words, instructor};
use crate::page::{dom, status};
use crate::protocol::{FederationStatus, RoundPhase};

/// Seconds since 1970, by this device's clock.
pub fn now_s() -> u64 {
    (Date::now() / 1_000.0) as u64
}

/// Lets the countdown tick.
pub fn wire() {
    Interval::new(1_000, tick).forget();
}

/// Shows the round. Fewer than `fewest` contributors are not published.
pub fn show(status: &Rc<FederationStatus>, fewest: u32) {
    dom::text("connected", &common::whole(status.connected));
    dom::text("participants", &common::whole(status.participants));
    let current = status.models.first().map_or_else(common::no_value, |model| model.version.to_string());
    dom::text("current-version", &current);
    let card: HtmlElement = dom::get("round");
    dom::show("round-meters", status.round.is_some());
    if let Some(round) = &status.round {
        let opened_at_s = status.rounds.iter().find(|summary| summary.id == round.id).map(|round| round.opened_at_s);
        let opened_at_s = opened_at_s.unwrap_or(round.deadline_s.saturating_sub(status.settings.duration_s));
        for (name, value) in
            [("data-round", round.id), ("data-opened", opened_at_s), ("data-deadline", round.deadline_s)]
        {
            // The names are constants, and valid.
            let _ = card.set_attribute(name, &value.to_string());
        }
        let progress: HtmlProgressElement = dom::get("round-progress");
        progress.set_max(f64::from(round.closes_at()));
        progress.set_value(f64::from(round.received));
        dom::text("round-received", &words::received(round.received, round.closes_at()));
        tick();
    } else {
        // An element that does not have the attribute has nothing to remove.
        let _ = card.remove_attribute("data-round");
    }
    let shown = status.clone();
    status::show("round", move || {
        let said = instructor::round(shown.round.as_ref());
        match shown.rounds.first().filter(|_| shown.round.is_none()) {
            Some(last) => format!("{said} {}", words::round_stands(last)),
            None => said,
        }
    });
    let under_way = status.rounds.first().map(|round| &round.phase);
    let under_way =
        under_way.filter(|phase| matches!(phase, RoundPhase::Open | RoundPhase::Aggregating | RoundPhase::Evaluating));
    dom::show("round-phase", under_way.is_some());
    dom::text("round-phase", &under_way.map(instructor::phase).unwrap_or_default());
    dom::get::<HtmlButtonElement>("open-round").set_disabled(status.round.is_some());
    // The aggregator refuses to publish what so few contributed; a round without any update may end.
    let is_too_few = |received: u32| (1..fewest).contains(&received);
    let too_few = status.round.as_ref().is_some_and(|round| is_too_few(round.received));
    dom::get::<HtmlButtonElement>("close-round").set_disabled(too_few || status.round.is_none());
    dom::text("close-why-not", &if too_few { words::too_few_to_close(fewest) } else { String::new() });
}

/// The round that is shown as open.
pub fn open_round() -> Option<u64> {
    number("data-round")
}

fn number(attribute: &str) -> Option<u64> {
    dom::get::<Element>("round").get_attribute(attribute)?.parse().ok()
}

fn tick() {
    let (Some(_), Some(opened_s), Some(deadline_s)) =
        (number("data-round"), number("data-opened"), number("data-deadline"))
    else {
        return;
    };
    let left_s = deadline_s.saturating_sub(now_s());
    dom::text("round-countdown", &words::countdown(left_s));
    let share = left_s as f64 / deadline_s.saturating_sub(opened_s).max(1) as f64;
    dom::get::<HtmlProgressElement>("round-clock").set_value(share.min(1.0));
}
