//! SVG elements.

use gloo::utils::document;
use web_sys::Element;

/// A new SVG element with these attributes.
pub fn element(tag: &str, attributes: &[(&str, &str)]) -> Element {
    let namespace = Some("http://www.w3.org/2000/svg");
    let element = document().create_element_ns(namespace, tag).expect("tags are constants, and valid");
    for (name, value) in attributes {
        // The names are constants, and valid.
        let _ = element.set_attribute(name, value);
    }
    element
}
