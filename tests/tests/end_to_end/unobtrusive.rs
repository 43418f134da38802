//! Training that is not in the way: not in a hidden tab, and not on the last of a battery.

use std::time::Duration;

use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::{Browser, Camera};
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::student::Student;
use serde_json::{Value, json};
use tokio::time::sleep;

const CAMERA: Camera = Camera::Granted(Film::Portrait(9));
/// The schedule comes to the clips within this time, and a bit.
const SCHEDULE: Duration = Duration::from_secs(8);

#[tokio::test]
async fn a_hidden_tab_does_not_train_and_goes_on_by_itself() {
    let aggregator = Aggregator::start_with(&Aggregator::by_hand()).await;
    let student = Student::join(aggregator.student_link(), CAMERA).await;
    student.wait_for_clips(2).await;
    student.contribute().await;
    let browser = student.browser();
    let tab = browser.tab().await;
    browser.new_tab().await;
    aggregator.instruct("rounds", json!({})).await;
    let round = aggregator.manifest().await.round.unwrap().id;
    sleep(SCHEDULE).await;
    assert!(student.acknowledged_updates(round).is_empty());

    browser.look_at(&tab).await;
    student.wait_for_acknowledgement(round).await;
}

#[tokio::test]
async fn a_low_battery_pauses_training_until_it_is_charged() {
    let aggregator = Aggregator::start().await;
    let browser = Browser::start(CAMERA).await;
    let battery = "
        window.emofedBattery = Object.assign(new EventTarget(), { charging: false, level: 0.1 });
        Object.defineProperty(navigator, 'getBattery', { value: async () => emofedBattery });";
    browser.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": battery })).await;
    let student = Student::open_in(browser, aggregator.student_link(), "cpu").await;
    student.consent().await;
    let round = aggregator.manifest().await.round.unwrap().id;
    student.wait_for_clips(2).await;
    student.contribute().await;
    let paused = "document.querySelector('#training[data-paused=battery-low]')?.innerText";
    let words: String = student.browser().wait("training to be paused", 30, paused).await;
    assert!(words.contains("battery is low"), "{words}");
    sleep(SCHEDULE).await;
    assert!(student.acknowledged_updates(round).is_empty());

    let charge = "emofedBattery.charging = true; emofedBattery.dispatchEvent(new Event('chargingchange'))";
    student.browser().script::<Value>(charge).await;
    student.wait_for_acknowledgement(round).await;
}
