//! The camera: off when it says so, and no clips of pictures that stand still.

use std::time::Duration;

use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::Camera;
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::student::Student;
use serde_json::Value;
use tokio::time::sleep;

const CAMERA: Camera = Camera::Granted(Film::Portrait(6));

/// Live tracks of all streams that the page was ever given, and whether the sign says that the camera is on.
const LIVE_AND_SIGN: &str = "[emofedStreams.flatMap(stream => stream.getTracks())
    .filter(track => track.readyState === 'live').length, document.querySelector('#camera-sign').checkVisibility()]";

#[tokio::test]
async fn pausing_while_the_camera_opens_leaves_it_off() {
    let aggregator = Aggregator::start().await;
    let student = Student::open(aggregator.student_link(), "cpu", CAMERA).await;
    let slow = "
        window.emofedStreams = [];
        const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = async wish => {
            await new Promise(done => setTimeout(done, 1000 - 300 * emofedStreams.length));
            const stream = await open(wish);
            emofedStreams.push(stream);
            return stream;
        };";
    student.browser().script::<Value>(slow).await;
    student.consent().await;
    student.wait_for_section("session").await;
    // Paused, resumed and paused again, while the first one is still being opened.
    student.browser().script::<Value>("for (let i = 0; i < 3; i++) document.querySelector('#pause').click();").await;
    let opened = "emofedStreams.length >= 2";
    student.browser().wait::<bool>("both streams to be opened", 10, opened).await;
    sleep(Duration::from_millis(500)).await;
    let state = format!("return {LIVE_AND_SIGN}");
    assert_eq!(student.browser().script::<(usize, bool)>(&state).await, (0, false));

    student.browser().click("#pause").await;
    let on = format!("(([live, sign]) => live === 1 && sign)({LIVE_AND_SIGN})");
    student.browser().wait::<bool>("one live track, and the sign", 10, &on).await;
    // Before a picture was looked at.
    student.browser().click("#pause").await;
    assert_eq!(student.browser().script::<(usize, bool)>(&state).await, (0, false));
    // And whatever the models still say of it.
    sleep(Duration::from_secs(1)).await;
    let words = student.browser().text("#face-status").await;
    assert!(words.contains("off"), "{words}");

    // The key.
    let key = "document.dispatchEvent(new KeyboardEvent('keydown', { key: 'p' }));
        return document.querySelector('#pause').getAttribute('aria-pressed') === 'true'";
    student.browser().click("#pause-key").await;
    assert!(student.browser().script::<bool>(key).await, "the key is off, and nothing changes");
    student.browser().reload().await;
    student.wait_for_section("session").await;
    assert!(student.browser().script::<bool>(key).await, "and stays off");
    student.browser().click("#pause-key").await;
    assert!(!student.browser().script::<bool>(key).await, "the key is on");
}

/// A camera whose pictures come as the test says: the real one, copied to a canvas every `emofedInterval` ms, unless that is 0.
const BY_HAND: &str = "
    window.emofedInterval = 100;
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async wish => {
        const video = document.createElement('video');
        video.srcObject = await open(wish);
        await video.play();
        const canvas = document.createElement('canvas');
        [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
        const context = canvas.getContext('2d');
        const draw = () => {
            if (emofedInterval) context.drawImage(video, 0, 0);
            setTimeout(draw, emofedInterval || 100);
        };
        draw();
        const stream = canvas.captureStream();
        window.emofedTrack = stream.getVideoTracks()[0];
        return stream;
    };";

#[tokio::test]
async fn a_picture_that_stands_still_makes_no_clips_and_a_slow_one_does() {
    let aggregator = Aggregator::start().await;
    let student = Student::open(aggregator.student_link(), "cpu", CAMERA).await;
    student.browser().script::<Value>(BY_HAND).await;
    student.consent().await;
    student.wait_for_first_clip().await;

    let interval = async |ms: u32| student.browser().script::<Value>(&format!("window.emofedInterval = {ms}")).await;
    interval(0).await;
    student.wait_for_face_status("stands still").await;
    sleep(Duration::from_millis(500)).await;
    let clips = student.clips_listed().await;
    sleep(Duration::from_secs(5)).await;
    assert_eq!(student.clips_listed().await, clips);

    // A frame a second: three of them take longer than a clip's two seconds.
    interval(1_000).await;
    student.wait_for_face_status("your face").await;
    let more = format!("document.querySelectorAll('#clip-list > li').length > {clips}");
    student.browser().wait::<bool>("a clip of slow frames", 15, &more).await;

    interval(0).await;
    student.browser().script::<Value>("emofedTrack.dispatchEvent(new Event('mute'))").await;
    student.wait_for_face_status("gives no picture").await;
    interval(100).await;
    student.browser().script::<Value>("emofedTrack.dispatchEvent(new Event('unmute'))").await;
    student.wait_for_face_status("your face").await;

    // Scrolled out of sight, it goes on.
    student.browser().script::<Value>("document.body.style.paddingTop = '3000px'").await;
    let clips = student.clips_listed().await;
    let more = format!("document.querySelectorAll('#clip-list > li').length > {clips}");
    student.browser().wait::<bool>("a clip while the video is out of sight", 15, &more).await;

    student.browser().script::<Value>("emofedTrack.stop(); emofedTrack.dispatchEvent(new Event('ended'))").await;
    student.wait_for_camera_problem("unplugged").await;
}
