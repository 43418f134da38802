//! Firefox and WebKit, by WebDriver alone. Neither shows a film as a camera: the page's `getUserMedia` is replaced by one that
//! draws the portrait into a canvas, so that everything behind it is the real thing.

use std::process::Command;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::{Capabilities, WebDriver};

use super::page;
use super::process::{Process, free_port};

/// A browser engine other than Chromium's.
#[derive(Clone, Copy, Debug)]
pub enum Engine {
    /// Mozilla's, in Debian's `firefox-esr`.
    Gecko,
    /// WebKitGTK's, in Debian's `webkit2gtk-driver`.
    WebKit,
}

/// A running browser with one window. It ends when dropped.
pub struct OtherBrowser {
    driver: WebDriver,
    _process: Process,
    _folder: TempDir,
}

impl OtherBrowser {
    /// Starts the engine's driver and a browser.
    pub async fn start(engine: Engine) -> Self {
        let folder = tempfile::tempdir().expect("the folder for temporary files can be written");
        let port = free_port();
        let (mut command, capabilities) = match engine {
            Engine::Gecko => {
                let mut command = Command::new("geckodriver");
                command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
                let options = json!({
                    "binary": "/usr/bin/firefox-esr",
                    "args": ["-headless", "--width=1280", "--height=900"],
                });
                (command, json!({ "browserName": "firefox", "moz:firefoxOptions": options }))
            }
            Engine::WebKit => {
                let mut command = Command::new("WebKitWebDriver");
                command.args(["--host=127.0.0.1", &format!("--port={port}")]);
                (command, json!({ "browserName": "MiniBrowser" }))
            }
        };
        command.env("HOME", folder.path()).env("TMPDIR", folder.path());
        let mut process = Process::start(&mut command, &folder.path().join("driver.log"));
        let capabilities: Capabilities = serde_json::from_value(capabilities).expect("capabilities are an object");
        let server = format!("http://127.0.0.1:{port}");
        let driver = page::connect(&server, capabilities, || process.has_ended().then(|| process.output())).await;
        Self { driver, _process: process, _folder: folder }
    }

    /// Loads `url`.
    pub async fn open(&self, url: &str) {
        self.driver.goto(url).await.expect("the page can be opened");
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

    /// From now on the page's camera shows the portrait, which sways a little.
    pub async fn make_camera(&self) {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/astronaut.png");
        let png = std::fs::read(file).expect("the fixture can be read");
        let replaced = format!(
            "const image = new Image(); image.src = {};
             const canvas = Object.assign(document.createElement('canvas'), {{ width: 640, height: 480 }});
             const context = canvas.getContext('2d');
             let frame = 0;
             setInterval(() => {{
                 frame += 1;
                 context.drawImage(image, 60 + 8 * Math.sin(frame / 9), 4 * Math.sin(frame / 7), 512, 512);
             }}, 100);
             navigator.mediaDevices.getUserMedia = async () => {{ await image.decode(); return canvas.captureStream(10); }};
             return true",
            json!(format!("data:image/png;base64,{}", base64(&png)))
        );
        assert!(self.script::<bool>(&replaced).await);
    }

    /// Prints what the page shows.
    pub async fn print_state(&self) {
        let state: Value = self.script("return [navigator.userAgent, document.body.innerText]").await;
        eprintln!("{state:#}");
    }
}

impl Drop for OtherBrowser {
    fn drop(&mut self) {
        // The driver ends its browser with the session; both end with the process.
        let _ = self.driver.clone().leak();
    }
}

/// `bytes` in base 64 (RFC 4648), for a data URL.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len() / 3 * 4 + 4);
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let is_padding = digit > chunk.len();
            text.push(if is_padding { '=' } else { char::from(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize]) });
        }
    }
    text
}
