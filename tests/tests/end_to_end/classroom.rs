//! The stage, the tile and the panel: the lecture as the instructor sets it, and a layout that stays out of its way.

use std::path::Path;
use std::process::Command;

use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::Camera;
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::student::Student;
use serde_json::json;

/// A video of two seconds, a PDF of a page and two pictures.
fn lecture_files(folder: &Path) {
    let video = folder.join("intro.webm");
    let made = Command::new("ffmpeg")
        .args(["-loglevel", "error", "-f", "lavfi", "-i", "testsrc=duration=2:size=320x240:rate=10", "-c:v", "libvpx"])
        .arg(&video)
        .status();
    assert!(made.is_ok_and(|status| status.success()), "ffmpeg makes a video; way out: `make setup`");
    let page = "%PDF-1.1\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n\
                3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF";
    std::fs::write(folder.join("slides.pdf"), page).unwrap();
    for (name, shade) in [("1.png", 40), ("2.png", 200)] {
        let file = std::fs::File::create(folder.join(name)).unwrap();
        let mut encoder = png::Encoder::new(file, 4, 4);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.write_header().unwrap().write_image_data(&[shade; 16]).unwrap();
    }
}

#[tokio::test]
async fn the_lecture_is_on_the_stage_and_changes_without_the_camera_noticing() {
    let files = tempfile::tempdir().unwrap();
    lecture_files(files.path());
    let stage = format!("folder = {:?}", files.path());
    let aggregator = Aggregator::start_with(&Aggregator::with_stage(&stage)).await;
    let student = Student::join(aggregator.student_link(), Camera::Granted(Film::Portrait(2))).await;
    let browser = student.browser();
    student.wait_for_expressions().await;
    assert!(!browser.script::<bool>("return document.querySelector('#lecture').checkVisibility()").await);

    aggregator.put_lecture(json!({ "kind": "video", "address": "lecture/intro.webm" })).await;
    let playable = "document.querySelector('#lecture-video')?.readyState >= 2";
    browser.wait::<bool>("a video that can be played", 30, playable).await;
    // What changes in the manifest meanwhile leaves the video alone.
    browser.script::<bool>("document.querySelector('#lecture-video').dataset.same = 'yes'; return true").await;
    browser.script::<bool>("document.querySelector('#lecture-video').play(); return true").await;
    browser.wait::<bool>("the video to play", 30, "document.querySelector('#lecture-video').currentTime > 0.5").await;
    student.wait_for_clips(2).await;
    assert!(browser.script::<bool>("return document.querySelector('#lecture-video').dataset.same === 'yes'").await);

    let pictures = ["lecture/1.png", "lecture/2.png"];
    aggregator.put_lecture(json!({ "kind": "pictures", "addresses": pictures })).await;
    let shown = |name: &str| {
        format!(
            "(p => p?.complete && p.naturalWidth === 4 && p.src.endsWith('{name}'))(document.querySelector('#lecture-picture'))"
        )
    };
    browser.wait::<bool>("the first picture", 30, &shown("1.png")).await;
    browser.click("#picture-next").await;
    browser.wait::<bool>("the second picture", 10, &shown("2.png")).await;
    assert_eq!(browser.text("#picture-count").await, "Picture 2 of 2");
    browser.press("#picture-next", "\u{e012}").await;
    browser.wait::<bool>("the first picture, by a key", 10, &shown("1.png")).await;
    assert!(browser.accessibility_violations().await.is_empty());

    aggregator.put_lecture(json!({ "kind": "document", "address": "lecture/slides.pdf" })).await;
    browser
        .wait::<bool>("the document", 30, "document.querySelector('#lecture-frame')?.src.endsWith('slides.pdf')")
        .await;
    assert!(browser.script::<bool>("return document.querySelector('#lecture-open').href.endsWith('slides.pdf')").await);

    aggregator.put_lecture(json!({ "kind": "video", "address": "lecture/gone.webm" })).await;
    browser
        .wait::<bool>(
            "a word that it does not load",
            30,
            "document.querySelector('#lecture-problem').checkVisibility()",
        )
        .await;

    aggregator.put_lecture(json!({ "kind": "none" })).await;
    browser.wait::<bool>("an empty stage", 30, "!document.querySelector('#lecture').checkVisibility()").await;
    assert!(student.camera_is_on().await, "the camera was on all the time");
    let kept = student.clips_kept().await;
    student.wait_for_clips(kept + 1).await;
}

