//! The student's choices, in the tab's session storage: they survive a reload of this tab, and no longer.

use serde::{Deserialize, Serialize};

use crate::browser::js;
use crate::messages::BackendChoice;
use crate::page::dom;

const KEY: &str = "emofed.session";

/// The student's choices in this tab.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionChoices {
    /// Identifies the tab: a duplicate of it has these choices, too, and must not use them.
    pub tab: String,
    /// The join code.
    pub join_code: String,
    /// Where the backbone shall run.
    pub backend: BackendChoice,
    /// Whether the student has opted in to contributing.
    pub contribute: bool,
    /// Whether the camera is paused.
    pub paused: bool,
    /// Whether clips may be kept on the device over a reload.
    #[serde(default)]
    pub keep_clips: bool,
    /// Whether the student has opted in to sending client metrics with an update.
    #[serde(default)]
    pub share_metrics: bool,
    /// Whether the key P pauses.
    #[serde(default = "on")]
    pub pause_key: bool,
}

fn on() -> bool {
    true
}

/// An identifier for a tab in which the student agrees.
pub fn new_tab_id() -> String {
    let part = || (js_sys::Math::random() * f64::from(u32::MAX)) as u32;
    format!("{:08x}{:08x}{:08x}", part(), part(), part())
}

impl SessionChoices {
    /// The choices before a reload, if the address has the same join code.
    pub fn load() -> Option<Self> {
        let json = dom::session_storage()?.get_item(&js::of_federation(KEY)).ok()??;
        let choices: Self = js::from_json(&json).ok()?;
        dom::fragment("join").is_none_or(|code| code == choices.join_code).then_some(choices)
    }

    /// Stores them. Where the browser refuses, the student chooses again after a reload.
    pub fn save(&self) {
        if let (Some(storage), Ok(json)) = (dom::session_storage(), js::to_json(self)) {
            let _ = storage.set_item(&js::of_federation(KEY), &json);
        }
    }

    /// Deletes them.
    pub fn delete() {
        if let Some(storage) = dom::session_storage() {
            let _ = storage.remove_item(&js::of_federation(KEY));
        }
    }
}
