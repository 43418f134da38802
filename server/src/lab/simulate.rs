//! Simulation: any number of virtual students over the aggregator's own rounds, some of whom stay away, drop out or are
//! hostile.
//!
//! Students live in a synthetic world. Each one's clips are made when they are needed, so that memory does not grow with
//! the number of students.

use std::path::Path;
use std::time::Instant;

use emofed::emotion::EMOTIONS;
use emofed::learning::{AdamSettings, Clip, LabelKind, Strategy, Trainer};
use emofed::model::vfer::Vfer;
use emofed::protocol::{ClientUpdate, LearningSettings, UpdateLimits};
use emofed::random::SplitMix64;
use serde::{Deserialize, Serialize};

use super::LabError;
use super::dataset::RatedClip;
use super::federation::{Federation, LocalUpdate, fine_tune};
use super::metrics::Metrics;
use super::synthetic::{World, WorldSettings, skewed_shares};
use super::train::evaluate;
use crate::store::Phase;

/// Students whose test clips measure the models, and as many others.
const MEASURED: usize = 60;
/// Clips that each of them is measured on.
const TEST_CLIPS: usize = 12;
/// Subjects that the first global model is trained on, and the passes over their clips.
const PRETRAINING_SUBJECTS: usize = 40;
const PRETRAINING_EPOCHS: usize = 12;

/// What is simulated. All keys have defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimulationSettings {
    /// Its row in the report.
    pub name: String,
    /// Virtual students.
    pub students: usize,
    /// Rounds.
    pub rounds: u32,
    /// Clips that a student films before each round.
    pub clips_per_student: usize,
    /// Share of the students that take part in a round, drawn anew for each.
    pub participation: f64,
    /// Share of those that train but never deliver.
    pub drop_out: f64,
    /// Share of the students that are hostile, the same in every round.
    pub hostile: f64,
    /// What they send.
    pub attack: Attack,
    /// Concentration of the Dirichlet distribution of a student's emotions: 0.1 is nearly one emotion each, 100 nearly
    /// equal shares; absent, the emotions come in turn.
    pub skew: Option<f64>,
    /// How updates travel.
    pub encoding: Encoding,
    /// How tabs label and learn.
    pub learning: LearningSettings,
    /// What the aggregator does with the mean.
    pub strategy: Strategy,
    /// Largest norm of an update that the aggregator takes.
    pub max_norm: f64,
    /// The world that students live in; its `subjects` and `clips_per_subject` are not used.
    pub world: WorldSettings,
    /// Who takes part, who drops out, who is hostile.
    pub seed: u64,
}

impl Default for SimulationSettings {
    fn default() -> Self {
        Self {
            name: "as given".into(),
            students: 100,
            rounds: 10,
            clips_per_student: 8,
            participation: 1.0,
            drop_out: 0.0,
            hostile: 0.0,
            attack: Attack::SignFlip,
            skew: None,
            encoding: Encoding::F32,
            learning: LearningSettings::default(),
            strategy: Strategy::FedAvg,
            max_norm: UpdateLimits::default().max_norm,
            world: WorldSettings { frames: 12, ..WorldSettings::default() },
            seed: 1,
        }
    }
}

/// What a hostile student sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attack {
    /// Its honest update, ten times as long and backwards.
    SignFlip,
    /// Noise of norm 1.
    Noise,
    /// Weights that are not numbers.
    NotANumber,
}

/// How an update's values travel. The aggregator reads both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// As they are.
    F32,
    /// Rounded to the nearest, in half the bytes.
    F16,
}

/// A round of a simulation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimulatedRound {
    /// Counts from 1.
    pub round: u32,
    /// Updates that counted.
    pub received: u32,
    /// Updates that were refused.
    pub refused: u32,
    /// Bytes that were sent.
    pub bytes: u64,
    /// Whether the round gave a new model.
    pub published: bool,
    /// Macro F1 on other clips of students who may take part.
    pub students_macro_f1: f64,
    /// Macro F1 on people who never take part.
    pub others_macro_f1: f64,
    /// Wall-clock time, in seconds.
    pub seconds: f64,
}

