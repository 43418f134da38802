//! The other tests believe what the harness reports; these make sure that it does see things.

use emofed_tests::e2e::browser::{Browser, Camera};
use emofed_tests::e2e::camera::Film;
use hyper::Method;

/// A page that may do what ours may: `chrome://version` and the like have no camera.
async fn blank_page() -> (Browser, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (_, mut write) = stream.into_split();
            let answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\
                           Connection: close\r\n\r\n<!doctype html>";
            let _ = tokio::io::AsyncWriteExt::write_all(&mut write, answer).await;
        }
    });
    let browser = Browser::start(Camera::Granted(Film::TwoFaces)).await;
    browser.open(&origin).await;
    (browser, origin)
}

#[tokio::test]
async fn a_request_to_another_place_is_seen() {
    let (browser, origin) = blank_page().await;
    let script = "
        const elsewhere = ['http://192.0.2.1/plain', 'https://192.0.2.1/secret'].map(url =>
            fetch(url, { method: 'POST', mode: 'no-cors', body: 'a frame' }).catch(() => null));
        return Promise.all([...elsewhere, navigator.sendBeacon('/beacon', 'a label')]).then(() => true);";
    assert!(browser.script::<bool>(script).await);
    browser.wait::<bool>("the requests to be sent", 5, "true").await;
    let exchanges = browser.proxy().exchanges();
    let seen = |method: Method, url: &str| exchanges.iter().any(|e| e.method == method && e.url == *url);
    assert!(seen(Method::GET, &format!("{origin}/")), "{exchanges:?}");
    assert!(seen(Method::POST, "http://192.0.2.1/plain"), "{exchanges:?}");
    assert!(seen(Method::CONNECT, "192.0.2.1:443"), "{exchanges:?}");
    let beacon = exchanges.iter().find(|e| e.url.path() == "/beacon").expect("a beacon is a request");
    assert_eq!(beacon.body, "a label");
}

#[tokio::test]
async fn a_browser_by_itself_sends_nothing() {
    let (browser, origin) = blank_page().await;
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    let elsewhere: Vec<String> = browser.proxy().exchanges().iter().map(|e| e.url.to_string()).collect();
    assert!(elsewhere.iter().all(|url| url.starts_with(&origin)), "{elsewhere:?}");
}

#[tokio::test]
async fn the_camera_shows_the_film() {
    let (browser, _) = blank_page().await;
    let script = "
        return (async () => {
            const video = document.createElement('video');
            video.srcObject = await navigator.mediaDevices.getUserMedia({ video: true });
            await video.play();
            const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
            const context = canvas.getContext('2d');
            context.drawImage(video, 0, 0);
            const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
            return [canvas.width, canvas.height, data.reduce((sum, value) => sum + value, 0) / data.length];
        })();";
    let (width, height, mean): (f64, f64, f64) = browser.script(script).await;
    assert_eq!((width, height), (640.0, 480.0));
    assert!(mean > 100.0 && mean < 240.0, "mean {mean}");
}

#[tokio::test]
async fn a_killed_gpu_process_takes_webgpu_devices_along() {
    let (browser, _) = blank_page().await;
    let script = "
        return (async () => {
            const adapter = await navigator.gpu.requestAdapter();
            const device = await adapter.requestDevice();
            device.lost.then(info => { window.lost = info.reason || 'unknown'; });
            return true;
        })();";
    assert!(browser.script::<bool>(script).await);
    browser.kill_gpu_process();
    browser.wait::<String>("the device to be lost", 20, "window.lost").await;
}
