//! A Chromium of its own for each student: own camera film, own profile, own recording proxy.

use std::process::Command;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::{By, ChromiumLikeCapabilities, DesiredCapabilities, LoggingPrefsLogLevel, WebDriver};

use super::camera::Film;
use super::process::{Process, family, free_port, kill_all};
use super::proxy::Proxy;
use super::{page, path_from_env};

/// How the browser answers when the page asks for the camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Camera {
    /// It is granted and shows the film.
    Granted(Film),
    /// It exists but is refused, until [`Browser::grant_camera`].
    Refused,
    /// The machine has none.
    Missing,
}

/// One of a browser's tabs.
pub type Tab = thirtyfour::WindowHandle;

/// A running Chromium with one window. It ends, with everything it started, when dropped; where that happens in a
/// failing test, its state is printed first.
pub struct Browser {
    driver: WebDriver,
    proxy: Proxy,
    /// Part of the command line of every process of this browser.
    profile_argument: String,
    session_url: String,
    _chromedriver: Process,
    _folder: TempDir,
}

/// Switches for every browser: headless, WebGPU without a card, all traffic through the proxy, and as little as possible of
/// what Chromium sends on its own account. What is left of that goes to names that only Chromium is told
/// ([`super::proxy::BROWSERS_OWN`]), so that it cannot be confused with what a page sends.
const SWITCHES: [&str; 21] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--enable-unsafe-webgpu",
    "--window-size=1280,900",
    "--proxy-bypass-list=<-loopback>",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-client-side-phishing-detection",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-quic",
    "--disable-sync",
    "--disable-features=NetworkTimeServiceQuerying,AutofillServerCommunication,OptimizationHints,MediaRouter,Translate",
    "--allow-browser-signin=false",
    "--gaia-url=http://accounts.chromium.invalid",
    "--google-apis-url=http://apis.chromium.invalid",
    "--component-updater=url-source=http://update.chromium.invalid/",
];

impl Browser {
    /// Starts chromedriver and a browser with `camera`.
    pub async fn start(camera: Camera) -> Self {
        let folder = tempfile::tempdir().expect("the folder for temporary files can be written");
        let proxy = Proxy::start().await.expect("loopback has a free port");
        let port = free_port();
        let log = folder.path().join("chromedriver.log");
        let mut chromedriver = Process::start(Command::new("chromedriver").arg(format!("--port={port}")), &log);

        let film = folder.path().join("film.y4m");
        let profile_argument = format!("--user-data-dir={}", folder.path().join("profile").display());
        let mut arguments: Vec<String> = SWITCHES.map(String::from).into();
        arguments.push(profile_argument.clone());
        arguments.push(format!("--proxy-server={}", proxy.address()));
        if camera != Camera::Missing {
            let shown = if let Camera::Granted(film) = camera { film } else { Film::Portrait(0) };
            shown.write(&film).expect("the fixture can be read and the film written");
            arguments.push("--use-fake-device-for-media-stream".into());
            arguments.push(format!("--use-file-for-fake-video-capture={}", film.display()));
        }
        if camera != Camera::Refused {
            arguments.push("--use-fake-ui-for-media-stream".into());
        }
        let mut capabilities = DesiredCapabilities::chrome();
        for argument in &arguments {
            capabilities.add_arg(argument).expect("a string is JSON");
        }
        // Otherwise the first window is the start page of Debian's search engine.
        let preferences = json!({ "session.restore_on_startup": 4, "session.startup_urls": ["about:blank"] });
        capabilities.add_experimental_option("prefs", preferences).expect("it is JSON");
        capabilities.set_browser_log_level(LoggingPrefsLogLevel::All).expect("a level is JSON");

        let server = format!("http://127.0.0.1:{port}");
        let has_ended = || chromedriver.has_ended().then(|| chromedriver.output());
        let driver = page::connect(&server, capabilities, has_ended).await;
        let session_url = format!("{server}/session/{}", driver.session_id());
        let browser =
            Self { driver, proxy, profile_argument, session_url, _chromedriver: chromedriver, _folder: folder };
        if camera == Camera::Refused {
            browser.set_camera_permission("denied").await;
        }
        browser
    }

    /// What this browser sends, and what happens on the way.
    pub fn proxy(&self) -> &Proxy {
        &self.proxy
    }

