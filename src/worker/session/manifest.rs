//! The part of the manifest that a session acts on. The page gets all of it, as it came.

use js_sys::Object;
use serde::Deserialize;
use wasm_bindgen::{JsCast as _, JsValue};

use crate::browser::js;
use crate::learning::LearningSettings;
use crate::model::vfer::VferArchitecture;
use crate::protocol::{BackboneRef, BlobRef, CaptureSettings, EndedRound, ModelDifference, OpenRound};

/// [`crate::protocol::Manifest`], as far as a session needs it: what a tab loads is a fiftieth smaller without the code for the rest.
#[derive(Clone, Debug, Deserialize)]
pub struct SessionManifest {
    /// Of the aggregator.
    pub protocol: u32,
    /// The frozen feature extractor and image model.
    pub backbone: BackboneRef,
    /// The face detector's weights.
    pub detector: BlobRef,
    /// The global model.
    pub model: SessionModel,
    /// How tabs learn.
    pub learning: LearningSettings,
    /// How tabs look and cut clips.
    pub capture: CaptureSettings,
    /// The round that takes updates now, if any.
    pub round: Option<OpenRound>,
    /// The last ended rounds, newest first.
    #[serde(default)]
    pub recent_rounds: Vec<EndedRound>,
    /// Whether updates may carry client metrics.
    #[serde(default)]
    pub takes_metrics: bool,
}

/// [`crate::protocol::ModelVersion`], as far as a session needs it.
#[derive(Clone, Debug, Deserialize)]
pub struct SessionModel {
    /// Counts up by one with every publication.
    pub version: u64,
    /// The version that it was made from.
    #[serde(default)]
    pub parent: Option<u64>,
    /// SHA-256 of the backbone whose features it reads.
    pub backbone_sha256: String,
    /// What it consists of.
    #[serde(default)]
    pub architecture: VferArchitecture,
    /// Its weights.
    pub vfer: BlobRef,
    /// What leads to them from the weights of its parent.
    #[serde(default)]
    pub difference: Option<ModelDifference>,
}

/// A manifest that came: as it is, and what a session reads in it.
#[derive(Clone)]
pub struct ReceivedManifest {
    /// The manifest as a JavaScript object.
    pub whole: JsValue,
    /// The part that a session acts on.
    pub read: SessionManifest,
}

impl ReceivedManifest {
    /// Reads the session's part of a manifest.
    ///
    /// # Errors
    /// It is no JSON, or not of this form.
    pub fn parse(json: &str) -> Result<Self, serde_wasm_bindgen::Error> {
        let whole = js_sys::JSON::parse(json)?;
        Ok(Self { read: js::from_js(whole.clone())?, whole })
    }

    /// [`crate::messages::FromWorker::Manifest`] with the whole.
    pub fn message(&self) -> JsValue {
        let (message, fields) = (Object::new(), Object::new());
        js::set(&fields, "manifest", &self.whole);
        js::set(&message, "manifest", &fields);
        message.into()
    }

    /// Says that the open round has `received` updates.
    pub fn set_received(&mut self, received: u32) {
        if let (Some(round), Some(object)) = (self.read.round.as_mut(), js::get(&self.whole, "round")) {
            round.received = received;
            js::set(object.unchecked_ref(), "received", &received.into());
        }
    }
}
