//! The real aggregator: the binary `emofed`, on a free port, with a folder of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use emofed::protocol::{
    BlobRef, FederationLinks, FederationStatus, Manifest, ModelCard, NewFederation, instructor_path, operator_path,
    path,
};
use emofed::weights::Weights;
use emofed_server::lab::model_file::{self, Precision};
use tempfile::TempDir;
use tokio::time::sleep;

use super::path_from_env;
use super::process::{Process, free_port};

/// Small numbers, so that a round takes seconds.
const CONFIGURATION: &str = "
[rounds]
minimum_clients = 2

[limits]
shortest_round_s = 0

[learning]
minimum_clips = 2

[capture]
clip_ms = 2000
minimum_frames = 3
";

/// A running `emofed serve`. Killed when dropped, and its folder deleted.
pub struct Aggregator {
    process: Process,
    folder: TempDir,
    dist: PathBuf,
    port: u16,
    student_link: String,
    instructor_link: String,
}

impl Aggregator {
    /// Imports the lite backbone into a new folder and serves it for classes of two.
    pub async fn start() -> Self {
        Self::start_with(CONFIGURATION).await
    }

    /// The configuration for tests that open each round themselves.
    pub fn by_hand() -> String {
        CONFIGURATION.replace("minimum_clients = 2", "minimum_clients = 2\ncontinuous = false")
    }

    /// The configuration for a class of one, whose next round opens by itself.
    pub fn of_one() -> String {
        CONFIGURATION.replace("minimum_clients = 2", "minimum_clients = 1")
    }

    /// The configuration for a class whose tabs keep heads of their own.
    pub fn with_own_heads() -> String {
        CONFIGURATION.replace("[learning]", "[learning]\nrecipe = \"personal-head\"")
    }

    /// The configuration for a class of one, whose rounds the test opens, and whose updates have a byte a value.
    pub fn with_int8_updates() -> String {
        Self::by_hand()
            .replace("minimum_clients = 2", "minimum_clients = 1")
            .replace("[learning]", "[learning]\nupdate_encoding = \"int8\"")
    }

    /// The configuration for tabs whose training makes the model worse: after one step in the right direction, a proximal term that
    /// outweighs all else has thrown the copy to the other side of its base. Half of the clips are set aside.
    pub fn with_harmful_training() -> String {
        let learning =
            "[learning]\nlearning_rate = 0.003\nproximal = 1e6\nepochs = 4\nbatch_size = 200\nhold_out_share = 0.5";
        CONFIGURATION.replace("minimum_clips = 2", "minimum_clips = 3").replace("[learning]", learning)
    }

    /// The configuration for tabs whose labels count as collapsed after three clips of one emotion. None are set aside.
    pub fn with_collapse_alarm() -> String {
        CONFIGURATION.replace("[learning]", "[learning]\ncollapse_minimum_clips = 3\nhold_out_share = 0.0")
    }

    /// The configuration for tabs whose training takes more than a hundred steps.
    pub fn with_long_training() -> String {
        CONFIGURATION.replace("[learning]", "[learning]\nbatch_size = 1\nepochs = 60\nsend_worse_updates = true")
    }

    /// The same with another `configuration` (TOML).
    pub async fn start_with(configuration: &str) -> Self {
        Self::start_in(configuration, path_from_env("EMOFED_DIST")).await
    }

    /// The same with the page in the folder `dist`.
    pub async fn with_page(dist: &Path) -> Self {
        Self::start_in(CONFIGURATION, dist.to_owned()).await
    }