    /// Loads `url` in the current window.
    pub async fn open(&self, url: &str) {
        self.driver.goto(url).await.unwrap_or_else(|error| panic!("cannot open {url}: {error}"));
    }

    /// Opens a new tab, which is looked at from now on.
    pub async fn new_tab(&self) -> Tab {
        let tab = self.driver.new_tab().await.expect("the browser opens a tab");
        self.look_at(&tab).await;
        tab
    }

    /// The tab that is looked at.
    pub async fn tab(&self) -> Tab {
        self.driver.window().await.expect("there is a tab")
    }

    /// All tabs.
    pub async fn tabs(&self) -> Vec<Tab> {
        self.driver.windows().await.expect("the browser tells its tabs")
    }

    /// Looks at another tab: brings it to the front, and runs scripts there.
    pub async fn look_at(&self, tab: &Tab) {
        self.driver.switch_to_window(tab.clone()).await.expect("the tab is there");
        self.devtools("Page.bringToFront", json!({})).await;
    }

    /// Closes the tab that is looked at, and looks at `next`.
    pub async fn close_tab(&self, next: &Tab) {
        self.driver.close_window().await.expect("the tab can be closed");
        self.look_at(next).await;
    }

    /// Loads the page anew.
    pub async fn reload(&self) {
        self.driver.refresh().await.expect("the page can be reloaded");
    }

    /// Waits until the page's service worker has kept its files.
    pub async fn wait_for_service_worker(&self) {
        let is_active = "navigator.serviceWorker.ready.then(ready => ready.active.state === 'activated')";
        self.wait::<bool>("the service worker", 30, is_active).await;
    }

