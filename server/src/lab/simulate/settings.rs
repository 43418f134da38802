//! What is simulated: settings with defaults, and sweeps of variants over them.

use std::path::Path;

use emofed::learning::{LearningSettings, Strategy};
use emofed::protocol::UpdateLimits;
use serde::{Deserialize, Serialize};

use crate::lab::LabError;
use crate::lab::synthetic::SyntheticSettings;
use crate::lab::transport::Transport;

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
    pub transport: Transport,
    /// How tabs label and learn.
    #[serde(deserialize_with = "crate::config::learning::strict")]
    pub learning: LearningSettings,
    /// How the aggregator makes a model of the updates.
    pub strategy: Strategy,
    /// Largest norm of an update that the aggregator takes.
    pub max_norm: f64,
    /// The synthetic population of students; its `subjects` and `clips_per_subject` are not used.
    #[serde(alias = "world")]
    pub synthetic: SyntheticSettings,
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
            transport: Transport::default(),
            learning: LearningSettings::default(),
            strategy: Strategy::default(),
            max_norm: UpdateLimits::default().max_norm,
            synthetic: SyntheticSettings { frames: 12, ..SyntheticSettings::default() },
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
    pub fn check(&self) -> Result<(), String> {
        self.strategy.check().map_err(|error| format!("strategy: {error}"))?;
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let rules = [
            (self.students > 0, "students must be at least 1"),
            (self.clips_per_student > 0, "clips_per_student must be at least 1"),
            (share(self.participation), "participation must be in 0..1"),
            (share(self.drop_out), "drop_out must be in 0..1"),
            (share(self.hostile), "hostile must be in 0..1"),
            (self.skew.is_none_or(|skew| skew.is_finite() && skew > 0.0), "skew must be above 0"),
            (
                self.students >= self.strategy.minimum_clients() as usize,
                "students are fewer than strategy needs: trimmed-mean 1 / trim, Krum 2 · byzantine + 3 and selected + byzantine",
            ),
            (self.max_norm > 0.0, "max_norm must be above 0"),
            (self.synthetic.frames >= 2, "synthetic.frames must be at least 2"),
        ];
        rules.into_iter().find(|(kept, _)| !kept).map_or(Ok(()), |(_, rule)| Err(rule.to_owned()))
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

#[cfg(test)]
mod tests {
    use emofed::learning::ServerOptimizer;

    use super::*;

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
        assert_eq!(
            b.strategy,
            Strategy { optimizer: ServerOptimizer::Momentum { momentum: 0.9 }, ..Strategy::default() }
        );
        const FEW: &str = "students = 4\nstrategy = { name = 'krum', byzantine = 1 }";
        for wrong in ["students = 0", "unknown = 1", "[[variant]]\ndrop_out = 2.0", "variant = 3", FEW] {
            std::fs::write(&file, wrong).unwrap();
            assert!(matches!(SimulationSettings::read_sweep(&file), Err(LabError::Malformed { .. })), "{wrong}");
        }
    }
}