#[tokio::test]
async fn the_panel_is_open_at_the_first_visit_and_as_it_was_left_afterwards() {
    let aggregator = Aggregator::start().await;
    let student = Student::join(aggregator.student_link(), Camera::Granted(Film::Portrait(3))).await;
    let browser = student.browser();
    let panel = "document.querySelector('#panel').checkVisibility()";
    assert!(browser.script::<bool>(&format!("return {panel}")).await, "open at the first visit");
    browser.press("#panel-close", "\u{e00c}").await;
    student.assert_focus("panel-toggle").await;
    browser.wait::<bool>("a closed panel", 5, &format!("!({panel})")).await;
    browser.click("#panel-toggle").await;
    student.assert_focus("panel-title").await;
    browser.click("#panel-close").await;
    browser.click("#fold").await;
    let folded = "!document.querySelector('#camera').checkVisibility() && document.querySelector('#camera-sign').checkVisibility()";
    browser.wait::<bool>("a folded tile whose sign says on", 20, folded).await;
    browser.reload().await;
    student.wait_for_backend("cpu").await;
    browser.wait::<bool>("the layout of before", 20, &format!("!({panel}) && {folded}")).await;
    student.wait_for_frames().await;

    browser.script::<bool>("document.querySelector('#panel-toggle').click(); return true").await;
    let theme = "(s => { s.value = 'dark'; s.dispatchEvent(new Event('change')); return true; })(document.querySelector('#theme'))";
    browser.script::<bool>(&format!("return {theme}")).await;
    browser.reload().await;
    let dark = "getComputedStyle(document.body).backgroundColor === 'rgb(15, 23, 25)'";
    browser.wait::<bool>("the dark appearance", 20, dark).await;
    browser.click("#leave").await;
    student.wait_for_section("left").await;
}

/// The camera can be tried before joining; nothing is computed from it, and joining turns the preview off.
#[tokio::test]
async fn the_camera_is_tried_before_joining() {
    let aggregator = Aggregator::start().await;
    let student = Student::open(aggregator.student_link(), "cpu", Camera::Granted(Film::Portrait(7))).await;
    let browser = student.browser();
    let playing =
        "document.querySelector('#preview').checkVisibility() && document.querySelector('#preview').videoWidth > 0";
    for _ in 0..2 {
        browser.click("#preview-toggle").await;
        browser.wait::<bool>("the preview", 20, playing).await;
        assert!(browser.accessibility_violations().await.is_empty());
        browser.click("#preview-toggle").await;
        browser.wait::<bool>("no preview", 5, "!document.querySelector('#preview').checkVisibility()").await;
    }
    browser.click("#preview-toggle").await;
    browser.wait::<bool>("the preview", 20, playing).await;
    student.consent().await;
    student.wait_for_expressions().await;
    assert!(browser.script::<bool>("return document.querySelector('#preview').srcObject === null").await);
}

/// Who declines has the lecture, and no camera, models or token.
#[tokio::test]
async fn the_lecture_is_there_for_who_declines() {
    let files = tempfile::tempdir().unwrap();
    lecture_files(files.path());
    let stage = format!("folder = {:?}", files.path());
    let aggregator = Aggregator::start_with(&Aggregator::with_stage(&stage)).await;
    aggregator.put_lecture(json!({ "kind": "video", "address": "lecture/intro.webm" })).await;
    let student = Student::open(aggregator.student_link(), "cpu", Camera::Granted(Film::Portrait(8))).await;
    let browser = student.browser();
    browser.click("#decline").await;
    let playable = "document.querySelector('#lecture-video')?.readyState >= 2 && document.querySelector('#lecture').checkVisibility()";
    browser.wait::<bool>("the lecture", 30, playable).await;
    assert!(!browser.script::<bool>("return document.querySelector('#tile').checkVisibility()").await);
    assert!(browser.accessibility_violations().await.is_empty());
    assert!(browser.proxy().exchanges().iter().all(|exchange| exchange.body.is_empty()), "nothing is sent");
    browser.click("#reconsider").await;
    student.consent().await;
    student.wait_for_expressions().await;
    browser.wait::<bool>("the lecture again", 30, playable).await;
}
