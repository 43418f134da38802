//! The page that is part of the program.

use emofed_server::serve::{EmbeddedFile, Page};
use reqwest::Response;
use reqwest::header::HeaderMap;

use super::harness::{TestServer, fresh, problem};

/// As the build script writes them.
static FILES: &[EmbeddedFile] = &[
    EmbeddedFile {
        path: "index.html",
        identity: None,
        gzip: Some(include_bytes!("../fixtures/page/index.html.gz")),
        brotli: Some(include_bytes!("../fixtures/page/index.html.br")),
    },
    EmbeddedFile {
        path: "icon.svg",
        identity: Some(include_bytes!("../fixtures/page/icon.svg")),
        gzip: None,
        brotli: None,
    },
    EmbeddedFile {
        path: "locales/en.ftl",
        identity: Some(include_bytes!("../fixtures/page/locales/en.ftl")),
        gzip: None,
        brotli: None,
    },
];

const INDEX: &[u8] = include_bytes!("../fixtures/page/index.html");
const BROTLI: &[u8] = include_bytes!("../fixtures/page/index.html.br");
const GZIP: &[u8] = include_bytes!("../fixtures/page/index.html.gz");

async fn get(server: &TestServer, path: &str, encodings: &str) -> Response {
    server.client.get(server.url(path)).header("accept-encoding", encodings).send().await.unwrap()
}

fn field<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn each_client_gets_the_form_that_it_takes() {
    let folder = fresh();
    let server = TestServer::start_page(folder.path(), Page::Embedded(FILES)).await;
    let mut tags = Vec::new();
    for (encodings, encoding, bytes) in [
        ("gzip, deflate, br, zstd", "br", BROTLI),
        ("gzip, deflate", "gzip", GZIP),
        ("br;q=0, gzip;q=0.5", "gzip", GZIP),
        ("identity", "", INDEX),
        ("", "", INDEX),
    ] {
        let answer = get(&server, "/", encodings).await;
        let headers = answer.headers().clone();
        assert_eq!((answer.status().as_u16(), field(&headers, "content-encoding")), (200, encoding), "{encodings}");
        assert_eq!(field(&headers, "content-type"), "text/html; charset=utf-8");
        assert_eq!((field(&headers, "cache-control"), field(&headers, "vary")), ("no-cache", "accept-encoding"));
        assert_eq!(field(&headers, "x-content-type-options"), "nosniff");
        assert!(field(&headers, "content-security-policy").starts_with("default-src 'none'"));
        assert_eq!(answer.bytes().await.unwrap(), bytes, "{encodings}");
        // Asked again with what was told, it is not sent again; another form is.
        let again = |tag: String| {
            let request = server.client.get(server.url("/")).header("accept-encoding", encodings);
            request.header("if-none-match", tag).send()
        };
        let etag = field(&headers, "etag").to_owned();
        let known = again(etag.clone()).await.unwrap();
        assert_eq!((known.status().as_u16(), field(known.headers(), "etag")), (304, etag.as_str()));
        assert_eq!(field(known.headers(), "cache-control"), "no-cache");
        assert_eq!(again("\"another\"".to_owned()).await.unwrap().status(), 200);
        tags.push(etag);
    }
    assert!(tags[0] != tags[1] && tags[1] == tags[2] && tags[1] != tags[3] && tags[3] == tags[4], "{tags:?}");
}

/// What is below `/v/` has another address in each version of the page; what is not there may come with the next one.
#[tokio::test]
async fn files_of_a_version_may_be_kept_for_good() {
    let (folder, dist) = (fresh(), tempfile::tempdir().unwrap());
    std::fs::create_dir_all(dist.path().join("v/1/locales")).unwrap();
    for file in ["index.html", "service-worker.js", "v/1/start.js", "v/1/locales/en.ftl"] {
        std::fs::write(dist.path().join(file), file).unwrap();
    }
    let server = TestServer::start_page(folder.path(), Page::Folder(dist.path().to_owned())).await;
    for (path, status, is_kept) in [
        ("/", 200, false),
        ("/service-worker.js", 200, false),
        ("/v/1/start.js", 200, true),
        ("/v/1/locales/en.ftl", 200, true),
        ("/v/0/start.js", 404, false),
        ("/v/1/none.js", 404, false),
    ] {
        let answer = get(&server, path, "br").await;
        let caching = field(answer.headers(), "cache-control");
        assert_eq!((answer.status().as_u16(), caching.contains("immutable")), (status, is_kept), "{path}: {caching}");
        assert!(is_kept || caching == "no-cache", "{path}: {caching}");
    }
    let catalogue = get(&server, "/v/1/locales/en.ftl", "br").await;
    assert_eq!(field(catalogue.headers(), "content-type"), "text/plain; charset=utf-8");
}

#[tokio::test]
async fn files_have_their_types_and_nothing_else_is_there() {
    let folder = fresh();
    let server = TestServer::start_page(folder.path(), Page::Embedded(FILES)).await;
    for (path, media_type) in [("/icon.svg", "image/svg+xml"), ("/locales/en.ftl", "text/plain; charset=utf-8")] {
        let answer = get(&server, path, "br").await;
        assert_eq!((answer.status().as_u16(), field(answer.headers(), "content-type")), (200, media_type));
        assert_eq!(field(answer.headers(), "content-encoding"), "");
    }
    for path in ["/index.html.br", "/locales", "/none.js", "/%2e%2e/Cargo.toml"] {
        assert_eq!(problem(get(&server, path, "br").await).await.status, 404, "{path}");
    }
    let head = server.client.head(server.url("/index.html")).header("accept-encoding", "br").send().await.unwrap();
    assert_eq!(field(head.headers(), "content-length"), BROTLI.len().to_string());
    assert_eq!(server.client.post(server.url("/")).send().await.unwrap().status(), 405);
    // Calls come first.
    assert_eq!(get(&server, "/healthz", "").await.status(), 200);
}

/// Needs the feature, and both variables of the build script: `.tools/test embedded`.
#[cfg(feature = "embedded")]
#[tokio::test]
async fn the_program_alone_is_the_whole_product() {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_emofed"));
    command.args(["serve", "--print-links", "--listen", "127.0.0.1:0", "--data"]).arg(folder.path()).env_clear();
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let line = BufReader::new(process.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    let origin = line.strip_prefix("Student").unwrap().trim().split("/#").next().unwrap();
    let client = reqwest::Client::new();
    let get = async |path: &str| client.get(format!("{origin}{path}")).send().await.unwrap();
    let page = get("/").await;
    assert_eq!(page.status(), 200);
    let built = std::fs::read(concat!(env!("EMOFED_EMBEDDED_PAGE"), "/index.html")).unwrap();
    assert_eq!(page.bytes().await.unwrap(), built);
    assert!(get("/licences/face-api.txt").await.text().await.unwrap().contains("MIT License"));
    let manifest: emofed::protocol::Manifest = get(emofed::protocol::path::MANIFEST).await.json().await.unwrap();
    assert_eq!(manifest.backbone.kind, emofed::model::BackboneKind::Lite);
    // Its own first model fits: the imported weights are those of the package, to the bit.
    assert_eq!(manifest.model.origin, emofed::protocol::ModelOrigin::Trained);
    assert_eq!(get("/readyz").await.status(), 200);
    process.kill().unwrap();
    process.wait().unwrap();
}
