//! Errors on the wire: RFC 9457 problem documents.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// What kind of problem it is; a tab decides by this, never by the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ProblemCode {
    /// No federation has this join code, or it has expired.
    WrongJoinCode,
    /// The token is missing, unknown or revoked: join again.
    Unauthorized,
    /// The call is the owner's: an assistant instructor's token does not do.
    OwnerOnly,
    /// The update is not relative to the round's base version: fetch the manifest.
    StaleBase,
    /// The round takes no updates: fetch the manifest.
    RoundNotOpen,
    /// A different update of this participant already counts in this round.
    AlreadyReceived,
    /// The body is larger than any update of this model.
    TooLarge,
    /// The body is not an update of this model; `tensor` says where.
    BadUpdate,
    /// The request is malformed.
    BadRequest,
    /// Too many requests: wait `retry_after_s`.
    RateLimited,
    /// There is nothing at this path.
    NotFound,
    /// The action does not fit the present state.
    Conflict,
    /// The aggregator cannot store anything now; nothing was acknowledged.
    StorageUnavailable,
    /// What was asked for is stored, but is damaged: it is not sent.
    StorageDamaged,
    /// The aggregator failed.
    Internal,
}

impl ProblemCode {
    /// The HTTP status it goes with.
    pub fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthorized => 401,
            Self::WrongJoinCode | Self::OwnerOnly => 403,
            Self::NotFound => 404,
            Self::StaleBase | Self::RoundNotOpen | Self::AlreadyReceived | Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::BadUpdate => 422,
            Self::RateLimited => 429,
            Self::StorageDamaged | Self::Internal => 500,
            Self::StorageUnavailable => 503,
        }
    }
}

/// A problem document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[error("{detail}")]
pub struct Problem {
    /// Machine-readable kind.
    pub code: ProblemCode,
    /// The HTTP status, repeated as RFC 9457 asks.
    pub status: u16,
    /// One sentence for a person: what happened and what to do.
    pub detail: String,
    /// The tensor at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tensor: Option<String>,
    /// Seconds to wait before trying again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
    /// What the sentence speaks of, for machines: numbers and names such as `limit`, `found`, `round`. Anything that is no
    /// object is read as none.
    #[serde(default, deserialize_with = "params", skip_serializing_if = "Map::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object, required = false))]
    pub params: Map<String, Value>,
}

fn params<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Object(params) => params,
        _ => Map::new(),
    })
}

impl Problem {
    /// A problem of `code`, told in `detail`.
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        let (status, detail) = (code.status(), detail.into());
        Self { code, status, detail, tensor: None, retry_after_s: None, params: Map::new() }
    }

    /// The same with the parameter `name`. A number that JSON does not have (NaN, infinity) is left out.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        if !value.is_null() {
            self.params.insert(name.to_owned(), value);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_leniently() {
        let read = |params: &str| -> Problem {
            let json = format!(r#"{{"code":"conflict","status":409,"detail":"Full.","hint":1{params}}}"#);
            serde_json::from_str(&json).unwrap()
        };
        let problem = Problem::new(ProblemCode::Conflict, "Full.");
        for params in ["", r#","params":null"#, r#","params":[3]"#, r#","params":{}"#] {
            assert_eq!(read(params), problem, "{params}");
        }
        let limited = problem.with("limit", 3).with("norm", f64::NAN);
        assert_eq!(read(r#","params":{"limit":3}"#), limited);
        assert_eq!(serde_json::from_str::<Problem>(&serde_json::to_string(&limited).unwrap()).unwrap(), limited);
    }
}
