//! The aggregation strategy: how a round's client updates become one change of the global model (an [`Aggregation`]), and the
//! step that the aggregator takes along it (a [`ServerOptimizer`]).

mod server_optimizer;
mod table;

use serde::{Deserialize, Serialize};

pub use self::server_optimizer::ServerOptimizer;
use self::table::StrategyTable;

/// An aggregation strategy with all its parameters. Its serialized form is one flat table that begins with a `name`, as in
/// the section `[strategy]` of a configuration: `{ name = "trimmed-mean", trim = 0.2, clip_norm = 0.1 }`.
///
/// ```
/// use emofed_core::learning::{Aggregation, Strategy};
///
/// let strategy: Strategy = serde_json::from_str(r#"{ "name": "trimmed-mean", "trim": 0.2 }"#)?;
/// assert_eq!(strategy.aggregation, Aggregation::TrimmedMean { trim: 0.2 });
/// assert_eq!(strategy.minimum_clients(), 5);
/// strategy.check()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StrategyTable", into = "StrategyTable")]
pub struct Strategy {
    /// How the deltas of a round become one.
    pub aggregation: Aggregation,
    /// What is done with that one.
    pub optimizer: ServerOptimizer,
    /// Each delta whose Euclidean norm is larger is scaled down to this norm before it is aggregated. Not a limit that refuses
    /// updates.
    pub clip_norm: Option<f64>,
    /// How the difference of the new model to its base is published.
    pub difference: DifferenceEncoding,
}

/// How the difference of a new model to its base is published, for tabs that have the base.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DifferenceEncoding {
    /// Not at all: the model is what the strategy makes, exactly, and is fetched whole.
    #[default]
    None,
    /// In eight bits a value, rounded at random: the model is its base plus the rounded difference. Where rounding would change the
    /// difference by more than a twentieth, it is as with [`Self::None`].
    Int8,
}

/// How the deltas of a round's updates become one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aggregation {
    /// The mean (McMahan et al. 2017; the paper).
    Mean {
        /// By numbers of examples; otherwise each client counts once.
        weighted: bool,
    },
    /// The median of each coordinate (Yin et al. 2018). Each client counts once.
    Median,
    /// The mean of each coordinate without its smallest and largest values (Yin et al. 2018). Each client counts once.
    TrimmedMean {
        /// Share of the clients that is left out at either end, rounded down to a number of clients.
        trim: f64,
    },
    /// The mean of the updates that are nearest to the others (Blanchard et al. 2017). Each client counts once.
    MultiKrum {
        /// Byzantine clients that are withstood, f.
        byzantine: u32,
        /// Updates that are averaged, m. One update is Krum.
        selected: u32,
    },
}

impl Default for Aggregation {
    fn default() -> Self {
        Self::Mean { weighted: true }
    }
}

/// Why a strategy cannot be used. Keys are those of its table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StrategyError {
    /// There is no strategy of this name.
    #[error("there is no strategy {0:?}; there are {known}", known = table::NAMES.join(", "))]
    UnknownName(String),
    /// A parameter without default is absent.
    #[error("{name} needs the parameter {key}")]
    Missing {
        /// The strategy.
        name: &'static str,
        /// The parameter.
        key: &'static str,
    },
    /// A parameter of another strategy is given.
    #[error("{key} is no parameter of {name}")]
    NoParameter {
        /// The strategy.
        name: &'static str,
        /// The parameter.
        key: &'static str,
    },
    /// A parameter has a value that makes no sense.
    #[error("{key} must be {range}")]
    OutOfRange {
        /// The parameter.
        key: &'static str,
        /// What it may be.
        range: &'static str,
    },
}

