//! What a tab keeps of its clips over a reload, if the student allows it: the clip store and what labelling carries from clip
//! to clip, as one record. No I/O; the record is encrypted before it is stored (`browser::encrypted_storage`).

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::clip_intake::IntakeState;
use super::clips::{ClipStore, Stage, StoredClips};
use crate::emotion::EMOTIONS;
use crate::learning::{Clip, check_clips};
use crate::messages::KeptClipsLoss;
use crate::model::vfer::FEATURES;
use crate::weights::{Tensor, Weights};

/// Version of the form that [`encode`] writes.
const SCHEMA_VERSION: u32 = 1;
/// Key of the metadata.
const METADATA: &str = "clips";
/// Where clips are: those that wait, the hold-out, and those of the update under way.
const GROUPS: [&str; 3] = ["waiting", "held_out", "update"];

/// Whose clips they are, and of which backbone. Clips of others are of no use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Participant id.
    pub participant: String,
    /// SHA-256 of the backbone's weights, which the features are of.
    pub backbone_sha256: String,
}

#[derive(Serialize, Deserialize)]
struct Metadata {
    schema_version: u32,
    owner: Owner,
    /// The round of the update under way, and what is known of it.
    update: Option<(u64, Stage)>,
    intake: IntakeState,
}

/// Only this much of the metadata, whatever the version.
#[derive(Deserialize)]
struct Version {
    schema_version: u32,
}

/// The record of the clips and of `intake`: safetensors with three tensors for each group of clips, `features`, `[frames of all
/// clips, FEATURES]`, `frames`, `[clips]`, and `targets`, `[clips, EMOTIONS]`.
pub fn encode(owner: &Owner, stored: &StoredClips<'_>, intake: &IntakeState) -> Vec<u8> {
    let StoredClips { waiting, held_out, update } = stored;
    let mut weights = Weights::new();
    let in_update = &update.as_ref().map_or(Vec::new(), |(_, _, clips)| clips.clone());
    for (group, clips) in GROUPS.iter().zip([waiting, held_out, in_update]) {
        let features: Vec<f32> = clips.iter().flat_map(|clip| &clip.features).copied().collect();
        let frames: Vec<f32> = clips.iter().map(|clip| (clip.features.len() / FEATURES) as f32).collect();
        let targets: Vec<f32> = clips.iter().flat_map(|clip| clip.target).collect();
        weights.insert(format!("{group}.features"), Tensor::new([features.len() / FEATURES, FEATURES], features));
        weights.insert(format!("{group}.frames"), Tensor::new([frames.len()], frames));
        weights.insert(format!("{group}.targets"), Tensor::new([clips.len(), EMOTIONS], targets));
    }
    let metadata = Metadata {
        schema_version: SCHEMA_VERSION,
        owner: owner.clone(),
        update: update.as_ref().map(|(round, stage, _)| (*round, *stage)),
        intake: intake.clone(),
    };
    let metadata = serde_json::to_string(&metadata).expect("numbers and names");
    weights.to_safetensors(Some(HashMap::from([(METADATA.to_owned(), metadata)])))
}

/// The clips and the state of labelling that [`encode`] wrote for the same `owner`.
///
/// # Errors
/// Why they are lost.
pub fn decode(bytes: &[u8], owner: &Owner) -> Result<(ClipStore, IntakeState), KeptClipsLoss> {
    const MALFORMED: KeptClipsLoss = KeptClipsLoss::Malformed;
    let metadata = Weights::metadata(bytes).ok().and_then(|mut metadata| metadata.remove(METADATA)).ok_or(MALFORMED)?;
    let version: Version = serde_json::from_str(&metadata).map_err(|_| MALFORMED)?;
    if version.schema_version != SCHEMA_VERSION {
        return Err(KeptClipsLoss::Schema { found: version.schema_version });
    }
    let metadata: Metadata = serde_json::from_str(&metadata).map_err(|_| MALFORMED)?;
    if metadata.owner.participant != owner.participant {
        return Err(KeptClipsLoss::OtherParticipant);
    }
    if metadata.owner.backbone_sha256 != owner.backbone_sha256 {
        return Err(KeptClipsLoss::OtherBackbone);
    }
    let weights = Weights::from_safetensors(bytes).map_err(|_| MALFORMED)?;
    let [waiting, held_out, in_update] = GROUPS.map(|group| read_group(&weights, group));
    let update = match metadata.update {
        Some((round, stage)) => Some((round, stage, in_update.ok_or(MALFORMED)?)),
        None => None,
    };
    let clips = ClipStore::restore(waiting.ok_or(MALFORMED)?, held_out.ok_or(MALFORMED)?, update);
    Ok((clips, metadata.intake))
}

