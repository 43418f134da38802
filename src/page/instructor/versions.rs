//! The versions of the global model: their lineage and their figures as charts, and the one that is chosen in them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use wasm_bindgen::JsCast as _;
use web_sys::{Element, HtmlElement};

use super::figures::{self, Figure, Plot};
use super::lineage::{self, Graph, Node};
use super::tables;
use crate::page::words::{desk as words, instructor};
use crate::page::{dom, svg};
use crate::protocol::{FederationStatus, ModelVersion};

/// Radius of a version in the graph, and of the ring around the chosen one, in CSS pixels.
const RADII: (&str, &str) = ("19", "23");
/// Space between a version and its figure, in CSS pixels.
const BELOW: f64 = 33.0;
/// How far a version is above the middle of its lane, in CSS pixels: its figure is below it.
const RAISED: f64 = 8.0;

/// The charts, and the prefix of their elements' ids.
const CHARTS: [(Figure, &str); 4] = [
    (Figure::MacroF1, "f1"),
    (Figure::Loss, "loss"),
    (Figure::AcceptanceRate, "acceptance"),
    (Figure::ClassBalance, "balance"),
];

/// The versions and the one that is chosen.
#[derive(Default)]
pub struct Versions {
    /// The newest status.
    status: RefCell<Option<Rc<FederationStatus>>>,
    /// Absent: the newest.
    chosen: Cell<Option<u64>>,
}

impl Versions {
    /// Wires up charts and graph.
    pub fn wire(self: &Rc<Self>) {
        let versions = self.clone();
        dom::on_handled_key("lineage", move |event| {
            let order = versions.with(|models| models.iter().rev().map(|model| model.version).collect::<Vec<_>>());
            versions.step(&event.key(), &order)
        });
        let versions = self.clone();
        dom::on("lineage", "click", move |event| {
            let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
            let node = target.and_then(|target| target.closest("[data-version]").ok()?);
            if let Some(version) = node.and_then(|node| node.get_attribute("data-version")?.parse().ok()) {
                versions.choose(version);
            }
        });
        for (figure, name) in CHARTS {
            let id = format!("{name}-cursor");
            let versions = self.clone();
            dom::on_handled_key(&id, move |event| {
                let plot = versions.plot(figure);
                let order = plot.map(|plot| plot.points.iter().map(|point| point.0).collect::<Vec<_>>());
                versions.step(&event.key(), &order.unwrap_or_default())
            });
            let versions = self.clone();
            dom::on_pointer(&id, move |share| {
                if let Some(version) = versions.plot(figure).and_then(|plot| figures::nearest(&plot, share)) {
                    versions.choose(version);
                }
            });
        }
    }

    /// Shows the models of `status`.
    pub fn show(&self, status: &Rc<FederationStatus>) {
        let known = self.newest();
        self.status.replace(Some(status.clone()));
        let is_new = known != self.newest();
        if is_new {
            self.chosen.set(None);
        }
        self.draw();
        if is_new {
            let place: HtmlElement = dom::get("lineage-scroll");
            place.set_scroll_left(place.scroll_width());
        }
    }

    /// Calls `read` with the models, newest first.
    fn with<T>(&self, read: impl FnOnce(&[ModelVersion]) -> T) -> T {
        read(self.status.borrow().as_ref().map_or(&[][..], |status| &status.models))
    }

    fn newest(&self) -> Option<u64> {
        self.with(|models| models.first().map(|model| model.version))
    }

    /// The version that is chosen.
    pub fn chosen(&self) -> Option<u64> {
        self.chosen.get().or_else(|| self.newest())
    }

    fn plot(&self, figure: Figure) -> Option<Plot> {
        self.with(|models| figures::plot(models, figure))
    }

    fn choose(&self, version: u64) {
        if self.chosen() != Some(version) {
            self.chosen.set(Some(version));
            self.draw();
        }
    }

    /// Chooses as the key says among the versions in `order`; `false` if it is none of these keys.
    fn step(&self, key: &str, order: &[u64]) -> bool {
        let chosen = self.chosen().unwrap_or_default();
        let at = order.partition_point(|version| *version < chosen);
        // Time runs to the right in every language.
        let to = match key {
            "ArrowLeft" | "ArrowDown" => at.saturating_sub(1),
            "ArrowRight" | "ArrowUp" if order.get(at) == Some(&chosen) => at + 1,
            "ArrowRight" | "ArrowUp" => at,
            "Home" => 0,
            "End" => order.len(),
            _ => return false,
        };
        if let Some(version) = order.get(to.min(order.len().saturating_sub(1))) {
            self.choose(*version);
            self.scroll_to_chosen();
        }
        true
    }

    fn scroll_to_chosen(&self) {
        let graph = self.with(lineage::lay_out);
        let Some(node) = graph.nodes.iter().find(|node| Some(node.version) == self.chosen()) else { return };
        let place: HtmlElement = dom::get("lineage-scroll");
        let (from, width) = (f64::from(place.scroll_left()), f64::from(place.client_width()));
        let to =
            from.clamp((node.x + lineage::COLUMN / 2.0 - width).max(0.0), (node.x - lineage::COLUMN / 2.0).max(0.0));
        place.set_scroll_left(to as i32);
    }

