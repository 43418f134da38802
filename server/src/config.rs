//! The configuration: file, environment and flags in one place, checked before anything starts.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use emofed::learning::{LearningSettings, Strategy};
use emofed::protocol::{CaptureSettings, Deployment, MINIMUM_CONTRIBUTORS, RoundSettings, UpdateLimits};
use serde::{Deserialize, Serialize};

use crate::round::{FederationBounds, FederationConfig};
use crate::serve::authority;

/// `emofed serve --config FILE`, in TOML. Everything has a default.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What the instructor calls the class.
    pub name: Option<String>,
    /// How rounds go until the instructor changes it.
    pub rounds: RoundSettings,
    /// How tabs learn.
    pub learning: LearningSettings,
    /// How tabs look.
    pub capture: CaptureSettings,
    /// What an update may be at most.
    pub limits: Limits,
    /// What becomes of the mean of a round's updates: FedAvg unless another is named.
    pub strategy: Strategy,
    /// Needed beyond loopback.
    pub deployment: Option<Deployment>,
    /// A reverse proxy in front ends TLS; needed beyond loopback. Needs a deployment statement wherever it listens: who puts
    /// a proxy in front serves others.
    pub trusted_proxy: bool,
    /// What browsers see in their address bar, such as `https://class.example.org`; needed with a proxy.
    pub public_origin: Option<String>,
    /// From the command line alone: rounds may publish what fewer than [`MINIMUM_CONTRIBUTORS`] contributed.
    #[serde(skip)]
    pub few_contributors: bool,
}

/// What updates, rounds and the class may be at most.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Most examples that a participant may claim in a round.
    pub max_examples: u32,
    /// Largest Euclidean norm of an update; absent: what fine-tuning can reach, see [`UpdateLimits::reachable`].
    pub max_norm: Option<f64>,
    /// Shortest time that a round stays open unless the instructor closes it, in seconds.
    pub shortest_round_s: u64,
    /// Weights of so many newest versions are kept.
    pub kept_models: usize,
    /// Most participants that may join.
    pub max_participants: u32,
    /// A join code made from now on lets students join for so many days.
    pub join_code_days: u32,
    /// Most joins with the right code from one address (one IPv6 /64) in an hour; absent: as many as may join at all, since
    /// a whole school can share one address.
    pub joins_per_address_per_hour: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        let FederationBounds { shortest_round_s, kept_models, max_participants } = FederationBounds::default();
        let max_examples = UpdateLimits::default().max_examples;
        Self {
            max_examples,
            max_norm: None,
            shortest_round_s,
            kept_models,
            max_participants,
            join_code_days: 90,
            joins_per_address_per_hour: None,
        }
    }
}

