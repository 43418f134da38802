//! Typed access to records: under which keys they are, and how they change together.

use std::sync::Arc;

use emofed::protocol::{BlobRef, Lecture, RoundSettingsChange, sha256_hex};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::schema::{migrate, unwrap, wrap};
use super::{
    BackboneRecord, FederationRecord, ModelRecord, ParticipantRecord, RoundRecord, SettingsRecord, Store, StoreError,
    UpdateRecord, Write,
};

/// Where the weights with a hash are stored.
pub fn blob_name(sha256: &str) -> String {
    format!("blobs/{sha256}")
}

/// Where the bodies of a round's updates are stored.
pub fn updates_folder(round: u64) -> String {
    format!("updates/{round}")
}

/// Where an update's body is stored. Its own name each, so that deleting one never touches another.
pub fn update_name(round: u64, participant: &str, sha256: &str) -> String {
    format!("{}/{participant}-{sha256}", updates_folder(round))
}

/// Typed access to the records of a store, all of which are of the current schema.
#[derive(Clone)]
pub struct Records(Arc<dyn Store>);

const FEDERATION: &str = "federation";
const SETTINGS: &str = "settings";
const LECTURE: &str = "lecture";
const BACKBONE: &str = "backbone";
const DETECTOR: &str = "detector";

/// What the keys of participants begin with; the hash of the token follows.
pub(super) const PARTICIPANTS: &str = "participant/";

pub(super) fn participant_key(token_sha256: &str) -> String {
    format!("{PARTICIPANTS}{token_sha256}")
}

fn model_key(version: u64) -> String {
    format!("model/{version:020}")
}

fn round_key(round: u64) -> String {
    format!("round/{round:020}")
}

fn update_prefix(round: u64) -> String {
    format!("update/{round:020}/")
}

pub(super) fn put<T: Serialize>(key: impl Into<String>, record: &T) -> Write {
    Write::Put { key: key.into(), value: bytes(record) }
}

pub(super) fn insert<T: Serialize>(key: impl Into<String>, record: &T) -> Write {
    Write::Insert { key: key.into(), value: bytes(record) }
}

fn bytes<T: Serialize>(record: &T) -> Vec<u8> {
    wrap(serde_json::to_value(record).expect("records are plain data"))
}

impl Records {
    /// Takes over the records of `store`, after bringing them up to the current schema.
    ///
    /// # Errors
    /// [`StoreError::NewerSchema`], or the store fails.
    pub fn open(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        migrate(store.as_ref())?;
        Ok(Self(store))
    }

    /// The store below, for objects and its health.
    pub fn store(&self) -> &dyn Store {
        self.0.as_ref()
    }

    pub(super) fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StoreError> {
        self.0.get(key)?.map(|value| read(key, &value)).transpose()
    }

    pub(super) fn scan<T: DeserializeOwned>(&self, prefix: &str) -> Result<Vec<T>, StoreError> {
        self.0.scan(prefix)?.iter().map(|(key, value)| read(key, value)).collect()
    }

    pub(super) fn scan_keys<T: DeserializeOwned>(&self, prefix: &str) -> Result<Vec<(String, T)>, StoreError> {
        self.0.scan(prefix)?.into_iter().map(|(key, value)| read(&key, &value).map(|record| (key, record))).collect()
    }