    /// Has the browser load the page's files anew from now on: ends the service worker, and empties all caches of files.
    pub async fn drop_page_files(&self) {
        let script = "return (async () => {
            const ready = await navigator.serviceWorker.ready;
            for (const name of await caches.keys()) if (name.startsWith('page-')) await caches.delete(name);
            return ready.unregister();
        })();";
        assert!(self.script::<bool>(script).await, "there was a service worker");
        self.devtools("Network.clearBrowserCache", json!({})).await;
    }

    /// Runs `body`, JavaScript with a `return`, in the page.
    pub async fn script<T: DeserializeOwned>(&self, body: &str) -> T {
        page::script(&self.driver, body).await
    }

    /// Waits until `expression`, JavaScript, is truthy, and returns its value.
    pub async fn wait<T: DeserializeOwned>(&self, what: &str, limit_s: u64, expression: &str) -> T {
        page::wait(&self.driver, what, limit_s, expression).await
    }

    /// Clicks the element that `selector` finds, once it is shown and enabled.
    pub async fn click(&self, selector: &str) {
        page::click(&self.driver, selector).await;
    }

    /// The visible text of the first element that `selector` finds, empty where there is none.
    pub async fn text(&self, selector: &str) -> String {
        self.script(&format!("return document.querySelector({selector:?})?.innerText ?? ''")).await
    }

    /// A command of the Chrome DevTools Protocol.
    pub async fn devtools(&self, method: &str, parameters: Value) -> Value {
        let answer = self.driver.cdp().send_raw(method, parameters).await;
        answer.unwrap_or_else(|error| panic!("{method} failed: {error}"))
    }

    /// What axe-core finds wrong with what the page shows now: rule and elements.
    pub async fn accessibility_violations(&self) -> Vec<String> {
        let file = path_from_env("EMOFED_NODE_MODULES").join("axe-core/axe.min.js");
        let axe = std::fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("{}: {error}; way out: `make setup`", file.display()));
        let run = "return axe.run().then(found => found.violations.map(violation =>
            violation.id + ': ' + violation.nodes.map(node => node.target.join(' ')).join(', ')))";
        self.script(&format!("{axe};\n{run}")).await
    }

    /// Looks into the frame that `selector` finds, or out of it again.
    pub async fn look_into(&self, selector: Option<&str>) {
        let frame = async {
            match selector {
                None => self.driver.enter_default_frame().await,
                Some(selector) => self.driver.find(By::Css(selector)).await?.enter_frame().await,
            }
        };
        frame.await.expect("the frame is there");
    }

    /// Presses keys on the element that `selector` finds.
    pub async fn press(&self, selector: &str, keys: &str) {
        let pressed = async { self.driver.find(By::Css(selector)).await?.send_keys(keys).await };
        pressed.await.expect("the element is there and takes keys");
    }

    /// A picture of the window, as PNG.
    pub async fn screenshot(&self) -> Vec<u8> {
        self.driver.screenshot_as_png().await.expect("the browser takes a picture")
    }

    /// From now on the page gets the camera that was refused before.
    pub async fn grant_camera(&self) {
        self.set_camera_permission("granted").await;
    }

    async fn set_camera_permission(&self, setting: &str) {
        let parameters = json!({ "permission": { "name": "camera" }, "setting": setting });
        self.devtools("Browser.setPermission", parameters).await;
    }

    /// Crashes the browser's GPU process, and with it every WebGPU device.
    pub fn kill_gpu_process(&self) {
        let family = family(&self.profile_argument);
        let gpu: Vec<u32> =
            family.iter().filter(|(_, command)| command.contains("--type=gpu-process")).map(|(id, _)| *id).collect();
        assert!(!gpu.is_empty(), "no GPU process among {family:?}");
        kill_all(&gpu);
    }

    /// What pages wrote to the console as errors, but for requests that failed, which the browser writes there.
    async fn console_errors(session_url: &str) -> Result<Vec<String>, reqwest::Error> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).no_proxy().build()?;
        let url = format!("{session_url}/se/log");
        let log: Value = client.post(url).json(&json!({ "type": "browser" })).send().await?.json().await?;
        let entries = log["value"].as_array().into_iter().flatten();
        let errors = entries.filter(|entry| entry["level"] == "SEVERE" && entry["source"] != "network");
        let messages = errors.map(|entry| entry["message"].to_string());
        // That a page may not be in a frame is what a test wants to see.
        Ok(messages.filter(|message| !message.contains("frame-ancestors")).collect())
    }

    /// Prints what the page shows and what it wrote to the console.
    async fn print_state(session_url: &str) -> Result<(), reqwest::Error> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).no_proxy().build()?;
        let post = async |call: &str, body: Value| -> Result<Value, reqwest::Error> {
            client.post(format!("{session_url}/{call}")).json(&body).send().await?.json().await
        };
        let script = "return [location.href, document.body?.innerText,
            ...[...document.querySelectorAll('[data-version], [data-round], [data-backend], [data-label]')]
                .map(e => e.id + JSON.stringify(e.dataset))].join('\\n')";
        let page = post("execute/sync", json!({ "script": script, "args": [] })).await?;
        eprintln!("--- the page\n{}", page["value"].as_str().unwrap_or(&page.to_string()));
        let log = post("se/log", json!({ "type": "browser" })).await?;
        eprintln!("--- its console");
        for entry in log["value"].as_array().into_iter().flatten() {
            eprintln!("{} {}", entry["level"].as_str().unwrap_or_default(), entry["message"]);
        }
        Ok(())
    }
}

impl Browser {
    fn last_console_errors(&self) -> Vec<String> {
        let session_url = self.session_url.clone();
        // The test's own runtime cannot be waited for here.
        let read = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be started").block_on(Self::console_errors(&session_url))
        });
        read.join().expect("reading the console does not panic").expect("the browser tells its console")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let session_url = self.session_url.clone();
            // The test's own runtime is unwinding.
            let printed = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.expect("a runtime can be started").block_on(Self::print_state(&session_url))
            });
            match printed.join() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => eprintln!("--- the page's state cannot be had: {error}"),
                Err(_) => eprintln!("--- the page's state cannot be had"),
            }
            eprintln!("--- what the browser sent");
            for exchange in self.proxy.exchanges() {
                let status = exchange.status.map_or("no answer".to_owned(), |status| status.to_string());
                eprintln!("{} {} ({} bytes) → {status}", exchange.method, exchange.url, exchange.body.len());
            }
        }
        let errors = if std::thread::panicking() { Vec::new() } else { self.last_console_errors() };
        // Chromium leaves chromedriver's process group, so it has to be found by its profile.
        let ids: Vec<u32> = family(&self.profile_argument).into_iter().map(|(id, _)| id).collect();
        kill_all(&ids);
        let _ = self.driver.clone().leak();
        assert!(errors.is_empty(), "the console has errors: {errors:#?}");
    }
}
