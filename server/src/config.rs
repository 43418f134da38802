//! The configuration: file, environment and flags in one place, checked before anything starts.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use emofed::learning::Strategy;
use emofed::protocol::{CapturePlan, Deployment, LearningSettings, RoundSettings, UpdateLimits};
use serde::Deserialize;

use crate::round::ClassConfig;

/// `emofed serve --config FILE`, in TOML. Everything has a default.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What the class is called.
    pub class: Option<String>,
    /// How rounds go until the instructor changes it.
    pub rounds: RoundSettings,
    /// How tabs learn.
    pub learning: LearningSettings,
    /// How tabs look.
    pub capture: CapturePlan,
    /// What an update may be at most.
    pub limits: Limits,
    /// What becomes of the mean of a round's updates: FedAvg unless another is named.
    pub strategy: Strategy,
    /// Needed beyond loopback.
    pub deployment: Option<Deployment>,
    /// A reverse proxy in front ends TLS; needed beyond loopback.
    pub trusted_proxy: bool,
}

/// What an update may be at most.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Most clips that a participant may claim in a round.
    pub max_clips: u32,
    /// Largest Euclidean norm of an update.
    pub max_norm: f64,
}

impl Default for Limits {
    fn default() -> Self {
        let UpdateLimits { max_clips, max_norm } = UpdateLimits::default();
        Self { max_clips, max_norm }
    }
}

/// Why the aggregator does not start.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {file} cannot be read: {reason}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        reason: String,
    },
    /// A value makes no sense.
    #[error("the configuration's {0}")]
    Value(&'static str),
    /// Beyond loopback without a deployment statement.
    #[error(
        "{0} is not loopback. Inferring emotions of other people needs a written statement: add a [deployment] section \
         with purpose, jurisdiction, legal_basis and contact to the configuration (see docs/PRIVACY.md), or listen on 127.0.0.1"
    )]
    NoDeployment(IpAddr),
    /// Beyond loopback without TLS.
    #[error(
        "{0} is not loopback, and emofed does not speak TLS itself: put a reverse proxy that does in front of it and set \
         trusted_proxy = true in the configuration, or listen on 127.0.0.1"
    )]
    NoTls(IpAddr),
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read or understood.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let unreadable = |reason: String| ConfigError::Unreadable { file: file.display().to_string(), reason };
        let text = std::fs::read_to_string(file).map_err(|error| unreadable(error.to_string()))?;
        toml::from_str(&text).map_err(|error| unreadable(error.to_string()))
    }

    /// Checks that the aggregator may listen on `address` with this configuration.
    ///
    /// # Errors
    /// What is missing or makes no sense.
    pub fn check(&self, address: SocketAddr) -> Result<(), ConfigError> {
        let (learning, capture) = (&self.learning, &self.capture);
        let rules = [
            (self.rounds.minimum_clients > 0, "rounds.minimum_clients must be at least 1"),
            (self.rounds.duration_s > 0, "rounds.duration_s must be at least 1"),
            ((0.0..=1.0).contains(&learning.confidence_threshold), "learning.confidence_threshold must be in 0..1"),
            (learning.learning_rate > 0.0, "learning.learning_rate must be above 0"),
            (learning.adam_epsilon > 0.0, "learning.adam_epsilon must be above 0"),
            (learning.epochs > 0 && learning.batch_size > 0, "learning.epochs and batch_size must be at least 1"),
            (learning.proximal >= 0.0, "learning.proximal must be at least 0"),
            ((0.0..=1.0).contains(&learning.distillation), "learning.distillation must be in 0..1"),
            ((0.0..=1.0).contains(&learning.video_share), "learning.video_share must be in 0..1"),
            ((0.0..=2.0).contains(&learning.prior_correction), "learning.prior_correction must be in 0..2"),
            (capture.max_frames_per_second > 0.0, "capture.max_frames_per_second must be above 0"),
            (capture.clip_ms > 0, "capture.clip_ms must be above 0"),
            (
                self.strategy.is_usable(),
                "strategy has a value out of range: momenta and decays are in 0..1, the rest above 0",
            ),
            (self.limits.max_norm > 0.0 && self.limits.max_clips > 0, "limits must be above 0"),
        ];
        if let Some((_, rule)) = rules.into_iter().find(|(kept, _)| !kept) {
            return Err(ConfigError::Value(rule));
        }
        if !address.ip().is_loopback() {
            let told = |text: &str| !text.trim().is_empty();
            let statement = self.deployment.as_ref().filter(|statement| {
                told(&statement.purpose)
                    && told(&statement.jurisdiction)
                    && told(&statement.legal_basis)
                    && told(&statement.contact)
            });
            if statement.is_none() {
                return Err(ConfigError::NoDeployment(address.ip()));
            }
            if !self.trusted_proxy {
                return Err(ConfigError::NoTls(address.ip()));
            }
        }
        Ok(())
    }

    /// What the class needs of it.
    pub fn class_config(&self) -> ClassConfig {
        ClassConfig {
            class: self.class.clone().unwrap_or_else(|| "Virtual classroom".to_owned()),
            deployment: self.deployment.clone(),
            learning: self.learning.clone(),
            capture: self.capture.clone(),
            rounds: self.rounds.clone(),
            limits: UpdateLimits { max_clips: self.limits.max_clips, max_norm: self.limits.max_norm },
            strategy: self.strategy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATEMENT: &str =
        "[deployment]\npurpose = 'research'\njurisdiction = 'X'\nlegal_basis = 'IRB 1'\ncontact = 'c'\n";

    fn check(text: &str, address: &str) -> Result<(), ConfigError> {
        toml::from_str::<Config>(text).unwrap().check(address.parse().unwrap())
    }

    #[test]
    fn beyond_loopback_needs_a_statement_and_tls() {
        assert!(check("", "127.0.0.1:1").is_ok() && check("", "[::1]:1").is_ok());
        assert!(matches!(check("", "0.0.0.0:1"), Err(ConfigError::NoDeployment(_))));
        assert!(matches!(check(STATEMENT, "0.0.0.0:1"), Err(ConfigError::NoTls(_))));
        assert!(check(&format!("trusted_proxy = true\n{STATEMENT}"), "0.0.0.0:1").is_ok());
        let blank = STATEMENT.replace("'IRB 1'", "' '");
        assert!(matches!(check(&blank, "0.0.0.0:1"), Err(ConfigError::NoDeployment(_))));
    }

    #[test]
    fn mistakes_are_found() {
        assert!(toml::from_str::<Config>("minimum_client = 3").is_err());
        assert!(matches!(check("[learning]\nlearning_rate = 0.0", "127.0.0.1:1"), Err(ConfigError::Value(_))));
        assert!(matches!(check("[rounds]\nminimum_clients = 0", "127.0.0.1:1"), Err(ConfigError::Value(_))));
    }
}
