//! Backups of the program itself, while it is served and takes updates, and what comes back of them.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use emofed::protocol::{ProblemCode, instructor_path, path};
use emofed::weights::Weights;
use emofed_server::store::blob_name;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use reqwest::Client;

use super::harness::{INSTRUCTOR, TestServer, fresh, model as base_model, problem};
use super::program::Program;

pub(super) fn emofed(arguments: &[&str], file: &Path, data: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_emofed"));
    command.args(arguments).arg(file).arg("--data").arg(data).env_clear().output().unwrap()
}

pub(super) fn succeeded(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// What a command that failed says. It names a way out.
pub(super) fn refused(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && text.contains("way out:"), "{}: {text}", output.status);
    text
}

/// The value of an update made by [`delta`].
fn value(weights: &Weights) -> f64 {
    f64::from(weights.iter().next().unwrap().1.values[0])
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_while_updates_arrive_it_has_each_acknowledged_one_exactly_once() {
    const CLIENTS: u32 = 40;
    const BEFORE: usize = 10;
    let folder = fresh();
    let backups = tempfile::tempdir().unwrap();
    let program = Program::start(folder.path(), &["--minimum-clients", "40"]);
    let clients = program.clients(CLIENTS).await;
    // The last one is kept back, so that the round is open whenever the backup is taken.
    let (last, others) = clients.split_last().unwrap();
    let mut sending: FuturesUnordered<_> = others
        .iter()
        .enumerate()
        .map(|(index, (token, update))| {
            let sent = program.put(token, update);
            async move { (index, sent.await) }
        })
        .collect();
    let mut acknowledged = Vec::new();
    while acknowledged.len() < BEFORE {
        let (index, status) = sending.next().await.unwrap();
        assert_eq!(status, Some(200));
        acknowledged.push(index);
    }
    let (from, to) = (folder.path().to_owned(), backups.path().to_owned());
    let backing_up = tokio::task::spawn_blocking(move || succeeded(&emofed(&["backup"], &to, &from)));
    while let Some((_, status)) = sending.next().await {
        assert_eq!(status, Some(200));
    }
    drop(sending);
    backing_up.await.unwrap();
    // The federation goes on: this round is over when the backup comes back.
    assert_eq!(program.put(&last.0, &last.1).await, Some(200));
    while program.manifest().await.model.version < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let secrets = (program.code().to_owned(), program.instructor_token().to_owned());
    program.kill();

    let backup = std::fs::read_dir(backups.path()).unwrap().next().unwrap().unwrap().path();
    let restored = tempfile::tempdir().unwrap();
    let told = succeeded(&emofed(&["restore"], &backup, restored.path()));
    assert!(told.contains("version 1 is the newest model") && told.contains("round 1 goes on"), "{told}");
    let program = Program::start(restored.path(), &["--minimum-clients", "40"]);
    assert_eq!((program.code().to_owned(), program.instructor_token().to_owned()), secrets);
    // The manifest does not say how many there are.
    let open = program.status().await.round.unwrap();
    assert!(open.received >= BEFORE as u32 && open.received < CLIENTS, "{}", open.received);
    // Those that were acknowledged before the backup began are there: nobody else's place is left for them.
    for (token, update) in
        clients.iter().enumerate().filter(|(index, _)| !acknowledged.contains(index)).map(|(_, one)| one)
    {
        assert_eq!(program.put(token, update).await, Some(200));
    }
    while program.manifest().await.model.version < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    // The version and the next round have numbers that nobody has seen before the restoration.
    let status = program.status().await;
    let next = status.round.map(|round| round.id);
    assert!(next.is_none_or(|next| next > 1_000) && status.rounds.iter().any(|round| round.id == 1));
    let model = program.status().await.models.remove(0);
    assert!(model.version > 1_000 && model.parent == Some(1), "{}", model.version);
    assert_eq!((model.num_clients, model.num_examples), (CLIENTS, Some(u64::from(CLIENTS * (CLIENTS + 1) / 2))));
    let total = model.num_examples.unwrap() as f64;
    let mean: f64 = clients.iter().map(|(_, one)| value(&one.delta) * f64::from(one.num_examples) / total).sum();
    let blob = Client::new().get(program.url(&path::blob(&model.vfer.sha256))).send().await.unwrap();
    let published = Weights::from_safetensors(&blob.bytes().await.unwrap()).unwrap();
    assert!((value(&published) - value(&base_model()) - mean).abs() < 1e-6);
    // Acknowledged again, counted once.
    let (token, update) = &clients[acknowledged[0]];
    assert_eq!(program.put(token, update).await, Some(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_cut_or_altered_is_refused_with_a_way_out() {
    let folder = fresh();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("whole.tar");
    // A program that does not run needs nobody to ask.
    succeeded(&emofed(&["backup"], &file, folder.path()));
    let whole = std::fs::read(&file).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0);
    }
    let data = place.path().join("data");
    let attempt = |bytes: &[u8]| {
        let bad = place.path().join("bad.tar");
        std::fs::write(&bad, bytes).unwrap();
        let text = refused(&emofed(&["restore"], &bad, &data));
        assert!(!data.join("records.redb").exists() && text.contains("another copy"), "{text}");
        text
    };
    let text = attempt(&whole[..whole.len() / 2]);
    assert!(text.contains("cut off: `blobs/"), "{text}");
    let mut altered = whole.clone();
    // Within the weights: the last float of the model.
    let header = altered.windows(12).rposition(|bytes| bytes == b"head.weight\"").unwrap();
    altered[header + 90] ^= 1;
    let text = attempt(&altered);
    assert!(text.contains("altered: `blobs/"), "{text}");
    let text = refused(&emofed(&["restore"], &place.path().join("nowhere.tar"), &data));
    assert!(text.contains("nowhere.tar"), "{text}");

    succeeded(&emofed(&["restore"], &file, &data));
    let text = refused(&emofed(&["restore"], &file, &data));
    assert!(text.contains("is not empty") && text.contains("--replace"), "{text}");
    let program = Program::start(&data, &[]);
    let text = refused(&emofed(&["restore", "--replace"], &file, &data));
    assert!(text.contains("another emofed uses"), "{text}");
    program.kill();
    let told = succeeded(&emofed(&["restore", "--replace"], &file, &data));
    assert!(told.contains("before-restore-"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_cannot_be_written_and_a_folder_without_federation_are_told() {
    let folder = fresh();
    let running = Program::start(folder.path(), &[]);
    let text = refused(&emofed(&["backup"], &folder.path().join("no/such/file.tar"), folder.path()));
    assert!(text.contains("file.tar cannot be written"), "{text}");
    let empty = tempfile::tempdir().unwrap();
    let text = refused(&emofed(&["backup"], &empty.path().join("x.tar"), empty.path()));
    assert!(text.contains("no federation") && std::fs::read_dir(empty.path()).unwrap().next().is_none(), "{text}");
    // An aggregator that is elsewhere, and one that has another token.
    let text =
        refused(&emofed(&["backup", "--from", "http://127.0.0.1:9"], &empty.path().join("x.tar"), folder.path()));
    assert!(text.contains("does not answer") && text.contains("--from"), "{text}");
    std::fs::write(folder.path().join("instructor-token"), "another\n").unwrap();
    let text = refused(&emofed(&["backup"], &empty.path().join("x.tar"), folder.path()));
    assert!(text.contains("token is missing or wrong"), "{text}");
    assert!(std::fs::read_dir(empty.path()).unwrap().next().is_none(), "nothing is left of a failed one");
    drop(running);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aggregator_with_its_own_certificate_is_asked_over_tls() {
    let folder = fresh();
    let backups = tempfile::tempdir().unwrap();
    let mut serve = Command::new(env!("CARGO_BIN_EXE_emofed"));
    serve.args(["serve", "--print-links", "--tls", "self-signed", "--listen", "127.0.0.1:0", "--data"]);
    serve.arg(folder.path()).env_clear();
    let program = Program::spawn_with_log(serve, Stdio::null());
    assert!(program.url("").starts_with("https://"));
    let told = succeeded(&emofed(&["backup"], backups.path(), folder.path()));
    assert!(told.contains(".tar has the federation's"), "{told}");
}

#[tokio::test]
async fn the_instructor_gets_it_and_no_cache_keeps_it() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let get = || server.client.get(server.url(instructor_path::BACKUP)).bearer_auth(INSTRUCTOR).send();
    let answer = get().await.unwrap();
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((header("content-type"), header("cache-control")), ("application/x-tar".into(), "no-store".into()));
    let bytes = answer.bytes().await.unwrap();
    let data = tempfile::tempdir().unwrap();
    let restored = emofed_server::backup::restore(&bytes[..], data.path(), false).unwrap();
    assert_eq!((restored.version, restored.round), (Some(1), Some((1, 0))));
    assert_eq!(std::fs::read_to_string(data.path().join("instructor-token")).unwrap().trim(), INSTRUCTOR);
    // What its snapshot linked is gone with the answer.
    for _ in 0..200 {
        if !std::fs::read_dir(folder.path())
            .unwrap()
            .any(|entry| entry.unwrap().file_name().to_string_lossy().starts_with(".new-"))
        {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);

    let sha256 = server.manifest().await.model.vfer.sha256;
    std::fs::write(folder.path().join(blob_name(&sha256)), b"other weights").unwrap();
    let told = problem(get().await.unwrap()).await;
    assert!(told.code == ProblemCode::StorageDamaged && told.detail.contains(&sha256), "{told:?}");
}
