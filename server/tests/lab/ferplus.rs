//! FER+: pictures or stored features, and which rows count.

use std::collections::HashMap;
use std::path::Path;

use emofed::weights::{Tensor, Weights};
use emofed_server::lab::LabError;
use emofed_server::lab::dataset::{Dataset, Subset};
use emofed_server::lab::datasets::{Entry, ferplus};
use emofed_server::lab::diagnostic::DiagnosticKind;
use emofed_server::lab::extract::{Crop, Settings};

use super::support::{SETTINGS, portrait, run};

const TABLE: &str = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF
Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0
PublicTest,fer0000001.png,0,9,1,0,0,0,0,0,0,0
PrivateTest,fer0000002.png,0,0,0,0,2,8,0,0,0,0
Training,fer0000003.png,1,0,8,0,0,0,1,0,0,0
Training,fer0000004.png,5,0,5,0,0,0,0,0,0,0
Training,,0,0,0,0,0,0,0,0,0,10
Training,fer0000006.png,0,0,0,0,0,0,0,0,0,0
Training,fer0000007.png,10,0,0,0,0,0,0,0,0,0
Someday,fer0000008.png,10,0,0,0,0,0,0,0,0,0
Training,../fer0000009.png,10,0,0,0,0,0,0,0,0,0
";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("fer2013new.csv"), TABLE).unwrap();
    folder
}

#[test]
fn whole_pictures_are_rendered_as_clips() {
    let folder = folder();
    for index in [0, 1, 2, 3, 4, 8] {
        portrait(&folder.path().join(format!("fer000000{index}.png")), 170, 60, 48);
    }
    let list = ferplus::list(folder.path(), None, None).unwrap();
    assert_eq!(list.left_out, 3, "surprise, a draw with surprise, and no face");
    let kinds: HashMap<&str, DiagnosticKind> = list
        .entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Diagnostic(diagnostic) => Some((diagnostic.clip.as_str(), diagnostic.kind)),
            Entry::Clip(_) => None,
        })
        .collect();
    let expected = [
        ("fer0000006", DiagnosticKind::NoVotes),
        ("fer0000007", DiagnosticKind::MissingFile),
        ("fer0000008", DiagnosticKind::Contradiction),
        ("../fer0000009", DiagnosticKind::MissingFile),
    ];
    assert_eq!(kinds, HashMap::from(expected));
    let path = folder.path().join("cache");
    let mut settings = Settings { crop: Crop::WholePicture, ..SETTINGS };
    settings.sampling.film_seconds = 0.5;
    let counts = run(&list, &settings, &path).unwrap();
    assert_eq!((counts.clips, counts.frames, counts.left_out), (3, 15, 3));
    let dataset = Dataset::read(&path).unwrap();
    assert_eq!(dataset.provenance.detector_sha256, None);
    let subsets: Vec<Option<Subset>> = dataset.clips.iter().map(|clip| clip.subset).collect();
    assert_eq!(subsets, [Subset::Train, Subset::Validation, Subset::Test].map(Some));
    assert_eq!(dataset.clips[0].votes, [3, 2, 0, 0, 4, 1]);
    assert!(dataset.clips.iter().all(|clip| clip.subject == clip.id));
}

/// Features of `rows` pictures whose first value is the row's number.
fn store(folder: &Path, rows: usize, backbone: &str) {
    let mut weights = Weights::new();
    let features = (0..rows).flat_map(|row| (0..256).map(move |i| if i == 0 { row as f32 } else { 0.5 })).collect();
    weights.insert("features", Tensor::new([rows, 256], features));
    weights.insert("probabilities", Tensor::new([rows, 6], vec![1.0 / 6.0; rows * 6]));
    let bytes = weights.to_safetensors_f16(None);
    // The writer for F16 has no metadata: put it in front of the tensors' entries.
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&bytes[8..8 + length]).unwrap().trim_end();
    let mut header = header.replacen('{', &format!("{{\"__metadata__\":{{\"backbone_sha256\":\"{backbone}\"}},"), 1);
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    let file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &bytes[8 + length..]].concat();
    std::fs::write(folder.join("lite_features.safetensors"), file).unwrap();
    let names: String = (0..3).rev().map(|index| format!("fer000000{index}.png\n")).collect();
    std::fs::write(folder.join("images.txt"), names).unwrap();
}

#[test]
fn without_pictures_stored_features_are_taken() {
    let folder = folder();
    store(folder.path(), 3, "abc");
    let list = ferplus::list(folder.path(), None, Some("abc")).unwrap();
    let path = folder.path().join("cache");
    let counts = run(&list, &SETTINGS, &path).unwrap();
    assert_eq!((counts.clips, counts.frames), (3, 3));
    let dataset = Dataset::read(&path).unwrap();
    assert_eq!(dataset.provenance.backbone_sha256, "abc");
    let rows: Vec<f32> = dataset.clips.iter().map(|clip| clip.features[0]).collect();
    assert_eq!(rows, [2.0, 1.0, 0.0], "images.txt says which row is whose");
    assert!(matches!(ferplus::list(folder.path(), None, Some("def")), Err(LabError::Mismatch { .. })));
    store(folder.path(), 4, "abc");
    assert!(matches!(ferplus::list(folder.path(), None, None), Err(LabError::Malformed { .. })));
    std::fs::remove_file(folder.path().join("images.txt")).unwrap();
    assert!(matches!(ferplus::list(folder.path(), None, None), Err(LabError::Missing { .. })));
}
