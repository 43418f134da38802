//! What a killed run leaves is used, and nothing that does not belong to it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use emofed::model::Device;
use emofed::random::SplitMix64;
use emofed_server::lab::LabError;
use emofed_server::lab::cache::{self, MAGIC};
use emofed_server::lab::dataset::Dataset;
use emofed_server::lab::datasets::{Entry, SourceList, csv_list};
use emofed_server::lab::extract::{Engines, Progress, Settings, extract};
use emofed_server::lab::media::Sampling;
use emofed_server::lab::models::Models;

use super::crema_d::six;
use super::support::{SETTINGS, models, portrait, run};

/// Six stills and a diagnostic, which take no time.
fn stills(folder: &Path) -> SourceList {
    let mut rows = String::from("clip,subject,sex,split,anger,disgust,fear,happiness,neutral,sadness\n");
    for index in 0..6_u32 {
        portrait(&folder.join(format!("{index}.png")), 60 + 10 * index, index, 320);
        rows += &format!("{index}.png,s{index},female,train,0,0,0,{},1,0\n", index + 1);
    }
    rows += "3x.png,s9,,,1,0,0,0,0,0\n";
    std::fs::write(folder.join("clips.csv"), rows).unwrap();
    csv_list::list(folder, None).unwrap()
}

fn whole(folder: &Path, list: &SourceList) -> (PathBuf, Vec<u8>) {
    let path = folder.join("whole");
    run(list, &SETTINGS, &path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    (path, bytes)
}

#[test]
fn cut_anywhere_it_goes_on_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let list = stills(folder.path());
    let (_, bytes) = whole(folder.path(), &list);
    let cut = folder.path().join("cut");
    let mut lengths: Vec<usize> = (0..bytes.len()).step_by(397).collect();
    lengths.extend([1, MAGIC.len() - 1, MAGIC.len(), MAGIC.len() + 5, bytes.len() - 1, bytes.len()]);
    for length in lengths {
        std::fs::write(&cut, &bytes[..length]).unwrap();
        run(&list, &SETTINGS, &cut).unwrap();
        assert!(std::fs::read(&cut).unwrap() == bytes, "cut at {length} of {}", bytes.len());
    }
    // Junk behind the last whole record, as a file system may leave it after a loss of power.
    std::fs::write(&cut, [&bytes[..bytes.len() / 2], &[0; 4096]].concat()).unwrap();
    run(&list, &SETTINGS, &cut).unwrap();
    assert!(std::fs::read(&cut).unwrap() == bytes);
}

#[test]
fn cut_within_videos_it_goes_on_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (_, bytes) = whole(folder.path(), &six());
    for length in [bytes.len() / 3, bytes.len() - 40] {
        let cut = folder.path().join("cut");
        std::fs::write(&cut, &bytes[..length]).unwrap();
        run(&six(), &SETTINGS, &cut).unwrap();
        assert!(std::fs::read(&cut).unwrap() == bytes, "cut at {length} of {}", bytes.len());
    }
}

#[test]
fn interrupted_it_says_so_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (_, bytes) = whole(folder.path(), &six());
    let path = folder.path().join("interrupted");
    let stop = AtomicBool::new(false);
    let engines = Engines { models: models(), device: &Device::Cpu, jobs: 1 };
    let error = extract(&six(), &SETTINGS, Some(engines), &path, &stop, |progress| {
        stop.fetch_or(matches!(progress, Progress::Clip(_)), Ordering::Relaxed);
    });
    let Err(LabError::Interrupted { done }) = error else { panic!("{error:?}") };
    assert!((1..6).contains(&done), "{done}");
    assert!(matches!(Dataset::read(&path), Err(LabError::Malformed { .. })));
    assert_eq!(Dataset::read_unfinished(&path).unwrap().clips.len(), done);
    let resumed = AtomicUsize::new(0);
    extract(&six(), &SETTINGS, Some(engines), &path, &AtomicBool::new(false), |progress| {
        if let Progress::Started { resumed: count, .. } = progress {
            resumed.store(count, Ordering::Relaxed);
        }
    })
    .unwrap();
    assert_eq!(resumed.into_inner(), done);
    assert!(std::fs::read(&path).unwrap() == bytes);
}

