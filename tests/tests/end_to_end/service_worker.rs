//! The page's own files: kept on the device by its service worker, and never of two versions.

use std::path::Path;
use std::process::Command;

use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::{Browser, Camera};
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::path_from_env;
use emofed_tests::e2e::student::Student;

const CAMERA: Camera = Camera::Granted(Film::Portrait(7));

#[tokio::test]
async fn the_page_opens_while_the_aggregator_is_away_and_goes_on_when_it_is_back() {
    let mut aggregator = Aggregator::start().await;
    let browser = Browser::start(CAMERA).await;
    browser.open(&Student::address(aggregator.student_link(), "cpu")).await;
    browser.wait_for_service_worker().await;
    aggregator.kill();
    browser.reload().await;
    let told =
        "document.querySelector('#connection').checkVisibility() && document.querySelector('#connection').innerText";
    let words: String = browser.wait("words about the aggregator", 30, told).await;
    assert!(words.contains("does not answer"), "{words}");
    // Nobody agrees to what was not shown.
    let shown =
        "return document.querySelector('#consent').checkVisibility() && document.querySelector('#join').disabled";
    assert!(browser.script::<bool>(shown).await);
    aggregator.restart().await;
    let ready = "!document.querySelector('#join').disabled && !document.querySelector('#connection').checkVisibility()";
    browser.wait::<bool>("the aggregator to be back", 30, ready).await;
    let student = Student::in_browser(browser);
    student.consent().await;
    student.wait_for_backend("cpu").await;
    student.wait_for_frames().await;
}

/// As from a mail or a course's page: the link is another site's, and the page is not kept yet.
#[tokio::test]
async fn a_link_of_another_site_opens_a_page_that_was_not_opened_before() {
    let aggregator = Aggregator::start().await;
    let browser = Browser::start(CAMERA).await;
    browser.open(aggregator.student_link()).await;
    browser.wait_for_service_worker().await;
    browser.open(&aggregator.url("/").replace("127.0.0.1", "localhost")).await;
    let follow = format!(
        "const link = document.createElement('a'); link.href = {:?}; document.body.append(link); link.click(); return true",
        aggregator.instructor_link()
    );
    assert!(browser.script::<bool>(&follow).await);
    let shown = "location.hostname === '127.0.0.1' && document.querySelector('#desk')?.checkVisibility()";
    browser.wait::<bool>("the instructor's page", 20, shown).await;
}

/// Replaces the page in `dist` by a version that says in two of its files which one it is.
fn write_version(dist: &Path, version: &str) {
    let former = std::fs::read_dir(dist.join("v")).unwrap().next().unwrap().unwrap().path();
    let former_version = former.file_name().unwrap().to_str().unwrap().to_owned();
    std::fs::rename(&former, dist.join("v").join(version)).unwrap();
    for (file, mark) in [
        (dist.join("index.html"), format!("<!-- {version} -->")),
        (dist.join("v").join(version).join("style.css"), format!(":root {{ --version: {version}; }}")),
    ] {
        let text = std::fs::read_to_string(&file).unwrap().replace(&former_version, version);
        std::fs::write(&file, format!("{text}\n{mark}\n")).unwrap();
        for ending in ["br", "gz"] {
            // It is there the first time only.
            let _ = std::fs::remove_file(file.with_added_extension(ending));
        }
    }
}

/// What the markup and the styles of the page say of their version.
async fn versions(browser: &Browser) -> [String; 2] {
    let script = "return [document.body.dataset.files.split('/')[2],
        getComputedStyle(document.documentElement).getPropertyValue('--version').trim()]";
    browser.script(script).await
}

#[tokio::test]
async fn versions_of_the_page_never_mix() {
    let dist = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").arg("-rT").arg(path_from_env("EMOFED_DIST")).arg(dist.path()).status().unwrap();
    assert!(copied.success());
    write_version(dist.path(), "first");
    let mut aggregator = Aggregator::with_page(dist.path()).await;
    let browser = Browser::start(CAMERA).await;
    browser.open(aggregator.student_link()).await;
    browser.wait_for_service_worker().await;
    assert_eq!(versions(&browser).await, ["first"; 2]);

    write_version(dist.path(), "second");
    // An open tab has what it was opened with, or nothing.
    let load = |file: &str| {
        format!("return fetch(`${{document.body.dataset.files}}{file}`).then(response => response.status)")
    };
    assert_eq!(browser.script::<u16>(&load("worker-gpu.js")).await, 404);
    browser.reload().await;
    assert_eq!(versions(&browser).await, ["second"; 2]);
    assert_eq!(browser.script::<u16>(&load("worker-gpu.js")).await, 200);
    let only = "caches.keys().then(names => names.filter(name => name.startsWith('page-')).join() === 'page-second')";
    browser.wait::<bool>("the first version to go", 20, only).await;

    aggregator.kill();
    browser.reload().await;
    assert_eq!(versions(&browser).await, ["second"; 2]);
    assert_eq!(browser.script::<u16>(&load("worker-cpu.js")).await, 200);
}
