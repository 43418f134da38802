//! `screenshots DIR`: drives the real product and writes a picture of each state, at 1280 and 390 pixels, light and dark.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use emofed::protocol::ClientMetrics;
use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::{Browser, Camera};
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::protocol_client::contribute;
use emofed_tests::e2e::student::Student;
use serde_json::{Value, json};

const WIDTHS: [u32; 2] = [1280, 390];
const SCHEMES: [&str; 2] = ["light", "dark"];

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: screenshots DIR (see `make screenshots`)");
        std::process::exit(2);
    };
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    let lecture = tempfile::tempdir().expect("the folder for temporary files can be written");
    lecture_video(&lecture.path().join("lecture.webm"));
    let stage = format!("folder = {:?}", lecture.path());
    let mut aggregator = Aggregator::start_with(&Aggregator::with_stage(&stage)).await;
    let link = aggregator.student_link().to_owned();

    let refused = Student::open(&link, "cpu", Camera::Refused).await;
    shoot(refused.browser(), &folder, "student-consent").await;
    refused.consent().await;
    refused.wait_for_camera_problem("allow").await;
    refused.wait_for_backend("cpu").await;
    shoot(refused.browser(), &folder, "student-camera-refused").await;
    drop(refused);

    let first = Student::join(&link, Camera::Granted(Film::Portrait(1))).await;
    first.wait_for_expressions().await;
    first.wait_for_clips(3).await;
    shoot(first.browser(), &folder, "student-running").await;
    first.contribute().await;
    first.wait_for_acknowledgement(1).await;
    shoot(first.browser(), &folder, "student-contributed").await;
    first.browser().script::<Value>("document.querySelector('#ledger').open = true").await;
    shoot(first.browser(), &folder, "student-ledger").await;
    first.browser().script::<Value>("document.querySelector('#ledger').open = false").await;
    aggregator.put_lecture(json!({ "kind": "video", "address": "lecture/lecture.webm" })).await;
    first.browser().click("#panel-close").await;
    first.browser().wait::<bool>("the lecture", 30, "document.querySelector('#lecture-video')?.readyState >= 2").await;
    shoot(first.browser(), &folder, "student-lecture").await;
    first.browser().click("#panel-toggle").await;
    shoot(first.browser(), &folder, "student-lecture-panel").await;
    aggregator.put_lecture(json!({ "kind": "none" })).await;
    let leader = first.browser().tab().await;
    first.browser().new_tab().await;
    first.open_here(&link, "cpu").await;
    first.consent().await;
    first.wait_for_section("elsewhere").await;
    shoot(first.browser(), &folder, "student-elsewhere").await;
    first.browser().close_tab(&leader).await;

    let instructor = Browser::start(Camera::Missing).await;
    instructor.open(aggregator.instructor_link()).await;
    instructor.wait::<bool>("the desk", 30, "document.querySelector('#models').children.length > 0").await;
    shoot(&instructor, &folder, "instructor-round-open").await;
    let second = Student::join(&link, Camera::Granted(Film::Portrait(2))).await;
    second.contribute().await;
    first.wait_for_version(2).await;
    instructor.wait::<bool>("version 2", 30, "document.querySelector('#models').children.length > 1").await;
    shoot(&instructor, &folder, "instructor-published").await;
    drop(instructor);
    drop(second);

    aggregator.kill();
    first.wait_for_connection(false).await;
    shoot(first.browser(), &folder, "student-offline").await;
    first.browser().click("#leave").await;
    shoot(first.browser(), &folder, "student-left").await;
    aggregator.restart().await;
    drop(first);

    let wrong = Student::open(&link.replace("join=", "join=X"), "cpu", Camera::Granted(Film::NoFace)).await;
    wrong.consent().await;
    wrong.wait_for_problem("code", 60).await;
    shoot(wrong.browser(), &folder, "student-wrong-code").await;
    wrong.browser().click("#decline").await;
    shoot(wrong.browser(), &folder, "student-declined").await;
    drop(wrong);

    paused_contributions(&folder).await;
    hosted_class(&folder).await;
    class_metrics(&folder).await;
}

