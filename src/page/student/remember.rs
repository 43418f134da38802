//! What the student chose, remembered over a reload of this tab and no longer.

use serde::{Deserialize, Serialize};

use crate::page::dom;
use crate::tab::message::EngineChoice;

const KEY: &str = "emofed.session";

/// The choices of a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remembered {
    /// Names the tab: a copy of it, which has these choices too, is another one.
    pub tab: String,
    /// The code of the class.
    pub join_code: String,
    /// Where models shall run.
    pub engine: EngineChoice,
    /// Whether to contribute.
    pub contribute: bool,
    /// Whether the camera is paused.
    pub paused: bool,
    /// Whether the key P pauses.
    #[serde(default = "on")]
    pub pause_key: bool,
}

fn on() -> bool {
    true
}

/// A name for a tab in which the student agrees.
pub fn new_tab() -> String {
    let part = || (js_sys::Math::random() * f64::from(u32::MAX)) as u32;
    format!("{:08x}{:08x}{:08x}", part(), part(), part())
}

impl Remembered {
    /// The choices before the reload, for the class that the address names.
    pub fn load() -> Option<Self> {
        let json = dom::session_storage()?.get_item(KEY).ok()??;
        let remembered: Self = serde_json::from_str(&json).ok()?;
        dom::fragment("join").is_none_or(|code| code == remembered.join_code).then_some(remembered)
    }

    /// Remembers. A browser that does not lets the student choose again after a reload.
    pub fn save(&self) {
        if let (Some(storage), Ok(json)) = (dom::session_storage(), serde_json::to_string(self)) {
            let _ = storage.set_item(KEY, &json);
        }
    }

    /// Forgets.
    pub fn forget() {
        if let Some(storage) = dom::session_storage() {
            let _ = storage.remove_item(KEY);
        }
    }
}
