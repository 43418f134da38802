//! Partial labels: what a clip's raters said, as a distribution to learn from.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::emotion::EMOTIONS;

/// Softmax over the raw counts, with zero counts removed (paper, section 3.2). `None` if nobody voted.
///
/// The paper removes them by setting them to −10⁻⁹, evidently a slip for a large negative number.
pub fn vote_distribution(counts: &[u32]) -> Option<Vec<f64>> {
    softmax_of_counts(counts, 1.0)
}

fn softmax_of_counts(counts: &[u32], temperature: f64) -> Option<Vec<f64>> {
    let most = counts.iter().copied().max().filter(|&most| most > 0)?;
    let power = |count: u32| {
        if count == 0 { 0.0 } else { ((f64::from(count) - f64::from(most)) / temperature).exp() }
    };
    let sum: f64 = counts.iter().copied().map(power).sum();
    Some(counts.iter().map(|&count| power(count) / sum).collect())
}

/// How a clip's votes become the distribution that the VFER learns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LabelKind {
    /// All mass on the emotion with most votes; among equals on the first.
    Discrete,
    /// Softmax over `counts / temperature`, zero counts removed. The paper's partial label has temperature 1.
    Softmax {
        /// Above 0; the larger, the flatter.
        temperature: f64,
    },
    /// Each emotion's share of the votes.
    Fraction,
}

impl LabelKind {
    /// The paper's partial label.
    pub const PAPER: Self = Self::Softmax { temperature: 1.0 };

    /// The target distribution of a clip with these `votes`; `None` if nobody voted.
    pub fn target(self, votes: &[u32; EMOTIONS]) -> Option<[f32; EMOTIONS]> {
        let most = votes.iter().copied().max().filter(|&most| most > 0)?;
        let distribution: Vec<f64> = match self {
            Self::Discrete => {
                let majority = votes.iter().position(|&count| count == most)?;
                (0..EMOTIONS).map(|emotion| f64::from(u8::from(emotion == majority))).collect()
            }
            Self::Softmax { temperature } => softmax_of_counts(votes, temperature)?,
            Self::Fraction => {
                let sum: f64 = votes.iter().copied().map(f64::from).sum();
                votes.iter().map(|&count| f64::from(count) / sum).collect()
            }
        };
        Some(std::array::from_fn(|emotion| distribution[emotion] as f32))
    }
}

/// A name that is no [`LabelKind`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no kind of label: discrete, softmax, softmax:T with T above 0, or fraction")]
pub struct UnknownLabelKind(String);

impl FromStr for LabelKind {
    type Err = UnknownLabelKind;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownLabelKind(name.to_owned());
        match name {
            "discrete" => Ok(Self::Discrete),
            "softmax" => Ok(Self::PAPER),
            "fraction" => Ok(Self::Fraction),
            _ => {
                let temperature: f64 =
                    name.strip_prefix("softmax:").and_then(|text| text.parse().ok()).ok_or_else(unknown)?;
                let usable = temperature.is_finite() && temperature > 0.0;
                if usable { Ok(Self::Softmax { temperature }) } else { Err(unknown()) }
            }
        }
    }
}

impl fmt::Display for LabelKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Discrete => formatter.write_str("discrete"),
            Self::Softmax { temperature: 1.0 } => formatter.write_str("softmax"),
            Self::Softmax { temperature } => write!(formatter, "softmax:{temperature}"),
            Self::Fraction => formatter.write_str("fraction"),
        }
    }
}

impl Serialize for LabelKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LabelKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_voted() {
        assert_eq!(vote_distribution(&[0; 6]), None);
        assert_eq!(vote_distribution(&[]), None);
        assert_eq!(LabelKind::Fraction.target(&[0; 6]), None);
    }

    #[test]
    fn huge_counts_do_not_overflow() {
        assert_eq!(vote_distribution(&[u32::MAX, 1, 0]), Some(vec![1.0, 0.0, 0.0]));
    }

    #[test]
    fn kinds_differ_in_how_much_they_keep_of_the_minority() {
        let votes = [0, 6, 0, 4, 0, 0];
        let minority = |kind: &str| kind.parse::<LabelKind>().unwrap().target(&votes).unwrap()[3];
        assert_eq!(minority("discrete"), 0.0);
        assert!((minority("softmax") - 1.0 / (1.0 + 2.0_f32.exp())).abs() < 1e-6);
        assert!((minority("softmax:2") - 1.0 / (1.0 + 1.0_f32.exp())).abs() < 1e-6);
        assert_eq!(minority("fraction"), 0.4);
        assert!(
            ["softmax", "softmax:2"]
                .iter()
                .all(|kind| { kind.parse::<LabelKind>().unwrap().target(&votes).unwrap()[0] == 0.0 })
        );
    }

    #[test]
    fn names_survive_a_round_trip_and_others_are_refused() {
        for name in ["discrete", "softmax", "softmax:2.5", "fraction"] {
            assert_eq!(name.parse::<LabelKind>().unwrap().to_string(), name);
        }
        for name in ["", "softmax:", "softmax:0", "softmax:-1", "softmax:nan", "soft"] {
            assert!(name.parse::<LabelKind>().is_err(), "{name}");
        }
    }
}
