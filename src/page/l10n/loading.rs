//! Fetching the catalogues, the language's choice, and the switch in the header.

use std::cell::Cell;

use gloo::timers::future::TimeoutFuture;
use gloo::utils::{body, window};
use wasm_bindgen_futures::spawn_local;
use web_sys::HtmlSelectElement;

use super::catalogue::Catalogue;
use super::language::Language;
use super::{live, markup, set_catalogues};
use crate::browser::backoff::Backoff;
use crate::browser::js;
use crate::browser::request::Request;
use crate::browser::timeout::SHORT_MS;
use crate::page::dom;

/// In the browser's local storage, once the language was chosen by hand.
const KEY: &str = "emofed.language";
/// The language switch.
const SWITCH: &str = "language";
/// How often a catalogue other than the English one is asked for, before English takes its place.
const ATTEMPTS: u32 = 4;

thread_local! {
    /// Counts switches: a later one wins, whichever catalogue comes first.
    static TURN: Cell<u64> = const { Cell::new(0) };
}

/// Loads the language of the page, and then starts what needs it.
pub fn start(then: impl FnOnce() + 'static) {
    spawn_local(async {
        let saved = dom::local_storage().and_then(|storage| storage.get_item(KEY).ok().flatten());
        switch_to(Language::choose(saved.as_deref(), &preferred())).await;
        dom::on(SWITCH, "change", |_| {
            let chosen = dom::get::<HtmlSelectElement>(SWITCH).value();
            if let Some(language) = Language::of_tag(&chosen) {
                if let Some(storage) = dom::local_storage() {
                    // Where the browser refuses, the language is the browser's own again after a reload.
                    let _ = storage.set_item(KEY, language.tag());
                }
                spawn_local(switch_to(language));
            }
        });
        then();
    });
}

/// Deletes the choice: with *Forget me*, nothing stays on the device. The language stays until the page is left.
pub fn forget_choice() {
    if let Some(storage) = dom::local_storage() {
        let _ = storage.remove_item(KEY);
    }
}

/// Everything that is visible is shown in this language, unless another one is chosen meanwhile.
async fn switch_to(language: Language) {
    let turn = TURN.get() + 1;
    TURN.set(turn);
    let mut catalogues = Vec::new();
    if language != Language::English {
        catalogues.extend(load(language, ATTEMPTS).await);
    }
    catalogues.extend(load(Language::English, u32::MAX).await);
    if TURN.get() != turn {
        return;
    }
    // Not the language that was wanted, if its catalogue did not come.
    let language = catalogues.first().map_or(Language::English, Catalogue::language);
    set_catalogues(catalogues);
    markup::translate(language);
    dom::get::<HtmlSelectElement>(SWITCH).set_value(language.tag());
    live::show_again();
}

/// Fetches a catalogue; while it does not come, the page shows the banner of `start.js`. The page needs that in English as it needs its other files, and waits for it.
async fn load(language: Language, attempts: u32) -> Option<Catalogue> {
    let path = js::page_file(&format!("locales/{}.ftl", language.tag()));
    let mut backoff = Backoff::default();
    for _ in 0..attempts {
        if let Some(source) = fetch(&path).await {
            if backoff.has_failed() {
                body().set_class_name("");
            }
            // A test finds every mistake in the catalogues.
            return Some(Catalogue::parse(language, language.locale(&preferred()), &source).0);
        }
        body().set_class_name("unloaded");
        let delay_ms = backoff.next_ms(js_sys::Math::random(), None);
        TimeoutFuture::new(u32::try_from(delay_ms).unwrap_or(u32::MAX)).await;
    }
    None
}

async fn fetch(path: &str) -> Option<String> {
    Request::get(path, SHORT_MS).send().await.ok()?.accept().await.ok()?.text().await.ok()
}

/// The languages that the browser's user prefers, as BCP 47 tags.
fn preferred() -> Vec<String> {
    window().navigator().languages().iter().filter_map(|tag| tag.as_string()).collect()
}
