//! Table 2 of the paper, and beyond it: what federated adaptation on pseudo labels gives the students who take part, and
//! takes from others.

use std::path::Path;

use emofed::learning::{LearningSettings, Strategy};
use emofed::model::vfer::Vfer;
use emofed::protocol::UpdateLimits;
use serde::{Deserialize, Serialize};

use super::LabError;
use super::dataset::{Dataset, RatedClip, Subset};
use super::metrics::{Metrics, Prediction, predictions};
use super::parallel;
use super::personal::Personal;
use super::simulated_federation::{SimulatedFederation, fine_tune, pseudo_labelled};
use super::split::{AdaptationSubject, Split};
use super::train::probabilities;

/// A way to adapt. The defaults are the paper's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Method {
    /// Its row in the table.
    pub name: String,
    /// How tabs label and learn.
    #[serde(deserialize_with = "crate::config::learning::strict")]
    pub learning: LearningSettings,
    /// What the aggregator does with their mean.
    pub strategy: Strategy,
    /// Rounds, each with all test subjects.
    pub rounds: u32,
    /// What each student then makes of the global model for itself alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub personal: Option<Personal>,
}

impl Default for Method {
    fn default() -> Self {
        papers_method()
    }
}

impl Method {
    /// Reads methods from a TOML file with a `[[method]]` each.
    ///
    /// # Errors
    /// The file cannot be read, has no method, or has an unknown key or a value of the wrong kind.
    pub fn read_list(path: &Path) -> Result<Vec<Self>, LabError> {
        let text = std::fs::read_to_string(path).map_err(|error| LabError::file(path, error))?;
        Self::parse_list(&text).map_err(|reason| LabError::malformed(path, reason))
    }

    fn parse_list(text: &str) -> Result<Vec<Self>, String> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Methods {
            method: Vec<Method>,
        }
        let Methods { method } = toml::from_str(text).map_err(|error| error.to_string())?;
        if method.is_empty() { Err("it has no [[method]]".to_owned()) } else { Ok(method) }
    }
}

/// A way to adapt, tried on one trained model.
pub struct Adapted {
    /// Of the test subjects' test halves, before.
    pub before: Vec<Prediction>,
    /// The same after the last round, personalised where the method does so.
    pub after: Vec<Prediction>,
    /// Of the validation subjects' clips, who take no part: before.
    pub others_before: Vec<Prediction>,
    /// The same after the last round.
    pub others_after: Vec<Prediction>,
    /// Macro F1 of test subjects and others before the first and after each round: gain and forgetting over time.
    pub curve: Vec<(f64, f64)>,
    /// Bytes that all students sent.
    pub bytes: u64,
    /// Clips that were confident enough in the first round, of all.
    pub kept: (u32, u32),
    /// Of the kept, how many pseudo labels were the raters' majority.
    pub right: u32,
}

/// Adapts `vfer` with every method, on all cores.
///
/// # Errors
/// A store fails, or fine-tuning does.
pub fn adapt(
    dataset: &Dataset,
    runs: &[(&Split, &Vfer)],
    methods: &[Method],
    progress: impl Fn() + Sync,
) -> Result<Vec<Vec<Adapted>>, LabError> {
    let mut adapted = parallel::map(methods.len() * runs.len(), |index| {
        let (split, vfer) = runs[index % runs.len()];
        let result = adapt_once(dataset, split, vfer, &methods[index / runs.len()]);
        progress();
        result
    })?
    .into_iter();
    Ok(methods.iter().map(|_| adapted.by_ref().take(runs.len()).collect()).collect())
}