/// A simulation's result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Simulated {
    /// What was simulated.
    pub settings: SimulationSettings,
    /// Macro F1 of the first global model on the students, and on others.
    pub before: (f64, f64),
    /// Every round.
    pub rounds: Vec<SimulatedRound>,
}

impl SimulationSettings {
    /// Reads a sweep: the settings at the top of a TOML file, and one `[[variant]]` for each row that differs from them.
    ///
    /// # Errors
    /// The file cannot be read, or has an unknown key or a value out of range.
    pub fn read_sweep(path: &Path) -> Result<Vec<Self>, LabError> {
        let text = std::fs::read_to_string(path).map_err(|error| LabError::file(path, error))?;
        let malformed = |reason: String| LabError::malformed(path, reason);
        let mut base: toml::Table = text.parse().map_err(|error: toml::de::Error| malformed(error.to_string()))?;
        let variants = match base.remove("variant") {
            None => vec![toml::Table::new()],
            Some(toml::Value::Array(variants)) => {
                let table = |variant: toml::Value| match variant {
                    toml::Value::Table(table) => Ok(table),
                    _ => Err(malformed("`variant` is not a list of tables".into())),
                };
                variants.into_iter().map(table).collect::<Result<_, _>>()?
            }
            Some(_) => return Err(malformed("`variant` is not a list of tables; write [[variant]]".into())),
        };
        let settings = variants.into_iter().map(|variant| {
            let settings: Self = merged(base.clone(), variant)
                .try_into()
                .map_err(|error: toml::de::Error| malformed(error.to_string()))?;
            settings.check().map_err(|reason| malformed(format!("`{}`: {reason}", settings.name)))?;
            Ok(settings)
        });
        settings.collect()
    }

    /// Checks that every value makes sense.
    ///
    /// # Errors
    /// The first key that does not.
    pub fn check(&self) -> Result<(), &'static str> {
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let rules = [
            (self.students > 0, "students must be at least 1"),
            (self.clips_per_student > 0, "clips_per_student must be at least 1"),
            (share(self.participation), "participation must be in 0..1"),
            (share(self.drop_out), "drop_out must be in 0..1"),
            (share(self.hostile), "hostile must be in 0..1"),
            (self.skew.is_none_or(|skew| skew.is_finite() && skew > 0.0), "skew must be above 0"),
            (self.strategy.is_usable(), "strategy has a value out of range"),
            (self.max_norm > 0.0, "max_norm must be above 0"),
            (self.world.frames >= 2, "world.frames must be at least 2"),
        ];
        rules.into_iter().find(|(kept, _)| !kept).map_or(Ok(()), |(_, rule)| Err(rule))
    }
}

/// `over` laid over `base`, table by table.
fn merged(mut base: toml::Table, over: toml::Table) -> toml::Table {
    for (key, value) in over {
        let value = match (base.remove(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above)) => toml::Value::Table(merged(below, above)),
            (_, value) => value,
        };
        base.insert(key, value);
    }
    base
}

