//! A consistent state: the records in memory, and a copy of each object beside the others.

use std::io::{Cursor, Read};
use std::sync::Arc;

use super::bridge::Bridge;
use super::bucket::{Bucket, ObjectReader, copies, copy_name};
use crate::store::{Snapshot, StoreError, check_listed};

/// Records of one moment, and copies of the objects, which go when it is dropped, or, of one that was killed, a day later.
pub(super) struct PostgresSnapshot {
    pub bridge: Arc<Bridge>,
    pub bucket: Bucket,
    pub id: String,
    pub records: Vec<(String, Vec<u8>)>,
    pub objects: Vec<String>,
}

impl Snapshot for PostgresSnapshot {
    fn records(&self) -> &[(String, Vec<u8>)] {
        &self.records
    }

    fn objects(&self) -> &[String] {
        &self.objects
    }

    fn open(&self, name: &str) -> Result<(Box<dyn Read + Send>, u64), StoreError> {
        check_listed(&self.objects, name)?;
        let (bridge, bucket, name) = (self.bridge.clone(), self.bucket.clone(), copy_name(&self.id, name));
        let (of, object) = (bucket.clone(), name.clone());
        let size = self.bridge.run(async move { of.size(&object).await })?;
        Ok((Box::new(ObjectReader { bridge, bucket, name, at: 0, size, piece: Cursor::default() }), size))
    }
}

impl Drop for PostgresSnapshot {
    fn drop(&mut self) {
        let (bucket, id) = (self.bucket.clone(), self.id.clone());
        if let Err(error) = self.bridge.run_long(async move { bucket.delete_all(&copies(&id)).await }) {
            tracing::warn!(%error, "copies of a backup stay for a day");
        }
    }
}
