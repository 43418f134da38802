//! Server-sent events: counts of updates, and hints that the manifest has changed. A tab that misses one loses nothing.

use serde::{Deserialize, Serialize};

use super::CloseReason;

/// What `GET /api/v2/events` sends, as JSON in `data:`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A round takes updates.
    RoundOpened {
        /// The round.
        round: u64,
        /// What updates are relative to.
        base_version: u64,
    },
    /// More updates are in; says nothing of whose. The manifest does not change with it.
    UpdateReceived {
        /// The round.
        round: u64,
        /// How many it has now.
        received: u32,
    },
    /// A round takes no more updates.
    RoundClosed {
        /// The round.
        round: u64,
        /// Why.
        reason: CloseReason,
    },
    /// There is a new global model.
    ModelPublished {
        /// Its version.
        version: u64,
    },
    /// An earlier global model is the current one again, under a new version number.
    ModelRolledBack {
        /// The new version number.
        version: u64,
        /// The version whose weights it repeats.
        restored: u64,
    },
    /// Something else is on the stage.
    LectureChanged,
    /// The operator has ended the federation: nothing below its prefix answers any more. The last event of a stream.
    FederationEnded,
    /// An event of a newer protocol.
    #[serde(other)]
    Unknown,
}

impl Event {
    /// Reads the JSON of an event; [`Event::Unknown`] if it is none. The same as by its `Deserialize`, which would make the page
    /// some kilobytes larger.
    pub fn read(json: &str) -> Self {
        let event: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
        let number = |name: &str| event.get(name).and_then(serde_json::Value::as_u64);
        let word = |name: &str| event.get(name).and_then(serde_json::Value::as_str);
        let read = || {
            Some(match word("event")? {
                "round-opened" => Self::RoundOpened { round: number("round")?, base_version: number("base_version")? },
                "update-received" => {
                    Self::UpdateReceived { round: number("round")?, received: u32::try_from(number("received")?).ok()? }
                }
                "round-closed" => {
                    let reason = match word("reason")? {
                        "complete" => CloseReason::Complete,
                        "instructor" => CloseReason::Instructor,
                        "deadline" => CloseReason::Deadline,
                        "rejected" => CloseReason::Rejected,
                        "abandoned" => CloseReason::Abandoned,
                        _ => CloseReason::Unknown,
                    };
                    Self::RoundClosed { round: number("round")?, reason }
                }
                "model-published" => Self::ModelPublished { version: number("version")? },
                "model-rolled-back" => {
                    Self::ModelRolledBack { version: number("version")?, restored: number("restored")? }
                }
                "lecture-changed" => Self::LectureChanged,
                "federation-ended" => Self::FederationEnded,
                _ => return None,
            })
        };
        read().unwrap_or(Self::Unknown)
    }
}

/// An event as it is sent: with the time over which tabs spread what they do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventMessage {
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
    /// A tab asks for the manifest after a random time below this, in milliseconds. Absent: the event says all there is to know,
    /// or an earlier aggregator sends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_ms: Option<u32>,
}

impl EventMessage {
    /// Reads the JSON of a message, as [`Event::read`] does.
    pub fn read(json: &str) -> Self {
        let message: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
        let within_ms = message.get("within_ms").and_then(serde_json::Value::as_u64);
        Self { event: Event::read(json), within_ms: within_ms.map(|ms| u32::try_from(ms).unwrap_or(u32::MAX)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_as_they_are_written() {
        let reasons = [
            CloseReason::Complete,
            CloseReason::Instructor,
            CloseReason::Deadline,
            CloseReason::Rejected,
            CloseReason::Abandoned,
        ];
        let closed = reasons.map(|reason| Event::RoundClosed { round: 3, reason });
        let others = [
            Event::RoundOpened { round: 3, base_version: 2 },
            Event::UpdateReceived { round: 3, received: 1 },
            Event::ModelPublished { version: 4 },
            Event::ModelRolledBack { version: 5, restored: 2 },
            Event::LectureChanged,
            Event::FederationEnded,
        ];
        for event in closed.into_iter().chain(others) {
            assert_eq!(Event::read(&serde_json::to_string(&event).unwrap()), event);
        }
        for within_ms in [None, Some(200)] {
            let message = EventMessage { event: Event::RoundOpened { round: 3, base_version: 2 }, within_ms };
            let json = serde_json::to_string(&message).unwrap();
            assert_eq!(EventMessage::read(&json), message);
            assert_eq!(serde_json::from_str::<EventMessage>(&json).unwrap(), message);
            assert_eq!(Event::read(&json), message.event, "who knows no spread reads the event");
        }
        for unknown in ["", "{}", r#"{"event":"model-signed","version":1}"#, r#"{"event":"round-opened"}"#] {
            assert_eq!(Event::read(unknown), Event::Unknown);
        }
    }
}
