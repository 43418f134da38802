//! What the instructor's page and the aggregator tell each other. There is no individual result in it.

use serde::{Deserialize, Serialize};

use super::{Lecture, MINIMUM_CONTRIBUTORS, ModelVersion, OpenRound, RoundPhase};

/// Paths of the instructor's calls, below the prefix of the federation; all need an instructor's bearer token.
pub mod instructor_path {
    /// `GET`: [`super::FederationStatus`].
    pub const STATUS: &str = "/api/v2/instructor/status";
    /// `POST`: opens a round.
    pub const ROUNDS: &str = "/api/v2/instructor/rounds";
    /// `PATCH` [`super::RoundSettingsChange`].
    pub const SETTINGS: &str = "/api/v2/instructor/settings";
    /// `PUT` [`super::Lecture`]: what is on the stage from now on.
    pub const LECTURE: &str = "/api/v2/instructor/lecture";
    /// `GET`: a backup of the federation, a tar file.
    pub const BACKUP: &str = "/api/v2/instructor/backup";

    /// `POST`: makes a new join code; answers with a [`super::JoinCode`].
    pub const JOIN_CODE: &str = "/api/v2/instructor/join-code";
    /// `GET`: [`super::ParticipantSummary`] of each; `DELETE`: ends all participants' tokens.
    pub const PARTICIPANTS: &str = "/api/v2/instructor/participants";

    /// `GET`: [`super::AssistantSummary`] of each; `POST`: makes an assistant instructor's token, a [`super::AssistantToken`];
    /// `DELETE`: ends all of them.
    pub const ASSISTANTS: &str = "/api/v2/instructor/assistants";

    /// `DELETE`: ends the token of the assistant instructor `id`.
    pub fn assistant(id: &str) -> String {
        format!("{ASSISTANTS}/{id}")
    }

    /// `DELETE`: ends the token of the participant `id`.
    pub fn participant(id: &str) -> String {
        format!("{PARTICIPANTS}/{id}")
    }

    /// `POST`: closes a round now, with what has come.
    pub fn close(round: u64) -> String {
        format!("{ROUNDS}/{round}/close")
    }

    /// `POST`: makes the weights of `version` the global model again, as a new version.
    pub fn restore(version: u64) -> String {
        format!("/api/v2/instructor/models/{version}/restore")
    }
}

/// How rounds go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct RoundSettings {
    /// A round that has fewer updates at its end is abandoned.
    pub minimum_clients: u32,
    /// A round closes when so many updates are in: see [`Self::closes_at`].
    pub target_clients: u32,
    /// A round ends after so long, in seconds, even with too few.
    pub duration_s: u64,
    /// The next round opens by itself.
    pub continuous: bool,
}

impl RoundSettings {
    /// How many updates close a round: the target, or the minimum where that is more, as with a target of 0.
    pub fn closes_at(&self) -> u32 {
        self.target_clients.max(self.minimum_clients)
    }
}

/// Some of the [`RoundSettings`]; what is absent stays as it is. An unknown field is refused: who sends one would take it for
/// changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct RoundSettingsChange {
    /// [`RoundSettings::minimum_clients`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_clients: Option<u32>,
    /// [`RoundSettings::target_clients`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_clients: Option<u32>,
    /// [`RoundSettings::duration_s`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<u64>,
    /// [`RoundSettings::continuous`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continuous: Option<bool>,
}

impl RoundSettingsChange {
    /// `settings` with this change.
    pub fn applied_to(&self, settings: &RoundSettings) -> RoundSettings {
        RoundSettings {
            minimum_clients: self.minimum_clients.unwrap_or(settings.minimum_clients),
            target_clients: self.target_clients.unwrap_or(settings.target_clients),
            duration_s: self.duration_s.unwrap_or(settings.duration_s),
            continuous: self.continuous.unwrap_or(settings.continuous),
        }
    }

    /// This change, and what it leaves open as `earlier` had it.
    pub fn or(self, earlier: &Self) -> Self {
        Self {
            minimum_clients: self.minimum_clients.or(earlier.minimum_clients),
            target_clients: self.target_clients.or(earlier.target_clients),
            duration_s: self.duration_s.or(earlier.duration_s),
            continuous: self.continuous.or(earlier.continuous),
        }
    }
}

impl Default for RoundSettings {
    fn default() -> Self {
        Self { minimum_clients: MINIMUM_CONTRIBUTORS, target_clients: 0, duration_s: 3_600, continuous: true }
    }
}

/// What an instructor's token allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Everything.
    #[default]
    Owner,
    /// The status, opening and closing rounds, and the lecture.
    #[serde(other)]
    Assistant,
}

/// A new assistant instructor's token, which is told once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AssistantToken {
    /// Random id, by which the token is ended.
    pub id: String,
    /// The bearer token.
    pub token: String,
}

/// An assistant instructor: there is nothing more of one than this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AssistantSummary {
    /// Random id.
    pub id: String,
    /// Seconds since 1970 when the token was made.
    pub made_at_s: u64,
}

/// The code that students join with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JoinCode {
    /// The code.
    pub code: String,
    /// When it ends, in seconds since 1970; absent: it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_s: Option<u64>,
    /// How many can still join with it; absent: as many as the federation takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses_left: Option<u32>,
}

/// A participant as the instructor sees it: there is nothing more of one than this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ParticipantSummary {
    /// Random id.
    pub id: String,
    /// Seconds since 1970 when it joined, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined_at_s: Option<u64>,
}

/// The federation as the instructor sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FederationStatus {
    /// The federation's name, which the pages show.
    pub name: String,
    /// What the token of the call allows.
    #[serde(default)]
    pub role: Role,
    /// The code that students join with.
    pub join_code: String,
    /// When the code ends, in seconds since 1970; absent: it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join_code_expires_at_s: Option<u64>,
    /// How many can still join with the code; absent: as many as the federation takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join_code_uses_left: Option<u32>,
    /// Tabs that listen to events now.
    pub connected: u32,
    /// Participants that ever joined.
    pub participants: u32,
    /// The open round.
    pub round: Option<OpenRound>,
    /// The newest rounds, newest first; earlier ones with `?rounds_before=ID`.
    pub rounds: Vec<RoundSummary>,
    /// The newest published models, newest first; earlier ones with `?models_before=VERSION`.
    pub models: Vec<ModelVersion>,
    /// How rounds go.
    pub settings: RoundSettings,
    /// What is on the stage, and what may be.
    #[serde(default)]
    pub lecture: LectureStatus,
    /// A demonstration with fewer than [`MINIMUM_CONTRIBUTORS`].
    #[serde(default)]
    pub few_contributors: bool,
    /// SHA-256 of the aggregator's TLS certificate, in hexadecimal; absent: it speaks plain HTTP, behind a proxy or on loopback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_sha256: Option<String>,
}

/// What is on the stage, and what may be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct LectureStatus {
    /// What is.
    pub current: Lecture,
    /// Names of the files in the configured lecture folder.
    pub files: Vec<String>,
    /// Origins, such as `https://meet.example.org`, whose pages and files may be.
    pub origins: Vec<String>,
}

/// A round in the list of rounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RoundSummary {
    /// [`OpenRound::id`].
    pub id: u64,
    /// The model version that its updates are relative to.
    pub base_version: u64,
    /// Updates received.
    pub received: u32,
    /// Where it stands.
    pub phase: RoundPhase,
    /// Seconds since 1970 when it opened.
    pub opened_at_s: u64,
}