    fn scan_back<T: DeserializeOwned>(
        &self,
        prefix: &str,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<T>, StoreError> {
        self.0.scan_back(prefix, before, limit)?.iter().map(|(key, value)| read(key, value)).collect()
    }

    /// The federation's secrets, once there are any.
    pub fn federation(&self) -> Result<Option<FederationRecord>, StoreError> {
        self.get(FEDERATION)
    }

    /// Writes the federation's secrets.
    pub fn put_federation(&self, federation: &FederationRecord) -> Result<(), StoreError> {
        self.0.commit(&[put(FEDERATION, federation)])
    }

    /// Makes the federation's secrets, which were `before`, `after`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if they were not, or the store fails.
    pub fn change_federation(
        &self,
        before: Option<&FederationRecord>,
        after: &FederationRecord,
    ) -> Result<(), StoreError> {
        self.0.commit(&[self.expect(FEDERATION, before)?, put(FEDERATION, after)])
    }

    /// Settings that the instructor changed. What it leaves open is as configured.
    pub fn settings(&self) -> Result<RoundSettingsChange, StoreError> {
        Ok(self.get::<SettingsRecord>(SETTINGS)?.unwrap_or_default().into())
    }

    /// Makes the settings that the instructor changed, which were `before`, `after`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if they were not, or the store fails.
    pub fn change_settings(&self, before: &RoundSettingsChange, after: &RoundSettingsChange) -> Result<(), StoreError> {
        let value = self.0.get(SETTINGS)?;
        let found: SettingsRecord =
            value.as_deref().map(|value| read(SETTINGS, value)).transpose()?.unwrap_or_default();
        if RoundSettingsChange::from(found) != *before {
            return Err(StoreError::Conflict(SETTINGS.to_owned()));
        }
        let expected = Write::Expect { key: SETTINGS.to_owned(), value };
        self.0.commit(&[expected, put(SETTINGS, &SettingsRecord::from(after.clone()))])
    }

    /// Writes the settings that the instructor changed.
    pub fn put_settings(&self, settings: &RoundSettingsChange) -> Result<(), StoreError> {
        self.0.commit(&[put(SETTINGS, &SettingsRecord::from(settings.clone()))])
    }

    /// The lecture that the instructor set, if any.
    pub fn lecture(&self) -> Result<Option<Lecture>, StoreError> {
        self.get(LECTURE)
    }

    /// Writes the lecture that the instructor set.
    pub fn put_lecture(&self, lecture: &Lecture) -> Result<(), StoreError> {
        self.0.commit(&[put(LECTURE, lecture)])
    }

    /// The backbone in use.
    pub fn backbone(&self) -> Result<Option<BackboneRecord>, StoreError> {
        self.get(BACKBONE)
    }

    /// The face detector.
    pub fn detector(&self) -> Result<Option<BlobRef>, StoreError> {
        self.get(DETECTOR)
    }

    /// Makes a backbone the one in use.
    pub fn put_backbone(&self, backbone: &BackboneRecord) -> Result<(), StoreError> {
        self.0.commit(&[put(BACKBONE, backbone)])
    }

    /// Sets the face detector.
    pub fn put_detector(&self, detector: &BlobRef) -> Result<(), StoreError> {
        self.0.commit(&[put(DETECTOR, detector)])
    }

    /// The participant with this token's hash.
    pub fn participant(&self, token_sha256: &str) -> Result<Option<ParticipantRecord>, StoreError> {
        self.get(&participant_key(token_sha256))
    }

    /// All participants, in no order.
    pub fn participants(&self) -> Result<Vec<ParticipantRecord>, StoreError> {
        self.scan(PARTICIPANTS)
    }

    /// All published models, oldest first.
    pub fn models(&self) -> Result<Vec<ModelRecord>, StoreError> {
        self.scan("model/")
    }

    /// Up to `limit` published models before the version `before`, newest first.
    pub fn newest_models(&self, before: Option<u64>, limit: usize) -> Result<Vec<ModelRecord>, StoreError> {
        self.scan_back("model/", before.map(model_key).as_deref(), limit)
    }

    /// Up to `limit` rounds before the round `before`, newest first.
    pub fn newest_rounds(&self, before: Option<u64>, limit: usize) -> Result<Vec<RoundRecord>, StoreError> {
        self.scan_back("round/", before.map(round_key).as_deref(), limit)
    }

    /// The model of a version.
    pub fn model(&self, version: u64) -> Result<Option<ModelRecord>, StoreError> {
        self.get(&model_key(version))
    }

    /// Forgets a participant: its token opens nothing any more. Whether there was one.
    pub fn delete_participant(&self, token_sha256: &str) -> Result<bool, StoreError> {
        let key = participant_key(token_sha256);
        let known = self.0.get(&key)?.is_some();
        self.0.commit(&[Write::Delete { key }])?;
        Ok(known)
    }

    /// Forgets the participant with this id. Whether there was one.
    pub fn delete_participant_by_id(&self, id: &str) -> Result<bool, StoreError> {
        for (key, participant) in self.scan_keys::<ParticipantRecord>(PARTICIPANTS)? {
            if participant.id == id {
                self.0.commit(&[Write::Delete { key }])?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Forgets every participant; gives their number.
    pub fn delete_participants(&self) -> Result<usize, StoreError> {
        let deletions: Vec<Write> =
            self.0.scan(PARTICIPANTS)?.into_iter().map(|(key, _)| Write::Delete { key }).collect();
        self.0.commit(&deletions)?;
        Ok(deletions.len())
    }

    /// All rounds, oldest first.
    pub fn rounds(&self) -> Result<Vec<RoundRecord>, StoreError> {
        self.scan("round/")
    }

    /// What a commit expects, so that the record at `key` is `before` when it is changed; absent: there is none.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if it is not, or the store fails.
    pub(super) fn expect<T: DeserializeOwned + PartialEq>(
        &self,
        key: impl Into<String>,
        before: Option<&T>,
    ) -> Result<Write, StoreError> {
        let key = key.into();
        // The bytes are those that are stored: another version of this program may write the same record with other bytes.
        let value = self.0.get(&key)?;
        let found: Option<T> = value.as_deref().map(|value| read(&key, value)).transpose()?;
        if found.as_ref() == before { Ok(Write::Expect { key, value }) } else { Err(StoreError::Conflict(key)) }
    }

    /// Adds a round, which must be new.
    pub fn insert_round(&self, round: &RoundRecord) -> Result<(), StoreError> {
        self.0.commit(&[insert(round_key(round.id), round)])
    }

    /// Makes the round `before` the round `after`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if it is not `before`, or the store fails.
    pub fn change_round(&self, before: &RoundRecord, after: &RoundRecord) -> Result<(), StoreError> {
        let expected = self.expect(round_key(before.id), Some(before))?;
        self.0.commit(&[expected, put(round_key(after.id), after)])
    }

    /// Writes a round, whatever it was.
    pub fn put_round(&self, round: &RoundRecord) -> Result<(), StoreError> {
        self.0.commit(&[put(round_key(round.id), round)])
    }

    /// Adds a model; the version must be new.
    pub fn insert_model(&self, model: &ModelRecord) -> Result<(), StoreError> {
        self.0.commit(&[insert_model(model)])
    }

    /// Adds a model and ends the round that made it, at once: `before` becomes `after`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] or [`StoreError::Exists`] if the round or the newest version is another one, or the store fails.
    pub fn publish(&self, model: &ModelRecord, before: &RoundRecord, after: &RoundRecord) -> Result<(), StoreError> {
        let expected = self.expect(round_key(before.id), Some(before))?;
        self.0.commit(&[expected, insert_model(model), put(round_key(after.id), after)])
    }

    /// How many updates a round has.
    pub fn update_count(&self, round: u64) -> Result<u32, StoreError> {
        Ok(u32::try_from(self.0.count(&update_prefix(round))?).unwrap_or(u32::MAX))
    }

    /// How many participants there are.
    pub fn participant_count(&self) -> Result<u32, StoreError> {
        Ok(u32::try_from(self.0.count(PARTICIPANTS)?).unwrap_or(u32::MAX))
    }

    /// Updates of a round, in the order of participants' ids.
    pub fn updates(&self, round: u64) -> Result<Vec<UpdateRecord>, StoreError> {
        self.scan(&update_prefix(round))
    }

    /// A participant's update in a round.
    pub fn update(&self, round: u64, participant: &str) -> Result<Option<UpdateRecord>, StoreError> {
        self.get(&format!("{}{participant}", update_prefix(round)))
    }

    /// Adds an update to the round, which must be as it is here; there must be none of the participant in it yet.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] or [`StoreError::Exists`] if one of this is not so, or the store fails.
    pub fn insert_update(&self, round: &RoundRecord, update: &UpdateRecord) -> Result<(), StoreError> {
        let key = format!("{}{}", update_prefix(round.id), update.participant);
        let expected = self.expect(round_key(round.id), Some(round))?;
        self.0.commit(&[expected, insert(key, update)])
    }

    /// Stores weights under their hash.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<BlobRef, StoreError> {
        let blob = BlobRef { sha256: sha256_hex(bytes), size: bytes.len() as u64 };
        self.0.put_object(&blob_name(&blob.sha256), bytes)?;
        Ok(blob)
    }

    /// Weights by their hash, which is checked.
    pub fn blob(&self, sha256: &str) -> Result<Vec<u8>, StoreError> {
        self.checked(&blob_name(sha256), sha256)
    }

    /// The body of an update, unchanged since it was acknowledged.
    pub fn update_body(&self, round: u64, update: &UpdateRecord) -> Result<Vec<u8>, StoreError> {
        self.checked(&update_name(round, &update.participant, &update.sha256), &update.sha256)
    }

    /// A part of an update's body, whose hash is not checked.
    pub fn update_body_part(
        &self,
        round: u64,
        update: &UpdateRecord,
        start: u64,
        length: usize,
    ) -> Result<Vec<u8>, StoreError> {
        self.0.object_part(&update_name(round, &update.participant, &update.sha256), start, length)
    }

    fn checked(&self, name: &str, sha256: &str) -> Result<Vec<u8>, StoreError> {
        let bytes = self.0.object(name)?;
        if sha256_hex(&bytes) != sha256 {
            let reason = "its hash is not the one it was stored under".to_owned();
            return Err(StoreError::Damaged { key: name.to_owned(), reason });
        }
        Ok(bytes)
    }
}

fn insert_model(model: &ModelRecord) -> Write {
    insert(model_key(model.version), model)
}

fn read<T: DeserializeOwned>(key: &str, value: &[u8]) -> Result<T, StoreError> {
    serde_json::from_value(unwrap(key, value)?)
        .map_err(|error| StoreError::Damaged { key: key.to_owned(), reason: error.to_string() })
}
