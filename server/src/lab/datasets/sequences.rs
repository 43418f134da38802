//! Clips of acted emotions as features that somebody else computed with the lite backbone, in one safetensors file.

use std::path::Path;

use emofed::emotion::EMOTIONS;
use emofed::model::BackboneKind;
use emofed::model::vfer::FEATURES;
use emofed::protocol::sha256_hex;
use half::f16;
use safetensors::{Dtype, SafeTensors};

use crate::lab::LabError;
use crate::lab::dataset::{Dataset, Provenance, RatedClip};

/// Words in a clip's name for each emotion, in the order of [`emofed::emotion::Emotion::ALL`].
const WORDS: [&[&str]; EMOTIONS] = [
    &["anger", "angry", "ang"],
    &["disgust", "disgusted", "dis"],
    &["fear", "fearful", "fea"],
    &["happiness", "happy", "hap"],
    &["neutral", "neu"],
    &["sadness", "sad"],
];

/// Reads `NAME/features` `[frames, FEATURES]` and `NAME/probabilities` `[frames, EMOTIONS]` of each clip, F16 or F32. A name
/// has parts joined by `_`: the first is the subject, one names the emotion that was acted, which gets the only vote. The
/// metadata's `backbone_sha256` says which backbone computed them.
///
/// # Errors
/// The file cannot be read, or is not of this form.
pub fn read(path: &Path) -> Result<Dataset, LabError> {
    let wrong = |reason: String| LabError::malformed(path, reason);
    let bytes = std::fs::read(path).map_err(|error| LabError::file(path, error))?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| wrong(error.to_string()))?;
    let backbone_sha256 = header.metadata().as_ref().and_then(|metadata| metadata.get("backbone_sha256")).cloned();
    let backbone_sha256 = backbone_sha256.ok_or_else(|| wrong("it does not say which backbone".into()))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| wrong(error.to_string()))?;
    let mut names: Vec<&str> = file.names().into_iter().filter_map(|name| name.strip_suffix("/features")).collect();
    names.sort_unstable();
    let clip = |name: &str| -> Result<RatedClip, LabError> {
        let emotion = acted(name).ok_or_else(|| wrong(format!("`{name}` does not name one of the six emotions")))?;
        let features = values(&file, &format!("{name}/features"), FEATURES).map_err(wrong)?;
        let probabilities = values(&file, &format!("{name}/probabilities"), EMOTIONS).map_err(wrong)?;
        let probabilities = probabilities.as_chunks::<EMOTIONS>().0.to_vec();
        if features.is_empty() || features.len() / FEATURES != probabilities.len() {
            return Err(wrong(format!("`{name}` does not have as many features as probabilities, or none")));
        }
        let mut votes = [0; EMOTIONS];
        votes[emotion] = 1;
        let subject = name.split('_').next().unwrap_or(name).to_owned();
        Ok(RatedClip { id: name.to_owned(), subject, sex: None, subset: None, votes, features, probabilities })
    };
    let clips = names.into_iter().map(clip).collect::<Result<Vec<_>, _>>()?;
    let provenance = Provenance {
        set: "sequences".into(),
        synthetic: false,
        backbone: BackboneKind::Lite,
        backbone_sha256,
        detector_sha256: None,
        settings: serde_json::json!({ "file_sha256": sha256_hex(&bytes) }),
    };
    Ok(Dataset { provenance, clips })
}

/// Index of the emotion that a clip's name tells, if it tells exactly one.
fn acted(name: &str) -> Option<usize> {
    let parts: Vec<String> = name.split('_').skip(1).map(str::to_lowercase).collect();
    let mut named = (0..EMOTIONS).filter(|&emotion| parts.iter().any(|part| WORDS[emotion].contains(&part.as_str())));
    named.next().filter(|_| named.next().is_none())
}

/// The values of a tensor `[rows, width]`, all of them finite.
fn values(file: &SafeTensors, name: &str, width: usize) -> Result<Vec<f32>, String> {
    let view = file.tensor(name).map_err(|error| error.to_string())?;
    let values: Vec<f32> = match (view.dtype(), view.shape()) {
        (Dtype::F16, [_, columns]) if *columns == width => {
            view.data().as_chunks::<2>().0.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f32()).collect()
        }
        (Dtype::F32, [_, columns]) if *columns == width => {
            view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
        }
        (dtype, shape) => {
            return Err(format!("`{name}` is {dtype:?} {shape:?}, expected F16 or F32 [frames, {width}]"));
        }
    };
    if values.iter().all(|value| value.is_finite()) {
        Ok(values)
    } else {
        Err(format!("`{name}` has a value that is not finite"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use safetensors::tensor::TensorView;

    use super::*;

    fn file(name: &str, feature: f32, rows: [usize; 2]) -> tempfile::NamedTempFile {
        let bytes = |value: f32, count: usize| value.to_le_bytes().repeat(count);
        let (features, probabilities) = (bytes(feature, rows[0] * FEATURES), bytes(0.25, rows[1] * EMOTIONS));
        let views = [
            (format!("{name}/features"), TensorView::new(Dtype::F32, vec![rows[0], FEATURES], &features).unwrap()),
            (
                format!("{name}/probabilities"),
                TensorView::new(Dtype::F32, vec![rows[1], EMOTIONS], &probabilities).unwrap(),
            ),
        ];
        let metadata = HashMap::from([("backbone_sha256".to_owned(), "b".to_owned())]);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), safetensors::serialize(views, Some(metadata)).unwrap()).unwrap();
        file
    }

    #[test]
    fn a_name_tells_who_and_what() {
        let dataset = read(file("M030_front_disgusted_level3", 0.5, [4, 4]).path()).unwrap();
        let [clip] = &dataset.clips[..] else { panic!("one clip") };
        assert_eq!((clip.subject.as_str(), clip.votes, clip.frames()), ("M030", [0, 1, 0, 0, 0, 0], 4));
        assert_eq!(acted("1001_DFA_FEA_XX"), Some(2));
        assert_eq!((acted("sad_happy"), acted("1_sad_happy"), acted("1_surprise")), (Some(3), None, None));
    }

    #[test]
    fn what_does_not_fit_is_told() {
        for (name, feature, rows, words) in [
            ("1_surprise", 0.5, [4, 4], "does not name one"),
            ("1_sad", 0.5, [4, 3], "as many features"),
            ("1_sad", 0.5, [0, 0], "or none"),
            ("1_sad", f32::NAN, [4, 4], "not finite"),
        ] {
            let error = read(file(name, feature, rows).path()).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
