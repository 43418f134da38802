//! What end-to-end tests, screenshots and benchmarks need: real browsers with made cameras, a proxy that records what
//! they send, and the real aggregator.
//!
//! This is support for tests: where something is missing or does not happen in time it panics, saying what was awaited
//! and, for a missing tool, the way out.

pub mod aggregator;
pub mod browser;
pub mod camera;
mod page;
pub mod peers;
pub mod portable_browser;
mod process;
pub mod protocol_client;
pub mod proxy;
pub mod student;

use std::path::PathBuf;

/// The path in environment variable `name`, which `.tools/env.sh` sets and which must exist.
///
/// # Panics
/// If it is not set or nothing is there.
pub fn path_from_env(name: &str) -> PathBuf {
    let path = std::env::var_os(name).unwrap_or_else(|| {
        panic!("{name} is not set; way out: run this through `make test`, or first `source .tools/env.sh`")
    });
    let path = PathBuf::from(path);
    assert!(path.exists(), "{name} is {}, where there is nothing; way out: `make build`", path.display());
    path
}

/// The folder with the built page's files, apart from the pages themselves: `v/VERSION`.
///
/// # Panics
/// If there is not exactly one version.
pub fn page_files() -> PathBuf {
    let versions = path_from_env("EMOFED_DIST").join("v");
    let entries = std::fs::read_dir(&versions).unwrap_or_else(|error| panic!("{}: {error}", versions.display()));
    let mut folders = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let (only, another) = (folders.next(), folders.next());
    only.filter(|_| another.is_none()).unwrap_or_else(|| panic!("{} has not one version", versions.display()))
}
