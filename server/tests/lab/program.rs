//! The program itself: what it prints, and what a kill or a full disk must not lose.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use super::support::{fixture, package, path_from_env};

pub fn emofed() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_emofed"));
    command.env_remove("EMOFED_DATA").stdin(Stdio::null());
    command
}

pub fn imported() -> tempfile::TempDir {
    let data = tempfile::tempdir().unwrap();
    let done = emofed().args(["import", "lite"]).arg(package()).arg("--data").arg(data.path()).output().unwrap();
    assert!(done.status.success());
    data
}

fn features(data: &Path, out: &Path) -> Command {
    let mut command = emofed();
    command.args(["features", "crema-d"]).arg(path_from_env("EMOFED_CREMA_D")).arg("--tables").arg(fixture("crema-d"));
    command.arg("--data").arg(data).arg("--out").arg(out);
    command
}

pub fn words(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

#[test]
fn killed_or_on_a_full_disk_it_goes_on_to_the_same_bytes() {
    let (data, folder) = (imported(), tempfile::tempdir().unwrap());
    let at = |name: &str| folder.path().join(name);
    let whole = features(data.path(), &at("whole")).output().unwrap();
    assert!(whole.status.success() && words(&whole).contains("6 clips, "), "{}", words(&whole));
    let bytes = std::fs::read(at("whole")).unwrap();

    let mut killed = features(data.path(), &at("killed")).args(["--jobs", "1"]).stderr(Stdio::null()).spawn().unwrap();
    while std::fs::metadata(at("killed")).map_or(0, |file| file.len()) < 10_000 && killed.try_wait().unwrap().is_none()
    {
        std::thread::sleep(Duration::from_millis(5));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let resumed = features(data.path(), &at("killed")).output().unwrap();
    assert!(resumed.status.success() && words(&resumed).contains("earlier run"), "{}", words(&resumed));
    assert!(std::fs::read(at("killed")).unwrap() == bytes);

    // A limit on the file's size (in blocks of 1 KiB) fails a write half-way, as a full disk does.
    let command = features(data.path(), &at("full"));
    let mut limited = Command::new("bash");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$@\"", "bash"])
        .arg(command.get_program())
        .args(command.get_args());
    let full = limited.env_remove("EMOFED_DATA").output().unwrap();
    assert!(!full.status.success() && words(&full).contains("way out: see that"), "{}", words(&full));
    let unfinished = emofed_server::lab::dataset::Dataset::read_unfinished(&at("full")).unwrap();
    assert!((1..6).contains(&unfinished.clips.len()));
    assert!(features(data.path(), &at("full")).status().unwrap().success());
    assert!(std::fs::read(at("full")).unwrap() == bytes);
}

#[test]
fn without_what_it_needs_it_tells_the_way_out() {
    let (data, folder) = (imported(), tempfile::tempdir().unwrap());
    let out = folder.path().join("cache");
    let fails = |command: &mut Command, expected: &str| {
        let output = command.output().unwrap();
        assert!(!output.status.success() && words(&output).contains(expected), "{}", words(&output));
        assert!(words(&output).contains("way out: "), "{}", words(&output));
    };
    fails(features(folder.path(), &out).env("HOME", folder.path()), "emofed import lite");
    fails(features(data.path(), &out).env("PATH", ""), "package `ffmpeg`");
    fails(features(data.path(), &out).args(["--frames-per-second", "0"]), "0 frames a second");
    if cfg!(not(feature = "gpu")) {
        fails(features(data.path(), &out).args(["--device", "gpu"]), "--features gpu");
    }
    std::fs::write(
        folder.path().join("list.csv"),
        "clip,subject,anger,disgust,fear,happiness,neutral,sadness\nx,y,1,0,0,0,0,0\n",
    )
    .unwrap();
    let mut nothing = emofed();
    nothing.args(["features", "csv"]).arg(folder.path().join("list.csv")).arg("--data").arg(data.path());
    fails(nothing.arg("--out").arg(folder.path().join("nothing")), "missing-file: 1");
    let help = words(&emofed().args(["features", "--help"]).output().unwrap());
    assert!(help.contains("Example") && help.contains("--film-seconds"), "{help}");
}
