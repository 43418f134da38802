//! Child processes that end with the test, whatever ends the test.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running program whose output goes to a file. Killed when dropped.
pub(super) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; both its outputs are appended to `log`.
    pub(super) fn start(command: &mut Command, log: &Path) -> Self {
        let open = || {
            let file = File::options().create(true).append(true).open(log);
            file.unwrap_or_else(|error| panic!("cannot write {}: {error}", log.display()))
        };
        let child = command.stdin(Stdio::null()).stdout(open()).stderr(open()).spawn();
        let child = child.unwrap_or_else(|error| {
            panic!("cannot start {:?}: {error}; way out: `make setup` installs the tools", command.get_program())
        });
        Self { child, log: log.to_owned() }
    }

    /// What it has written so far.
    pub(super) fn output(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Whether it has ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends it the signal of this name (`STOP`, `CONT`).
    pub(super) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "SIG{name} could not be sent");
    }

    /// Kills it at once (SIGKILL) and waits until it is gone.
    pub(super) fn kill(&mut self) {
        // Either fails only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that nothing listens on now.
pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// Kills at once every process whose id is in `ids`.
pub(super) fn kill_all(ids: &[u32]) {
    if !ids.is_empty() {
        let list: Vec<String> = ids.iter().map(u32::to_string).collect();
        // Those that are gone already are not worth a word.
        let _ = Command::new("sh").args(["-c", &format!("kill -9 {} 2>/dev/null", list.join(" "))]).status();
    }
}

/// The processes with `argument` on their command line, and their descendants, each with its command line.
pub(super) fn family(argument: &str) -> Vec<(u32, String)> {
    let all = processes();
    let mut family: Vec<u32> = all.iter().filter(|p| p.command.contains(argument)).map(|p| p.id).collect();
    let mut known = 0;
    while known < family.len() {
        let parent = family[known];
        let children = all.iter().filter(|p| p.parent == parent).map(|p| p.id);
        let new: Vec<u32> = children.filter(|id| !family.contains(id)).collect();
        family.extend(new);
        known += 1;
    }
    all.into_iter().filter(|p| family.contains(&p.id)).map(|p| (p.id, p.command)).collect()
}

struct ProcessInfo {
    id: u32,
    parent: u32,
    command: String,
}

/// Every process that `/proc` shows; one that ends meanwhile is left out.
fn processes() -> Vec<ProcessInfo> {
    let entries = fs::read_dir("/proc").expect("end-to-end tests need Linux's /proc");
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter_map(|id: u32| {
        let command = fs::read(format!("/proc/{id}/cmdline")).ok()?;
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // "id (name) state parent …"; the name may hold anything, so count from its closing parenthesis.
        let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
        Some(ProcessInfo { id, parent, command: String::from_utf8_lossy(&command).replace('\0', " ") })
    })
    .collect()
}
