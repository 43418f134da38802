//! Objects that records name: weights, and bodies of updates.

use emofed::protocol::{BlobRef, sha256_hex};

use super::{Records, StoreError, UpdateRecord};

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

impl Records {
    /// Stores weights under their hash.
    ///
    /// # Errors
    /// The store fails.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<BlobRef, StoreError> {
        let blob = BlobRef { sha256: sha256_hex(bytes), size: bytes.len() as u64 };
        self.store().put_object(&blob_name(&blob.sha256), bytes)?;
        Ok(blob)
    }

    /// Weights by their hash, which is checked.
    ///
    /// # Errors
    /// [`StoreError::Missing`] or [`StoreError::Damaged`], or the store fails.
    pub fn blob(&self, sha256: &str) -> Result<Vec<u8>, StoreError> {
        self.checked(&blob_name(sha256), sha256)
    }

    /// The body of an update, unchanged since it was acknowledged.
    ///
    /// # Errors
    /// [`StoreError::Missing`] or [`StoreError::Damaged`], or the store fails.
    pub fn update_body(&self, round: u64, update: &UpdateRecord) -> Result<Vec<u8>, StoreError> {
        self.checked(&update_name(round, &update.participant, &update.sha256), &update.sha256)
    }

    /// A part of an update's body, whose hash is not checked.
    ///
    /// # Errors
    /// The store fails.
    pub fn update_body_part(
        &self,
        round: u64,
        update: &UpdateRecord,
        start: u64,
        length: usize,
    ) -> Result<Vec<u8>, StoreError> {
        self.store().object_part(&update_name(round, &update.participant, &update.sha256), start, length)
    }

    fn checked(&self, name: &str, sha256: &str) -> Result<Vec<u8>, StoreError> {
        let bytes = self.store().object(name)?;
        if sha256_hex(&bytes) != sha256 {
            let reason = "its hash is not the one it was stored under".to_owned();
            return Err(StoreError::Damaged { key: name.to_owned(), reason });
        }
        Ok(bytes)
    }
}
