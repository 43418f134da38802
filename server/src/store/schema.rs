//! The version of stored records, and how those of earlier versions are brought up to it.
//!
//! Each record says its `schema_version`. The record `schema` says that of the whole store, so that a start need not look
//! through all of them. Records of schema 1 (protocol 1) have no version.

use serde_json::{Map, Value};

use super::{Store, StoreError, Write};

/// Of the records that this program writes.
pub const SCHEMA_VERSION: u32 = 2;

/// The key of the store's own version.
const SCHEMA: &str = "schema";
/// The field of each record.
const FIELD: &str = "schema_version";

/// Brings all records up to [`SCHEMA_VERSION`], in one transaction.
///
/// # Errors
/// [`StoreError::NewerSchema`], a record that is none of schema 1, or the store fails: then nothing has changed.
pub(super) fn migrate(store: &dyn Store) -> Result<(), StoreError> {
    if let Some(value) = store.get(SCHEMA)? {
        return unwrap(SCHEMA, &value).map(|_| ());
    }
    let mut writes = vec![Write::Put { key: SCHEMA.to_owned(), value: wrap(Value::Object(Map::new())) }];
    for (key, value) in store.scan("")? {
        let record = object(&key, &value)?;
        let (new_key, record) = from_version_1(&key, record)?;
        if new_key != key {
            writes.push(Write::Delete { key });
        }
        writes.push(Write::Put { key: new_key, value: wrap(Value::Object(record)) });
    }
    if writes.len() > 1 {
        tracing::info!(records = writes.len() - 1, schema_version = SCHEMA_VERSION, "stored records are migrated");
    }
    store.commit(&writes)
}

/// The bytes of a record with its version.
pub(super) fn wrap(mut record: Value) -> Vec<u8> {
    if let Value::Object(fields) = &mut record {
        fields.insert(FIELD.to_owned(), SCHEMA_VERSION.into());
    }
    serde_json::to_vec(&record).expect("JSON values always serialize")
}

/// A record without its version, which is checked.
pub(super) fn unwrap(key: &str, value: &[u8]) -> Result<Value, StoreError> {
    let mut fields = object(key, value)?;
    match fields.remove(FIELD).and_then(|version| version.as_u64()) {
        Some(version) if version == u64::from(SCHEMA_VERSION) => Ok(Value::Object(fields)),
        Some(version) if version > u64::from(SCHEMA_VERSION) => Err(StoreError::NewerSchema { found: version }),
        version => Err(damaged(key, format!("it has the schema version {version:?} in a store of {SCHEMA_VERSION}"))),
    }
}

fn object(key: &str, value: &[u8]) -> Result<Map<String, Value>, StoreError> {
    serde_json::from_slice(value).map_err(|error| damaged(key, error.to_string()))
}

fn damaged(key: &str, reason: String) -> StoreError {
    StoreError::Damaged { key: key.to_owned(), reason }
}

/// A record of schema 1 as one of schema 2: its key and fields.
fn from_version_1(key: &str, mut fields: Map<String, Value>) -> Result<(String, Map<String, Value>), StoreError> {
    let kind = key.split('/').next().unwrap_or_default();
    match kind {
        "class" => {
            rename(&mut fields, &[("code", "join_code"), ("code_expires_at_s", "join_code_expires_at_s")]);
            return Ok(("federation".to_owned(), fields));
        }
        "model" => {
            rename(
                &mut fields,
                &[("clients", "num_clients"), ("clips", "num_examples"), ("evaluation", "acceptance_report")],
            );
            for part in ["acceptance_report", "card"] {
                if let Some(Value::Object(part)) = fields.get_mut(part) {
                    rename(part, &[("set", "dataset")]);
                }
            }
        }
        "round" => {
            rename(&mut fields, &[("clients", "num_clients"), ("clips", "num_examples")]);
            if fields.get("phase").is_some_and(|phase| phase == "rejected") {
                // A sentence, which is not sent on: the pages have their own words for codes.
                fields.insert("reason".to_owned(), serde_json::json!({ "code": "unspecified" }));
            }
        }
        "update" => rename(&mut fields, &[("clips", "num_examples")]),
        "settings" | "backbone" | "detector" | "participant" => {}
        _ => return Err(damaged(key, "it is no record of this program".to_owned())),
    }
    Ok((key.to_owned(), fields))
}