/// Runs a simulation. `progress` hears of every round.
///
/// # Errors
/// The store fails, or training does.
pub fn simulate(
    settings: &SimulationSettings,
    mut progress: impl FnMut(&SimulatedRound),
) -> Result<Simulated, LabError> {
    let world = World::new(&settings.world);
    // People who never take part have numbers behind the students'.
    let others_from = settings.students;
    let base = pretrained(&world, others_from + MEASURED, settings.seed);
    let students = measured(&world, 0..settings.students.min(MEASURED), settings);
    let others = measured(&world, others_from..others_from + MEASURED, settings);
    let macro_f1 = |vfer: &Vfer, clips: &[RatedClip]| of(vfer, clips).macro_f1;

    let limits = UpdateLimits { max_norm: settings.max_norm, ..UpdateLimits::default() };
    let federation = Federation::new(&base.to_weights(), &settings.learning, limits, settings.strategy)?;
    let before = (macro_f1(&base, &students), macro_f1(&base, &others));
    let mut result = Simulated { settings: settings.clone(), before, rounds: Vec::new() };
    let encode = |update: &ClientUpdate| match settings.encoding {
        Encoding::F32 => update.encode(),
        Encoding::F16 => update.encode_f16(),
    };
    for round in 1..=settings.rounds {
        let started = Instant::now();
        let outcome = federation.round(settings.students, &encode, |student, base| {
            let mut random = SplitMix64::new(settings.seed ^ ((u64::from(round) << 32) | student as u64));
            let takes_part = chance(settings.participation, &mut random);
            let delivers = !chance(settings.drop_out, &mut random);
            if !(takes_part && delivers) {
                return Ok(None);
            }
            let clips = filmed(&world, student, round, settings);
            let clips: Vec<&RatedClip> = clips.iter().collect();
            let learning = LearningSettings { seed: random.next_u64(), ..settings.learning.clone() };
            let update = fine_tune(base, &clips, &learning)?;
            let is_hostile = chance(settings.hostile, &mut SplitMix64::new(settings.seed ^ !(student as u64)));
            Ok(if is_hostile { update.map(|update| attacked(update, settings.attack, &mut random)) } else { update })
        })?;
        let model = federation.model()?;
        let round = SimulatedRound {
            round,
            received: outcome.received,
            refused: outcome.refused,
            bytes: outcome.bytes,
            published: matches!(outcome.phase, Phase::Published { .. }),
            students_macro_f1: macro_f1(&model, &students),
            others_macro_f1: macro_f1(&model, &others),
            seconds: started.elapsed().as_secs_f64(),
        };
        progress(&round);
        result.rounds.push(round);
    }
    Ok(result)
}

/// The clips that a student films before `round`: other ones each time.
fn filmed(world: &World, student: usize, round: u32, settings: &SimulationSettings) -> Vec<RatedClip> {
    let shares = shares(student, settings);
    let until = TEST_CLIPS + round as usize * settings.clips_per_student;
    // A subject's clips follow from its number; those of earlier rounds and of the test are passed over.
    let mut clips =
        world.clips_from(student, until - settings.clips_per_student, settings.clips_per_student, shares.as_ref());
    clips.truncate(settings.clips_per_student);
    clips
}

fn shares(student: usize, settings: &SimulationSettings) -> Option<[f64; EMOTIONS]> {
    let skew = settings.skew?;
    Some(skewed_shares(skew, &mut SplitMix64::new(settings.seed.wrapping_add(student as u64 * 7_919))))
}

/// Test clips of the people with these numbers; students are tested on their own mix of emotions.
fn measured(world: &World, people: std::ops::Range<usize>, settings: &SimulationSettings) -> Vec<RatedClip> {
    people.flat_map(|number| world.clips_from(number, 0, TEST_CLIPS, shares(number, settings).as_ref())).collect()
}

fn of(vfer: &Vfer, clips: &[RatedClip]) -> Metrics {
    evaluate(vfer, &clips.iter().collect::<Vec<_>>())
}

/// The first global model: trained on the votes on people who take part in nothing else.
fn pretrained(world: &World, first: usize, seed: u64) -> Vfer {
    let people = first..first + PRETRAINING_SUBJECTS;
    let clips = people.flat_map(|number| world.clips_from(number, 0, TEST_CLIPS, None));
    let clips: Vec<Clip> = clips
        .filter_map(|clip| LabelKind::PAPER.target(&clip.votes).map(|target| Clip { features: clip.features, target }))
        .collect();
    let mut trainer = Trainer::new(Vfer::random(seed), AdamSettings::with_learning_rate(3e-4));
    let mut random = SplitMix64::new(seed);
    let mut order: Vec<&Clip> = clips.iter().collect();
    for _ in 0..PRETRAINING_EPOCHS {
        random.shuffle(&mut order);
        order.chunks(16).for_each(|batch| {
            trainer.step(batch);
        });
    }
    trainer.into_vfer()
}

