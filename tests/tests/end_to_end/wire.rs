//! What leaves a tab: every request of the whole browser, over two rounds, against the list in docs/PRIVACY.md.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use emofed::protocol::{SAFETENSORS, path};
use emofed::weights::Weights;
use emofed_tests::e2e::path_from_env;
use emofed_tests::e2e::proxy::Exchange;
use hyper::Method;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};

use crate::recording::{ROUNDS, Recording, recording};

/// The documented calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Call {
    /// `GET` of the page or one of its files.
    File,
    /// `GET` of the manifest.
    Manifest,
    /// `GET` of weights by hash.
    Blob,
    /// `GET` of the event stream.
    Events,
    /// `POST` of the join code.
    Join,
    /// `PUT` of a client update.
    Update,
}

/// Headers that a browser adds by itself or that the documented calls need.
const HEADERS: [&str; 25] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "host",
    "if-modified-since",
    "if-none-match",
    "last-event-id",
    "origin",
    "pragma",
    "proxy-connection",
    "referer",
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "service-worker",
    "upgrade-insecure-requests",
    "user-agent",
];

#[tokio::test]
async fn every_request_is_a_documented_call_to_the_own_origin() {
    let recording = recording().await;
    let files = files(&path_from_env("EMOFED_DIST"));
    for tab in &recording.tabs {
        let mut calls = BTreeMap::new();
        for exchange in &tab.exchanges {
            *calls.entry(call(exchange, recording, &files)).or_insert(0) += 1;
        }
        println!("a tab's requests over {ROUNDS} rounds: {calls:?}");
        assert_eq!(calls[&Call::Join], 1);
        assert_eq!(calls[&Call::Update], ROUNDS);
        let kinds: BTreeSet<Call> = calls.into_keys().collect();
        let all = [Call::File, Call::Manifest, Call::Blob, Call::Events, Call::Join, Call::Update];
        assert_eq!(kinds, BTreeSet::from(all), "the recording shows the whole path");
    }
}

#[tokio::test]
async fn headers_carry_no_data() {
    let recording = recording().await;
    let origin = origin(recording);
    for tab in &recording.tabs {
        for exchange in &tab.exchanges {
            for (name, value) in &exchange.headers {
                assert!(HEADERS.contains(&name.as_str()) || *name == "sec-fetch-user", "{name} in {exchange:?}");
                let value = value.to_str().unwrap();
                match name.as_str() {
                    "authorization" => assert_ne!(value, ""),
                    "origin" => assert_eq!(value, origin),
                    "referer" => assert!(
                        [format!("{origin}/"), format!("{origin}/service-worker.js")].iter().any(|page| value == page),
                        "{value}"
                    ),
                    _ => assert!(value.len() < 300, "{name} in {exchange:?}"),
                }
            }
            assert!(!exchange.response_headers.contains_key("set-cookie"), "{exchange:?}");
        }
    }
}

/// It is in the fragment of the link, which a browser keeps to itself, and in the body of the join.
#[tokio::test]
async fn the_join_code_is_in_no_address_and_no_header() {
    let recording = recording().await;
    let (_, code) = recording.link.split_once("/#join=").expect("the code is in the link's fragment");
    for tab in &recording.tabs {
        for exchange in &tab.exchanges {
            let headers = exchange.headers.values().map(|value| value.to_str().unwrap_or_default());
            for text in headers.chain([exchange.url.to_string().as_str()]) {
                assert!(!text.contains(code), "{exchange:?}");
            }
        }
    }
}

#[tokio::test]
async fn the_only_bodies_are_the_join_and_the_updates() {
    let recording = recording().await;
    for tab in &recording.tabs {
        let bodies = tab.exchanges.iter().filter(|exchange| !exchange.body.is_empty());
        let methods: Vec<&Method> = bodies.clone().map(|exchange| &exchange.method).collect();
        assert_eq!(methods, [&Method::POST, &Method::PUT, &Method::PUT]);
        for exchange in bodies {
            match exchange.method {
                Method::POST => check_join(exchange, recording),
                _ => check_update(exchange, &recording.models[0]),
            }
        }
    }
}

fn check_join(exchange: &Exchange, recording: &Recording) {
    let body: Value = serde_json::from_slice(&exchange.body).unwrap();
    let join_code = recording.link.split_once("#join=").unwrap().1;
    assert_eq!(body, json!({ "join_code": join_code }));
}

/// Exactly the VFER's six tensors, as plain numbers, and exactly one entry of metadata with exactly three integers.
fn check_update(exchange: &Exchange, model: &Weights) {
    assert_eq!(exchange.headers["content-type"], SAFETENSORS);
    let (header_size, header) = SafeTensors::read_metadata(&exchange.body).unwrap();
    let metadata = header.metadata().as_ref().unwrap();
    assert_eq!(metadata.keys().collect::<Vec<_>>(), ["emofed.update"]);
    let numbers: BTreeMap<String, u64> = serde_json::from_str(&metadata["emofed.update"]).unwrap();
    assert_eq!(numbers.keys().collect::<Vec<_>>(), ["base_version", "num_examples", "round"]);

    let tensors = header.tensors();
    assert_eq!((tensors.len(), model.len()), (6, 6));
    for (name, expected) in model.iter() {
        let tensor = tensors[name];
        assert_eq!((tensor.dtype, &tensor.shape), (Dtype::F32, &expected.shape), "{name}");
    }
    // Nothing is hidden between or behind the tensors.
    assert_eq!(exchange.body.len(), 8 + header_size + 4 * model.value_count());
}

/// Which of the documented calls it is.
///
/// # Panics
/// If it is none of them.
fn call(exchange: &Exchange, recording: &Recording, files: &HashSet<String>) -> Call {
    let address = exchange.url.to_string();
    let origin = origin(recording);
    let Some(local) = address.strip_prefix(&origin) else { panic!("another origin: {exchange:?}") };
    let hash = |text: &str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let round = |text: &str| text.strip_suffix("/update").is_some_and(|number| number.parse::<u64>().is_ok());
    match exchange.method {
        Method::GET if local == "/" || files.contains(local) => Call::File,
        Method::GET if local == path::MANIFEST => Call::Manifest,
        Method::GET if local == path::EVENTS => Call::Events,
        Method::GET if local.strip_prefix("/blobs/").is_some_and(hash) => Call::Blob,
        Method::POST if local == path::PARTICIPANTS => Call::Join,
        Method::PUT if local.strip_prefix("/api/v2/rounds/").is_some_and(round) => Call::Update,
        _ => panic!("not a documented call: {exchange:?}"),
    }
}

fn origin(recording: &Recording) -> String {
    let (origin, _) = recording.link.split_once("/#").expect("the student link is the origin and the join code");
    origin.to_owned()
}

/// The paths of all files of the page.
fn files(dist: &Path) -> HashSet<String> {
    let mut files = HashSet::new();
    let mut folders = vec![dist.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(format!("/{}", path.strip_prefix(dist).unwrap().display()));
            }
        }
    }
    files
}