    async fn start_in(configuration: &str, dist: PathBuf) -> Self {
        let folder = tempfile::tempdir().expect("the folder for temporary files can be written");
        std::fs::write(folder.path().join("emofed.toml"), configuration).expect("a new folder can be written");
        let weights = path_from_env("EMOFED_NODE_MODULES").join("@vladmandic/face-api/model");
        let import = Command::new(path_from_env("EMOFED_BIN"))
            .args(["import", "lite"])
            .arg(weights)
            .arg("--data")
            .arg(folder.path().join("data"))
            .output()
            .expect("EMOFED_BIN is a program");
        assert!(import.status.success(), "`emofed import lite` failed: {}", String::from_utf8_lossy(&import.stderr));

        let port = free_port();
        let process = serve(folder.path(), &dist, port);
        let (student_link, instructor_link) = (String::new(), String::new());
        let mut aggregator = Self { process, folder, dist, port, student_link, instructor_link };
        aggregator.student_link = aggregator.link("#join=").await;
        aggregator.instructor_link = aggregator.link("/instructor").await;
        aggregator
    }

    /// Has it use the EmoNet in `file`, after a restart.
    pub async fn import_emonet(&mut self, file: &Path) {
        self.kill();
        let import = Command::new(path_from_env("EMOFED_BIN"))
            .args(["import", "emonet", "--accept-licence", "--allow-unverified"])
            .arg(file)
            .arg("--data")
            .arg(self.folder.path().join("data"))
            .output()
            .expect("EMOFED_BIN is a program");
        assert!(import.status.success(), "`emofed import emonet` failed: {}", String::from_utf8_lossy(&import.stderr));
        self.restart().await;
        self.student_link = self.link("#join=").await;
    }

    /// Has it use the video model that `weights` are, after a restart.
    pub async fn publish(&mut self, weights: &Weights) {
        let card = ModelCard {
            dataset: "none".to_owned(),
            synthetic: true,
            labels: "none".to_owned(),
            clips: 0,
            subjects: 0,
            seed: 0,
            backbone_sha256: self.manifest().await.backbone.blob.sha256,
            command: "none: fresh weights".to_owned(),
            metrics: std::collections::BTreeMap::new(),
        };
        let file = self.folder.path().join("vfer.safetensors");
        model_file::write(&file, weights, &card, Precision::F32).expect("the folder can be written");
        self.kill();
        let publish = Command::new(path_from_env("EMOFED_BIN"))
            .arg("publish")
            .arg(file)
            .arg("--data")
            .arg(self.folder.path().join("data"))
            .output()
            .expect("EMOFED_BIN is a program");
        assert!(publish.status.success(), "`emofed publish` failed: {}", String::from_utf8_lossy(&publish.stderr));
        self.restart().await;
    }

