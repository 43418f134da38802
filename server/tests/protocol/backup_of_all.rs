//! Backups of all federations of an aggregator, by its operator, and what comes back of them.

use std::path::Path;

use emofed::protocol::{
    FederationLinks, FederationStatus, FederationSummary, JoinResponse, Manifest, SAFETENSORS, instructor_path,
    operator_path, path,
};
use reqwest::Client;

use super::backup::{emofed, refused, succeeded};
use super::federations_program::{create, token};
use super::harness::{delta, fresh, update_for};
use super::program::Program;

/// One of the federations that an operator made.
struct Class {
    links: FederationLinks,
    participant: String,
    update: (u64, Vec<u8>),
}

impl Class {
    /// Makes it, joins, and sends an update.
    async fn make(program: &Program, operator: &str, value: f32) -> Self {
        let links = create(&program.url(operator_path::FEDERATIONS), operator).await.unwrap();
        let url = |path: &str| program.url(&format!("{}{path}", path::prefix(&links.id)));
        let code = links.student_link.rsplit("#join=").next().unwrap();
        let request = Client::new().post(url(path::PARTICIPANTS)).header("content-type", "application/json");
        let joined = request.body(format!("{{\"join_code\":\"{code}\"}}")).send().await.unwrap();
        let joined: JoinResponse = joined.json().await.unwrap();
        let mut manifest: Manifest = Client::new().get(url(path::MANIFEST)).send().await.unwrap().json().await.unwrap();
        while manifest.round.is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            manifest = Client::new().get(url(path::MANIFEST)).send().await.unwrap().json().await.unwrap();
        }
        let update = update_for(&manifest.round.unwrap(), 4, delta(value));
        let class = Self { links, participant: joined.token, update: (update.round, update.encode()) };
        assert_eq!(class.send(program).await, 200);
        class
    }

    async fn send(&self, program: &Program) -> u16 {
        let url = program.url(&format!("{}{}", path::prefix(&self.links.id), path::update(self.update.0)));
        let request = Client::new().put(url).header("content-type", SAFETENSORS).bearer_auth(&self.participant);
        request.body(self.update.1.clone()).send().await.unwrap().status().as_u16()
    }

    /// What its own instructor is told.
    async fn status(&self, program: &Program) -> FederationStatus {
        let token = self.links.instructor_link.rsplit("#token=").next().unwrap();
        let url = program.url(&format!("{}{}", path::prefix(&self.links.id), instructor_path::STATUS));
        Client::new().get(url).bearer_auth(token).send().await.unwrap().json().await.unwrap()
    }

    /// That everything which was handed out is right, and that the update is there, once.
    async fn check(&self, program: &Program) {
        assert_eq!(self.send(program).await, 200, "acknowledged again");
        let status = self.status(program).await;
        assert_eq!(status.round.unwrap().received, 1);
        assert_eq!(status.join_code, self.links.student_link.rsplit("#join=").next().unwrap());
    }
}

