//! A student: a browser on the student's page, and what a person would see and do there.

use std::time::{Duration, Instant};

use emofed::emotion::Emotion;
use emofed::protocol::{ClientUpdate, path};
use hyper::Method;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::sleep;

use super::browser::{Browser, Camera};
use super::proxy::Exchange;

/// A student's browser, with the page open.
pub struct Student {
    browser: Browser,
}

/// How smoothly the page ran while it was watched.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Smoothness {
    /// Longest time between two animation frames, in milliseconds.
    pub longest_gap_ms: f64,
    /// 95 % of those times were shorter than this.
    pub gap_p95_ms: f64,
    /// Tasks on the page's thread that took longer than 50 ms.
    pub long_tasks: usize,
    /// The longest of them, in milliseconds.
    pub longest_task_ms: f64,
}

impl Student {
    /// The address of the page with models on `backend`.
    pub fn address(link: &str, backend: &str) -> String {
        format!("{link}&backend={backend}")
    }

    /// Opens `link` in a browser of its own, with models on `backend` (`cpu`, `webgpu` or `auto`).
    pub async fn open(link: &str, backend: &str, camera: Camera) -> Self {
        Self::open_in(Browser::start(camera).await, link, backend).await
    }

    /// The student whose page `browser` shows.
    pub fn in_browser(browser: Browser) -> Self {
        Self { browser }
    }

    /// Opens `link` in `browser`.
    pub async fn open_in(browser: Browser, link: &str, backend: &str) -> Self {
        let student = Self { browser };
        student.open_here(link, backend).await;
        student
    }

    /// Opens `link` in the tab that is looked at.
    pub async fn open_here(&self, link: &str, backend: &str) {
        self.browser.open(&Self::address(link, backend)).await;
        let shown =
            "!!document.querySelector('#consent')?.checkVisibility() && !document.querySelector('#join').disabled";
        self.browser.wait::<bool>("the consent screen", 60, shown).await;
    }

    /// Waits until the element with this id is shown.
    pub async fn wait_for_section(&self, id: &str) {
        self.wait_for_section_within(id, 30).await;
    }

    /// The same, for so many seconds.
    pub async fn wait_for_section_within(&self, id: &str, limit_s: u64) {
        let shown = format!("!!document.getElementById({id:?})?.checkVisibility()");
        self.browser.wait::<bool>(&format!("#{id}"), limit_s, &shown).await;
    }

    /// Whether a camera's stream is open in the tab that is looked at.
    pub async fn camera_is_on(&self) -> bool {
        self.browser.script("return document.querySelector('#camera').srcObject !== null").await
    }

    /// Asks to be forgotten by the button with this id.
    pub async fn forget(&self, button: &str) {
        self.browser.click(&format!("#{button}")).await;
        self.browser.click("#forget-confirm").await;
        self.wait_for_section("left").await;
    }