fn chance(probability: f64, random: &mut SplitMix64) -> bool {
    super::raters::unit(random) < probability
}

fn attacked(mut update: LocalUpdate, attack: Attack, random: &mut SplitMix64) -> LocalUpdate {
    let values = update.delta.value_count() as f32;
    for (_, tensor) in update.delta.iter_mut() {
        for value in &mut tensor.values {
            *value = match attack {
                Attack::SignFlip => -10.0 * *value,
                Attack::Noise => random.normal() / values.sqrt(),
                Attack::NotANumber => f32::NAN,
            };
        }
    }
    update
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> SimulationSettings {
        SimulationSettings { students: 12, rounds: 2, clips_per_student: 4, ..SimulationSettings::default() }
    }

    #[test]
    fn every_student_counts_and_who_is_refused_or_absent_does_not() {
        let learning = LearningSettings { confidence_threshold: 0.0, ..LearningSettings::default() };
        let all = simulate(&SimulationSettings { learning: learning.clone(), ..small() }, |_| {}).unwrap();
        assert!(all.rounds.iter().all(|round| round.received == 12 && round.refused == 0 && round.published));
        let hostile = SimulationSettings { hostile: 1.0, attack: Attack::NotANumber, learning, ..small() };
        let refused = simulate(&hostile, |_| {}).unwrap();
        assert!(refused.rounds.iter().all(|round| round.refused == 12 && round.received == 0 && !round.published));
        assert_eq!(refused.rounds[0].others_macro_f1, refused.before.1, "the model is the one before");
        let none = simulate(&SimulationSettings { participation: 0.0, ..small() }, |_| {}).unwrap();
        assert!(none.rounds.iter().all(|round| round.bytes == 0));
    }

    #[test]
    fn half_precision_halves_the_bytes_and_hardly_changes_the_model() {
        let whole = simulate(&small(), |_| {}).unwrap();
        let half = simulate(&SimulationSettings { encoding: Encoding::F16, ..small() }, |_| {}).unwrap();
        let ratio = half.rounds[0].bytes as f64 / whole.rounds[0].bytes as f64;
        assert!((0.49..0.52).contains(&ratio), "{ratio}");
        assert!((half.rounds[1].others_macro_f1 - whole.rounds[1].others_macro_f1).abs() < 0.02);
    }

    #[test]
    fn a_sweep_lays_variants_over_its_base() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sweep.toml");
        let text = "students = 5\n[learning]\nlearning_rate = 0.001\n[[variant]]\nname = 'a'\n[[variant]]\nname = 'b'\n\
                    drop_out = 0.5\nlearning.epochs = 2\nstrategy = { name = 'fedavgm', momentum = 0.9 }\n";
        std::fs::write(&file, text).unwrap();
        let [a, b] = &SimulationSettings::read_sweep(&file).unwrap()[..] else { panic!("two variants") };
        assert_eq!((a.students, a.drop_out, a.learning.learning_rate), (5, 0.0, 0.001));
        assert_eq!((b.drop_out, b.learning.epochs, b.learning.learning_rate), (0.5, 2, 0.001));
        assert_eq!(b.strategy, Strategy::FedAvgM { momentum: 0.9 });
        for wrong in ["students = 0", "unknown = 1", "[[variant]]\ndrop_out = 2.0", "variant = 3"] {
            std::fs::write(&file, wrong).unwrap();
            assert!(matches!(SimulationSettings::read_sweep(&file), Err(LabError::Malformed { .. })), "{wrong}");
        }
    }
}
