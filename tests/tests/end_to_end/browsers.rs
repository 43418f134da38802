//! The way through a class (join, clips, training, upload, the new model) in other browsers than Chromium.

use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::other_browser::{Engine, OtherBrowser};

async fn a_class_of_one(engine: Engine) {
    let aggregator = Aggregator::start_with(&Aggregator::of_one()).await;
    let browser = OtherBrowser::start(engine).await;
    browser.open(aggregator.student_link()).await;
    browser.wait::<bool>("the consent screen", 60, "!document.querySelector('#join')?.disabled").await;
    browser.make_camera().await;
    browser.click("#join").await;
    let backend = "document.querySelector('#backend-report').innerText";
    let words: String = browser.wait("models", 120, backend).await;
    browser.click("#contribute").await;
    browser.wait::<bool>("kept clips", 120, "+document.querySelector('#clips-kept').textContent >= 2").await;
    browser.wait::<bool>("the update", 120, "document.querySelector('#upload').dataset.state === 'acknowledged'").await;
    browser.wait::<bool>("the new model", 60, "+document.querySelector('#model-version').dataset.version >= 2").await;
    println!("{engine:?}: {words}");
}

#[tokio::test]
async fn firefox_takes_part() {
    a_class_of_one(Engine::Gecko).await;
}
