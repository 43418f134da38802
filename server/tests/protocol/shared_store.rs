//! A store that several replicas share, and the programs over it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use emofed::protocol::{Event, EventMessage, path};
use emofed::weights::Weights;
use emofed_server::store::{PostgresSettings, PostgresStore, S3Variables};
use reqwest::Client;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::harness::{model as base_model, prepare_store};
use super::postgres::Postgres;
use super::program::{Program, configured};
use super::s3::S3;

/// A database and a folder for objects, with a federation that can be served.
pub(super) struct Shared {
    pub(super) postgres: Postgres,
    pub(super) folder: TempDir,
    /// The bucket with the objects, where the folder does not have them.
    s3: Option<S3>,
    /// Lines of the configuration's section `limits`.
    limits: String,
}

impl Shared {
    pub(super) fn new() -> Self {
        Self::over(&base_model())
    }

    /// The same with another first model.
    pub(super) fn over(base: &Weights) -> Self {
        Self::with(None, base)
    }

    /// The same with the objects in a bucket.
    pub(super) fn with_bucket() -> Self {
        Self::with(Some(S3::start()), &base_model())
    }

    fn with(s3: Option<S3>, base: &Weights) -> Self {
        let (postgres, folder) = (Postgres::start(), tempfile::tempdir().unwrap());
        let shared = Self { postgres, folder, s3, limits: String::new() };
        prepare_store(Arc::new(shared.store()), base);
        shared
    }

    /// The same with these lines in the configuration's section `limits`.
    pub(super) fn limited(self, limits: &str) -> Self {
        Self { limits: limits.to_owned(), ..self }
    }

    /// The bucket, where there is one.
    pub(super) fn s3(&self) -> &S3 {
        self.s3.as_ref().unwrap()
    }

    pub(super) fn blobs(&self) -> String {
        if let Some(s3) = &self.s3 {
            return s3.blobs();
        }
        format!("file://{}", self.folder.path().join("objects").display())
    }

    /// What a process needs to know of the bucket.
    pub(super) fn variables(&self) -> Vec<(String, String)> {
        self.s3.iter().flat_map(S3::variables).collect()
    }

    pub(super) fn store(&self) -> PostgresStore {
        self.store_of("class")
    }

    /// The store of the federation of this name.
    pub(super) fn store_of(&self, federation: &str) -> PostgresStore {
        let (url, blobs, federation) = (self.postgres.url(), self.blobs(), federation.to_owned());
        let s3 = self.variables().into_iter().collect::<S3Variables>();
        PostgresStore::open(&PostgresSettings { url, blobs, s3, federation }).unwrap()
    }

    /// Starts the replica called `name`, which gets the instructor's token of the replica `first`.
    pub(super) fn replica(&self, name: &str, first: Option<&str>, arguments: &[&str]) -> Program {
        let data = self.folder.path().join(name);
        std::fs::create_dir_all(&data).unwrap();
        if let Some(first) = first {
            let first = self.folder.path().join(first);
            for token in ["instructor-token", "operator-token"].into_iter().filter(|token| first.join(token).exists()) {
                std::fs::copy(first.join(token), data.join(token)).unwrap();
            }
        }
        let mut command = self.command(name);
        command.args(arguments);
        Program::spawn(command)
    }

    /// What starts the replica called `name`, whose folder is there.
    pub(super) fn command(&self, name: &str) -> std::process::Command {
        let mut command = configured(&self.folder.path().join(name), &self.limits);
        command.args(["--store", &self.postgres.url(), "--blobs", &self.blobs()]).envs(self.variables());
        command
    }

    /// What `emofed` says with these arguments and the shared store.
    pub(super) fn run(&self, arguments: &[&str]) -> String {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_emofed"));
        command.args(arguments).env_clear().env("EMOFED_STORE", self.postgres.url()).env("EMOFED_BLOBS", self.blobs());
        command.envs(self.variables());
        let output = command.current_dir(self.folder.path()).output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    /// Two of them.
    pub(super) fn two(&self, arguments: &[&str]) -> (Program, Program) {
        (self.replica("a", None, arguments), self.replica("b", Some("a"), arguments))
    }
}

/// Listens until `is_last`; gives what came.
pub(super) async fn listen(program: &Program, is_last: fn(&Event) -> bool) -> JoinHandle<Vec<Event>> {
    let mut stream = Client::new().get(program.url(path::EVENTS)).send().await.unwrap();
    tokio::spawn(async move {
        let (mut text, mut heard) = (String::new(), Vec::new());
        loop {
            text += std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap();
            while let Some((block, rest)) = text.split_once("\n\n") {
                if let Some(data) = block.lines().find_map(|line| line.strip_prefix("data:")) {
                    heard.push(EventMessage::read(data).event);
                    if heard.last().is_some_and(is_last) {
                        return heard;
                    }
                }
                text = rest.to_owned();
            }
        }
    })
}

/// Waits until `is_so`, for half a minute at the most.
pub(super) async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let since = Instant::now();
    while !is_so().await {
        assert!(since.elapsed() < Duration::from_secs(30), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
