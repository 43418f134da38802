//! The camera before joining: which one, and what it shows. Nothing is computed from it, and nothing of it is kept.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{HtmlSelectElement, HtmlVideoElement, MediaStream};

use super::camera;
use crate::page::dom;
use crate::page::words::camera as words;

/// The camera of the preview.
#[derive(Default)]
pub struct Preview {
    stream: RefCell<Option<MediaStream>>,
    /// Counts starts and stops: a stream that was asked for before the last one is stopped when it comes.
    generation: Cell<u64>,
}

impl Preview {
    /// Wires up its button and its list of cameras.
    pub fn wire(self: &Rc<Self>) {
        let preview = self.clone();
        dom::on("preview-toggle", "click", move |_| {
            let is_on = preview.stream.borrow().is_some();
            if is_on { preview.stop() } else { preview.start() }
        });
        let preview = self.clone();
        dom::on("preview-device", "change", move |_| preview.start());
    }

    /// Turns the camera off. The camera that was chosen is the session's.
    pub fn stop(&self) {
        self.generation.set(self.generation.get() + 1);
        if let Some(stream) = self.stream.take() {
            camera::stop_tracks(&stream);
        }
        dom::get::<HtmlVideoElement>("preview").set_src_object(None);
        self.show(false);
        let chosen = dom::get::<HtmlSelectElement>("preview-device").value();
        if !chosen.is_empty() {
            camera::choose_device(&chosen);
        }
    }

    fn start(self: &Rc<Self>) {
        self.stop();
        dom::text("preview-problem", "");
        let (preview, generation) = (self.clone(), self.generation.get());
        spawn_local(async move {
            let device = dom::get::<HtmlSelectElement>("preview-device").value();
            let opened = camera::open(&device).await;
            match opened {
                Ok(stream) if preview.generation.get() == generation => preview.show_stream(stream).await,
                Ok(stream) => camera::stop_tracks(&stream),
                Err(_) if preview.generation.get() != generation => {}
                Err(error) => {
                    let problem = camera::problem_of(&error);
                    dom::say("preview-problem", move || words::problem(problem));
                }
            }
        });
    }

    async fn show_stream(&self, stream: MediaStream) {
        let video: HtmlVideoElement = dom::get("preview");
        video.set_src_object(Some(&stream));
        *self.stream.borrow_mut() = Some(stream.clone());
        self.show(true);
        if let Ok(playing) = video.play() {
            // Rejected only if the source changes again.
            let _ = JsFuture::from(playing).await;
        }
        camera::list_devices("preview-device", &stream).await;
    }

    fn show(&self, is_on: bool) {
        dom::show("preview-picture", is_on);
        dom::attribute("preview-toggle", "aria-pressed", if is_on { "true" } else { "false" });
        dom::say("preview-toggle", move || words::preview_button(is_on));
    }
}
