//! `emofed serve --operator` and `emofed federations`, and what a `kill -9` leaves of federations that are being made and ended.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use emofed::protocol::{FederationLinks, FederationSummary, operator_path, path};
use emofed::random::SplitMix64;
use reqwest::Client;

use super::harness::fresh;
use super::program::Program;

/// How often the aggregator is killed.
const KILLS: u64 = 8;

pub(super) fn token(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("operator-token")).unwrap().trim().to_owned()
}

pub(super) async fn create(url: &str, token: &str) -> Option<FederationLinks> {
    let request = Client::new().post(url).bearer_auth(token).header("content-type", "application/json");
    let answer = request.body(r#"{"name":"a class"}"#).send().await.ok()?;
    answer.json().await.ok()
}

/// Makes federations and ends every other one, until the aggregator is gone; gives the ids of those that it said were made and that
/// were not asked to end, and of those that it said had ended.
async fn make_and_end(url: String, token: String) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut made, mut ended) = (BTreeSet::new(), BTreeSet::new());
    while let Some(links) = create(&url, &token).await {
        if made.len() <= ended.len() {
            made.insert(links.id);
            continue;
        }
        let request = Client::new().delete(format!("{url}/{}", links.id)).bearer_auth(&token);
        match request.send().await {
            Ok(answer) if answer.status() == 204 => ended.insert(links.id),
            _ => break,
        };
    }
    (made, ended)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_a_federation_is_there_as_a_whole_or_not_at_all() {
    let folder = fresh();
    let mut random = SplitMix64::new(1);
    let (mut made, mut ended) = (BTreeSet::new(), BTreeSet::new());
    for kill in 0..=KILLS {
        let program = Program::start(folder.path(), &["--operator"]);
        let (url, token) = (program.url(operator_path::FEDERATIONS), token(folder.path()));
        let request = Client::new().get(&url).bearer_auth(&token);
        let listed: Vec<FederationSummary> = request.send().await.unwrap().json().await.unwrap();
        assert!(listed.iter().all(|one| one.available && one.name.as_deref() == Some("a class")), "{listed:?}");
        let ids: BTreeSet<String> = listed.into_iter().map(|one| one.id).collect();
        assert!(made.is_subset(&ids), "{made:?} were made, {ids:?} are there");
        assert!(ended.is_disjoint(&ids), "{ended:?} have ended, {ids:?} are there");
        for id in &ids {
            let manifest = program.url(&format!("{}{}", path::prefix(id), path::MANIFEST));
            assert_eq!(Client::new().get(manifest).send().await.unwrap().status(), 200);
        }
        if let Ok(entries) = std::fs::read_dir(folder.path().join("federations")) {
            let left: BTreeSet<String> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            assert_eq!(left, ids, "nothing else is left on the disk");
        }
        if kill == KILLS {
            break;
        }
        let working = tokio::spawn(make_and_end(url, token));
        tokio::time::sleep(Duration::from_millis(20 + random.below(200) as u64)).await;
        program.kill();
        let (more_made, more_ended) = working.await.unwrap();
        made.extend(more_made);
        ended.extend(more_ended);
    }
    assert!(!made.is_empty() && !ended.is_empty(), "{made:?}, {ended:?}");
}

fn federations(program: &Program, folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_emofed"));
    command.arg("federations").args(arguments).args(["--url", &program.url("")]).env_clear();
    command.arg("--token-file").arg(folder.join("operator-token")).output().unwrap()
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_lists_makes_and_ends_federations() {
    let folder = fresh();
    let program = Program::start(folder.path(), &["--operator"]);
    let links = printed(&federations(&program, folder.path(), &["create", "Lecture 2"]));
    let field = |label: &str| {
        let line = links.lines().find_map(|line| line.strip_prefix(label));
        line.unwrap_or_else(|| panic!("{label} in {links}")).trim().to_owned()
    };
    let id = field("Id");
    let below = program.url(&path::prefix(&id));
    assert!(field("Student").starts_with(&format!("{below}/#join=")), "{links}");
    assert!(field("Instructor").starts_with(&format!("{below}/instructor.html#token=")), "{links}");
    let listed = printed(&federations(&program, folder.path(), &["list"]));
    assert_eq!(listed, format!("{id}  Lecture 2  0 connected, 0 participants\n"));
    // The secrets are in no file but as hashes.
    let own = folder.path().join("federations").join(&id);
    assert!(!own.join("instructor-token").exists() && !own.join("links").exists());

    // Without an operator the federation is served on, and nobody ends it.
    program.kill();
    let program = Program::start(folder.path(), &[]);
    let manifest = program.url(&format!("{}{}", path::prefix(&id), path::MANIFEST));
    assert_eq!(Client::new().get(&manifest).send().await.unwrap().status(), 200);
    let redirected = Client::new().get(program.url(&format!("{}?embed", path::prefix(&id)))).send().await.unwrap();
    assert_eq!(redirected.url().as_str(), program.url(&format!("{}/?embed", path::prefix(&id))));
    let refused = federations(&program, folder.path(), &["end", &id]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("operator's token is missing or wrong"));
    program.kill();

    let program = Program::start(folder.path(), &["--operator"]);
    printed(&federations(&program, folder.path(), &["end", &id]));
    assert_eq!(printed(&federations(&program, folder.path(), &["list"])), "");
    let unknown = federations(&program, folder.path(), &["end", &id]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no such federation"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_runs_one_class_has_no_operator_and_no_prefix() {
    let folder = fresh();
    let program = Program::start(folder.path(), &[]);
    assert!(!folder.path().join("operator-token").exists() && !folder.path().join("federations").exists());
    for token in ["", "unknown"] {
        let request = Client::new().get(program.url(operator_path::FEDERATIONS)).bearer_auth(token);
        assert_eq!(request.send().await.unwrap().status(), 401);
    }
    assert_eq!(Client::new().get(program.url("/f/nobody/")).send().await.unwrap().status(), 404);
}