/// Labels that have collapsed to one emotion, and an update that is worse than its base.
async fn paused_contributions(folder: &Path) {
    let camera = Camera::Granted(Film::Portrait(1));
    let aggregator = Aggregator::start_with(&Aggregator::with_collapse_alarm()).await;
    let student = Student::join(aggregator.student_link(), camera).await;
    student.contribute().await;
    student.wait_for_section("collapse").await;
    shoot(student.browser(), folder, "student-collapse").await;
    let aggregator = Aggregator::start_with(&Aggregator::with_harmful_training()).await;
    let student = Student::join(aggregator.student_link(), camera).await;
    student.wait_for_clips(3).await;
    student.contribute().await;
    student.wait_for_upload_state("withheld").await;
    shoot(student.browser(), folder, "student-withheld").await;
}

/// A class that the operator made, its assistant's page, and the class when it has ended.
async fn hosted_class(folder: &Path) {
    let aggregator = Aggregator::start_with(&Aggregator::with_operator()).await;
    let class = aggregator.create_federation("Methods of affective computing").await;
    let student = Student::join(&class.student_link, Camera::Granted(Film::Portrait(3))).await;
    student.wait_for_clips(1).await;
    shoot(student.browser(), folder, "student-hosted").await;
    let instructor = Browser::start(Camera::Missing).await;
    instructor.open(&class.instructor_link).await;
    instructor.wait::<bool>("the desk", 30, "document.querySelector('#models').children.length > 0").await;
    shoot(&instructor, folder, "instructor-hosted").await;
    aggregator.end_federation(&class.id).await;
    student.wait_for_problem("has ended", 20).await;
    shoot(student.browser(), folder, "student-ended").await;
}

/// Charts of how labelling goes in the class.
async fn class_metrics(folder: &Path) {
    let configuration = Aggregator::by_hand().replace("minimum_clients = 2", "minimum_clients = 5");
    let aggregator = Aggregator::start_with(&configuration).await;
    for round in 1..=3 {
        aggregator.instruct("rounds", json!({})).await;
        let acceptance_rate = 0.6 + 0.1 * f64::from(round);
        let metrics = ClientMetrics { acceptance_rate, class_balance: 0.55, loss_change: Some(-0.02) };
        for _ in 0..5 {
            contribute(&aggregator, Some(metrics)).await;
        }
        while aggregator.manifest().await.round.is_some() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let instructor = Browser::start(Camera::Missing).await;
    instructor.open(aggregator.instructor_link()).await;
    instructor.wait::<bool>("charts", 30, "document.querySelector('#acceptance-figure').checkVisibility()").await;
    shoot(&instructor, folder, "instructor-class-metrics").await;
}

/// A made picture as a lecture.
fn lecture_video(file: &Path) {
    let source = "gradients=duration=2:size=1280x720:rate=5:c0=#1f5f6b:c1=#0f1719:nb_colors=2:seed=7";
    let made = Command::new("ffmpeg")
        .args(["-loglevel", "error", "-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p", "-c:v", "libvpx"])
        .arg(file)
        .status();
    assert!(made.is_ok_and(|status| status.success()), "ffmpeg makes a video; way out: `make setup`");
}

/// Writes `{state}-{width}-{scheme}.png` of the whole page, for each width and scheme.
async fn shoot(browser: &Browser, folder: &Path, state: &str) {
    // Chromium names the made camera by the path of its film.
    let rename =
        "document.querySelectorAll('#device option').forEach(o => { o.textContent = 'Made camera'; }); return true";
    browser.script::<bool>(rename).await;
    for scheme in SCHEMES {
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        browser.devtools("Emulation.setEmulatedMedia", media).await;
        for width in WIDTHS {
            resize(browser, width, 900).await;
            // The panel scrolls by itself.
            let whole = "const panel = document.querySelector('#panel');
                         const inside = panel?.checkVisibility() ? panel.getBoundingClientRect().top + panel.scrollHeight : 0;
                         return Math.ceil(Math.max(document.documentElement.scrollHeight, inside))";
            let height: u32 = browser.script(whole).await;
            resize(browser, width, height.max(600)).await;
            let wide: bool = browser.script(&format!("return document.documentElement.scrollWidth > {width}")).await;
            assert!(!wide, "{state} is wider than {width} pixels");
            let file = folder.join(format!("{state}-{width}-{scheme}.png"));
            std::fs::write(&file, browser.screenshot().await).expect("the folder can be written");
            println!("{}", file.display());
        }
    }
    browser.devtools("Emulation.clearDeviceMetricsOverride", Value::Object(serde_json::Map::new())).await;
}

async fn resize(browser: &Browser, width: u32, height: u32) {
    let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
    browser.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
}
