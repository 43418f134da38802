//! Text that never changes: elements with `data-l10n-id`. In the markup of `www/` it is English, in case nothing is loaded.
//!
//! A message may place child elements of the element it is for: `<name>text</name>` is the child with `data-l10n-name="name"`,
//! with this text, or as it is if there is none. A translation is never read as HTML, so it can add no element.

use gloo::utils::document;
use wasm_bindgen::JsCast as _;
use web_sys::Element;

use super::language::Language;
use super::{attributes, value};

/// Attributes that a message may set.
const ATTRIBUTES: [&str; 4] = ["aria-label", "placeholder", "title", "alt"];

/// Says the document's language, and translates all elements with `data-l10n-id`.
pub fn translate(language: Language) {
    if let Some(html) = document().document_element() {
        // The names are constants, and valid.
        let _ = html.set_attribute("lang", language.tag());
        let _ = html.set_attribute("dir", language.direction());
    }
    let Ok(elements) = document().query_selector_all("[data-l10n-id]") else { return };
    for index in 0..elements.length() {
        if let Some(element) = elements.item(index).and_then(|node| node.dyn_into::<Element>().ok()) {
            translate_element(&element);
        }
    }
}

/// Translates one element's attributes.
pub fn translate_attributes(element: &Element) {
    let Some(id) = element.get_attribute("data-l10n-id") else { return };
    for (name, text) in attributes(&id) {
        if ATTRIBUTES.contains(&name.as_str()) {
            let _ = element.set_attribute(&name, &text);
        }
    }
}

/// Translates one element.
pub fn translate_element(element: &Element) {
    let Some(id) = element.get_attribute("data-l10n-id") else { return };
    translate_attributes(element);
    let Some(text) = value(&id) else { return };
    if element.child_element_count() == 0 {
        // A status is read out only when it changes.
        if element.text_content().as_deref() != Some(&text) {
            element.set_text_content(Some(&text));
        }
    } else {
        overlay(element, &text);
    }
}

/// Puts the element's own children where the text names them.
fn overlay(element: &Element, text: &str) {
    let children = element.children();
    let mut children: Vec<Element> = (0..children.length()).filter_map(|index| children.item(index)).collect();
    // Its text goes, its child elements are put back. An element takes text and children: nothing here fails.
    element.set_text_content(None);
    let mut rest = text;
    while let Some((before, name, inner, after)) = next_tag(rest) {
        let named = children.iter().position(|child| child.get_attribute("data-l10n-name").as_deref() == Some(name));
        let Some(position) = named else { break };
        let child = children.remove(position);
        let _ = element.append_with_str_1(before);
        if !inner.is_empty() {
            child.set_text_content(Some(inner));
        }
        let _ = element.append_child(&child);
        rest = after;
    }
    let _ = element.append_with_str_1(rest);
    // The code needs a child even if a translation has left it out.
    for child in &children {
        let _ = element.append_child(child);
    }
}

/// The text before the first `<name>…</name>`, its name, its text, and what follows.
fn next_tag(text: &str) -> Option<(&str, &str, &str, &str)> {
    let (before, rest) = text.split_once('<')?;
    let (name, rest) = rest.split_once('>')?;
    let (inner, after) = rest.split_once(&format!("</{name}>"))?;
    Some((before, name, inner, after))
}
