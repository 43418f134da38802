//! The whole path on six real videos.

use std::path::Path;

use emofed::emotion::Emotion;
use emofed_server::lab::LabError;
use emofed_server::lab::dataset::{Dataset, Sex};
use emofed_server::lab::datasets::{Entry, SourceList, crema_d};
use emofed_server::lab::diagnostic::DiagnosticKind;

use super::support::{SETTINGS, fixture, models, path_from_env, run, run_with};

/// The six videos with their tables.
pub fn six() -> SourceList {
    crema_d::list(&path_from_env("EMOFED_CREMA_D"), Some(&fixture("crema-d"))).unwrap()
}

#[test]
fn videos_become_features_with_votes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("six");
    let counts = run(&six(), &SETTINGS, &path).unwrap();
    assert_eq!((counts.clips, counts.diagnostics.len()), (6, 0));
    let dataset = Dataset::read(&path).unwrap();
    assert_eq!(dataset.provenance.backbone_sha256, models().backbone_sha256);
    assert_eq!(dataset.subjects(), [("1001", Some(Sex::Male))]);
    // Face-only votes of tabulatedVotes.csv, A D F H N S.
    let votes = [
        [5, 2, 0, 0, 3, 0],
        [6, 2, 0, 0, 2, 0],
        [1, 3, 2, 0, 2, 1],
        [0, 0, 0, 7, 2, 0],
        [1, 0, 0, 0, 9, 0],
        [0, 1, 1, 0, 7, 0],
    ];
    let mut named = 0;
    for ((clip, votes), acted) in dataset.clips.iter().zip(votes).zip(Emotion::ALL) {
        assert_eq!(clip.votes, votes, "{}", clip.id);
        assert!(
            clip.frames() >= 15 && clip.frames() == clip.probabilities.len(),
            "{}: {} frames",
            clip.id,
            clip.frames()
        );
        let mean = clip.mean_probabilities();
        assert!((mean.iter().sum::<f32>() - 1.0).abs() < 1e-4);
        named += usize::from(mean.iter().all(|&p| p <= mean[acted.index()]));
    }
    // What the actor was told to show; of what most raters saw, two (see docs/REPRODUCTION.md).
    assert!(named >= 4, "the image head names {named} of 6");
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = [1, 3].map(|jobs| {
        let path = folder.path().join(jobs.to_string());
        run_with(jobs, &six(), &SETTINGS, &path).unwrap();
        std::fs::read(path).unwrap()
    });
    assert!(bytes[0] == bytes[1]);
}

#[test]
fn tables_are_looked_for_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let (set, videos) = (folder.path().join("set"), folder.path().join("set/a/b"));
    std::fs::create_dir_all(&videos).unwrap();
    let missing = |name: &str, list: Result<SourceList, LabError>| match list {
        Err(error @ LabError::Missing { .. }) => assert!(error.to_string().contains(name), "{error}"),
        other => panic!("{other:?}"),
    };
    missing("a video", crema_d::list(&set, None));
    std::fs::write(videos.join("1001_DFA_ANG_XX.mp4"), "").unwrap();
    missing("tabulatedVotes.csv", crema_d::list(&set, None));
    let copy = |name: &str, to: &Path| assert!(std::fs::copy(fixture("crema-d").join(name), to.join(name)).is_ok());
    copy("tabulatedVotes.csv", folder.path());
    missing("VideoDemographics.csv", crema_d::list(&set, None));
    copy("VideoDemographics.csv", &set);
    let list = crema_d::list(&set, None).unwrap();
    assert_eq!(list.entries.len(), 1);
    assert!(list.notes[0].starts_with("5 of 6"), "{:?}", list.notes);
}

#[test]
fn names_and_tables_that_do_not_fit_are_diagnostics() {
    let folder = tempfile::tempdir().unwrap();
    let names = [
        "1001_DFA_ANG_XX.mp4",
        "1001_DFA_ANG_XX.flv",
        "1001_DFA_XYZ_XX.flv",
        "1001_IEO_ANG_XX.flv",
        "1002_DFA_HAP_XX.flv",
        "holiday.avi",
    ];
    for name in names.iter().chain(&["notes.txt"]) {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    let mut votes = std::fs::read_to_string(fixture("crema-d/tabulatedVotes.csv")).unwrap();
    let row = votes.lines().find(|line| line.starts_with("\"200060\"")).unwrap();
    // Somebody rated an actor whom the other table does not know.
    let unknown = row.replace("200060", "299999").replace("1001_", "1002_");
    votes.extend([unknown.as_str(), "\n"]);
    std::fs::write(folder.path().join("tabulatedVotes.csv"), votes).unwrap();
    std::fs::copy(fixture("crema-d/VideoDemographics.csv"), folder.path().join("VideoDemographics.csv")).unwrap();
    let list = crema_d::list(folder.path(), None).unwrap();
    let found: Vec<(&str, Option<DiagnosticKind>)> = list
        .entries
        .iter()
        .map(|entry| match entry {
            Entry::Clip(clip) => (clip.id.as_str(), None),
            Entry::Diagnostic(diagnostic) => (diagnostic.clip.as_str(), Some(diagnostic.kind)),
        })
        .collect();
    let expected = [
        ("1001_DFA_ANG_XX", None),
        ("1001_DFA_ANG_XX", Some(DiagnosticKind::Duplicate)),
        ("1001_DFA_XYZ_XX", Some(DiagnosticKind::UnknownEmotion)),
        ("1001_IEO_ANG_XX", Some(DiagnosticKind::NoVotes)),
        ("1002_DFA_HAP_XX", Some(DiagnosticKind::NoSex)),
        ("holiday", Some(DiagnosticKind::UnknownEmotion)),
    ];
    assert_eq!(found, expected);
}
