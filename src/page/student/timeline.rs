//! Shows the student's own timeline: a chart to read with the pointer or the keyboard, a table, and an export. All of it stays
//! in the page's memory.

use std::rc::Rc;

use js_sys::Date;
use web_sys::{Element, HtmlButtonElement, HtmlElement, HtmlInputElement, HtmlSelectElement, KeyboardEvent};

use super::Student;
use crate::browser::js;
use crate::emotion::{EMOTIONS, Emotion};
use crate::messages::{ClipEditReport, ClipReport, FrameReport};
use crate::page::timeline::chart::{HEIGHT, WIDTH, areas};
use crate::page::timeline::series::{ClipState, Model, Series};
use crate::page::words::{percent, timeline as words};
use crate::page::{dom, download, svg};

/// Most columns of the chart. One is a second at least: the timeline knows no less.
const MOST_COLUMNS: usize = 200;
/// Rows of the table.
const ROWS: usize = 20;
/// Shortest time between two drawings, in milliseconds.
const REDRAW_MS: f64 = 1_000.0;
/// A page of the keyboard's, in columns.
const PAGE: usize = 20;
/// Height of the strip of clips, in the chart's units.
const CLIPS_HEIGHT: f64 = 12.0;
/// Shortest time that is shown, in seconds.
const SHORTEST_S: f64 = 30.0;

/// The timeline and how it is shown.
pub struct Timeline {
    series: Series,
    /// The column that is read out; absent: the newest.
    cursor: Option<usize>,
    drawn_at_ms: f64,
}

impl Timeline {
    /// An empty one.
    pub fn new() -> Self {
        let timeline = Self { series: Series::new(Date::now() - js::now_ms()), cursor: None, drawn_at_ms: 0.0 };
        timeline.draw();
        timeline
    }

    /// A frame's probabilities.
    pub fn frame(&mut self, report: &FrameReport) {
        if dom::get::<HtmlInputElement>("timeline-record").checked() {
            self.series.add(report.at_ms, report.image, report.video);
        }
        self.draw_if_due();
    }

    /// A clip has ended.
    pub fn clip(&mut self, report: &ClipReport) {
        if dom::get::<HtmlInputElement>("timeline-record").checked() {
            self.series.add_clip(report);
        }
    }

    /// A clip was edited, or was not.
    pub fn edited(&mut self, report: &ClipEditReport) {
        if report.done {
            self.series.edit(report.id, report.edit);
            self.draw();
        }
    }

    /// The worker was replaced: clips so far cannot be edited any more.
    pub fn forget_ids(&mut self) {
        self.series.forget_ids();
    }

    fn draw_if_due(&mut self) {
        let now_ms = js::now_ms();
        // What is not on display has no offset parent.
        let is_shown = dom::get::<HtmlElement>("timeline").offset_parent().is_some();
        if is_shown && now_ms - self.drawn_at_ms >= REDRAW_MS {
            self.drawn_at_ms = now_ms;
            self.draw();
        }
    }

    /// The time that is shown, in seconds since the beginning.
    fn window(&self) -> (f64, f64) {
        let end_s = self.series.end_s();
        let length_s = dom::get::<HtmlSelectElement>("timeline-window").value().parse::<f64>().ok();
        let from_s = length_s.map_or(self.series.first_s(), |length_s| end_s - length_s).max(self.series.first_s());
        (from_s, end_s.max(from_s + SHORTEST_S))
    }

    fn model() -> Model {
        match dom::get::<HtmlSelectElement>("timeline-model").value().as_str() {
            "video" => Model::Video,
            _ => Model::Image,
        }
    }

    /// The time that is shown, and the mean probabilities in each part of it.
    fn columns(&self) -> (f64, f64, Vec<Option<[f32; EMOTIONS]>>) {
        let (from_s, to_s) = self.window();
        (from_s, to_s, self.series.columns(Self::model(), from_s, to_s, column_count(from_s, to_s)))
    }

    fn draw(&self) {
        let is_empty = self.series.is_empty();
        dom::show("timeline-empty", is_empty);
        dom::show("timeline-figure", !is_empty);
        for button in ["timeline-clear", "timeline-export"] {
            dom::get::<HtmlButtonElement>(button).set_disabled(is_empty);
        }
        if is_empty {
            return;
        }
        let (from_s, to_s, columns) = self.columns();
        for (emotion, path) in Emotion::ALL.into_iter().zip(areas(&columns)) {
            dom::attribute(&format!("timeline-{}", emotion.name()), "d", &path);
        }
        self.draw_clips(from_s, to_s);
        self.read_out(&columns, from_s, to_s);
        if dom::get::<Element>("timeline-table").has_attribute("open") {
            self.tabulate(from_s, to_s);
        }
        let (from, to) = (self.series.epoch_ms(from_s), self.series.epoch_ms(to_s));
        dom::say("timeline-from", move || words::time(from));
        dom::say("timeline-to", move || words::time(to));
    }

    fn draw_clips(&self, from_s: f64, to_s: f64) {
        let group: Element = dom::get("timeline-clips");
        group.set_text_content(None);
        let x = |at_s: f64| ((at_s - from_s) / (to_s - from_s) * WIDTH).clamp(0.0, WIDTH);
        for clip in self.series.clips(from_s, to_s) {
            let (left, right) = (x(clip.from_s), x(clip.to_s));
            let state = match clip.state {
                ClipState::Kept => "kept",
                ClipState::Dropped => "dropped",
                ClipState::StruckOut => "struck-out",
            };
            let mark = svg::element(
                "rect",
                &[
                    ("x", &format!("{left:.1}")),
                    ("y", &format!("{:.1}", HEIGHT + 2.0)),
                    ("width", &format!("{:.1}", (right - left - 1.0).max(1.0))),
                    ("height", &format!("{CLIPS_HEIGHT:.1}")),
                    ("class", &format!("{} {state}", clip.label.name())),
                ],
            );
            dom::append(&group, &[&mark]);
        }
    }

