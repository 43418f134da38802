//! Small helpers around the document.

use gloo::events::{EventListener, EventListenerOptions};
use gloo::utils::{document, window};
use js_sys::{Function, Promise};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Element, Event, HtmlElement, KeyboardEvent, MouseEvent, Storage};

use super::l10n;
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

/// Sets the text of the element with this id, unless it says that already: a status is read out only when it changes. It is
/// the same in every language; [`say`] is for what is not.
pub fn text(id: &str, text: &str) {
    l10n::forget(id);
    set_text(id, text);
}

/// Shows what `words` say in the element with this id, now and after the language has changed.
pub fn say(id: &'static str, words: impl Fn() -> String + 'static) {
    say_these(id, Box::new(words));
}

fn say_these(id: &'static str, words: Box<dyn Fn() -> String>) {
    l10n::keep(id, move || set_text(id, &words()));
}

/// Sets the text of the element with this id until something else is shown, or the language changes.
pub fn set_text(id: &str, text: &str) {
    let element: Element = get(id);
    // It says something else than in the markup from now on.
    let _ = element.remove_attribute("data-l10n-id");
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

/// A new element with the text of a message, in whatever language the page is.
pub fn message(tag: &str, id: &str) -> Element {
    let element = element(tag, &l10n::text(id));
    // The name is a constant, and valid.
    let _ = element.set_attribute("data-l10n-id", id);
    element
}

/// Sets the attributes of an element's message, such as its label, in whatever language the page is.
pub fn localise_attributes(element: &Element) {
    l10n::translate_attributes(element);
}

/// Shows an element on the whole screen. Where the browser refuses, the page stays as it is.
pub fn full_screen(element: &Element) {
    // web-sys drops the promise, whose rejection would be an error on the console.
    let ask = js::get(element, "requestFullscreen").and_then(|ask| ask.dyn_into::<Function>().ok());
    let asked = ask.and_then(|ask| ask.call0(element).ok()).and_then(|asked| asked.dyn_into::<Promise>().ok());
    if let Some(asked) = asked {
        spawn_local(async move {
            let _ = JsFuture::from(asked).await;
        });
    }
}

/// The element that has the focus.
pub fn focused() -> Option<web_sys::Node> {
    document().active_element().map(Into::into)
}

/// Calls `action` at each key on the element with this id. Where it returns true, the browser does nothing by itself.
pub fn on_handled_key(id: &str, mut action: impl FnMut(&KeyboardEvent) -> bool + 'static) {
    let options = EventListenerOptions::enable_prevent_default();
    EventListener::new_with_options(&get::<Element>(id), "keydown", options, move |event| {
        if event.dyn_ref::<KeyboardEvent>().is_some_and(&mut action) {
            event.prevent_default();
        }
    })
    .forget();
}

/// Calls `action` as the pointer moves over the element with this id, with its place in the element's width, 0 (left) to 1.
pub fn on_pointer(id: &str, mut action: impl FnMut(f64) + 'static) {
    let element: Element = get(id);
    EventListener::new(&element.clone(), "pointermove", move |event| {
        let Some(event) = event.dyn_ref::<MouseEvent>() else { return };
        let area = element.get_bounding_client_rect();
        let share = (f64::from(event.client_x()) - area.left()) / area.width().max(1.0);
        action(share.clamp(0.0, 1.0));
    })
    .forget();
}

/// A term, by its message, and its description in a list of facts.
pub fn fact(list: &Element, term: &str, description: &str) {
    let description = element("dd", description);
    // It is the operator's, in the operator's language.
    let _ = description.set_attribute("dir", "auto");
    append(list, &[&message("dt", term), &description]);
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

/// The browser's local storage for this origin; `None` if the browser refuses.
pub fn local_storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}

/// A parameter in the fragment of the page's address, the part that browsers do not send.
pub fn fragment(name: &str) -> Option<String> {
    let fragment = window().location().hash().ok()?;
    web_sys::UrlSearchParams::new_with_str(fragment.strip_prefix('#')?).ok()?.get(name)
}

/// Shows a problem and the way out.
pub fn problem(words: impl Fn() -> Notice + 'static) {
    show_problem(Box::new(words));
}

fn show_problem(words: Box<dyn Fn() -> Notice>) {
    l10n::keep("problem", move || {
        let notice = words();
        set_text("problem-message", &notice.message);
        set_text("problem-way-out", &notice.way_out);
    });
    show("problem", true);
}

/// Wires up the buttons beside a problem.
pub fn wire_problem() {
    on("problem-reload", "click", |_| {
        // A page that cannot reload is being closed.
        let _ = window().location().reload();
    });
    on("problem-dismiss", "click", |_| show("problem", false));
}
