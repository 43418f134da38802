//! Who is learned from, who chooses the epoch, and who is tested: a split by subject, sexes balanced.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use emofed::random::SplitMix64;
use serde::{Deserialize, Serialize};

use super::LabError;
use super::dataset::{Dataset, RatedClip, Sex, Subset};

/// The paper's shares of CREMA-D's 91 actors: train, validation, test.
const PAPER_SHARES: [usize; 3] = [67, 12, 12];

/// Clips of a virtual student, where a set does not tell whose clips are whose.
pub const CLIPS_OF_A_VIRTUAL_STUDENT: usize = 20;

/// Which subset each subject belongs to. No subject is in two, since each is a key once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// The set it was made for.
    pub set: String,
    /// What the shuffle was seeded with; also halves the test clips.
    pub seed: u64,
    /// Subject to subset.
    pub subjects: BTreeMap<String, Subset>,
}

impl Split {
    /// Splits `dataset`'s subjects 67 : 12 : 12 (exactly so many if there are 91), each sex as evenly as the numbers
    /// allow. A subset that the set itself prescribes is kept.
    ///
    /// # Errors
    /// [`LabError::Mismatch`] if a subject is prescribed two subsets, or if some subset would be empty.
    pub fn by_subject(dataset: &Dataset, seed: u64) -> Result<Self, LabError> {
        let set = dataset.provenance.set.clone();
        let mut subjects = prescribed(dataset)?;
        let mut random = SplitMix64::new(seed);
        let mut of_sex: BTreeMap<Option<Sex>, Vec<&str>> = BTreeMap::new();
        for (subject, sex) in dataset.subjects() {
            if !subjects.contains_key(subject) {
                of_sex.entry(sex).or_default().push(subject);
            }
        }
        let groups: Vec<usize> = of_sex.values().map(Vec::len).collect();
        let [_, validation, test] = counts(groups.iter().sum());
        let validation = shares(&groups, validation);
        let rest: Vec<usize> = groups.iter().zip(&validation).map(|(all, taken)| all - taken).collect();
        let test = shares(&rest, test);
        for (group, mut names) in of_sex.into_values().enumerate() {
            random.shuffle(&mut names);
            for (index, name) in names.into_iter().enumerate() {
                let subset = if index < validation[group] {
                    Subset::Validation
                } else if index < validation[group] + test[group] {
                    Subset::Test
                } else {
                    Subset::Train
                };
                subjects.insert(name.to_owned(), subset);
            }
        }
        for subset in [Subset::Train, Subset::Validation, Subset::Test] {
            if !subjects.values().any(|&found| found == subset) {
                return Err(LabError::Mismatch {
                    what: format!("{} subjects do not make a {subset:?} subset", subjects.len()),
                    way_out: "take a set with at least 8 subjects, or prescribe the split in the CSV's column".into(),
                });
            }
        }
        Ok(Self { set, seed, subjects })
    }

    /// Reads a split and checks that it fits `dataset`.
    ///
    /// # Errors
    /// The file cannot be read, or names other subjects than the dataset has.
    pub fn read(path: &Path, dataset: &Dataset) -> Result<Self, LabError> {
        let text = std::fs::read_to_string(path).map_err(|error| LabError::file(path, error))?;
        let split: Self = serde_json::from_str(&text).map_err(|error| LabError::malformed(path, error))?;
        match dataset.clips.iter().find(|clip| !split.subjects.contains_key(&clip.subject)) {
            None => Ok(split),
            Some(clip) => Err(LabError::Mismatch {
                what: format!("{} is of `{}` and does not know subject {}", path.display(), split.set, clip.subject),
                way_out: "make a split of this cache: emofed split CACHE --out FILE".into(),
            }),
        }
    }

    /// Writes it as JSON.
    ///
    /// # Errors
    /// The disk fails.
    pub fn write(&self, path: &Path) -> Result<(), LabError> {
        let json = serde_json::to_string_pretty(self).expect("a split is plain data");
        std::fs::write(path, json + "\n").map_err(|error| LabError::file(path, error))
    }

    /// The clips of `subset`, in the dataset's order.
    pub fn clips<'a>(&self, dataset: &'a Dataset, subset: Subset) -> Vec<&'a RatedClip> {
        dataset.clips.iter().filter(|clip| self.subjects.get(&clip.subject) == Some(&subset)).collect()
    }

    /// The test clips, each subject's halved at random into those to adapt on and those to test on; the odd one goes to the
    /// test. Where no subject has two clips (a set of stills of unknown people), virtual students of
    /// [`CLIPS_OF_A_VIRTUAL_STUDENT`] take their place: see [`Self::has_virtual_students`].
    pub fn adaptation<'a>(&self, dataset: &'a Dataset) -> Vec<AdaptationSubject<'a>> {
        let mut of_subject: BTreeMap<String, Vec<&RatedClip>> = BTreeMap::new();
        let mut random = SplitMix64::new(self.seed ^ 0x6164_6170);
        let mut test = self.clips(dataset, Subset::Test);
        if self.has_virtual_students(dataset) {
            random.shuffle(&mut test);
            for (number, clips) in test.chunks(CLIPS_OF_A_VIRTUAL_STUDENT).enumerate() {
                of_subject.insert(format!("virtual student {number:05}"), clips.to_vec());
            }
        } else {
            for clip in test {
                of_subject.entry(clip.subject.clone()).or_default().push(clip);
            }
        }
        of_subject
            .into_iter()
            .map(|(subject, mut clips)| {
                random.shuffle(&mut clips);
                let test = clips.split_off(clips.len() / 2);
                AdaptationSubject { subject, adaptation: clips, test }
            })
            .collect()
    }

    /// Whether no test subject has two clips, so that none could adapt on one and be tested on the other.
    pub fn has_virtual_students(&self, dataset: &Dataset) -> bool {
        let mut subjects: Vec<&str> =
            self.clips(dataset, Subset::Test).into_iter().map(|clip| clip.subject.as_str()).collect();
        subjects.sort_unstable();
        subjects.windows(2).all(|pair| pair[0] != pair[1])
    }
}

