//! A bucket of a test's own, in a real server of S3's protocol that checks signatures: `s3s-fs`, over a temporary folder.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A running server with one bucket, which ends when it is dropped.
pub struct S3 {
    folder: TempDir,
    port: u16,
    process: Option<Child>,
}

impl S3 {
    /// Short, as the prefix is: the server makes one file's name of the bucket's and the object's.
    const BUCKET: &str = "bkt";
    const KEY: &str = "the-tests-key";
    /// The secret of who may use the bucket.
    pub const SECRET: &str = "the-tests-secret";

    /// Makes a bucket and starts the server.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(Self::BUCKET)).unwrap();
        let mut s3 = Self { folder, port: 0, process: None };
        s3.run();
        s3
    }

    /// Starts it again, at the same address.
    pub fn run(&mut self) {
        let mut command = Command::new("s3s-fs");
        command.args(["--host", "127.0.0.1", "--port", &self.port.to_string()]);
        command.args(["--access-key", Self::KEY, "--secret-key", Self::SECRET]).arg(self.folder.path());
        let started = command.env("RUST_LOG", "info").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut process =
            started.expect("there is no s3s-fs; way out: run `.tools/setup test`, and `source .tools/env.sh`");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let address = lines.find_map(|line| Some(line.split_once("running at http://")?.1.to_owned()));
        let port = address.expect("it tells where it listens").rsplit(':').next().unwrap().trim().parse();
        self.port = port.unwrap();
        // A pipe that nobody reads would block it.
        std::thread::spawn(move || lines.for_each(drop));
        self.process = Some(process);
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Where objects are in the bucket.
    pub fn prefix(&self) -> &'static str {
        "e"
    }

    /// The address for `--blobs`.
    pub fn blobs(&self) -> String {
        format!("s3://{}/{}", Self::BUCKET, self.prefix())
    }

    /// The variables that a process needs to use it.
    pub fn variables(&self) -> impl Iterator<Item = (String, String)> + use<> {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        let variables = [
            ("AWS_ACCESS_KEY_ID", Self::KEY),
            ("AWS_SECRET_ACCESS_KEY", Self::SECRET),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ENDPOINT", &endpoint),
            ("AWS_ALLOW_HTTP", "true"),
        ];
        variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter()
    }

    /// The names of all objects in the bucket.
    pub fn objects(&self) -> Vec<String> {
        fn walk(folder: &Path, prefix: &str, names: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                if entry.file_type().unwrap().is_dir() {
                    walk(&entry.path(), &format!("{name}/"), names);
                } else {
                    names.push(name);
                }
            }
        }
        let mut names = Vec::new();
        walk(&self.folder.path().join(Self::BUCKET), "", &mut names);
        names.sort();
        names
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.kill();
    }
}
