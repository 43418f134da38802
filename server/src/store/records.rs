//! Typed access to records, and those that a federation has one of each: its secrets, settings, lecture, backbone and detector.
//!
//! Beside it: rounds and models in `rounds.rs`, who may do what in `access.rs`, what records name in `objects.rs`.

use std::sync::Arc;

use emofed::protocol::{BlobRef, Lecture, RoundSettingsChange};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::schema::{migrate, unwrap, wrap};
use super::{BackboneRecord, FederationRecord, SettingsRecord, Store, StoreError, Write};

/// Typed access to the records of a store, all of which are of the current schema.
#[derive(Clone)]
pub struct Records(Arc<dyn Store>);

pub(super) const FEDERATION: &str = "federation";
const SETTINGS: &str = "settings";
const LECTURE: &str = "lecture";
const BACKBONE: &str = "backbone";
const DETECTOR: &str = "detector";

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

    pub(super) fn scan_back<T: DeserializeOwned>(
        &self,
        prefix: &str,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<T>, StoreError> {
        self.0.scan_back(prefix, before, limit)?.iter().map(|(key, value)| read(key, value)).collect()
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

    /// The federation's secrets, once there are any.
    ///
    /// # Errors
    /// The store fails.
    pub fn federation(&self) -> Result<Option<FederationRecord>, StoreError> {
        self.get(FEDERATION)
    }

    /// Writes the federation's secrets.
    ///
    /// # Errors
    /// The store fails.
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
    ///
    /// # Errors
    /// The store fails.
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
    ///
    /// # Errors
    /// The store fails.
    pub fn put_settings(&self, settings: &RoundSettingsChange) -> Result<(), StoreError> {
        self.0.commit(&[put(SETTINGS, &SettingsRecord::from(settings.clone()))])
    }

    /// The lecture that the instructor set, if any.
    ///
    /// # Errors
    /// The store fails.
    pub fn lecture(&self) -> Result<Option<Lecture>, StoreError> {
        self.get(LECTURE)
    }

    /// Writes the lecture that the instructor set.
    ///
    /// # Errors
    /// The store fails.
    pub fn put_lecture(&self, lecture: &Lecture) -> Result<(), StoreError> {
        self.0.commit(&[put(LECTURE, lecture)])
    }

    /// The backbone in use.
    ///
    /// # Errors
    /// The store fails.
    pub fn backbone(&self) -> Result<Option<BackboneRecord>, StoreError> {
        self.get(BACKBONE)
    }

    /// Makes a backbone the one in use.
    ///
    /// # Errors
    /// The store fails.
    pub fn put_backbone(&self, backbone: &BackboneRecord) -> Result<(), StoreError> {
        self.0.commit(&[put(BACKBONE, backbone)])
    }

    /// The face detector.
    ///
    /// # Errors
    /// The store fails.
    pub fn detector(&self) -> Result<Option<BlobRef>, StoreError> {
        self.get(DETECTOR)
    }

    /// Sets the face detector.
    ///
    /// # Errors
    /// The store fails.
    pub fn put_detector(&self, detector: &BlobRef) -> Result<(), StoreError> {
        self.0.commit(&[put(DETECTOR, detector)])
    }
}

pub(super) fn read<T: DeserializeOwned>(key: &str, value: &[u8]) -> Result<T, StoreError> {
    serde_json::from_value(unwrap(key, value)?)
        .map_err(|error| StoreError::Damaged { key: key.to_owned(), reason: error.to_string() })
}