/// A test subject's clips: some to adapt on without their labels, the others to test on.
pub struct AdaptationSubject<'a> {
    /// Who.
    pub subject: String,
    /// Seen by the subject's tab; votes are not looked at.
    pub adaptation: Vec<&'a RatedClip>,
    /// Seen only by the test.
    pub test: Vec<&'a RatedClip>,
}

/// Subsets that the set prescribes.
fn prescribed(dataset: &Dataset) -> Result<BTreeMap<String, Subset>, LabError> {
    let mut subjects: HashMap<&str, Subset> = HashMap::new();
    for clip in &dataset.clips {
        let Some(subset) = clip.subset else { continue };
        let before = *subjects.entry(&clip.subject).or_insert(subset);
        if before != subset {
            return Err(LabError::Mismatch {
                what: format!("subject {} is in {before:?} and, by clip {}, in {subset:?}", clip.subject, clip.id),
                way_out: "no subject may be in two subsets: correct the set's table".into(),
            });
        }
    }
    Ok(subjects.into_iter().map(|(subject, subset)| (subject.to_owned(), subset)).collect())
}

/// The paper's shares of `subjects`, rounded; at least one each where there are three or more.
fn counts(subjects: usize) -> [usize; 3] {
    let all: usize = PAPER_SHARES.iter().sum();
    let part = |share: usize| ((subjects * share + all / 2) / all).max(1).min(subjects / 3);
    let (validation, test) = (part(PAPER_SHARES[1]), part(PAPER_SHARES[2]));
    [subjects - validation - test, validation, test]
}

/// `wanted` divided among groups in proportion to their sizes, by largest remainders.
fn shares(groups: &[usize], wanted: usize) -> Vec<usize> {
    let all = groups.iter().sum::<usize>().max(1);
    let mut shares: Vec<usize> = groups.iter().map(|group| group * wanted / all).collect();
    let mut by_remainder: Vec<usize> = (0..groups.len()).collect();
    by_remainder.sort_by_key(|&group| std::cmp::Reverse((groups[group] * wanted % all, group)));
    let missing = wanted - shares.iter().sum::<usize>();
    for &group in by_remainder.iter().take(missing) {
        shares[group] += 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::dataset::tests::dataset;

    #[test]
    fn crema_d_is_split_as_in_the_paper() {
        // 48 men and 43 women, as in CREMA-D.
        let dataset = dataset((0..91).flat_map(|actor| {
            let sex = if actor < 48 { Sex::Male } else { Sex::Female };
            (0..3).map(move |_| (format!("{}", 1001 + actor), Some(sex), None))
        }));
        let split = Split::by_subject(&dataset, 7).unwrap();
        let of = |subset, sex| {
            dataset
                .subjects()
                .into_iter()
                .filter(|(name, s)| split.subjects[*name] == subset && *s == Some(sex))
                .count()
        };
        let total = |subset| of(subset, Sex::Male) + of(subset, Sex::Female);
        assert_eq!([Subset::Train, Subset::Validation, Subset::Test].map(total), PAPER_SHARES);
        assert_eq!([of(Subset::Validation, Sex::Male), of(Subset::Test, Sex::Male)], [6, 6]);
        assert_eq!(split, Split::by_subject(&dataset, 7).unwrap());
        assert_ne!(split.subjects, Split::by_subject(&dataset, 8).unwrap().subjects);
        let halves = split.adaptation(&dataset);
        assert!(halves.iter().all(|subject| (subject.adaptation.len(), subject.test.len()) == (1, 2)));
    }

    #[test]
    fn a_prescribed_split_is_kept_and_a_contradiction_refused() {
        let all = [Subset::Train, Subset::Validation, Subset::Test];
        let kept = dataset((0..9).map(|i| (format!("s{i}"), None, Some(all[i % 3]))));
        assert_eq!(Split::by_subject(&kept, 1).unwrap().subjects["s4"], Subset::Validation);
        let torn = dataset([("a".to_owned(), None, Some(all[0])), ("a".to_owned(), None, Some(all[2]))]);
        assert!(matches!(Split::by_subject(&torn, 1), Err(LabError::Mismatch { .. })));
    }

    #[test]
    fn too_few_subjects_are_refused() {
        let two = dataset((0..2).map(|i| (format!("s{i}"), None, None)));
        assert!(Split::by_subject(&two, 1).unwrap_err().to_string().contains("2 subjects"));
    }
}