/// The clips of a group; `None` if its tensors do not fit each other, or a clip is not usable.
fn read_group(weights: &Weights, group: &str) -> Option<Vec<Clip>> {
    let tensor = |name: &str| weights.get(&format!("{group}.{name}")).ok();
    let frames = &tensor("frames")?.values;
    let targets = weights.get_shaped(&format!("{group}.targets"), &[frames.len(), EMOTIONS]).ok()?;
    let mut features = tensor("features")?.values.as_slice();
    let mut clips = Vec::with_capacity(frames.len());
    for (frames, target) in frames.iter().zip(targets.values.as_chunks::<EMOTIONS>().0) {
        let (clip, rest) = features.split_at_checked((*frames as usize).checked_mul(FEATURES)?)?;
        features = rest;
        clips.push(Clip { features: clip.to_vec(), target: *target });
    }
    let is_usable = features.is_empty() && (clips.is_empty() || check_clips(&clips).is_ok());
    is_usable.then_some(clips)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emotion::Emotion;
    use crate::learning::LearningSettings;
    use crate::random::SplitMix64;
    use crate::worker::clip_intake::ClipIntake;
    use crate::worker::segment::Segment;

    fn owner() -> Owner {
        Owner { participant: "0123".to_owned(), backbone_sha256: "ab".repeat(32) }
    }

    fn sure_of(emotion: Emotion) -> [f32; EMOTIONS] {
        let mut probabilities = [0.02; EMOTIONS];
        probabilities[emotion.index()] = 0.9;
        probabilities
    }

    /// A store that took in `count` clips of random lengths, with an update in `stage`.
    fn tab(seed: u64, count: usize, stage: Option<Stage>) -> (ClipStore, ClipIntake) {
        let mut random = SplitMix64::new(seed);
        let (mut clips, mut intake) = (ClipStore::default(), ClipIntake::default());
        let settings = LearningSettings { collapse_minimum_clips: 3, ..LearningSettings::default() };
        for clip in 0..count {
            let frames = 1 + random.below(4);
            let features = (0..frames * FEATURES).map(|_| random.signed()).collect();
            let probabilities = vec![sure_of(Emotion::Fear); frames];
            let mut segment = Segment::default();
            (segment.features, segment.probabilities) = (features, probabilities);
            intake.take(segment, &[0.0; EMOTIONS], &settings, &mut clips).unwrap();
            if clip == count / 2
                && let Some(stage) = stage
            {
                clips.contribute(7);
                if stage != Stage::Unsent {
                    clips.sending(7);
                }
                if stage == Stage::Acknowledged {
                    clips.acknowledged(7);
                }
            }
        }
        (clips, intake)
    }

    #[test]
    fn whatever_was_kept_comes_back() {
        let stages = [None, Some(Stage::Unsent), Some(Stage::Unanswered), Some(Stage::Acknowledged)];
        for (seed, stage) in (0..40).zip(stages.into_iter().cycle()) {
            let (clips, intake) = tab(seed, seed as usize % 14, stage);
            let bytes = encode(&owner(), &clips.stored(false), intake.state());
            let (restored, state) = decode(&bytes, &owner()).unwrap();
            assert_eq!(restored.stored(false), clips.stored(false), "seed {seed}");
            let resumed = ClipIntake::resume(state);
            assert_eq!(resumed.pauses_contributing(), intake.pauses_contributing(), "seed {seed}");
            assert_eq!(resumed.health_report().clips, intake.health_report().clips, "seed {seed}");
            assert_eq!(encode(&owner(), &restored.stored(false), resumed.state()).len(), bytes.len(), "seed {seed}");
        }
    }

    #[test]
    fn every_cut_and_every_other_owner_is_named() {
        let (clips, intake) = tab(3, 5, Some(Stage::Unsent));
        let bytes = encode(&owner(), &clips.stored(false), intake.state());
        for length in (0..bytes.len()).step_by(101).chain([bytes.len() - 1]) {
            assert_eq!(decode(&bytes[..length], &owner()).map(|_| ()), Err(KeptClipsLoss::Malformed), "{length}");
        }
        let other = Owner { participant: "4567".to_owned(), ..owner() };
        assert_eq!(decode(&bytes, &other).map(|_| ()), Err(KeptClipsLoss::OtherParticipant));
        let other = Owner { backbone_sha256: "cd".repeat(32), ..owner() };
        assert_eq!(decode(&bytes, &other).map(|_| ()), Err(KeptClipsLoss::OtherBackbone));
        let weights = Weights::from_safetensors(&bytes).unwrap();
        let newer = HashMap::from([(METADATA.to_owned(), r#"{"schema_version": 9}"#.to_owned())]);
        let newer = weights.to_safetensors(Some(newer));
        assert_eq!(decode(&newer, &owner()).map(|_| ()), Err(KeptClipsLoss::Schema { found: 9 }));
    }

    #[test]
    fn clips_that_do_not_add_up_are_lost() {
        let (clips, intake) = tab(3, 5, None);
        let bytes = encode(&owner(), &clips.stored(false), intake.state());
        let metadata = Weights::metadata(&bytes).unwrap();
        let damaged = |name: &str, tensor: Tensor| {
            let mut weights = Weights::from_safetensors(&bytes).unwrap();
            weights.insert(name, tensor);
            decode(&weights.to_safetensors(Some(metadata.clone())), &owner()).map(|_| ())
        };
        let count = clips.waiting();
        for frames in [vec![1e30; count], vec![0.0; count], vec![f32::NAN; count], vec![-1.0; count], vec![1.0]] {
            let tensor = Tensor::new([frames.len()], frames);
            assert_eq!(damaged("waiting.frames", tensor), Err(KeptClipsLoss::Malformed));
        }
        let infinite = Tensor::new([count, EMOTIONS], vec![f32::INFINITY; count * EMOTIONS]);
        assert_eq!(damaged("waiting.targets", infinite), Err(KeptClipsLoss::Malformed));
    }
}