async fn ids(program: &Program, folder: &Path) -> Vec<String> {
    let request = Client::new().get(program.url(operator_path::FEDERATIONS)).bearer_auth(token(folder));
    let listed: Vec<FederationSummary> = request.send().await.unwrap().json().await.unwrap();
    assert!(listed.iter().all(|one| one.available), "{listed:?}");
    listed.into_iter().map(|one| one.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_federations_come_back_with_their_links_tokens_and_updates() {
    let (folder, place) = (fresh(), tempfile::tempdir().unwrap());
    let program = Program::start(folder.path(), &["--operator"]);
    let operator = token(folder.path());
    let classes = [Class::make(&program, &operator, 0.1).await, Class::make(&program, &operator, 0.2).await];
    let ended = Class::make(&program, &operator, 0.3).await;
    let end = Client::new().delete(program.url(&operator_path::federation(&ended.links.id))).bearer_auth(&operator);
    assert_eq!(end.send().await.unwrap().status(), 204);
    let secrets = (program.code().to_owned(), program.instructor_token().to_owned());
    let before = ids(&program, folder.path()).await;

    let (served, stopped) = (place.path().join("served.tar"), place.path().join("stopped.tar"));
    let told = succeeded(&emofed(&["backup", "--all"], &served, folder.path()));
    assert!(told.contains("of 3 federations"), "{told}");
    // An owner's token is not the operator's.
    let backup = |token: &str| Client::new().get(program.url(operator_path::BACKUP)).bearer_auth(token).send();
    assert_eq!(backup(program.instructor_token()).await.unwrap().status(), 401);
    let answer = backup(&operator).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["cache-control"]), (200, &"no-store".parse().unwrap()));
    drop(answer);
    program.kill();
    succeeded(&emofed(&["backup", "--all"], &stopped, folder.path()));

    for file in [&served, &stopped] {
        let restored = tempfile::tempdir().unwrap();
        let told = succeeded(&emofed(&["restore"], file, restored.path()));
        assert!(told.contains("2 that an operator made") && told.contains("round 1 goes on"), "{told}");
        let program = Program::start(restored.path(), &["--operator"]);
        assert_eq!(token(restored.path()), operator);
        assert_eq!((program.code().to_owned(), program.instructor_token().to_owned()), secrets);
        assert_eq!(ids(&program, restored.path()).await, before);
        for class in &classes {
            class.check(&program).await;
        }
        // They are whole: a further backup of them can be made, and one more federation.
        Class::make(&program, &operator, 0.4).await;
        succeeded(&emofed(&["backup", "--all"], &place.path().join("again.tar"), restored.path()));
        program.kill();
        let again = succeeded(&emofed(&["restore", "--replace"], file, restored.path()));
        let aside = again.split("What was there before is in ").nth(1).unwrap().split(';').next().unwrap();
        assert_eq!(std::fs::read_dir(Path::new(aside).join("federations")).unwrap().count(), 3);
        assert_eq!(std::fs::read_dir(restored.path().join("federations")).unwrap().count(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_all_that_is_cut_or_altered_is_refused() {
    let (folder, place) = (fresh(), tempfile::tempdir().unwrap());
    let program = Program::start(folder.path(), &["--operator"]);
    Class::make(&program, &token(folder.path()), 0.1).await;
    program.kill();
    let file = place.path().join("whole.tar");
    succeeded(&emofed(&["backup", "--all"], &file, folder.path()));
    let whole = std::fs::read(&file).unwrap();
    let data = place.path().join("data");
    let attempt = |bytes: &[u8], words: &str| {
        let bad = place.path().join("bad.tar");
        std::fs::write(&bad, bytes).unwrap();
        let text = refused(&emofed(&["restore"], &bad, &data));
        assert!(text.contains(words) && text.contains("another copy"), "{text}");
        assert!(!data.join("records.redb").exists() && !data.join("federations").exists(), "{text}");
    };
    for length in [whole.len() / 4, whole.len() / 2, whole.len() - 1_700] {
        attempt(&whole[..length], "cut off");
    }
    // The last float of the model in the last part.
    let mut altered = whole.clone();
    let header = altered.windows(12).rposition(|bytes| bytes == b"head.weight\"").unwrap();
    altered[header + 90] ^= 1;
    attempt(&altered, "altered");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_damaged_keeps_no_other_from_being_backed_up() {
    let (folder, place) = (fresh(), tempfile::tempdir().unwrap());
    let program = Program::start(folder.path(), &["--operator"]);
    let operator = token(folder.path());
    let whole = Class::make(&program, &operator, 0.1).await;
    let damaged = Class::make(&program, &operator, 0.2).await.links.id;
    let blobs = folder.path().join("federations").join(&damaged).join("blobs");
    let blob = std::fs::read_dir(blobs).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(&blob).unwrap();
    std::fs::write(&blob, b"something else").unwrap();
    let make = |name: &str| {
        let file = place.path().join(name);
        let output = emofed(&["backup", "--all"], &file, folder.path());
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(succeeded(&output).contains("of 2 federations") && told.contains(&format!("are damaged: {damaged}")));
        file
    };
    let served = make("served.tar");
    program.kill();
    for file in [served, make("stopped.tar")] {
        let restored = tempfile::tempdir().unwrap();
        let output = emofed(&["restore"], &file, restored.path());
        assert!(String::from_utf8_lossy(&output.stderr).contains(&damaged));
        succeeded(&output);
        whole.check(&Program::start(restored.path(), &["--operator"])).await;
    }
    // A part that is no backup is an altered one, and no reason to take the file for something else.
    let mut bytes = std::fs::read(place.path().join("served.tar")).unwrap();
    let name = bytes.windows(18).position(|window| window == b"emofed-backup.json").unwrap();
    bytes[name] = b'x';
    let altered = place.path().join("altered.tar");
    std::fs::write(&altered, bytes).unwrap();
    let told = refused(&emofed(&["restore"], &altered, &place.path().join("nothing")));
    assert!(told.contains("`first.tar` is not what was backed up"), "{told}");
}