fn rename(fields: &mut Map<String, Value>, names: &[(&str, &str)]) {
    for (old, new) in names {
        if let Some(value) = fields.remove(*old) {
            fields.insert((*new).to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use emofed::protocol::Rejection;

    use super::*;
    use crate::store::{EmbeddedStore, Phase, Records};

    fn put(key: &str, value: &str) -> Write {
        Write::Put { key: key.to_owned(), value: value.as_bytes().to_vec() }
    }

    /// A store with these records.
    fn stored(writes: &[Write]) -> (tempfile::TempDir, Arc<EmbeddedStore>) {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(EmbeddedStore::open(folder.path()).unwrap());
        store.commit(writes).unwrap();
        (folder, store)
    }

    /// Records as protocol 1 wrote them.
    fn version_1() -> Vec<Write> {
        let model = |more: &str| {
            format!(
                r#"{{"version":2,"parent":1,"origin":"federated","round":1,"clients":3,"clips":6,"published_at_s":9,
                "backbone_sha256":"b","vfer":{{"sha256":"v","size":4}}{more}}}"#
            )
        };
        let round = |id: u64, phase: &str| {
            format!(
                r#"{{"id":{id},"base_version":1,"minimum_clients":3,"opened_at_s":1,"deadline_s":2,"received":3,{phase}}}"#
            )
        };
        let evaluation = r#","evaluation":{"set":"crema-d","clips":9,"macro_f1_before":0.5,"macro_f1_after":0.6,
            "loss_before":1.0,"loss_after":0.9}"#;
        let evaluating = r#""phase":"evaluating","candidate":{"sha256":"c","size":4},"clients":3,"clips":6"#;
        vec![
            put("class", r#"{"code":"ABCD-EFGH","code_expires_at_s":7,"instructor_token_sha256":"i"}"#),
            put("settings", r#"{"minimum_clients":5}"#),
            put("detector", r#"{"sha256":"d","size":4}"#),
            put("backbone", r#"{"backbone":{"kind":"lite","sha256":"b","size":4},"imported_at_s":3}"#),
            put("participant/hash", r#"{"id":"p"}"#),
            put("model/00000000000000000002", &model(evaluation)),
            put("round/00000000000000000001", &round(1, r#""phase":"rejected","reason":"too far""#)),
            put("round/00000000000000000002", &round(2, evaluating)),
            put("update/00000000000000000002/p", r#"{"participant":"p","sha256":"u","clips":4}"#),
        ]
    }

    #[test]
    fn records_of_protocol_1_are_migrated_once() {
        let (_folder, store) = stored(&version_1());
        for _ in 0..2 {
            let records = Records::open(store.clone()).unwrap();
            let federation = records.federation().unwrap().unwrap();
            assert_eq!((federation.join_code.as_str(), federation.join_code_expires_at_s), ("ABCD-EFGH", Some(7)));
            assert_eq!(records.settings().unwrap().minimum_clients, Some(5));
            assert_eq!(records.detector().unwrap().unwrap().sha256, "d");
            assert_eq!(records.backbone().unwrap().unwrap().imported_at_s, 3);
            assert_eq!(records.participant("hash").unwrap().unwrap().id, "p");
            let model = records.model(2).unwrap().unwrap();
            assert_eq!((model.num_clients, model.num_examples), (3, Some(6)));
            assert_eq!(model.acceptance_report.unwrap().dataset, "crema-d");
            let [first, second] = &records.rounds().unwrap()[..] else { panic!("two rounds") };
            assert_eq!(first.phase, Phase::Rejected { reason: Rejection::Unspecified });
            assert!(matches!(second.phase, Phase::Evaluating { num_clients: 3, num_examples: 6, .. }));
            assert_eq!(records.updates(2).unwrap()[0].num_examples, 4);
        }
        for (key, value) in store.scan("").unwrap() {
            assert_eq!(object(&key, &value).unwrap()[FIELD], SCHEMA_VERSION, "{key}");
        }
    }

    #[test]
    fn newer_records_and_foreign_ones_are_refused_and_left_alone() {
        let newer = put(SCHEMA, r#"{"schema_version":3}"#);
        let (_folder, store) = stored(std::slice::from_ref(&newer));
        assert!(matches!(Records::open(store.clone()), Err(StoreError::NewerSchema { found: 3 })));
        let before = [&version_1()[..], &[put("something/else", "{}")]].concat();
        let (_folder, store) = stored(&before);
        assert!(matches!(Records::open(store.clone()), Err(StoreError::Damaged { .. })));
        assert_eq!(store.scan("").unwrap().len(), before.len());
        assert!(store.get("class").unwrap().is_some());
    }

    #[test]
    fn a_record_without_its_version_is_damaged() {
        let (_folder, store) =
            stored(&[put(SCHEMA, r#"{"schema_version":2}"#), put("detector", r#"{"sha256":"d","size":4}"#)]);
        let records = Records::open(store).unwrap();
        assert!(matches!(records.detector(), Err(StoreError::Damaged { .. })));
    }
}
