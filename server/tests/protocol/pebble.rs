//! An authority of a test's own that speaks ACME: Let's Encrypt's test server `pebble`, and its server of names, under which every
//! domain is this machine. It verifies domains as Let's Encrypt does.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Certificate, Client};
use tempfile::TempDir;

/// A running authority, which ends when it is dropped.
pub struct Pebble {
    folder: TempDir,
    address: String,
    management: String,
    names: Child,
    process: Option<Child>,
}

/// A port that nothing listens on for the moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn spawn(command: &mut Command) -> Child {
    let way_out = "there is no pebble; way out: run `.tools/setup test`";
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect(way_out)
}

impl Pebble {
    /// Starts an authority that verifies domains at `port`, and whose certificates are valid for so long.
    pub fn start(port: u16, validity: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let names_port = free_port();
        let [address, management, names] =
            [free_port(), free_port(), names_port].map(|port| format!("127.0.0.1:{port}"));
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let file = |name: &str| folder.path().join(name);
        std::fs::write(file("root.pem"), own.cert.pem()).unwrap();
        std::fs::write(file("key.pem"), own.signing_key.serialize_pem()).unwrap();
        let config = serde_json::json!({ "pebble": {
            "listenAddress": address,
            "managementListenAddress": management,
            "certificate": file("root.pem"),
            "privateKey": file("key.pem"),
            "httpPort": free_port(),
            "tlsPort": port,
            "certificateValidityPeriod": validity.as_secs(),
        }});
        std::fs::write(file("pebble.json"), config.to_string()).unwrap();
        let mut command = Command::new("pebble-challtestsrv");
        command.args(["-dns01", &names, "-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""]);
        command.args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-management", "127.0.0.1:0"]);
        let names_server = spawn(&mut command);
        std::fs::write(file("names"), names).unwrap();
        let mut pebble = Self { folder, address, management, names: names_server, process: None };
        pebble.run();
        pebble
    }

    /// Starts it again, at the same addresses; it has forgotten everything.
    pub fn run(&mut self) {
        let names = std::fs::read_to_string(self.file("names")).unwrap();
        let mut command = Command::new("pebble");
        command.arg("-config").arg(self.file("pebble.json")).args(["-strict", "-dnsserver", &names]);
        // It waits no random times, and refuses no requests at random.
        command.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_WFE_NONCEREJECT", "0");
        let mut process = spawn(&mut command);
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut log = std::fs::OpenOptions::new().create(true).append(true).open(self.file("log")).unwrap();
        // A pipe that nobody reads would block it.
        std::thread::spawn(move || {
            use std::io::Write as _;
            lines.for_each(|line| writeln!(log, "{line}").unwrap());
        });
        self.process = Some(process);
        let since = Instant::now();
        while std::net::TcpStream::connect(&self.address).is_err() {
            assert!(since.elapsed() < Duration::from_secs(10), "{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What it has written.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    /// How many certificates it has issued.
    pub fn issued(&self) -> usize {
        self.log().matches("Issued certificate serial").count()
    }

    /// Its directory.
    pub fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.address.rsplit(':').next().unwrap())
    }

    /// The certificate that the directory's own is signed by.
    pub fn root_file(&self) -> PathBuf {
        self.file("root.pem")
    }

    /// A client that trusts the certificates it issues, and no others, and finds all of `domains` at this machine.
    pub async fn trusting(&self, domains: &[&str], port: u16) -> Client {
        let own = Certificate::from_pem(&std::fs::read(self.root_file()).unwrap()).unwrap();
        let asking = Client::builder().tls_certs_only([own]).build().unwrap();
        let management = format!("https://localhost:{}/roots/0", self.management.rsplit(':').next().unwrap());
        let root = asking.get(management).send().await.unwrap().bytes().await.unwrap();
        let mut client = Client::builder().tls_certs_only([Certificate::from_pem(&root).unwrap()]);
        for domain in domains {
            client = client.resolve(domain, ([127, 0, 0, 1], port).into());
        }
        client.build().unwrap()
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        self.kill();
        let _ = self.names.kill();
        let _ = self.names.wait();
    }
}

/// The mode of a file.
pub fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