    /// Kills it at once, as a power cut does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops it where it is: it accepts connections, and says nothing.
    pub fn freeze(&self) {
        self.process.signal("STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.process.signal("CONT");
    }

    /// Starts it again on the same folder and port.
    pub async fn restart(&mut self) {
        self.kill();
        self.process = serve(self.folder.path(), &self.dist, self.port);
        let deadline = Instant::now() + Duration::from_secs(30);
        while reqwest::get(self.url("/readyz")).await.is_err() {
            assert!(Instant::now() < deadline, "the aggregator does not come back:\n{}", self.process.output());
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// The link for students, which holds the join code.
    pub fn student_link(&self) -> &str {
        &self.student_link
    }

    /// The link for the instructor, which holds the token.
    pub fn instructor_link(&self) -> &str {
        &self.instructor_link
    }

    /// The address of `path` on this aggregator.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The manifest now.
    pub async fn manifest(&self) -> Manifest {
        let answer = reqwest::get(self.url(path::MANIFEST)).await.expect("the aggregator answers");
        answer.json().await.expect("the manifest is one")
    }

    /// What the instructor sees now.
    pub async fn status(&self) -> FederationStatus {
        let token = self.instructor_link.rsplit_once('=').expect("the instructor's link ends in its token").1;
        let request = reqwest::Client::new().get(self.url(instructor_path::STATUS)).bearer_auth(token);
        let answer = request.send().await.expect("the aggregator answers");
        answer.json().await.expect("the status is one")
    }

    /// The weights in `blob`.
    pub async fn weights(&self, blob: &BlobRef) -> Weights {
        let answer = reqwest::get(self.url(&path::blob(&blob.sha256))).await.expect("the aggregator answers");
        let bytes = answer.error_for_status().expect("the blob is there").bytes().await.expect("the blob is complete");
        Weights::from_safetensors(&bytes).expect("the blob is safetensors")
    }

    /// `POST`s `body` to the instructor's `call`.
    pub async fn instruct(&self, call: &str, body: serde_json::Value) {
        self.order(reqwest::Method::POST, call, body).await;
    }

    /// Puts `lecture` on the stage.
    pub async fn put_lecture(&self, lecture: serde_json::Value) {
        self.order(reqwest::Method::PUT, "lecture", lecture).await;
    }

    /// The configuration for an aggregator whose operator makes further federations.
    pub fn with_operator() -> String {
        format!("{CONFIGURATION}\n[operator]\nenabled = true\n")
    }

    /// Makes a federation, as the operator.
    pub async fn create_federation(&self, name: &str) -> FederationLinks {
        let request = self.as_operator(reqwest::Method::POST, operator_path::FEDERATIONS);
        let answer = request.json(&NewFederation { name: name.to_owned() }).send().await;
        let answer = answer.expect("the aggregator answers").error_for_status().expect("the operator may");
        answer.json().await.expect("it says where the federation is")
    }

    /// Ends a federation, as the operator.
    pub async fn end_federation(&self, id: &str) {
        let answer = self.as_operator(reqwest::Method::DELETE, &operator_path::federation(id)).send().await;
        answer.expect("the aggregator answers").error_for_status().expect("the operator may");
    }

    fn as_operator(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let token = std::fs::read_to_string(self.folder.path().join("data/operator-token"));
        reqwest::Client::new()
            .request(method, self.url(path))
            .bearer_auth(token.expect("the operator is enabled").trim())
    }

    /// The configuration for a class of two with this `[stage]`.
    pub fn with_stage(stage: &str) -> String {
        format!("{CONFIGURATION}\n[stage]\n{stage}\n")
    }

    /// Ends the tokens of all participants.
    pub async fn end_all_tokens(&self) {
        self.order(reqwest::Method::DELETE, "participants", serde_json::Value::Null).await;
    }

    async fn order(&self, method: reqwest::Method, call: &str, body: serde_json::Value) {
        let token = self.instructor_link.rsplit_once('=').expect("the instructor's link ends in its token").1;
        let url = self.url(&format!("/api/v2/instructor/{call}"));
        let answer = reqwest::Client::new().request(method, &url).bearer_auth(token).json(&body).send().await;
        let answer = answer.expect("the aggregator answers");
        let status = answer.status();
        assert!(status.is_success(), "{url}: {status} {}", answer.text().await.unwrap_or_default());
    }

    /// The printed link that contains `part`.
    async fn link(&mut self, part: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let output = self.process.output();
            let mut words = output.split_whitespace();
            if let Some(link) = words.find(|word| word.starts_with("http://") && word.contains(part)) {
                return link.to_owned();
            }
            let failed = self.process.has_ended() || Instant::now() > deadline;
            assert!(!failed, "`emofed serve` printed no link with {part}:\n{output}");
            sleep(Duration::from_millis(100)).await;
        }
    }
}

fn serve(folder: &Path, dist: &Path, port: u16) -> Process {
    let mut command = Command::new(path_from_env("EMOFED_BIN"));
    command.args(["serve", "--print-links"]).arg("--data").arg(folder.join("data")).arg("--dist").arg(dist);
    command.arg("--config").arg(folder.join("emofed.toml")).args(["--listen", &format!("127.0.0.1:{port}")]);
    // Classes of two.
    command.arg("--allow-few-contributors");
    Process::start(&mut command, &folder.join("aggregator.log"))
}
