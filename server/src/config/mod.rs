//! The configuration: file, environment and flags in one place, checked before anything starts.
//!
//! Its types are strict: an unknown key or value is refused by name. They convert to the wire's types, which are lenient.

mod check;
pub mod learning;
mod sections;

use std::path::Path;

use emofed::learning::Strategy;
use emofed::protocol::UpdateLimits;
use serde::{Deserialize, Serialize};

pub use self::check::ConfigError;
pub use self::learning::LearningConfig;
pub use self::sections::{
    AcmeConfig, CaptureConfig, DeploymentConfig, LimitsConfig, OperatorConfig, RoundsConfig, StageConfig,
    TelemetryConfig, TlsConfig,
};
use crate::round::{FederationBounds, FederationConfig};

/// `emofed serve --config FILE`, in TOML. Everything has a default.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The name of the federation, chosen by the instructor.
    pub name: Option<String>,
    /// How rounds go until the instructor changes it.
    pub rounds: RoundsConfig,
    /// How tabs label and fine-tune.
    pub learning: LearningConfig,
    /// How tabs sample frames and cut clips.
    pub capture: CaptureConfig,
    /// What is on the stage, and what may be.
    pub stage: StageConfig,
    /// What an update may be at most.
    pub limits: LimitsConfig,
    /// Who makes further federations.
    pub operator: OperatorConfig,
    /// Where spans are sent.
    pub telemetry: TelemetryConfig,
    /// The aggregation strategy: FedAvg unless another is named.
    pub strategy: Strategy,
    /// Needed beyond loopback.
    pub deployment: Option<DeploymentConfig>,
    /// TLS without a proxy.
    pub tls: Option<TlsConfig>,
    /// The authority of `--tls acme`.
    pub acme: Option<AcmeConfig>,
    /// A reverse proxy in front ends TLS; needed beyond loopback without TLS of our own. Needs a deployment statement wherever it listens: who puts
    /// a proxy in front serves others.
    pub trusted_proxy: bool,
    /// What browsers see in their address bar, such as `https://class.example.org`; needed beyond loopback and with a proxy,
    /// unless the certificate is self-signed or an authority's by ACME: then the address or the domain says it.
    pub public_origin: Option<String>,
    /// From the command line alone: rounds may publish what fewer than [`emofed::protocol::MINIMUM_CONTRIBUTORS`] contributed.
    #[serde(skip)]
    pub few_contributors: bool,
    /// From the command line alone: where the certificate comes from.
    #[serde(skip)]
    pub certificate: CertificateSource,
}

/// Where the certificate comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CertificateSource {
    /// From the files of `[tls]`; without that section there is no TLS.
    #[default]
    Files,
    /// It is made here, and signed by itself, whatever `[tls]` says.
    SelfSigned,
    /// From the authority of `[acme]`, whatever `[tls]` says.
    Acme,
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

    /// Whether the aggregator speaks TLS itself.
    pub fn has_tls(&self) -> bool {
        self.certificate != CertificateSource::Files || self.tls.is_some()
    }

    /// What an update of a model of `values` values may be at most.
    pub fn update_limits(&self, values: usize) -> UpdateLimits {
        let reachable = UpdateLimits::reachable(&self.learning.clone().into(), self.limits.max_examples, values);
        UpdateLimits { max_norm: self.limits.max_norm.unwrap_or(reachable.max_norm), ..reachable }
    }

    /// What the round machine needs of it, for a model of `values` values.
    pub fn federation_config(&self, values: usize) -> FederationConfig {
        let LimitsConfig { shortest_round_s, kept_models, max_participants, max_loss_increase, .. } = self.limits;
        FederationConfig {
            name: self.name.clone().unwrap_or_else(|| "Virtual classroom".to_owned()),
            deployment: self.deployment.clone().map(Into::into),
            stage: self.stage.clone().into(),
            learning: self.learning.clone().into(),
            capture: self.capture.clone().into(),
            rounds: self.rounds.clone().into(),
            limits: self.update_limits(values),
            strategy: self.strategy,
            few_contributors: self.few_contributors,
            bounds: FederationBounds { shortest_round_s, kept_models, max_participants, max_loss_increase },
        }
    }
}

#[cfg(test)]
mod tests;
