//! The student's page in a frame of a course's page on another origin.

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::{Browser, Camera};
use emofed_tests::e2e::camera::Film;
use tokio::net::TcpListener;

/// A course's page with `frame` in it, on an origin of its own.
async fn course(listener: TcpListener, address: String) {
    let page = move |allow: &'static str| {
        let address = address.clone();
        get(move || async move {
            Html(format!(
                "<!doctype html><title>Course</title><iframe src='{address}' {allow} width=800 height=900></iframe>"
            ))
        })
    };
    let router = Router::new().route("/with", page("allow='camera'")).route("/without", page(""));
    axum::serve(listener, router).await.unwrap();
}

/// A listener for a course, its origin, and an aggregator that lets pages of `embedders` embed its own.
async fn set_up(may_embed: bool) -> (Aggregator, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    // Another name of this machine is another site.
    let course_origin = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let stage = if may_embed { format!("embedders = [{course_origin:?}]") } else { String::new() };
    let aggregator = Aggregator::start_with(&Aggregator::with_stage(&stage)).await;
    let address = aggregator.student_link().replace("/#", "/?embed#") + "&backend=cpu";
    tokio::spawn(course(listener, address));
    (aggregator, course_origin)
}

#[tokio::test]
async fn the_tile_and_the_panel_work_in_a_course_page_that_allows_the_camera() {
    let (_aggregator, course_origin) = set_up(true).await;
    let browser = Browser::start(Camera::Granted(Film::Portrait(6))).await;
    browser.open(&format!("{course_origin}/with")).await;
    browser.look_into(Some("iframe")).await;
    browser.click("#join").await;
    browser.wait::<bool>("kept clips", 120, "+document.querySelector('#clips-kept').innerText >= 1").await;
    let shown = "document.querySelector('#tile').checkVisibility() && document.querySelector('#panel').checkVisibility() \
                 && !document.querySelector('.bar').checkVisibility() && !document.querySelector('#lecture').checkVisibility()";
    browser.wait::<bool>("the tile and the panel alone", 10, shown).await;
    assert!(browser.script::<bool>("return document.documentElement.scrollWidth <= innerWidth").await);
}

#[tokio::test]
async fn without_the_permission_the_page_says_so() {
    let (_aggregator, course_origin) = set_up(true).await;
    let browser = Browser::start(Camera::Granted(Film::Portrait(6))).await;
    browser.open(&format!("{course_origin}/without")).await;
    browser.look_into(Some("iframe")).await;
    browser.click("#join").await;
    let said = "document.querySelector('#camera-problem').checkVisibility() && document.querySelector('#camera-problem-text').innerText";
    let words: String = browser.wait("words about the camera", 60, said).await;
    assert!(words.to_lowercase().contains("camera"), "{words}");
}

#[tokio::test]
async fn nobody_embeds_the_page_unless_the_configuration_says_so() {
    let (_aggregator, course_origin) = set_up(false).await;
    let browser = Browser::start(Camera::Granted(Film::Portrait(6))).await;
    browser.open(&format!("{course_origin}/with")).await;
    browser.look_into(Some("iframe")).await;
    // What the browser shows instead has nothing of the page.
    browser.wait::<bool>("a frame without the page", 10, "!document.querySelector('#join')").await;
}