fn adapt_once(dataset: &Dataset, split: &Split, vfer: &Vfer, method: &Method) -> Result<Adapted, LabError> {
    let subjects = split.adaptation(dataset);
    let test: Vec<&RatedClip> = subjects.iter().flat_map(|subject| subject.test.iter().copied()).collect();
    let others = split.clips(dataset, Subset::Validation);
    let of = |vfer: &Vfer, clips: &[&RatedClip]| predictions(clips, &probabilities(vfer, clips));
    let of_students = |vfer: &Vfer| match &method.personal {
        None => of(vfer, &test),
        Some(personal) => {
            let own = subjects.iter().flat_map(|subject| personal.probabilities(vfer, subject, &method.learning));
            predictions(&test, &own.collect::<Vec<_>>())
        }
    };
    let macro_f1 = |predictions: &[Prediction]| Metrics::of(predictions).macro_f1;

    let (before, others_before) = (of(vfer, &test), of(vfer, &others));
    let mut curve = vec![(macro_f1(&before), macro_f1(&others_before))];
    // The lab measures how far a method goes; a limit on norms is the aggregator's business, not the method's.
    let limits = UpdateLimits { max_norm: f64::MAX, ..UpdateLimits::default() };
    let federation = SimulatedFederation::new(&vfer.to_weights(), &method.learning, limits, method.strategy)?;
    let mut bytes = 0;
    let (mut after, mut others_after) = (of_students(vfer), others_before.clone());
    for round in 0..method.rounds {
        let learning = LearningSettings { seed: split.seed ^ u64::from(round), ..method.learning.clone() };
        let outcome = federation.round(subjects.len(), &|_, update| update.encode(), |student, base| {
            fine_tune(base, &subjects[student].adaptation, &learning)
        })?;
        bytes += outcome.bytes;
        let model = federation.model()?;
        (after, others_after) = (of_students(&model), of(&model, &others));
        curve.push((macro_f1(&after), macro_f1(&others_after)));
    }
    let (kept, right) = pseudo_label_quality(&subjects, vfer, &method.learning);
    Ok(Adapted { before, after, others_before, others_after, curve, bytes, kept, right })
}

/// Clips kept of all, and how many of the kept are labelled as the raters' majority does.
fn pseudo_label_quality(subjects: &[AdaptationSubject], vfer: &Vfer, learning: &LearningSettings) -> ((u32, u32), u32) {
    let (mut kept, mut all, mut right) = (0, 0, 0);
    let count = |clips: usize| u32::try_from(clips).unwrap_or(u32::MAX);
    for subject in subjects {
        let labelled = pseudo_labelled(vfer, &subject.adaptation, learning);
        all += count(subject.adaptation.len());
        kept += count(labelled.len());
        right += count(labelled.iter().filter(|(clip, label)| label.emotion == clip.majority()).count());
    }
    ((kept, all), right)
}

/// The paper's method: one round, one epoch at 1e-5, FedAvg.
pub fn papers_method() -> Method {
    Method {
        name: "paper".into(),
        learning: LearningSettings::default(),
        strategy: Strategy::default(),
        rounds: 1,
        personal: None,
    }
}

/// Ways to adapt beside the paper's, each changing one thing of another.
const METHODS: &str = include_str!("methods.toml");

/// The ways to adapt of `methods.toml`.
///
/// # Errors
/// Never, as long as its test passes.
pub fn methods() -> Result<Vec<Method>, LabError> {
    Method::parse_list(METHODS).map_err(|reason| LabError::malformed(Path::new("methods.toml"), reason))
}

#[cfg(test)]
mod tests {
    use emofed::learning::{HeadTuning, PersonalHead};

    use super::*;

    #[test]
    fn every_built_in_method_can_be_used_and_differs_from_the_papers() {
        let methods = methods().unwrap();
        let is_usable = |method: &Method| {
            (method.rounds > 0 || method.personal.is_some())
                && method.strategy.check().is_ok()
                && !method.name.is_empty()
        };
        assert!(methods.len() > 10 && methods.iter().all(is_usable));
        let paper = papers_method();
        assert!(methods.iter().all(|method| Method { name: paper.name.clone(), ..method.clone() } != paper));
        let recipe = methods.iter().find(|method| method.name.starts_with("personal-head")).unwrap();
        let HeadTuning { learning_rate, epochs, .. } = PersonalHead::tuning();
        assert_eq!(recipe.personal, Some(Personal::Head { learning_rate, epochs }));
        assert_eq!((recipe.rounds, &recipe.learning), (0, &PersonalHead::labels()), "what the tab does was measured");
        assert!(Method::parse_list("[[method]]\nround = 1").unwrap_err().contains("round"));
        assert!(Method::parse_list("method = []").unwrap_err().contains("no [[method]]"));
    }
}
