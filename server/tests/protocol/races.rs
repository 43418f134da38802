//! What somebody else commits after the records were read and before the commit: each condition of each commit, one at a time.

use std::sync::Arc;

use emofed::protocol::{CloseReason, RoundSettingsChange};
use emofed_server::store::{
    CodeUse, CodeUsesRecord, FederationRecord, Grant, ModelRecord, NewestRecord, ParticipantRecord, Phase, Records,
    RoundRecord, Store as _, StoreError, UpdateRecord, Write,
};

use super::harness::{CODE, model, prepare_store};
use super::round_model::memory::Memory;

/// An open round.
fn round(id: u64) -> RoundRecord {
    RoundRecord {
        id,
        base_version: 1,
        minimum_clients: 2,
        target_clients: 0,
        opened_at_s: 0,
        deadline_s: 10,
        strategy: None,
        received: None,
        phase: Phase::Open,
    }
}

/// A federation with an open round, its secrets, and a code that was used once.
struct Prepared {
    memory: Arc<Memory>,
    records: Records,
    newest: NewestRecord,
    model: ModelRecord,
    secrets: FederationRecord,
    uses: CodeUsesRecord,
}

impl Prepared {
    fn new() -> Self {
        let memory = Arc::new(Memory::shared());
        prepare_store(memory.clone(), &model());
        let records = Records::open(memory.clone()).unwrap();
        let newest = records.newest().unwrap();
        let newest = records.insert_round(newest.as_ref(), &round(1)).unwrap();
        let secrets = FederationRecord {
            join_code: CODE.to_owned(),
            join_code_expires_at_s: None,
            instructor_token_sha256: String::new(),
        };
        records.put_federation(&secrets).unwrap();
        records.put_settings(&RoundSettingsChange::default()).unwrap();
        let uses = CodeUsesRecord { join_code: CODE.to_owned(), uses: 1 };
        let grant =
            Grant { federation: secrets.clone(), code_use: Some(CodeUse { before: None, after: uses.clone() }) };
        records.insert_participant("token", &participant("first"), Some(&grant), 9).unwrap();
        let model = ModelRecord { version: 2, ..records.models().unwrap().remove(0) };
        Self { memory, records, newest, model, secrets, uses }
    }

    fn join(&self, code_use: Option<CodeUse>, limit: u32) -> Result<(), StoreError> {
        let grant = Grant { federation: self.secrets.clone(), code_use };
        self.records.insert_participant("another", &participant("second"), Some(&grant), limit)
    }
}

fn participant(id: &str) -> ParticipantRecord {
    ParticipantRecord { id: id.to_owned(), joined_at_s: None }
}

#[test]
fn a_commit_sees_what_others_have_changed_since_its_records_were_read() {
    type Call = fn(&Prepared) -> Result<(), StoreError>;
    let round_key = format!("round/{:020}", 1);
    let calls: [(&str, &str, Call); 9] = [
        ("opening", "newest", |it| it.records.insert_round(Some(&it.newest), &round(2)).map(drop)),
        ("publishing", "newest", |it| it.records.insert_model(Some(&it.newest), &it.model, None).map(drop)),
        ("publishing of a round", &round_key, |it| {
            let published = RoundRecord { phase: Phase::Published { version: 2 }, ..round(1) };
            it.records.insert_model(Some(&it.newest), &it.model, Some((&round(1), &published))).map(drop)
        }),
        ("closing", &round_key, |it| {
            let closed = RoundRecord { phase: Phase::Aggregating { reason: CloseReason::Complete }, ..round(1) };
            it.records.change_round(&round(1), &closed)
        }),
        ("an update", &round_key, |it| {
            let update = UpdateRecord { participant: "first".to_owned(), sha256: String::new(), num_examples: 1 };
            it.records.insert_update(&round(1), &update)
        }),
        ("a new code", "federation", |it| {
            it.records.change_federation(Some(&it.secrets), &it.secrets.with_new_code(0, 1).unwrap())
        }),
        ("settings", "settings", |it| {
            let change = RoundSettingsChange { minimum_clients: Some(7), ..RoundSettingsChange::default() };
            it.records.change_settings(&RoundSettingsChange::default(), &change)
        }),
        ("a join", "federation", |it| it.join(None, 9)),
        ("a use of the code", "code-uses", |it| {
            let after = CodeUsesRecord { uses: 2, ..it.uses.clone() };
            it.join(Some(CodeUse { before: Some(it.uses.clone()), after }), 9)
        }),
    ];
    for (what, key, call) in calls {
        let it = Prepared::new();
        call(&it).unwrap_or_else(|error| panic!("{what} alone: {error}"));

        let it = Prepared::new();
        // Other bytes, which mean the same: somebody has written it.
        let mut value = it.memory.get(key).unwrap().unwrap();
        value.push(b' ');
        let before = it.memory.scan("").unwrap();
        it.memory.interfere(vec![Write::Put { key: key.to_owned(), value: value.clone() }]);
        let refused = call(&it);
        assert!(refused.as_ref().is_err_and(StoreError::is_conflict), "{what}, {key}: {refused:?}");
        let after = it.memory.scan("").unwrap();
        let changed: Vec<_> = after.into_iter().filter(|record| !before.contains(record)).collect();
        assert_eq!(changed, [(key.to_owned(), value)], "{what}: nothing of it is written");
    }
}

#[test]
fn the_last_place_is_taken_once() {
    let it = Prepared::new();
    let value = it.memory.get("participant/token").unwrap().unwrap();
    it.memory.interfere(vec![Write::Insert { key: "participant/faster".to_owned(), value }]);
    let refused = it.join(None, 2);
    assert!(matches!(refused, Err(StoreError::Full(_))), "{refused:?}");
    assert_eq!(it.records.participant_count().unwrap(), 2);
}

#[test]
fn a_store_is_brought_up_to_date_by_one() {
    let memory = Arc::new(Memory::shared());
    memory.interfere(vec![Write::Put { key: "schema".to_owned(), value: br#"{"schema_version":4}"#.to_vec() }]);
    assert!(matches!(Records::open(memory), Err(StoreError::NewerSchema { found: 4 })));
}
