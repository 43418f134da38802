//! The form of the rounds' settings.

use web_sys::HtmlInputElement;

use crate::page::dom;
use crate::page::words::desk as words;
use crate::protocol::RoundSettings;

/// Largest value of the form's numbers.
const MOST: u32 = 100_000;

/// Fills the form.
pub fn fill(settings: &RoundSettings) {
    dom::get::<HtmlInputElement>("minimum-clients").set_value(&settings.minimum_clients.to_string());
    dom::get::<HtmlInputElement>("target-clients").set_value(&settings.closes_at().to_string());
    dom::get::<HtmlInputElement>("duration").set_value(&settings.duration_s.div_ceil(60).to_string());
    dom::get::<HtmlInputElement>("continuous").set_checked(settings.continuous);
}

/// What the form says; where a field is wrong, `None`, and the field says so and has the focus.
pub fn wanted() -> Option<RoundSettings> {
    let least = dom::get::<HtmlInputElement>("minimum-clients").min().parse().unwrap_or(1);
    // All fields are checked, and the first wrong one gets the focus last.
    let duration = number("duration", "duration-problem", 1);
    let target = number("target-clients", "target-clients-problem", 1);
    let minimum = number("minimum-clients", "minimum-clients-problem", least);
    Some(RoundSettings {
        minimum_clients: minimum?,
        // One that is not above the minimum says nothing of its own.
        target_clients: if target? > minimum? { target? } else { 0 },
        duration_s: 60 * u64::from(duration?),
        continuous: dom::get::<HtmlInputElement>("continuous").checked(),
    })
}

fn number(field: &'static str, problem: &'static str, least: u32) -> Option<u32> {
    let number = dom::get::<HtmlInputElement>(field).value().trim().parse::<u32>().ok();
    let number = number.filter(|number| (least..=MOST).contains(number));
    dom::attribute(field, "aria-invalid", if number.is_some() { "false" } else { "true" });
    if number.is_some() {
        dom::text(problem, "");
    } else {
        dom::say(problem, move || words::out_of_range(least, MOST));
        dom::focus(field);
    }
    number
}
