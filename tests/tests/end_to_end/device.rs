//! What a tab keeps on the device, and that forgetting leaves nothing of it.

use emofed::protocol::path;
use emofed_tests::e2e::aggregator::Aggregator;
use emofed_tests::e2e::browser::Camera;
use emofed_tests::e2e::camera::Film;
use emofed_tests::e2e::proxy::Damage;
use emofed_tests::e2e::student::Student;
use hyper::Method;
use serde_json::json;
use tokio::time::{Duration, sleep};

const CAMERA: Camera = Camera::Granted(Film::Portrait(8));

#[tokio::test]
async fn only_what_is_needed_is_kept_and_forgetting_leaves_nothing() {
    let aggregator = Aggregator::start_with(&Aggregator::of_one()).await;
    let student = Student::join(aggregator.student_link(), CAMERA).await;
    let first = aggregator.manifest().await;
    student.wait_for_clips(2).await;
    student.contribute().await;
    student.wait_for_version(first.model.version + 1).await;

    // An update is left over, and its round ends without it.
    student.browser().proxy().set_down(true);
    student.wait_for_pending_update().await;
    let round = aggregator.manifest().await.round.unwrap().id;
    aggregator.instruct(&format!("models/{}/restore", first.model.version), json!({})).await;
    student.browser().proxy().set_down(false);
    student.browser().reload().await;
    let restored = aggregator.manifest().await;
    assert!(restored.round.as_ref().unwrap().id > round);
    student.wait_for_version(restored.model.version).await;
    wait_for_kept(&student, &aggregator).await;

    student.forget("forget").await;
    let words = student.browser().text("#left-text").await;
    assert!(words.contains("has ended this participant's token"), "{words}");
    assert_eq!(student.kept_on_the_device().await, [""; 0]);
    let script = "return [sessionStorage.length, localStorage.length]";
    assert_eq!(student.browser().script::<(u32, u32)>(script).await, (0, 0));
    let exchanges = student.browser().proxy().exchanges();
    let left = exchanges.iter().find(|exchange| exchange.method == Method::DELETE).expect("the token was ended");
    assert_eq!(left.url.path(), path::ME);
    let token = left.headers["authorization"].clone();
    let again =
        reqwest::Client::new().delete(aggregator.url(path::ME)).header("authorization", token.to_str().unwrap());
    assert_eq!(again.send().await.unwrap().status(), 401);
    let script = "return document.querySelector('link[rel=stylesheet]').href";
    let styles: String = student.browser().script(script).await;
    assert!(is_in_the_http_cache(&student, &styles).await, "the question makes sense");
    for path in exchanges.iter().map(|exchange| exchange.url.path()).filter(|path| path.starts_with("/blobs/")) {
        assert!(!is_in_the_http_cache(&student, path).await, "{path}");
    }
    assert!(!is_in_the_http_cache(&student, path::MANIFEST).await);
}

#[tokio::test]
async fn forgetting_without_the_aggregator_deletes_and_says_what_it_could_not_do() {
    let mut aggregator = Aggregator::start().await;
    let student = Student::join(aggregator.student_link(), CAMERA).await;
    aggregator.kill();
    student.forget("forget").await;
    let words = student.browser().text("#left-text").await;
    assert!(words.contains("did not answer"), "{words}");
    assert_eq!(student.kept_on_the_device().await, [""; 0]);
}

/// The page does it by itself where there is no session worker.
#[tokio::test]
async fn forgetting_without_a_worker_ends_the_token_too() {
    let aggregator = Aggregator::start().await;
    let student = Student::join(aggregator.student_link(), CAMERA).await;
    student.browser().drop_page_files().await;
    student.browser().proxy().damage(Damage::Unavailable, "/worker-cpu_loader.js", usize::MAX);
    student.browser().reload().await;
    student.wait_for_problem("does not load", 20).await;
    student.forget("forget").await;
    assert_eq!(student.kept_on_the_device().await, [""; 0]);
    let exchanges = student.browser().proxy().exchanges();
    let left = exchanges.iter().find(|exchange| exchange.method == Method::DELETE).expect("the token was ended");
    assert_eq!(left.status.unwrap(), 204);
}

/// Waits until the device has the session, the ledger, updates that were sent and the weights of the manifest, and nothing else.
async fn wait_for_kept(student: &Student, aggregator: &Aggregator) {
    let mut expected = Vec::new();
    let mut kept = Vec::new();
    for _ in 0..100 {
        let manifest = aggregator.manifest().await;
        let blobs = [manifest.backbone.blob, manifest.detector, manifest.model.vfer];
        expected = blobs.map(|blob| path::blob(&blob.sha256)).to_vec();
        expected.extend(["ledger.json", "session.json"].map(|name| format!("/on-this-device/{name}")));
        expected.sort();
        kept = student.kept_on_the_device().await;
        // Updates that were sent are kept for the student to look into.
        let all = kept.len();
        kept.retain(|address| !address.starts_with("/on-this-device/sent-updates/"));
        assert!(all - kept.len() <= 5, "{all} records");
        if kept == expected {
            return;
        }
        sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(kept, expected);
}

/// Whether the browser could answer a `GET` of `path` without the network.
async fn is_in_the_http_cache(student: &Student, path: &str) -> bool {
    let script = format!(
        "return fetch({path:?}, {{ cache: 'only-if-cached', mode: 'same-origin' }}).then(answer => answer.ok, () => false)"
    );
    student.browser().script(&script).await
}
