//! What the operator and the aggregator tell each other: which federations there are beside the first.

use serde::{Deserialize, Serialize};

/// Paths of the operator's calls; all need the operator's bearer token.
pub mod operator_path {
    /// `GET`: [`super::FederationSummary`] of each; `POST` [`super::NewFederation`] → [`super::FederationLinks`].
    pub const FEDERATIONS: &str = "/api/v2/operator/federations";

    /// `GET`: a backup of all federations.
    pub const BACKUP: &str = "/api/v2/operator/backup";

    /// `DELETE`: ends the federation `id`, with all it has stored.
    pub fn federation(id: &str) -> String {
        format!("{FEDERATIONS}/{id}")
    }
}

/// A federation to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewFederation {
    /// The name that its pages show.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 100))]
    pub name: String,
}

/// A new federation's links, which are told once: the aggregator keeps the hash of the instructor's token alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FederationLinks {
    /// Its random id, below `/f/` in every address.
    pub id: String,
    /// Its name.
    pub name: String,
    /// With the join code.
    pub student_link: String,
    /// With the owner's token.
    pub instructor_link: String,
}

/// A federation as the operator sees it: no model, no code and no participant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FederationSummary {
    /// Its random id.
    pub id: String,
    /// Its name; absent where it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it was made, in seconds since 1970; absent where that cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_at_s: Option<u64>,
    /// Whether its store could be opened.
    pub available: bool,
    /// Tabs that listen to events now.
    pub connected: u32,
    /// Participants that have joined.
    pub participants: u32,
}
