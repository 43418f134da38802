//! What a test does with a page in any browser, by WebDriver alone.

use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use thirtyfour::WebDriver;
use tokio::time::sleep;

/// Runs `body`, JavaScript with a `return`, in the page.
pub(super) async fn script<T: DeserializeOwned>(driver: &WebDriver, body: &str) -> T {
    let result = driver.execute(body, Vec::new()).await;
    let result = result.unwrap_or_else(|error| panic!("the page could not run `{body}`: {error}"));
    result.convert().unwrap_or_else(|error| panic!("`{body}` gave something else than expected: {error}"))
}

/// Waits until `expression`, JavaScript, is truthy, and returns its value.
pub(super) async fn wait<T: DeserializeOwned>(driver: &WebDriver, what: &str, limit_s: u64, expression: &str) -> T {
    let start = Instant::now();
    loop {
        let value: Value = script(driver, &format!("return ({expression})")).await;
        let truthy = !(value.is_null() || value == json!(false) || value == json!("") || value == json!(0));
        if truthy {
            return serde_json::from_value(value)
                .unwrap_or_else(|error| panic!("{what}: `{expression}` gave something else: {error}"));
        }
        assert!(start.elapsed().as_secs() < limit_s, "waited {limit_s} s in vain for {what} (`{expression}`)");
        sleep(Duration::from_millis(200)).await;
    }
}

/// Clicks the element that `selector` finds, once it is shown and enabled.
pub(super) async fn click(driver: &WebDriver, selector: &str) {
    let element = format!("document.querySelector({selector:?})");
    let ready = format!("(e => e && e.checkVisibility() && !e.disabled)({element})");
    wait::<bool>(driver, &format!("{selector} to be clickable"), 20, &ready).await;
    script::<Value>(driver, &format!("{element}.click()")).await;
}

/// Waits until the browser that `capabilities` describe has been started by the driver at `server`. `has_ended` says whether
/// the driver has given up.
pub(super) async fn connect(
    server: &str,
    capabilities: impl Into<thirtyfour::Capabilities> + Clone,
    mut has_ended: impl FnMut() -> Option<String>,
) -> WebDriver {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match WebDriver::new(server, capabilities.clone()).await {
            Ok(driver) => return driver,
            Err(error) => {
                let output = has_ended();
                assert!(
                    output.is_none() && Instant::now() < deadline,
                    "no browser could be started: {error}\n{}\nway out: `make setup`, and check that the browser and its \
                     driver are of the same version",
                    output.unwrap_or_default()
                );
            }
        }
        sleep(Duration::from_millis(200)).await;
    }
}
