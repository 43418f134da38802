//! What is on the stage of the student's page: the lecture, as the instructor sets it.

use serde::{Deserialize, Serialize};

/// Folder of the aggregator's own lecture files, as their addresses begin.
pub const LECTURE_FOLDER: &str = "lecture/";

/// The lecture. Addresses are those of the aggregator's own files, `lecture/NAME`, or absolute ones of origins that the
/// configuration allows on the stage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "kebab-case", try_from = "LectureFields")]
pub enum Lecture {
    /// Nothing: the student sees only the own camera.
    #[default]
    None,
    /// A video file.
    Video {
        /// Its address.
        address: String,
    },
    /// A PDF file, which the browser shows.
    Document {
        /// Its address.
        address: String,
    },
    /// Pictures, one at a time.
    Pictures {
        /// Their addresses, in order.
        addresses: Vec<String>,
    },
    /// Another page in a frame: a meeting, a course.
    Page {
        /// Its address.
        address: String,
    },
    /// A kind of a newer protocol.
    Unknown,
}

/// What a [`Lecture`] consists of. Read as such: serde reads an enum with an inner tag by way of a tree of values, in much more code.
#[derive(Deserialize)]
struct LectureFields {
    kind: String,
    address: Option<String>,
    addresses: Option<Vec<String>>,
}

impl TryFrom<LectureFields> for Lecture {
    type Error = &'static str;

    fn try_from(LectureFields { kind, address, addresses }: LectureFields) -> Result<Self, Self::Error> {
        let address = || address.ok_or("the lecture has no `address`");
        Ok(match kind.as_str() {
            "none" => Self::None,
            "video" => Self::Video { address: address()? },
            "document" => Self::Document { address: address()? },
            "pictures" => Self::Pictures { addresses: addresses.ok_or("the lecture has no `addresses`")? },
            "page" => Self::Page { address: address()? },
            _ => Self::Unknown,
        })
    }
}

impl Lecture {
    /// All addresses in it.
    pub fn addresses(&self) -> &[String] {
        match self {
            Self::None | Self::Unknown => &[],
            Self::Video { address } | Self::Document { address } | Self::Page { address } => {
                std::slice::from_ref(address)
            }
            Self::Pictures { addresses } => addresses,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_a_newer_aggregator_are_unknown() {
        let newer: Lecture = serde_json::from_str(r#"{ "kind": "whiteboard", "address": "lecture/a" }"#).unwrap();
        assert_eq!((newer.addresses().len(), newer), (0, Lecture::Unknown));
        let video = Lecture::Video { address: "lecture/intro.mp4".to_owned() };
        let json = serde_json::to_string(&video).unwrap();
        assert_eq!(json, r#"{"kind":"video","address":"lecture/intro.mp4"}"#);
        assert_eq!(serde_json::from_str::<Lecture>(&json).unwrap(), video);
    }
}
