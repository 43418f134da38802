//! The way through a class in Firefox and in WebKit: join, clips, training, upload, the new model.

use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::portable_browser::PortableBrowser;

#[tokio::test]
async fn firefox_takes_part() {
    takes_part(PortableBrowser::firefox().await).await;
}

#[tokio::test]
async fn webkit_takes_part() {
    takes_part(PortableBrowser::webkit().await).await;
}

async fn takes_part(browser: PortableBrowser) {
    let aggregator = Aggregator::start_with(&Aggregator::of_one()).await;
    browser.open(aggregator.student_link()).await;
    browser.wait::<bool>("the consent screen", 60, "!document.querySelector('#join')?.disabled").await;
    browser.make_camera().await;
    browser.click("#join").await;
    browser.wait::<String>("models", 120, "document.querySelector('#backend-report').innerText").await;
    browser.click("#contribute").await;
    browser.wait::<bool>("kept clips", 120, "+document.querySelector('#clips-kept').textContent >= 2").await;
    browser.wait::<bool>("the update", 120, "document.querySelector('#upload').dataset.state === 'acknowledged'").await;
    browser.wait::<bool>("the new model", 60, "+document.querySelector('#model-version').dataset.version >= 2").await;
}
