//! The sections of the configuration file but `[learning]` and `[strategy]`. Each is strict and converts to what the wire or
//! the round machine has.

use std::path::PathBuf;

use emofed::protocol::{CaptureSettings, Deployment, Lecture, RoundSettings, UpdateLimits};
use serde::{Deserialize, Serialize};

use crate::round::{FederationBounds, Stage};
use crate::serve::PER_ADDRESS;
use crate::tls::CertificateFiles;
use crate::tls::acme::{AcmeSettings, LETS_ENCRYPT};

/// `[rounds]`: [`RoundSettings`] until the instructor changes them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "each key is the field of the same name in RoundSettings")]
pub struct RoundsConfig {
    pub minimum_clients: u32,
    pub target_clients: u32,
    pub duration_s: u64,
    pub continuous: bool,
}

impl Default for RoundsConfig {
    fn default() -> Self {
        let RoundSettings { minimum_clients, target_clients, duration_s, continuous } = RoundSettings::default();
        Self { minimum_clients, target_clients, duration_s, continuous }
    }
}

impl From<RoundsConfig> for RoundSettings {
    fn from(RoundsConfig { minimum_clients, target_clients, duration_s, continuous }: RoundsConfig) -> Self {
        Self { minimum_clients, target_clients, duration_s, continuous }
    }
}

/// `[capture]`: [`CaptureSettings`].
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "each key is the field of the same name in CaptureSettings")]
pub struct CaptureConfig {
    pub max_frames_per_second: f64,
    pub clip_ms: u64,
    pub clip_overlap: f64,
    pub minimum_frames: usize,
    pub face_lost_ms: u64,
}

impl Default for CaptureConfig {
    fn default() -> Self {
        let CaptureSettings { max_frames_per_second, clip_ms, clip_overlap, minimum_frames, face_lost_ms } =
            CaptureSettings::default();
        Self { max_frames_per_second, clip_ms, clip_overlap, minimum_frames, face_lost_ms }
    }
}

impl From<CaptureConfig> for CaptureSettings {
    fn from(
        CaptureConfig { max_frames_per_second, clip_ms, clip_overlap, minimum_frames, face_lost_ms }: CaptureConfig,
    ) -> Self {
        Self { max_frames_per_second, clip_ms, clip_overlap, minimum_frames, face_lost_ms }
    }
}

/// `[stage]`: what students see beside their own camera, and which pages may be in each other's frames.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct StageConfig {
    /// Folder of files that are served as `lecture/NAME`.
    pub folder: Option<PathBuf>,
    /// Origins whose pages, videos and pictures may be on the stage.
    pub origins: Vec<String>,
    /// Origins whose pages may show the student's page in a frame.
    pub embedders: Vec<String>,
    /// What is on the stage until the instructor changes it.
    pub lecture: Lecture,
}

impl From<StageConfig> for Stage {
    fn from(StageConfig { folder, origins, lecture, embedders: _ }: StageConfig) -> Self {
        Self { lecture, folder, origins }
    }
}

/// `[deployment]`: the written [`Deployment`] statement, needed beyond loopback.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "each key is the field of the same name in Deployment")]
pub struct DeploymentConfig {
    pub purpose: String,
    pub jurisdiction: String,
    pub legal_basis: String,
    pub contact: String,
}

impl DeploymentConfig {
    /// Whether every part says something.
    pub fn is_complete(&self) -> bool {
        [&self.purpose, &self.jurisdiction, &self.legal_basis, &self.contact].iter().all(|text| !text.trim().is_empty())
    }
}

impl From<DeploymentConfig> for Deployment {
    fn from(DeploymentConfig { purpose, jurisdiction, legal_basis, contact }: DeploymentConfig) -> Self {
        Self { purpose, jurisdiction, legal_basis, contact }
    }
}

/// `[tls]`: the certificate that the aggregator shows, where it speaks TLS itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The chain in PEM, the aggregator's own certificate first.
    pub certificate: PathBuf,
    /// The private key of the first certificate, in PEM.
    pub key: PathBuf,
}

impl From<TlsConfig> for CertificateFiles {
    fn from(TlsConfig { certificate, key }: TlsConfig) -> Self {
        Self { certificate, key }
    }
}

/// `[acme]`: the authority that certificates are taken from with `--tls acme`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AcmeConfig {
    /// DNS names that the certificate is valid for, the one of the links first.
    pub domains: Vec<String>,
    /// Addresses of mail that the authority may write to.
    #[serde(default)]
    pub contact: Vec<String>,
    /// Whether the operator agrees to the authority's terms of service. Nothing is asked of it otherwise.
    #[serde(default)]
    pub terms_of_service_agreed: bool,
    /// The authority's directory.
    #[serde(default = "lets_encrypt")]
    pub directory: String,
    /// A certificate in PEM that the directory's own is signed by, where the system does not trust it.
    pub root_certificate: Option<PathBuf>,
}

fn lets_encrypt() -> String {
    LETS_ENCRYPT.to_owned()
}

impl From<AcmeConfig> for AcmeSettings {
    fn from(config: AcmeConfig) -> Self {
        let AcmeConfig { domains, contact, directory, root_certificate, terms_of_service_agreed: _ } = config;
        Self { domains, contact, directory, root_certificate }
    }
}

/// `[operator]`: making and ending federations beside the first, while the aggregator runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct OperatorConfig {
    /// Whether there is an operator's token, in the file `operator-token` of the data folder.
    pub enabled: bool,
}

/// `[telemetry]`: what is told of the aggregator's own work beside its log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// The collector that spans are sent to by OTLP over HTTP, without `/v1/traces`.
    pub otlp_endpoint: Option<String>,
}

/// `[limits]`: what updates, rounds and the federation may be at most.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
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
    /// See [`FederationBounds::max_loss_increase`].
    pub max_loss_increase: f64,
    /// A join code made from now on lets students join for so many days.
    pub join_code_days: u32,
    /// So many may join with a join code, those who leave again included; 0: as many as the federation takes.
    pub join_code_uses: u32,
    /// Most federations beside the first.
    pub max_federations: usize,
    /// Most joins with the right code from one address (one IPv6 /64) in an hour; absent: as many as may join at all, since
    /// a whole school can share one address.
    pub joins_per_address_per_hour: Option<u32>,
    /// Most connections of one address (one IPv6 /64); three quarters of them may be event streams. Behind a proxy it is the most
    /// event streams of one address.
    pub connections_per_address: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        let FederationBounds { shortest_round_s, kept_models, max_participants, max_loss_increase } =
            FederationBounds::default();
        let max_examples = UpdateLimits::default().max_examples;
        Self {
            max_examples,
            max_norm: None,
            shortest_round_s,
            kept_models,
            max_participants,
            max_loss_increase,
            join_code_days: 90,
            join_code_uses: 0,
            max_federations: 100,
            joins_per_address_per_hour: None,
            connections_per_address: PER_ADDRESS,
        }
    }
}

impl LimitsConfig {
    /// Most joins from one address in an hour.
    pub fn joins_per_address(&self) -> u32 {
        self.joins_per_address_per_hour.unwrap_or(self.max_participants)
    }
}
