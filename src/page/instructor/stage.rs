//! The form of the lecture: what is on the stage of the students' pages.

use gloo::events::EventListener;
use js_sys::Reflect;
use wasm_bindgen::JsCast as _;
use web_sys::{Element, HtmlElement, HtmlInputElement, HtmlSelectElement};

use crate::page::dom;
use crate::page::words::desk as words;
use crate::protocol::{LECTURE_FOLDER, Lecture, LectureStatus};

/// Endings of the files that a kind of lecture can show; any other kind shows none of the folder's.
const ENDINGS: [(&str, &[&str]); 3] = [
    ("video", &["mp4", "webm", "m4v", "mov", "ogv"]),
    ("document", &["pdf"]),
    ("pictures", &["png", "jpg", "jpeg", "webp", "gif", "svg", "avif"]),
];

/// Wires up what changes within the form.
pub fn wire() {
    dom::on("stage-kind", "change", |_| show_fields());
    // The file that is chosen is the address, or one more picture.
    EventListener::new(&dom::get::<Element>("stage-files"), "click", |event| {
        let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        let Some(address) = target.and_then(|target| target.get_attribute("data-address")) else { return };
        if kind() == "pictures" {
            let lines = pictures();
            set_pictures(&lines.into_iter().chain([address]).collect::<Vec<_>>());
        } else {
            dom::get::<HtmlInputElement>("stage-address").set_value(&address);
        }
        dom::text("stage-problem", "");
    })
    .forget();
}

/// Fills the form with what is on the stage.
pub fn fill(lecture: &Lecture) {
    let kind = match lecture {
        Lecture::None | Lecture::Unknown => "none",
        Lecture::Video { .. } => "video",
        Lecture::Document { .. } => "document",
        Lecture::Pictures { .. } => "pictures",
        Lecture::Page { .. } => "page",
    };
    dom::get::<HtmlSelectElement>("stage-kind").set_value(kind);
    if kind == "pictures" {
        set_pictures(lecture.addresses());
    } else {
        let address = lecture.addresses().first().cloned().unwrap_or_default();
        dom::get::<HtmlInputElement>("stage-address").set_value(&address);
    }
    show_fields();
}

/// Shows what is on the stage, and what may be.
pub fn show(status: &LectureStatus) {
    dom::text("stage-now", &words::stage_now(&status.current));
    let is_configured = !(status.files.is_empty() && status.origins.is_empty());
    dom::show("stage-hint", !is_configured);
    dom::show("stage-help", is_configured);
    dom::text("stage-help", &words::stage_help(!status.files.is_empty(), &status.origins));
    let known: Element = dom::get("stage-addresses-known");
    let files: Element = dom::get("stage-files");
    let names = status.files.join("\n") + "\n" + &status.origins.join("\n");
    if files.get_attribute("data-names").as_deref() == Some(&names) {
        return;
    }
    // The name is a constant, and valid, here and below.
    let _ = files.set_attribute("data-names", &names);
    known.set_text_content(None);
    files.set_text_content(None);
    for name in &status.files {
        let address = format!("{LECTURE_FOLDER}{name}");
        option(&known, &address);
        let button = dom::element("button", name);
        for (attribute, value) in
            [("type", "button"), ("class", "compact"), ("dir", "auto"), ("data-address", address.as_str())]
        {
            let _ = button.set_attribute(attribute, value);
        }
        dom::append(&files, &[&button]);
    }
    status.origins.iter().for_each(|origin| option(&known, &format!("{origin}/")));
    show_fields();
}

fn option(list: &Element, value: &str) {
    let option = dom::element("option", "");
    let _ = option.set_attribute("value", value);
    dom::append(list, &[&option]);
}

/// What the form says. Where an address is missing, `None`, and the form says so.
pub fn wanted() -> Option<Lecture> {
    let address = dom::get::<HtmlInputElement>("stage-address").value().trim().to_owned();
    let lecture = match kind().as_str() {
        "video" => Lecture::Video { address },
        "document" => Lecture::Document { address },
        "page" => Lecture::Page { address },
        "pictures" => Lecture::Pictures { addresses: pictures() },
        _ => Lecture::None,
    };
    let addresses = lecture.addresses();
    let is_missing = lecture != Lecture::None && addresses.first().is_none_or(String::is_empty);
    if is_missing {
        dom::say("stage-problem", words::address_missing);
        dom::focus(if kind() == "pictures" { "stage-addresses" } else { "stage-address" });
    }
    (!is_missing).then_some(lecture)
}

fn kind() -> String {
    dom::get::<HtmlSelectElement>("stage-kind").value()
}

/// Shows the fields that the kind has, and the files that it can show.
fn show_fields() {
    let kind = kind();
    dom::show("stage-one", !["none", "pictures"].contains(&kind.as_str()));
    dom::show("stage-many", kind == "pictures");
    let endings = ENDINGS.iter().find(|(of, _)| *of == kind).map_or(&[][..], |(_, endings)| *endings);
    let files = dom::get::<Element>("stage-files").children();
    let mut shown = 0;
    for index in 0..files.length() {
        let Some(file) = files.item(index).and_then(|file| file.dyn_into::<HtmlElement>().ok()) else { continue };
        let name = file.get_attribute("data-address").unwrap_or_default().to_ascii_lowercase();
        let fits = name.rsplit_once('.').is_some_and(|(_, ending)| endings.contains(&ending));
        file.set_hidden(!fits);
        shown += u32::from(fits);
    }
    dom::show("stage-files", shown > 0);
}

/// The addresses in the textarea, one in each line.
fn pictures() -> Vec<String> {
    let area: Element = dom::get("stage-addresses");
    // web-sys's HtmlTextAreaElement is not among this project's features.
    let text = Reflect::get(&area, &"value".into()).ok().and_then(|value| value.as_string()).unwrap_or_default();
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn set_pictures(addresses: &[String]) {
    let area: Element = dom::get("stage-addresses");
    // A textarea has a value.
    let _ = Reflect::set(&area, &"value".into(), &addresses.join("\n").into());
}