    /// Shows and tells what is at the cursor.
    fn read_out(&self, columns: &[Option<[f32; EMOTIONS]>], from_s: f64, to_s: f64) {
        let newest = columns.iter().rposition(Option::is_some).unwrap_or_default();
        let last = columns.len() - 1;
        let column = self.cursor.unwrap_or(newest).min(last);
        let step_s = (to_s - from_s) / columns.len() as f64;
        let at_s = from_s + (column as f64 + 0.5) * step_s;
        let x = format!("{:.1}", (column as f64 + 0.5) * WIDTH / columns.len() as f64);
        for end in ["x1", "x2"] {
            dom::attribute("timeline-line", end, &x);
        }
        let clip = self.series.clips(at_s - step_s / 2.0, at_s + step_s / 2.0).last().cloned();
        let (at_ms, probabilities) = (self.series.epoch_ms(at_s), columns[column]);
        let text = move || words::read_out(at_ms, probabilities.as_ref(), clip.as_ref());
        dom::attribute("timeline-cursor", "aria-valuemax", &last.to_string());
        dom::attribute("timeline-cursor", "aria-valuenow", &column.to_string());
        dom::attribute("timeline-cursor", "aria-valuetext", &text());
        dom::say("timeline-readout", text);
    }

    fn tabulate(&self, from_s: f64, to_s: f64) {
        let body: Element = dom::get("timeline-rows");
        body.set_text_content(None);
        let step_s = (to_s - from_s) / ROWS as f64;
        let rows = self.series.columns(Self::model(), from_s, to_s, ROWS);
        for (index, probabilities) in rows.iter().enumerate() {
            let Some(probabilities) = probabilities else { continue };
            let row = dom::element("tr", "");
            let time = dom::element("th", &words::time(self.series.epoch_ms(from_s + index as f64 * step_s)));
            let _ = time.set_attribute("scope", "row");
            dom::append(&row, &[&time]);
            for probability in probabilities {
                dom::append(&row, &[&dom::element("td", &percent(*probability))]);
            }
            dom::append(&body, &[&row]);
        }
    }

    /// Moves the cursor as the key says; `false` if it is none of the cursor's.
    fn on_key(&mut self, key: &str) -> bool {
        let (from_s, to_s, columns) = self.columns();
        let newest = columns.iter().rposition(Option::is_some).unwrap_or_default();
        let at = self.cursor.unwrap_or(newest);
        // Time runs to the right in every language.
        let moved = match key {
            "ArrowLeft" | "ArrowDown" => at.saturating_sub(1),
            "ArrowRight" | "ArrowUp" => at + 1,
            "PageDown" => at.saturating_sub(PAGE),
            "PageUp" => at + PAGE,
            "Home" => 0,
            "End" => newest,
            _ => return false,
        };
        self.cursor = (moved < newest).then_some(moved);
        self.read_out(&columns, from_s, to_s);
        true
    }

    /// Moves the cursor to `share` of the width; `None`: back to the newest.
    fn point(&mut self, share: Option<f64>) {
        // Areas and clips stay as they are while the pointer moves.
        let (from_s, to_s, columns) = self.columns();
        self.cursor = share.map(|share| (share * columns.len() as f64) as usize);
        self.read_out(&columns, from_s, to_s);
    }

    /// Another model or time is to be shown.
    fn show_anew(&mut self) {
        self.cursor = None;
        self.draw();
    }

    fn clear(&mut self) {
        self.series.clear();
        self.show_anew();
    }

    fn csv(&self) -> String {
        self.series.csv(|epoch_ms| Date::new(&epoch_ms.into()).to_iso_string().into())
    }
}

fn column_count(from_s: f64, to_s: f64) -> usize {
    ((to_s - from_s) as usize).clamp(1, MOST_COLUMNS)
}

impl Student {
    pub(super) fn wire_timeline(self: &Rc<Self>) {
        for control in ["timeline-model", "timeline-window"] {
            let student = self.clone();
            dom::on(control, "change", move |_| student.view.borrow_mut().timeline.show_anew());
        }
        let student = self.clone();
        dom::on("timeline-table", "toggle", move |_| student.view.borrow().timeline.draw());
        let student = self.clone();
        dom::on("timeline-clear", "click", move |_| {
            student.view.borrow_mut().timeline.clear();
            dom::focus("timeline-title");
        });
        let student = self.clone();
        dom::on("timeline-export", "click", move |_| {
            download::save("emofed-timeline.csv", student.view.borrow().timeline.csv().as_bytes());
        });
        let student = self.clone();
        dom::on_handled_key("timeline-cursor", move |event: &KeyboardEvent| {
            student.view.borrow_mut().timeline.on_key(&event.key())
        });
        let student = self.clone();
        dom::on_pointer("timeline-cursor", move |share| student.view.borrow_mut().timeline.point(Some(share)));
        let student = self.clone();
        dom::on("timeline-cursor", "pointerleave", move |_| student.view.borrow_mut().timeline.point(None));
    }
}
