//! A strategy as one flat table, as people write it and records store it.

use serde::{Deserialize, Serialize};

use super::{Aggregation, DifferenceEncoding, ServerOptimizer, Strategy, StrategyError};

/// All names.
pub(super) const NAMES: [&str; 7] = ["fedavg", "fedavgm", "fedadam", "median", "trimmed-mean", "krum", "multi-krum"];

/// Every parameter of every strategy; which belong to one is said in one place, [`Strategy::try_from`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[serde(default)]
pub(super) struct StrategyTable {
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weighted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trim: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    byzantine: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    selected: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    momentum: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    learning_rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    beta1: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    beta2: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epsilon: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clip_norm: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<DifferenceEncoding>,
}

impl TryFrom<StrategyTable> for Strategy {
    type Error = StrategyError;

    fn try_from(mut table: StrategyTable) -> Result<Self, StrategyError> {
        let given = table.name.take().ok_or(StrategyError::Missing { name: "a strategy", key: "name" })?;
        let name = NAMES.into_iter().find(|name| *name == given).ok_or(StrategyError::UnknownName(given))?;
        let aggregation = match name {
            "median" => Aggregation::Median,
            "trimmed-mean" => Aggregation::TrimmedMean { trim: needed(name, "trim", &mut table.trim)? },
            "krum" | "multi-krum" => {
                let byzantine = needed(name, "byzantine", &mut table.byzantine)?;
                let selected = if name == "krum" { 1 } else { needed(name, "selected", &mut table.selected)? };
                Aggregation::MultiKrum { byzantine, selected }
            }
            _ => Aggregation::Mean { weighted: table.weighted.take().unwrap_or(true) },
        };
        // The robust rules take an optimizer, too, by its parameters.
        let is_robust = !matches!(aggregation, Aggregation::Mean { .. });
        let optimizer = if name == "fedavgm" || (is_robust && table.momentum.is_some()) {
            ServerOptimizer::Momentum { momentum: needed(name, "momentum", &mut table.momentum)? }
        } else if name == "fedadam" || (is_robust && table.learning_rate.is_some()) {
            ServerOptimizer::Adam {
                learning_rate: needed(name, "learning_rate", &mut table.learning_rate)?,
                beta1: needed(name, "beta1", &mut table.beta1)?,
                beta2: needed(name, "beta2", &mut table.beta2)?,
                epsilon: needed(name, "epsilon", &mut table.epsilon)?,
            }
        } else {
            ServerOptimizer::None
        };
        let (clip_norm, difference) = (table.clip_norm.take(), table.difference.take().unwrap_or_default());
        match table.first_key() {
            Some(key) => Err(StrategyError::NoParameter { name, key }),
            None => Ok(Self { aggregation, optimizer, clip_norm, difference }),
        }
    }
}

impl From<Strategy> for StrategyTable {
    fn from(strategy: Strategy) -> Self {
        let Strategy { clip_norm, difference, .. } = strategy;
        let difference = (difference != DifferenceEncoding::None).then_some(difference);
        let mut table = Self { name: Some(strategy.name().to_owned()), clip_norm, difference, ..Self::default() };
        match strategy.aggregation {
            Aggregation::Mean { weighted } => table.weighted = Some(weighted),
            Aggregation::Median => {}
            Aggregation::TrimmedMean { trim } => table.trim = Some(trim),
            Aggregation::MultiKrum { byzantine, selected } => {
                table.byzantine = Some(byzantine);
                table.selected = (selected != 1).then_some(selected);
            }
        }
        match strategy.optimizer {
            ServerOptimizer::None => {}
            ServerOptimizer::Momentum { momentum } => table.momentum = Some(momentum),
            ServerOptimizer::Adam { learning_rate, beta1, beta2, epsilon } => {
                table.learning_rate = Some(learning_rate);
                (table.beta1, table.beta2, table.epsilon) = (Some(beta1), Some(beta2), Some(epsilon));
            }
        }
        table
    }
}

impl StrategyTable {
    /// The first parameter that is still there.
    fn first_key(&self) -> Option<&'static str> {
        let keys = [
            ("weighted", self.weighted.is_some()),
            ("trim", self.trim.is_some()),
            ("byzantine", self.byzantine.is_some()),
            ("selected", self.selected.is_some()),
            ("momentum", self.momentum.is_some()),
            ("learning_rate", self.learning_rate.is_some()),
            ("beta1", self.beta1.is_some()),
            ("beta2", self.beta2.is_some()),
            ("epsilon", self.epsilon.is_some()),
        ];
        keys.into_iter().find(|(_, is_there)| *is_there).map(|(key, _)| key)
    }
}

fn needed<T>(name: &'static str, key: &'static str, value: &mut Option<T>) -> Result<T, StrategyError> {
    value.take().ok_or(StrategyError::Missing { name, key })
}
