//! A Postgres of a test's own, from the machine's programs, in a temporary folder and on a socket there.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running database, which ends when it is dropped.
pub struct Postgres {
    folder: TempDir,
    user: Option<u32>,
    process: Option<Child>,
}

impl Postgres {
    /// Makes a database and starts it.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut postgres = Self { folder, user: unprivileged(), process: None };
        if let Some(user) = postgres.user {
            std::os::unix::fs::chown(postgres.folder.path(), Some(user), None).unwrap();
        }
        let mut initdb = postgres.command("initdb");
        initdb.args(["--auth=trust", "--username=emofed", "--no-sync", "--locale=C", "--encoding=UTF8", "--pgdata"]);
        let made = initdb.arg(postgres.data()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        postgres.run();
        postgres
    }

    /// Starts it again.
    pub fn run(&mut self) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).arg("-k").arg(self.folder.path());
        command.args(["-c", "listen_addresses=", "-c", "max_connections=60"]);
        self.process = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let since = Instant::now();
        while !self.is_ready() {
            assert!(since.elapsed() < Duration::from_secs(30), "{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops it at once, as a crash does.
    pub fn crash(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = Command::new("kill").args(["-QUIT", &process.id().to_string()]).status();
            let _ = process.wait();
        }
    }

    /// How clients reach it.
    pub fn url(&self) -> String {
        format!("host={} user=emofed dbname=postgres", self.folder.path().display())
    }

    fn is_ready(&self) -> bool {
        let ready = self.command("pg_isready").arg("-q").arg("-h").arg(self.folder.path()).status();
        ready.is_ok_and(|status| status.success())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        use std::os::unix::process::CommandExt as _;
        let mut command = Command::new(programs().join(program));
        command.current_dir(self.folder.path()).env("TZ", "UTC");
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.crash();
    }
}

/// Where the newest Postgres of this machine is.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let folders = versions.map(|version| version.path().join("bin")).filter(|bin| bin.join("initdb").is_file());
    let debian = folders.max_by_key(|bin| bin.parent().and_then(Path::file_name)?.to_str()?.parse::<u32>().ok());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = || std::env::split_paths(&path).find(|folder| folder.join("initdb").is_file());
    debian.or_else(on_path).expect("there is no Postgres; way out: run `.tools/setup test`")
}

/// Whom it runs as where the test is root, as which it refuses to run.
fn unprivileged() -> Option<u32> {
    let id = |arguments: &[&str]| {
        let output = Command::new("id").args(arguments).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().parse::<u32>().ok()
    };
    (id(&["-u"]) == Some(0)).then(|| id(&["-u", "postgres"]).or_else(|| id(&["-u", "nobody"])).unwrap())
}