impl Strategy {
    /// Its name in a configuration.
    pub fn name(&self) -> &'static str {
        match (self.aggregation, self.optimizer) {
            (Aggregation::Mean { .. }, ServerOptimizer::None) => "fedavg",
            (Aggregation::Mean { .. }, ServerOptimizer::Momentum { .. }) => "fedavgm",
            (Aggregation::Mean { .. }, ServerOptimizer::Adam { .. }) => "fedadam",
            (Aggregation::Median, _) => "median",
            (Aggregation::TrimmedMean { .. }, _) => "trimmed-mean",
            (Aggregation::MultiKrum { selected: 1, .. }, _) => "krum",
            (Aggregation::MultiKrum { .. }, _) => "multi-krum",
        }
    }

    /// Checks that every parameter can be used.
    ///
    /// # Errors
    /// The first that cannot.
    pub fn check(&self) -> Result<(), StrategyError> {
        let rule = |kept, key, range| if kept { Ok(()) } else { Err(StrategyError::OutOfRange { key, range }) };
        match self.aggregation {
            Aggregation::Mean { .. } | Aggregation::Median => {}
            Aggregation::TrimmedMean { trim } => rule(trim > 0.0 && trim < 0.5, "trim", "above 0 and below 0.5")?,
            // Far above any number of participants, and sums of them are no overflow.
            Aggregation::MultiKrum { byzantine, selected } => {
                rule(byzantine <= 1_000_000, "byzantine", "at most 1,000,000")?;
                rule((1..=1_000_000).contains(&selected), "selected", "between 1 and 1,000,000")?;
            }
        }
        self.optimizer.check()?;
        rule(self.clip_norm.is_none_or(|norm| norm > 0.0 && norm.is_finite()), "clip_norm", "above 0 and finite")
    }

    /// Fewest updates that it is defined for or of use with: 2f + 3 and m + f for Krum, so many that a value is trimmed at
    /// either end for the trimmed mean.
    pub fn minimum_clients(&self) -> u32 {
        match self.aggregation {
            Aggregation::Mean { .. } | Aggregation::Median => 1,
            Aggregation::TrimmedMean { trim } => {
                let estimate = (1.0 / trim).floor().max(1.0) as u32;
                if trimmed(trim, estimate as usize) > 0 { estimate } else { estimate.saturating_add(1) }
            }
            Aggregation::MultiKrum { byzantine, selected } => {
                byzantine.saturating_mul(2).saturating_add(3).max(selected.saturating_add(byzantine))
            }
        }
    }

    /// How many of `clients` updates the model is made of: all, or those that Krum selects.
    pub fn updates_in_model(&self, clients: u32) -> u32 {
        match self.aggregation {
            Aggregation::MultiKrum { selected, .. } => clients.min(selected),
            _ => clients,
        }
    }

    /// Whether it compares single updates, as opposed to a running sum: they are read twice then, in blocks of coordinates.
    pub fn needs_single_updates(&self) -> bool {
        !matches!(self.aggregation, Aggregation::Mean { .. })
    }

    /// Largest norm of the model's change that updates of norms up to `norm` can give; `None` where an optimizer decides that.
    ///
    /// At least half of the values of a coordinate are beyond its median, so that the squared norm of medians is at most twice the
    /// mean of the updates' squared norms; the same holds for a trimmed mean.
    pub fn largest_change(&self, norm: f64) -> Option<f64> {
        let norm = self.clip_norm.map_or(norm, |clip| clip.min(norm));
        match (self.optimizer, self.aggregation) {
            (ServerOptimizer::Momentum { .. } | ServerOptimizer::Adam { .. }, _) => None,
            (_, Aggregation::Median | Aggregation::TrimmedMean { .. }) => Some(norm * std::f64::consts::SQRT_2),
            (_, Aggregation::Mean { .. } | Aggregation::MultiKrum { .. }) => Some(norm),
        }
    }

    /// What a delta of Euclidean norm `norm` is multiplied by: 1, or less where `clip_norm` says so.
    pub fn clip_factor(&self, norm: f64) -> f64 {
        match self.clip_norm {
            Some(clip) if norm > clip => clip / norm,
            _ => 1.0,
        }
    }
}

/// Values of a coordinate that a trimmed mean leaves out at either end, of `clients`; at least one remains.
pub(super) fn trimmed(trim: f64, clients: usize) -> usize {
    // Products such as 0.29 · 100 are a little below the whole number that they mean.
    let count = (trim * clients as f64 + 1e-9).floor() as usize;
    count.min(clients.saturating_sub(1) / 2)
}

#[cfg(test)]
mod tests;
