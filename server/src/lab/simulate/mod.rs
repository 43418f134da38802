//! Simulation: any number of virtual students over the aggregator's own rounds, some of whom stay away, drop out or are
//! hostile.
//!
//! Students are subjects of a synthetic population. Each one's clips are made when they are needed, so that memory does not grow with
//! the number of students.

mod settings;

use std::time::Instant;

use emofed::emotion::EMOTIONS;
use emofed::learning::{AdamSettings, Clip, LabelKind, LearningSettings, Trainer};
use emofed::model::vfer::Vfer;
use emofed::protocol::{ClientUpdate, UpdateLimits};
use emofed::random::SplitMix64;
use serde::{Deserialize, Serialize};

use crate::lab::LabError;
use crate::lab::dataset::RatedClip;
use crate::lab::metrics::Metrics;
use crate::lab::simulated_federation::{LocalUpdate, SimulatedFederation, fine_tune};
use crate::lab::synthetic::{SyntheticPopulation, skewed_shares};
use crate::lab::train::evaluate;
use crate::store::Phase;

pub use settings::{Attack, SimulationSettings};

/// Students whose test clips measure the models, and as many others.
const MEASURED: usize = 60;
/// Clips that each of them is measured on.
const TEST_CLIPS: usize = 12;
/// Subjects that the first global model is trained on, and the passes over their clips.
const PRETRAINING_SUBJECTS: usize = 40;
const PRETRAINING_EPOCHS: usize = 12;

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

/// Runs a simulation. `progress` hears of every round.
///
/// # Errors
/// The store fails, or training does.
pub fn simulate(
    settings: &SimulationSettings,
    mut progress: impl FnMut(&SimulatedRound),
) -> Result<Simulated, LabError> {
    let population = SyntheticPopulation::new(&settings.synthetic);
    // People who never take part have numbers behind the students'.
    let others_from = settings.students;
    let base = pretrained(&population, others_from + MEASURED, settings.seed);
    let students = measured(&population, 0..settings.students.min(MEASURED), settings);
    let others = measured(&population, others_from..others_from + MEASURED, settings);
    let macro_f1 = |vfer: &Vfer, clips: &[RatedClip]| of(vfer, clips).macro_f1;

    let limits = UpdateLimits { max_norm: settings.max_norm, ..UpdateLimits::default() };
    let federation = SimulatedFederation::new(&base.to_weights(), &settings.learning, limits, settings.strategy)?;
    let federation = federation.over(settings.transport)?;
    let before = (macro_f1(&base, &students), macro_f1(&base, &others));
    let mut result = Simulated { settings: settings.clone(), before, rounds: Vec::new() };
    for round in 1..=settings.rounds {
        let started = Instant::now();
        let encode = |student: usize, update: &ClientUpdate| {
            let seed = settings.seed ^ (u64::from(round) << 32) ^ student as u64;
            update.encode_as(settings.learning.update_encoding, seed)
        };
        let outcome = federation.round(settings.students, &encode, |student, base| {
            let mut random = SplitMix64::new(settings.seed ^ ((u64::from(round) << 32) | student as u64));
            let takes_part = chance(settings.participation, &mut random);
            let delivers = !chance(settings.drop_out, &mut random);
            if !(takes_part && delivers) {
                return Ok(None);
            }
            let clips = recorded(&population, student, round, settings);
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
fn recorded(
    population: &SyntheticPopulation,
    student: usize,
    round: u32,
    settings: &SimulationSettings,
) -> Vec<RatedClip> {
    let shares = shares(student, settings);
    let until = TEST_CLIPS + round as usize * settings.clips_per_student;
    // A subject's clips follow from its number; those of earlier rounds and of the test are passed over.
    let mut clips =
        population.clips_from(student, until - settings.clips_per_student, settings.clips_per_student, shares.as_ref());
    clips.truncate(settings.clips_per_student);
    clips
}

fn shares(student: usize, settings: &SimulationSettings) -> Option<[f64; EMOTIONS]> {
    let skew = settings.skew?;
    Some(skewed_shares(skew, &mut SplitMix64::new(settings.seed.wrapping_add(student as u64 * 7_919))))
}

/// Test clips of the people with these numbers; students are tested on their own mix of emotions.
fn measured(
    population: &SyntheticPopulation,
    people: std::ops::Range<usize>,
    settings: &SimulationSettings,
) -> Vec<RatedClip> {
    people.flat_map(|number| population.clips_from(number, 0, TEST_CLIPS, shares(number, settings).as_ref())).collect()
}

fn of(vfer: &Vfer, clips: &[RatedClip]) -> Metrics {
    evaluate(vfer, &clips.iter().collect::<Vec<_>>())
}

/// The first global model: trained on the votes on people who take part in nothing else.
fn pretrained(population: &SyntheticPopulation, first: usize, seed: u64) -> Vfer {
    let people = first..first + PRETRAINING_SUBJECTS;
    let clips = people.flat_map(|number| population.clips_from(number, 0, TEST_CLIPS, None));
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
    random.open_unit() < probability
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
    use emofed::learning::UpdateEncoding;

    use super::*;
    use crate::lab::transport::Transport;

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
    fn over_http_the_same_updates_count() {
        let learning = LearningSettings { confidence_threshold: 0.0, ..LearningSettings::default() };
        let settings = SimulationSettings { hostile: 0.3, attack: Attack::NotANumber, learning, ..small() };
        let called = simulate(&settings, |_| {}).unwrap();
        let sent = simulate(&SimulationSettings { transport: Transport::Http, ..settings }, |_| {}).unwrap();
        for (called, sent) in called.rounds.iter().zip(&sent.rounds) {
            assert_eq!((called.received, called.refused, called.bytes), (sent.received, sent.refused, sent.bytes));
            assert!(called.refused > 0 && called.received > 0);
            // Summed in another order.
            assert!((called.students_macro_f1 - sent.students_macro_f1).abs() < 0.05);
        }
    }

    #[test]
    fn smaller_encodings_hardly_change_the_model() {
        let with = |update_encoding| {
            let learning = LearningSettings { update_encoding, ..LearningSettings::default() };
            simulate(&SimulationSettings { learning, ..small() }, |_| {}).unwrap()
        };
        let whole = with(UpdateEncoding::F32);
        for (encoding, share) in [(UpdateEncoding::F16, 0.5), (UpdateEncoding::Int8, 0.25)] {
            let smaller = with(encoding);
            let ratio = smaller.rounds[0].bytes as f64 / whole.rounds[0].bytes as f64;
            assert!((ratio - share).abs() < 0.02, "{ratio}");
            assert!((smaller.rounds[1].others_macro_f1 - whole.rounds[1].others_macro_f1).abs() < 0.02, "{encoding:?}");
        }
    }
}
