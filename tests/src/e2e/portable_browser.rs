//! Firefox and WebKit, by WebDriver alone. They show no film as a camera: the page's `getUserMedia` is replaced by one that
//! draws the portrait into a canvas, so that everything behind it is the real thing.

use std::path::PathBuf;
use std::process::Command;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::{Capabilities, WebDriver};

use super::page;
use super::process::{Process, family, free_port, kill_all};

/// A running browser with one window. It ends when dropped.
pub struct PortableBrowser {
    driver: WebDriver,
    /// On the command line of the browser's processes, or of one that they descend from.
    argument: String,
    _process: Process,
    _folder: TempDir,
}

impl PortableBrowser {
    /// Starts geckodriver and a Firefox.
    pub async fn firefox() -> Self {
        let folder = tempfile::tempdir().expect("the folder for temporary files can be written");
        let port = free_port();
        let profile = folder.path().join("profile");
        std::fs::create_dir(&profile).expect("a new folder can be written");
        let profile = profile.display().to_string();
        let mut command = Command::new("geckodriver");
        command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        let options = json!({
            "binary": "/usr/bin/firefox-esr",
            "args": ["-headless", "-profile", profile, "--width=1280", "--height=900"],
        });
        let capabilities = json!({ "browserName": "firefox", "moz:firefoxOptions": options });
        Self::start(command, capabilities, port, profile, folder).await
    }

    /// Starts WebKit's driver and its small browser for GTK, on a display in memory.
    pub async fn webkit() -> Self {
        let folder = tempfile::tempdir().expect("the folder for temporary files can be written");
        let port = free_port();
        let argument = format!("--port={port}");
        let mut command = Command::new("xvfb-run");
        command.args(["--auto-servernum", "--server-args=-screen 0 1280x900x24", "WebKitWebDriver", &argument]);
        let options = json!({ "binary": mini_browser(), "args": ["--automation"] });
        let capabilities = json!({ "browserName": "MiniBrowser", "webkitgtk:browserOptions": options });
        Self::start(command, capabilities, port, argument, folder).await
    }

    async fn start(mut command: Command, capabilities: Value, port: u16, argument: String, folder: TempDir) -> Self {
        command.env("HOME", folder.path()).env("TMPDIR", folder.path());
        let mut process = Process::start(&mut command, &folder.path().join("driver.log"));
        let capabilities: Capabilities = serde_json::from_value(capabilities).expect("capabilities are an object");
        let server = format!("http://127.0.0.1:{port}");
        let driver = page::connect(&server, capabilities, || process.has_ended().then(|| process.output())).await;
        Self { driver, argument, _process: process, _folder: folder }
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
             // Not of `navigator.mediaDevices`, which WebKit makes anew when nothing refers to it.
             MediaDevices.prototype.getUserMedia = async () => {{ await image.decode(); return canvas.captureStream(10); }};
             return true",
            json!(format!("data:image/png;base64,{}", base64(&png)))
        );
        assert!(self.script::<bool>(&replaced).await);
    }
}

impl Drop for PortableBrowser {
    fn drop(&mut self) {
        // The browser outlives its driver, so it has to be found by a command line.
        let ids: Vec<u32> = family(&self.argument).into_iter().map(|(id, _)| id).collect();
        kill_all(&ids);
        let _ = self.driver.clone().leak();
    }
}

/// Where Debian has the browser that WebKit's driver starts.
fn mini_browser() -> PathBuf {
    let libraries = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let candidates = libraries.flat_map(|folder| {
        ["webkit2gtk-4.1", "webkit2gtk-4.0"].map(|version| folder.join(version).join("MiniBrowser"))
    });
    let found = candidates.into_iter().find(|file| file.exists());
    found.expect("WebKit's MiniBrowser is installed; way out: `make setup`")
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