#[test]
fn a_cache_of_something_else_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let list = stills(folder.path());
    let (path, bytes) = whole(folder.path(), &list);
    let refused = |words: &str, list: &SourceList, settings: &Settings, models: &Models| {
        let engines = Engines { models, device: &Device::Cpu, jobs: 1 };
        let error = extract(list, settings, Some(engines), &path, &AtomicBool::new(false), |_| {}).unwrap_err();
        assert!(matches!(error, LabError::Mismatch { .. }), "{error}");
        assert!(error.to_string().contains(words) && error.to_string().contains("--out"), "{error}");
        assert!(std::fs::read(&path).unwrap() == bytes);
    };
    let other = Models { backbone_sha256: "0".repeat(64), ..models().clone() };
    refused("the backbone", &list, &SETTINGS, &other);
    let other = Models { detector_sha256: "0".repeat(64), ..models().clone() };
    refused("the face detector", &list, &SETTINGS, &other);
    let sampling = Sampling { frames_per_second: 5.0, ..SETTINGS.sampling };
    refused("`frames_per_second` was 10.0 and is now 5.0", &list, &Settings { sampling, ..SETTINGS }, models());
    let mut fewer = list.clone();
    fewer.entries.pop();
    refused("the number of clips was 7 and is now 6", &fewer, &SETTINGS, models());
    let mut voted = list.clone();
    let Some(Entry::Clip(clip)) = voted.entries.first_mut() else { panic!("a clip") };
    clip.votes[0] += 1;
    refused("votes", &voted, &SETTINGS, models());
}

#[test]
fn what_is_no_cache_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let list = stills(folder.path());
    let thesis = folder.path().join("thesis.txt");
    std::fs::write(&thesis, "Chapter 1").unwrap();
    assert!(matches!(run(&list, &SETTINGS, &thesis), Err(LabError::Malformed { .. })));
    assert_eq!(std::fs::read(&thesis).unwrap(), b"Chapter 1");
    assert!(matches!(cache::read(&thesis), Err(LabError::Malformed { .. })));
    assert!(matches!(cache::read(&folder.path().join("none")), Err(LabError::File { .. })));
    assert!(run(&list, &SETTINGS, folder.path()).is_err(), "a folder is no cache");
}

#[test]
fn no_damage_passes_and_none_panics() {
    let folder = tempfile::tempdir().unwrap();
    let list = stills(folder.path());
    let (path, bytes) = whole(folder.path(), &list);
    let clips = Dataset::read(&path).unwrap().clips;
    let hurt = folder.path().join("hurt");
    for length in (0..bytes.len()).step_by(61) {
        std::fs::write(&hurt, &bytes[..length]).unwrap();
        assert!(Dataset::read(&hurt).is_err(), "cut at {length}");
    }
    let mut random = SplitMix64::new(5);
    for _ in 0..300 {
        let mut changed = bytes.clone();
        let place = random.below(bytes.len());
        changed[place] ^= 1 << random.below(8);
        std::fs::write(&hurt, &changed).unwrap();
        assert!(Dataset::read(&hurt).is_err(), "bit at {place}");
        if let Ok(unfinished) = Dataset::read_unfinished(&hurt) {
            assert!(clips.starts_with(&unfinished.clips), "bit at {place}");
        }
    }
    // A length of 4 GB, in a file of a few bytes.
    std::fs::write(&hurt, [MAGIC.as_slice(), &[0xff; 40]].concat()).unwrap();
    assert!(matches!(cache::read(&hurt), Err(LabError::Malformed { .. })));
    std::fs::write(&hurt, [bytes.as_slice(), b"more"].concat()).unwrap();
    assert!(Dataset::read(&hurt).is_err());
}