impl Limits {
    /// Most joins from one address in an hour.
    pub fn joins_per_address(&self) -> u32 {
        self.joins_per_address_per_hour.unwrap_or(self.max_participants)
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
    #[error("the configuration: {0}")]
    Value(&'static str),
    /// Few contributors, and others are served.
    #[error(
        "--allow-few-contributors is for demonstrations on loopback: with fewer than {MINIMUM_CONTRIBUTORS} contributors a \
         published model gives single updates away. Leave it out, or listen on 127.0.0.1 without a proxy"
    )]
    FewBeyondLoopback,
    /// A proxy without a public origin.
    #[error(
        "public_origin is missing: with a proxy in front, name the origin that browsers see, such as \
         public_origin = 'https://class.example.org' (no path, no default port, lower case)"
    )]
    NoPublicOrigin,
    /// Beyond loopback without a deployment statement.
    #[error(
        "{0} is not loopback, or a proxy is configured. Inferring emotions of other people needs a written statement: add a [deployment] section \
         with purpose, jurisdiction, legal_basis and contact to the configuration (see docs/PRIVACY.md), or listen on 127.0.0.1 without trusted_proxy"
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
        let (rounds, limits) = (&self.rounds, &self.limits);
        let fewest = if self.few_contributors { 1 } else { MINIMUM_CONTRIBUTORS };
        let share = |value: f64| (0.0..=1.0).contains(&value);
        // Comparisons with NaN are false; infinities have to be asked for.
        let positive = |value: f64| value > 0.0 && value.is_finite();
        let frames = capture.max_frames_per_second * capture.clip_ms as f64 / 1_000.0;
        let rules = [
            (
                rounds.minimum_clients >= fewest,
                "rounds.minimum_clients must be at least 3 (a demonstration on loopback may have fewer with \
                 --allow-few-contributors)",
            ),
            (
                rounds.minimum_clients <= limits.max_participants,
                "rounds.minimum_clients is above limits.max_participants: no round could close",
            ),
            ((1..=366 * 86_400).contains(&rounds.duration_s), "rounds.duration_s must be between 1 and a year"),
            (
                limits.shortest_round_s <= rounds.duration_s,
                "limits.shortest_round_s is above rounds.duration_s: lower one or raise the other",
            ),
            (share(learning.confidence_threshold), "learning.confidence_threshold must be in 0..1"),
            (positive(learning.learning_rate), "learning.learning_rate must be above 0 and finite"),
            (positive(learning.adam_epsilon), "learning.adam_epsilon must be above 0 and finite"),
            (learning.epochs > 0, "learning.epochs must be at least 1"),
            (learning.batch_size > 0, "learning.batch_size must be at least 1"),
            (
                learning.proximal >= 0.0 && learning.proximal.is_finite(),
                "learning.proximal must be at least 0 and finite",
            ),
            (share(learning.distillation), "learning.distillation must be in 0..1"),
            (share(learning.video_share), "learning.video_share must be in 0..1"),
            ((0.0..=2.0).contains(&learning.prior_correction), "learning.prior_correction must be in 0..2"),
            (
                learning.minimum_clips <= limits.max_examples,
                "learning.minimum_clips is above limits.max_examples: every update would be refused",
            ),
            (positive(capture.max_frames_per_second), "capture.max_frames_per_second must be above 0 and finite"),
            (capture.clip_ms > 0, "capture.clip_ms must be above 0"),
            (
                capture.minimum_frames as f64 <= frames,
                "capture.minimum_frames is more than capture.max_frames_per_second gives in capture.clip_ms: no clip \
                 would be kept",
            ),
            (
                self.strategy.is_usable(),
                "strategy has a value out of range: momenta and decays are in 0..1, the rest above 0",
            ),
            (limits.max_norm.is_none_or(positive), "limits.max_norm must be above 0 and finite"),
            (limits.max_examples > 0, "limits.max_examples must be at least 1"),
            (limits.max_participants > 0, "limits.max_participants must be at least 1"),
            (limits.kept_models > 0, "limits.kept_models must be at least 1"),
            (limits.join_code_days > 0, "limits.join_code_days must be at least 1"),
            (limits.joins_per_address() > 0, "limits.joins_per_address_per_hour must be at least 1"),
            (
                self.public_origin.as_deref().is_none_or(|origin| authority(origin).is_some()),
                "public_origin must be like https://class.example.org: no path, no default port, lower case",
            ),
        ];
        if let Some((_, rule)) = rules.into_iter().find(|(kept, _)| !kept) {
            return Err(ConfigError::Value(rule));
        }
        if !address.ip().is_loopback() || self.trusted_proxy || self.public_origin.is_some() {
            if self.few_contributors {
                return Err(ConfigError::FewBeyondLoopback);
            }
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
            if self.public_origin.is_none() {
                return Err(ConfigError::NoPublicOrigin);
            }
        }
        Ok(())
    }

    /// What an update of a model of `values` values may be at most.
    pub fn update_limits(&self, values: usize) -> UpdateLimits {
        let reachable = UpdateLimits::reachable(&self.learning, self.limits.max_examples, values);
        UpdateLimits { max_norm: self.limits.max_norm.unwrap_or(reachable.max_norm), ..reachable }
    }

    /// What the class needs of it, for a model of `values` values.
    pub fn federation_config(&self, values: usize) -> FederationConfig {
        let Limits { shortest_round_s, kept_models, max_participants, .. } = self.limits;
        FederationConfig {
            name: self.name.clone().unwrap_or_else(|| "Virtual classroom".to_owned()),
            deployment: self.deployment.clone(),
            learning: self.learning.clone(),
            capture: self.capture.clone(),
            rounds: self.rounds.clone(),
            limits: self.update_limits(values),
            strategy: self.strategy,
            few_contributors: self.few_contributors,
            bounds: FederationBounds { shortest_round_s, kept_models, max_participants },
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
    fn beyond_loopback_needs_a_statement_tls_and_a_name() {
        let proxy = format!("trusted_proxy = true\npublic_origin = 'https://class.example.org'\n{STATEMENT}");
        assert!(check("", "127.0.0.1:1").is_ok() && check("", "[::1]:1").is_ok());
        assert!(matches!(check("", "0.0.0.0:1"), Err(ConfigError::NoDeployment(_))));
        assert!(matches!(check(STATEMENT, "0.0.0.0:1"), Err(ConfigError::NoTls(_))));
        assert!(check(&proxy, "0.0.0.0:1").is_ok());
        let blank = STATEMENT.replace("'IRB 1'", "' '");
        assert!(matches!(check(&blank, "0.0.0.0:1"), Err(ConfigError::NoDeployment(_))));
        // A proxy on the same machine serves others, too.
        assert!(matches!(check("trusted_proxy = true", "127.0.0.1:1"), Err(ConfigError::NoDeployment(_))));
        let nameless = format!("trusted_proxy = true\n{STATEMENT}");
        assert!(matches!(check(&nameless, "127.0.0.1:1"), Err(ConfigError::NoPublicOrigin)));
        assert!(check(&proxy, "127.0.0.1:1").is_ok());
    }

    #[test]
    fn the_documentation_has_every_key_and_the_defaults() {
        let document = include_str!("../../docs/CONFIGURATION.md");
        let sample = document.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        let config: Config = toml::from_str(sample).unwrap();
        config.check("0.0.0.0:1".parse().unwrap()).unwrap();
        // Every option is given, so that all keys there are come back.
        let keys = |table: &toml::Table| {
            let mut keys = Vec::new();
            for (key, value) in table {
                match value {
                    toml::Value::Table(below) => keys.extend(below.keys().map(|name| format!("{key}.{name}"))),
                    _ => keys.push(key.clone()),
                }
            }
            keys.sort();
            keys
        };
        let documented: toml::Table = sample.parse().unwrap();
        assert_eq!(keys(&documented), keys(&toml::Table::try_from(&config).unwrap()));
        let reachable = UpdateLimits::reachable(&config.learning, config.limits.max_examples, 200_000).max_norm;
        assert!((reachable - config.limits.max_norm.unwrap()).abs() < 0.01, "{reachable}");
        let limits = Limits { max_norm: None, joins_per_address_per_hour: None, ..config.limits };
        let without_options =
            Config { name: None, trusted_proxy: false, public_origin: None, deployment: None, limits, ..config };
        assert_eq!(without_options, Config::default());
    }

    #[test]
    fn few_contributors_are_for_loopback() {
        let text = format!("trusted_proxy = true\npublic_origin = 'https://a.example'\n{STATEMENT}");
        let few = |text: &str| Config { few_contributors: true, ..toml::from_str(text).unwrap() };
        let address = "127.0.0.1:1".parse().unwrap();
        assert!(few("[rounds]\nminimum_clients = 1").check(address).is_ok());
        assert!(matches!(few(&text).check(address), Err(ConfigError::FewBeyondLoopback)));
    }

    #[test]
    fn mistakes_are_found_and_named() {
        assert!(toml::from_str::<Config>("minimum_client = 3").is_err());
        for (text, key) in [
            ("[learning]\nlearning_rate = 0.0", "learning.learning_rate"),
            ("[learning]\nlearning_rate = inf", "learning.learning_rate"),
            ("[learning]\nproximal = inf", "learning.proximal"),
            ("[learning]\nconfidence_threshold = nan", "learning.confidence_threshold"),
            ("[learning]\nminimum_clips = 300", "learning.minimum_clips"),
            ("[capture]\nmax_frames_per_second = inf", "capture.max_frames_per_second"),
            ("[capture]\nminimum_frames = 31", "capture.minimum_frames"),
            ("[rounds]\nminimum_clients = 0", "rounds.minimum_clients"),
            ("[rounds]\nminimum_clients = 2", "--allow-few-contributors"),
            ("[rounds]\nminimum_clients = 2000", "limits.max_participants"),
            ("[rounds]\nduration_s = 5", "limits.shortest_round_s"),
            ("[limits]\nmax_norm = inf", "limits.max_norm"),
            ("public_origin = 'class.example.org'", "public_origin"),
        ] {
            let error = check(text, "127.0.0.1:1").unwrap_err().to_string();
            assert!(error.contains(key), "{text}: {error}");
        }
    }
}
