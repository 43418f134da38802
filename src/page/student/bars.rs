//! The models' predictions, as bars.

use gloo::utils::document;
use wasm_bindgen::JsCast as _;
use web_sys::{Element, HtmlElement};

use crate::emotion::{EMOTIONS, Emotion};
use crate::page::words::no_value;
use crate::page::{dom, words};

/// The bars of one emotion.
struct Bar {
    fills: [HtmlElement; 2],
    values: [Element; 2],
}

/// Two bars for each emotion: the image model's and the video model's probability.
pub struct Bars(Vec<Bar>);

impl Bars {
    /// Empty bars, replacing those that are there.
    pub fn new() -> Self {
        let parent: Element = dom::get("bars");
        parent.set_text_content(None);
        Self(Emotion::ALL.iter().map(|emotion| bar(&parent, *emotion)).collect())
    }

    /// Shows probabilities; `None` without a prediction.
    pub fn show(&self, image: Option<[f32; EMOTIONS]>, video: Option<[f32; EMOTIONS]>) {
        for (row, probabilities) in [image, video].iter().enumerate() {
            for (bar, index) in self.0.iter().zip(0..EMOTIONS) {
                let probability = probabilities.map(|probabilities| probabilities[index]);
                let text = probability.map_or_else(no_value, words::percent);
                bar.values[row].set_text_content(Some(&text));
                // A transform needs neither layout nor paint.
                let scale = format!("scaleX({:.3})", probability.unwrap_or(0.0));
                let _ = bar.fills[row].style().set_property("transform", &scale);
            }
        }
    }
}

fn bar(parent: &Element, emotion: Emotion) -> Bar {
    let row = dom::element("div", "");
    row.set_class_name("emotion");
    let _ = row.set_attribute("data-emotion", emotion.name());
    let name = dom::message("span", words::emotion::message(emotion));
    name.set_class_name("name");
    let tracks = dom::element("div", "");
    tracks.set_class_name("tracks");
    dom::append(&row, &[&name, &tracks]);
    let [image, video] = words::session::BARS;
    let parts = [("image", image), ("video", video)].map(|(model, message)| {
        let track = dom::element("div", "");
        track.set_class_name("track");
        let rail = document().create_element("div").expect("a constant tag");
        rail.set_class_name("rail");
        let fill = dom::element("div", "");
        fill.set_class_name(&format!("fill {model}"));
        let value = dom::element("span", &no_value());
        let hidden = dom::message("span", message);
        hidden.set_class_name("hidden-text");
        dom::append(&rail, &[&fill]);
        let cell = dom::element("span", "");
        dom::append(&cell, &[&hidden, &value]);
        dom::append(&track, &[&rail, &cell]);
        dom::append(&tracks, &[&track]);
        (fill.unchecked_into::<HtmlElement>(), value)
    });
    dom::append(parent, &[&row]);
    let [(image_fill, image_value), (video_fill, video_value)] = parts;
    Bar { fills: [image_fill, video_fill], values: [image_value, video_value] }
}
