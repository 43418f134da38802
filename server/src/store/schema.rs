//! The version of stored records, and how those of earlier versions are brought up to it.
//!
//! Each record says its `schema_version`. The record `schema` says that of the whole store, so that a start need not look
//! through all of them. Records of schema 1 (protocol 1) have no version. Schema 2 has no strategy with rounds and no reason why
//! one was abandoned.

use serde_json::{Map, Value};

use super::{Store, StoreError, Write};

/// Of the records that this program writes.
pub const SCHEMA_VERSION: u32 = 3;

/// The key of the store's own version.
const SCHEMA: &str = "schema";
/// The field of each record.
const FIELD: &str = "schema_version";

/// Brings all records up to [`SCHEMA_VERSION`], in one transaction.
///
/// # Errors
/// [`StoreError::NewerSchema`], a record that is none of the store's schema, or the store fails: then nothing has changed.
pub(super) fn migrate(store: &dyn Store) -> Result<(), StoreError> {
    let before = store.get(SCHEMA)?;
    let version = match &before {
        Some(value) => version_of(&mut object(SCHEMA, value)?),
        None => Some(1),
    };
    match version {
        Some(1 | 2) => {}
        Some(version) if version > u64::from(SCHEMA_VERSION) => {
            return Err(StoreError::NewerSchema { found: version });
        }
        Some(version) if version == u64::from(SCHEMA_VERSION) => return Ok(()),
        version => return Err(damaged(SCHEMA, format!("there is no schema version {version:?}"))),
    }
    let expected = Write::Expect { key: SCHEMA.to_owned(), value: before };
    let mut writes = vec![expected, Write::Put { key: SCHEMA.to_owned(), value: wrap(Value::Object(Map::new())) }];
    for (key, value) in store.scan("")?.into_iter().filter(|(key, _)| key != SCHEMA) {
        let mut record = object(&key, &value)?;
        let (new_key, mut record) = match version {
            Some(1) => from_version_1(&key, record)?,
            _ if version_of(&mut record) == Some(2) => (key.clone(), record),
            _ => return Err(damaged(&key, "it is none of schema 2".to_owned())),
        };
        from_version_2(&new_key, &mut record);
        if new_key != key {
            writes.push(Write::Delete { key });
        }
        writes.push(Write::Put { key: new_key, value: wrap(Value::Object(record)) });
    }
    if writes.len() > 2 {
        tracing::info!(records = writes.len() - 2, schema_version = SCHEMA_VERSION, "stored records are migrated");
    }
    match store.commit(&writes) {
        // Another replica was faster.
        Err(StoreError::Conflict(_)) => migrate(store),
        done => done,
    }
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
    match version_of(&mut fields) {
        Some(version) if version == u64::from(SCHEMA_VERSION) => Ok(Value::Object(fields)),
        Some(version) if version > u64::from(SCHEMA_VERSION) => Err(StoreError::NewerSchema { found: version }),
        version => Err(damaged(key, format!("it has the schema version {version:?} in a store of {SCHEMA_VERSION}"))),
    }
}

/// The version of a record, which is taken out of it.
fn version_of(record: &mut Map<String, Value>) -> Option<u64> {
    record.remove(FIELD).and_then(|version| version.as_u64())
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

/// Makes a record of schema 2 one of schema 3. Which strategy a round that has not ended was meant for is not recorded: it gets the
/// configured one when the federation opens.
fn from_version_2(key: &str, fields: &mut Map<String, Value>) {
    if key.starts_with("round/") && fields.get("phase").is_some_and(|phase| phase == "abandoned") {
        fields.insert("reason".to_owned(), serde_json::json!({ "code": "unspecified" }));
    }
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

    use emofed::protocol::{AbandonReason, Rejection};

    use super::*;
    use crate::store::{Candidate, EmbeddedStore, Phase, Records};

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
            assert!(matches!(second.phase, Phase::Evaluating(Candidate { num_clients: 3, num_examples: 6, .. })));
            assert_eq!(records.updates(2).unwrap()[0].num_examples, 4);
        }
        for (key, value) in store.scan("").unwrap() {
            assert_eq!(object(&key, &value).unwrap()[FIELD], SCHEMA_VERSION, "{key}");
        }
    }

    #[test]
    fn rounds_of_schema_2_have_no_strategy_and_say_that_no_reason_was_recorded() {
        let round = |id: u64, phase: &str| {
            let fields = r#""base_version":1,"minimum_clients":3,"opened_at_s":1,"deadline_s":2"#;
            put(&format!("round/{id:020}"), &format!(r#"{{"id":{id},{fields},"phase":"{phase}","schema_version":2}}"#))
        };
        let writes = [
            put(SCHEMA, r#"{"schema_version":2}"#),
            put("detector", r#"{"sha256":"d","size":4,"schema_version":2}"#),
            round(1, "abandoned"),
            round(2, "open"),
        ];
        let (_folder, store) = stored(&writes);
        for _ in 0..2 {
            let records = Records::open(store.clone()).unwrap();
            assert_eq!(records.detector().unwrap().unwrap().sha256, "d");
            let [first, second] = &records.rounds().unwrap()[..] else { panic!("two rounds") };
            assert_eq!(first.phase, Phase::Abandoned { reason: AbandonReason::Unspecified });
            assert_eq!((&second.phase, second.strategy), (&Phase::Open, None));
        }
        for (key, value) in store.scan("").unwrap() {
            assert_eq!(object(&key, &value).unwrap()[FIELD], SCHEMA_VERSION, "{key}");
        }
        // A record of another version among them is damage, and nothing changes.
        let (_folder, store) = stored(&[&writes[..], &[put("settings", "{}")]].concat());
        assert!(matches!(Records::open(store.clone()), Err(StoreError::Damaged { .. })));
        assert_eq!(store.get(SCHEMA).unwrap().unwrap(), br#"{"schema_version":2}"#);
    }

    #[test]
    fn newer_records_and_foreign_ones_are_refused_and_left_alone() {
        let newer = put(SCHEMA, r#"{"schema_version":4}"#);
        let (_folder, store) = stored(std::slice::from_ref(&newer));
        assert!(matches!(Records::open(store.clone()), Err(StoreError::NewerSchema { found: 4 })));
        let before = [&version_1()[..], &[put("something/else", "{}")]].concat();
        let (_folder, store) = stored(&before);
        assert!(matches!(Records::open(store.clone()), Err(StoreError::Damaged { .. })));
        assert_eq!(store.scan("").unwrap().len(), before.len());
        assert!(store.get("class").unwrap().is_some());
    }

    #[test]
    fn a_record_without_its_version_is_damaged() {
        let (_folder, store) =
            stored(&[put(SCHEMA, r#"{"schema_version":3}"#), put("detector", r#"{"sha256":"d","size":4}"#)]);
        let records = Records::open(store).unwrap();
        assert!(matches!(records.detector(), Err(StoreError::Damaged { .. })));
    }
}