    fn draw(&self) {
        let status = self.status.borrow();
        let models = status.as_ref().map_or(&[][..], |status| &status.models);
        let (chosen, newest) = (self.chosen(), models.first().map(|model| model.version));
        tables::fill("lineage", &[draw_graph(&lineage::lay_out(models), models, chosen)]);
        let active = chosen.map(|version| format!("node-{version}")).unwrap_or_default();
        dom::attribute("lineage", "aria-activedescendant", &active);
        let plots = CHARTS.map(|(figure, name)| (name, figures::plot(models, figure)));
        dom::show("figures", plots.iter().any(|(_, plot)| plot.is_some()));
        let model = models.iter().find(|model| Some(model.version) == chosen);
        let said = model.map(|model| words::version_text(model, Some(model.version) == newest)).unwrap_or_default();
        for (name, plot) in &plots {
            dom::show(&format!("{name}-figure"), plot.is_some());
            if let Some(plot) = plot {
                draw_plot(name, plot, chosen.unwrap_or_default(), &said);
            }
        }
        dom::text("version-text", &said);
        let restorable = model.filter(|model| Some(model.version) != newest);
        dom::show("restore-version", restorable.is_some());
        let label = restorable.map(|model| instructor::restore_button(model.version));
        dom::text("restore-version", &label.unwrap_or_default());
    }
}

fn draw_graph(graph: &Graph, models: &[ModelVersion], chosen: Option<u64>) -> Element {
    let (width, height) = (format!("{:.0}", graph.width), format!("{:.0}", graph.height));
    let drawn = svg::element("svg", &[("width", &width), ("height", &height), ("role", "presentation")]);
    let raised = format!("translate(0 -{RAISED:.0})");
    for node in &graph.nodes {
        let Some(edge) = &node.edge else { continue };
        let class = if node.is_restored { "edge restored" } else { "edge" };
        dom::append(&drawn, &[&svg::element("path", &[("class", class), ("d", edge), ("transform", &raised)])]);
    }
    let newest = models.first().map(|model| model.version);
    for node in &graph.nodes {
        let Some(model) = models.iter().find(|model| model.version == node.version) else { continue };
        let is_current = Some(node.version) == newest;
        dom::append(&drawn, &[&draw_node(node, model, is_current, Some(node.version) == chosen)]);
        if let Some(figure) = draw_figure(node, model) {
            dom::append(&drawn, &[&figure]);
        }
    }
    drawn
}

fn draw_node(node: &Node, model: &ModelVersion, is_current: bool, is_chosen: bool) -> Element {
    let version = node.version.to_string();
    let mut class = "node".to_owned();
    for (is, name) in [(is_current, " current"), (node.is_restored, " restored"), (!node.is_kept, " left")] {
        if is {
            class += name;
        }
    }
    let drawn = svg::element(
        "g",
        &[
            ("id", &format!("node-{version}")),
            ("class", &class),
            ("role", "option"),
            ("aria-selected", if is_chosen { "true" } else { "false" }),
            ("aria-label", &words::version_text(model, is_current)),
            ("data-version", &version),
            ("transform", &format!("translate({:.0} {:.0})", node.x, node.y - RAISED)),
        ],
    );
    let halo = svg::element("circle", &[("class", "halo"), ("r", RADII.1)]);
    let circle = svg::element("circle", &[("class", "body"), ("r", RADII.0)]);
    let number = svg::element("text", &[("dy", ".35em"), ("aria-hidden", "true")]);
    number.set_text_content(Some(&version));
    dom::append(&drawn, &[&halo, &circle, &number]);
    drawn
}

/// Macro F1 before and after below a version. It is no part of it: a version's label says the same in words.
fn draw_figure(node: &Node, model: &ModelVersion) -> Option<Element> {
    let report = model.acceptance_report.as_ref()?;
    let (x, y) = (format!("{:.0}", node.x), format!("{:.0}", node.y - RAISED + BELOW));
    let figure =
        svg::element("text", &[("class", "figure"), ("x", &x), ("y", &y), ("dy", ".35em"), ("aria-hidden", "true")]);
    figure.set_text_content(Some(&words::macro_f1(report.macro_f1_before, report.macro_f1_after)));
    Some(figure)
}

fn draw_plot(name: &str, plot: &Plot, chosen: u64, said: &str) {
    dom::attribute(&format!("{name}-line"), "d", &plot.line);
    dom::attribute(&format!("{name}-dots"), "d", &plot.dots);
    dom::text(&format!("{name}-top"), &words::figure(plot.range.0));
    dom::text(&format!("{name}-bottom"), &words::figure(plot.range.1));
    let at = plot.points.iter().find(|point| point.0 == chosen);
    let line = format!("{name}-at");
    dom::attribute(&line, "visibility", if at.is_some() { "visible" } else { "hidden" });
    if let Some((_, x)) = at {
        for end in ["x1", "x2"] {
            dom::attribute(&line, end, &format!("{x:.1}"));
        }
    }
    let versions = || plot.points.iter().map(|point| point.0);
    let cursor = format!("{name}-cursor");
    for (attribute, value) in [
        ("aria-valuemin", versions().min().unwrap_or_default()),
        ("aria-valuemax", versions().max().unwrap_or_default()),
        ("aria-valuenow", chosen),
    ] {
        dom::attribute(&cursor, attribute, &value.to_string());
    }
    dom::attribute(&cursor, "aria-valuetext", said);
}
