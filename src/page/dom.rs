//! Small helpers around the document.

use gloo::events::{EventListener, EventListenerOptions};
use gloo::utils::{document, window};
use js_sys::{Array, Date, Intl, Object};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Element, Event, HtmlElement, Storage};

use super::words::Notice;
use crate::browser::js;

/// The element with this id, as the type it has in `www/`.
pub fn get<T: JsCast>(id: &str) -> T {
    document()
        .get_element_by_id(id)
        .and_then(|element| element.dyn_into().ok())
        .unwrap_or_else(|| panic!("the markup in www/ has no such #{id}"))
}

/// Shows or hides the element with this id.
pub fn show(id: &str, shown: bool) {
    get::<HtmlElement>(id).set_hidden(!shown);
}

/// Moves the focus to the element with this id, as where the element that had it is hidden now. A browser may refuse, which
/// does no harm.
pub fn focus(id: &str) {
    let _ = get::<HtmlElement>(id).focus();
}

/// Whether the element with this id has the focus.
pub fn has_focus(id: &str) -> bool {
    document().active_element().is_some_and(|element| element.id() == id)
}

/// Sets the text of the element with this id, unless it says that already: a status is read out only when it changes.
pub fn text(id: &str, text: &str) {
    let element: Element = get(id);
    if element.text_content().as_deref() != Some(text) {
        element.set_text_content(Some(text));
    }
}

/// Sets an attribute of the element with this id.
pub fn attribute(id: &str, name: &str, value: &str) {
    // The names are constants, and valid.
    let _ = get::<Element>(id).set_attribute(name, value);
}

/// A new element with a text.
pub fn element(tag: &str, text: &str) -> Element {
    let element = document().create_element(tag).expect("tags are constants, and valid");
    element.set_text_content(Some(text));
    element
}

/// Appends children in order.
pub fn append(parent: &Element, children: &[&Element]) {
    for child in children {
        parent.append_child(child).expect("an element takes children");
    }
}

/// A term and its description in a list of facts.
pub fn fact(list: &Element, term: &str, description: &str) {
    append(list, &[&element("dt", term), &element("dd", description)]);
}

/// Calls `action` at each `event` on the element with this id. It cannot prevent the browser's default action;
/// [`on_submit`] can.
pub fn on(id: &str, event: &'static str, action: impl FnMut(&Event) + 'static) {
    EventListener::new(&get::<Element>(id), event, action).forget();
}

/// Calls `action` when the form with this id is submitted, in place of the navigation that a browser does by itself.
pub fn on_submit(id: &str, mut action: impl FnMut() + 'static) {
    // gloo's listeners are passive unless told otherwise, and a passive listener prevents nothing.
    let options = EventListenerOptions::enable_prevent_default();
    EventListener::new_with_options(&get::<Element>(id), "submit", options, move |event| {
        event.prevent_default();
        action();
    })
    .forget();
}

/// The tab's session storage, which survives a reload; `None` if the browser refuses.
pub fn session_storage() -> Option<Storage> {
    window().session_storage().ok().flatten()
}

/// A parameter in the fragment of the page's address, the part that browsers do not send.
pub fn fragment(name: &str) -> Option<String> {
    let fragment = window().location().hash().ok()?;
    web_sys::UrlSearchParams::new_with_str(fragment.strip_prefix('#')?).ok()?.get(name)
}

/// Shows a problem and the way out.
pub fn problem(notice: &Notice) {
    text("problem-message", &notice.message);
    text("problem-way-out", &notice.way_out);
    show("problem", true);
}

/// Milliseconds since 1970 as date and time, in the page's language and the browser's time zone.
pub fn date_time(at_ms: f64) -> String {
    let language = document().document_element().and_then(|html| html.get_attribute("lang"));
    let locales = language.map_or_else(Array::new, |language| Array::of1(&language.into()));
    let options = Object::new();
    js::set(&options, "dateStyle", &"medium".into());
    js::set(&options, "timeStyle", &"short".into());
    let formatted = Intl::DateTimeFormat::new(&locales, &options)
        .format()
        .call1(&JsValue::UNDEFINED, &Date::new(&at_ms.into()))
        .ok()
        .and_then(|text| text.as_string());
    formatted.unwrap_or_default()
}

/// Wires up the buttons beside a problem.
pub fn wire_problem() {
    on("problem-reload", "click", |_| {
        // A page that cannot reload is being closed.
        let _ = window().location().reload();
    });
    on("problem-dismiss", "click", |_| show("problem", false));
}
