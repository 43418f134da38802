//! The lecture on the stage, and who may show whom in a frame.

use emofed::protocol::{FederationStatus, Lecture, ProblemCode, instructor_path};
use emofed_server::round::Stage;
use emofed_server::serve::Origins;
use reqwest::{Client, Method, Response, StatusCode};

use super::harness::{INSTRUCTOR, TestServer, for_two, fresh, problem};

const MEETING: &str = "https://meet.example.org";
const COURSE: &str = "https://course.example.org";

async fn put(server: &TestServer, lecture: &Lecture) -> Response {
    let request = server.client.put(server.url(instructor_path::LECTURE)).bearer_auth(INSTRUCTOR);
    request.json(lecture).send().await.unwrap()
}

async fn get(server: &TestServer, path: &str) -> Response {
    server.client.get(server.url(path)).send().await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// A folder of lecture files, and a stage that may show them and a meeting.
fn stage() -> (tempfile::TempDir, Stage) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("intro.mp4"), b"0123456789").unwrap();
    std::fs::write(folder.path().join("1.pdf"), b"%PDF-").unwrap();
    std::fs::write(folder.path().join(".secret"), b"no").unwrap();
    let origins = vec![MEETING.to_owned()];
    let stage = Stage { folder: Some(folder.path().to_owned()), origins, ..Stage::default() };
    (folder, stage)
}

#[tokio::test]
async fn the_instructor_sets_the_lecture_and_it_stays_over_a_restart() {
    let (data, (_files, stage)) = (fresh(), stage());
    let server = TestServer::start_staged(data.path(), stage.clone(), Origins::default()).await;
    assert_eq!(server.manifest().await.lecture, Lecture::None);
    let mut events = get(&server, "/api/v2/events").await;
    let meeting = Lecture::Page { address: format!("{MEETING}/room") };
    assert_eq!(put(&server, &meeting).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(server.manifest().await.lecture, meeting);
    let mut told = String::new();
    while !told.contains("lecture-changed") {
        told += &String::from_utf8_lossy(&events.chunk().await.unwrap().expect("the stream goes on"));
    }
    drop(events);
    let elsewhere = Lecture::Page { address: "https://elsewhere.example.org/".to_owned() };
    let refused = problem(put(&server, &elsewhere).await).await;
    assert_eq!(refused.code, ProblemCode::BadRequest);
    assert!(refused.detail.contains("stage.origins"), "{}", refused.detail);
    server.stop().await;

    let server = TestServer::start_staged(data.path(), stage, Origins::default()).await;
    assert_eq!(server.manifest().await.lecture, meeting);
    let status = server.client.request(Method::GET, server.url(instructor_path::STATUS)).bearer_auth(INSTRUCTOR);
    let status: FederationStatus = status.send().await.unwrap().json().await.unwrap();
    assert_eq!(status.lecture.files, ["1.pdf", "intro.mp4"]);
    assert_eq!((status.lecture.origins, status.lecture.current), (vec![MEETING.to_owned()], meeting));
    server.stop().await;
}

#[tokio::test]
async fn lecture_files_are_served_in_ranges_and_run_no_scripts() {
    let (data, (_files, stage)) = (fresh(), stage());
    let server = TestServer::start_staged(data.path(), stage, Origins::default()).await;
    let video = server.client.get(server.url("/lecture/intro.mp4")).header("range", "bytes=2-4").send().await.unwrap();
    assert_eq!((video.status(), header(&video, "content-type")), (StatusCode::PARTIAL_CONTENT, "video/mp4"));
    let policy = header(&video, "content-security-policy").to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'self'"), "{policy}");
    assert!(!policy.contains("script-src"), "{policy}");
    assert_eq!(video.bytes().await.unwrap().as_ref(), b"234");
    assert_eq!(header(&get(&server, "/lecture/1.pdf").await, "content-type"), "application/pdf");
    for missing in
        ["/lecture/", "/lecture/none.mp4", "/lecture/%2e%2e/Cargo.toml", "/lecture/.secret", "/lecture/%2Esecret"]
    {
        assert_eq!(get(&server, missing).await.status(), StatusCode::NOT_FOUND, "{missing}");
    }
    server.stop().await;
    let server = TestServer::start(data.path()).await;
    assert_eq!(get(&server, "/lecture/intro.mp4").await.status(), StatusCode::NOT_FOUND);
    server.stop().await;
}

async fn in_a_frame(server: &TestServer) -> StatusCode {
    let request = Client::new().get(server.url("/"));
    let navigation = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
    navigation
        .into_iter()
        .fold(request, |request, (name, value)| request.header(name, value))
        .send()
        .await
        .unwrap()
        .status()
}

#[tokio::test]
async fn frames_are_closed_unless_the_configuration_opens_them() {
    let data = fresh();
    let server = TestServer::start_with(data.path(), for_two()).await;
    let closed = get(&server, "/healthz").await;
    let policy = header(&closed, "content-security-policy");
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("frame-src 'self';"), "{policy}");
    assert_eq!(header(&closed, "permissions-policy"), "camera=(self), microphone=(), geolocation=()");
    assert_eq!(in_a_frame(&server).await, StatusCode::BAD_REQUEST);
    server.stop().await;

    let origins = Origins { stage: vec![MEETING.to_owned()], embedders: vec![COURSE.to_owned()], ..Origins::default() };
    let server = TestServer::start_staged(data.path(), Stage::default(), origins).await;
    let instructor = get(&server, "/instructor.html").await;
    assert!(header(&instructor, "content-security-policy").contains("frame-ancestors 'none'"));
    let open = get(&server, "/").await;
    let policy = header(&open, "content-security-policy");
    assert!(policy.contains(&format!("frame-ancestors {COURSE}")), "{policy}");
    assert!(policy.contains(&format!("frame-src 'self' {MEETING};")), "{policy}");
    assert!(!policy.contains("script-src 'self' 'wasm-unsafe-eval' https"), "{policy}");
    assert_eq!(
        header(&open, "permissions-policy"),
        format!("camera=(self \"{MEETING}\"), microphone=(\"{MEETING}\"), geolocation=()")
    );
    // There is no page here; the request was let through.
    assert_eq!(in_a_frame(&server).await, StatusCode::NOT_FOUND);
    server.stop().await;
}