    /// What the page keeps in the Cache API beside its own files, as sorted paths.
    pub async fn kept_on_the_device(&self) -> Vec<String> {
        let script = "return (async () => {
            const requests = [];
            for (const name of await caches.keys()) if (!name.startsWith('page-')) requests.push(...await (await caches.open(name)).keys());
            return requests.map(request => new URL(request.url).pathname).sort();
        })();";
        self.browser.script(script).await
    }

    /// Opens `link` on the CPU, consents and waits until the models are loaded.
    pub async fn join(link: &str, camera: Camera) -> Self {
        let student = Self::open(link, "cpu", camera).await;
        student.consent().await;
        student.wait_for_backend("cpu").await;
        student
    }

    /// The browser, for what only one test does.
    pub fn browser(&self) -> &Browser {
        &self.browser
    }

    /// Consents to taking part.
    pub async fn consent(&self) {
        self.browser.click("#join").await;
    }

    /// Opts in to contributing, or out again.
    pub async fn contribute(&self) {
        self.browser.click("#contribute").await;
    }

    /// Waits until the models run on `backend`, and returns the page's words about it.
    pub async fn wait_for_backend(&self, backend: &str) -> String {
        let element = format!("document.querySelector('#backend-report[data-backend={backend}]')?.innerText");
        self.browser.wait(&format!("models on the backend {backend}"), 120, &element).await
    }

    /// Waits until a face is framed and the bars of all six emotions show its probabilities.
    pub async fn wait_for_expressions(&self) {
        let shown = "document.querySelectorAll('#expressions [data-emotion]').length === 6 \
                     && !document.querySelector('#face-box').hidden";
        self.browser.wait::<bool>("a face box and six probabilities", 60, shown).await;
    }

    /// Waits for the first clip and returns the emotion it was labelled with, and whether it was kept.
    pub async fn wait_for_first_clip(&self) -> (Emotion, bool) {
        let clip = "(e => e && [e.dataset.label, e.dataset.kept])\
                    ([...document.querySelectorAll('#clip-list > li[data-label]')].at(-1))";
        let (label, kept): (String, String) = self.browser.wait("the first clip", 90, clip).await;
        let emotion = serde_json::from_value(Value::from(label.as_str()));
        (emotion.unwrap_or_else(|_| panic!("`{label}` is no emotion")), kept == "true")
    }

    /// How many clips the page says it has kept so far.
    pub async fn clips_kept(&self) -> u32 {
        self.browser.text("#clips-kept").await.trim().parse().expect("the number of kept clips is shown")
    }

    /// Waits until at least `count` clips have been kept.
    pub async fn wait_for_clips(&self, count: u32) {
        let enough = format!("+document.querySelector('#clips-kept').innerText >= {count}");
        self.browser.wait::<bool>(&format!("{count} kept clips"), 120, &enough).await;
    }

    /// How many clips have ended, kept or not, of those that are still listed.
    pub async fn clips_listed(&self) -> usize {
        self.browser.script("return document.querySelectorAll('#clip-list > li').length").await
    }

    /// Waits until the update's state is `state`, and returns the words about it.
    pub async fn wait_for_upload_state(&self, state: &str) -> String {
        let shown = format!("document.querySelector('#upload[data-state={state}]')?.innerText");
        self.browser.wait(&format!("the update to be {state}"), 60, &shown).await
    }

    /// Checks that the element with this id has the focus.
    pub async fn assert_focus(&self, id: &str) {
        let focused = format!("document.activeElement?.id === {id:?}");
        self.browser.wait::<bool>(&format!("the focus on #{id}"), 5, &focused).await;
    }

    /// Waits until the tab uses version `version` of the global model or a later one.
    pub async fn wait_for_version(&self, version: u64) {
        let adopted = format!("+document.querySelector('#model-version').dataset.version >= {version}");
        self.browser.wait::<bool>(&format!("version {version} of the model"), 180, &adopted).await;
    }

    /// The version of the global model that the tab uses.
    pub async fn version(&self) -> u64 {
        self.browser.script("return +document.querySelector('#model-version').dataset.version").await
    }

    /// Corrects the join code on the consent screen.
    pub async fn type_join_code(&self, code: &str) {
        let script = format!(
            "const field = document.querySelector('#join-code');
             field.value = {code:?};
             for (const kind of ['input', 'change']) field.dispatchEvent(new Event(kind, {{ bubbles: true }}));"
        );
        self.browser.script::<Value>(&script).await;
    }

    /// Waits until the page says `words` (in any case) about the face it looks for.
    pub async fn wait_for_face_status(&self, words: &str) {
        let shown = format!("document.querySelector('#face-status').innerText.toLowerCase().includes({words:?})");
        self.browser.wait::<bool>(&format!("“{words}” about the face"), 60, &shown).await;
    }

    /// Waits until frames are looked at, with a face or without.
    pub async fn wait_for_frames(&self) {
        self.browser.wait::<f64>("frames", 60, "parseFloat(document.querySelector('#fps').innerText)").await;
    }

    /// Checks that for `seconds` no clip ends, though frames are looked at.
    pub async fn assert_no_clips_for(&self, seconds: u64) {
        self.wait_for_frames().await;
        sleep(Duration::from_secs(seconds)).await;
        assert_eq!(self.clips_listed().await, 0);
    }

    /// Waits until the page says whether the aggregator answers.
    pub async fn wait_for_connection(&self, online: bool) {
        let shown = format!("document.querySelector('#connection').dataset.online === '{online}'");
        self.browser.wait::<bool>(&format!("online: {online}"), 120, &shown).await;
    }

    /// Waits until a client update is ready, but not acknowledged.
    pub async fn wait_for_pending_update(&self) {
        let shown = "document.querySelector('#upload').dataset.state === 'sending'";
        self.browser.wait::<bool>("a pending update", 120, shown).await;
    }

    /// From now on remembers each version that the tab uses.
    pub async fn watch_versions(&self) {
        let script = "
            const shown = document.querySelector('#model-version');
            const versions = window.emofedVersions = [+shown.dataset.version];
            new MutationObserver(() => versions.at(-1) === +shown.dataset.version || versions.push(+shown.dataset.version))
                .observe(shown, { attributes: true });";
        self.browser.script::<Value>(script).await;
    }

    /// The versions since [`Self::watch_versions`], in order.
    pub async fn versions(&self) -> Vec<u64> {
        self.browser.script("return window.emofedVersions").await
    }

    /// Waits until the problem shown contains `words` (in any case), and returns all of it.
    pub async fn wait_for_problem(&self, words: &str, limit_s: u64) -> String {
        let words = words.to_lowercase();
        let text = "document.querySelector('#problem').innerText";
        let shown = format!("{text}.toLowerCase().includes({words:?}) && {text}");
        self.browser.wait(&format!("a problem about “{words}”"), limit_s, &shown).await
    }

    /// Waits until the page says `words` (in any case) in place of the camera's picture.
    pub async fn wait_for_camera_problem(&self, words: &str) {
        let words = words.to_lowercase();
        let shown = format!("document.querySelector('#camera-problem').innerText.toLowerCase().includes({words:?})");
        self.browser.wait::<bool>(&format!("“{words}” about the camera"), 60, &shown).await;
    }

    /// From now on measures how smoothly the page runs.
    pub async fn watch_smoothness(&self) {
        let script = "
            const seen = window.emofedSmoothness = { gaps: [], tasks: [] };
            let last = performance.now();
            const frame = now => { seen.gaps.push(now - last); last = now; requestAnimationFrame(frame); };
            requestAnimationFrame(now => { last = now; requestAnimationFrame(frame); });
            new PerformanceObserver(list => seen.tasks.push(...list.getEntries().map(entry => entry.duration)))
                .observe({ type: 'longtask' });";
        self.browser.script::<Value>(script).await;
    }

    /// What was measured since [`Self::watch_smoothness`].
    pub async fn smoothness(&self) -> Smoothness {
        let script = "
            const { gaps, tasks } = window.emofedSmoothness;
            const sorted = gaps.toSorted((a, b) => a - b);
            return {
                longest_gap_ms: sorted.at(-1) ?? 0,
                gap_p95_ms: sorted[Math.floor(sorted.length * 0.95)] ?? 0,
                long_tasks: tasks.length,
                longest_task_ms: Math.max(0, ...tasks),
            };";
        self.browser.script(script).await
    }

    /// Waits until the aggregator has acknowledged this student's update for `round`.
    pub async fn wait_for_acknowledgement(&self, round: u64) {
        let start = Instant::now();
        while self.acknowledged_updates(round).is_empty() {
            assert!(start.elapsed() < Duration::from_secs(180), "no acknowledged update for round {round}");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// The client updates for `round` that the aggregator acknowledged, as they were sent.
    pub fn acknowledged_updates(&self, round: u64) -> Vec<ClientUpdate> {
        let bodies = self.browser.proxy().exchanges().into_iter().filter(|exchange| is_acknowledged(exchange, round));
        bodies
            .map(|exchange| ClientUpdate::decode(&exchange.body).expect("what was acknowledged is an update"))
            .collect()
    }
}

fn is_acknowledged(exchange: &Exchange, round: u64) -> bool {
    exchange.method == Method::PUT
        && exchange.url.path() == path::update(round)
        && exchange.status.is_some_and(|status| status.is_success())
}
