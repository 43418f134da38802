//! Records of who may do what in a federation, beside its secrets and participants: assistant instructors, how often a join code
//! was used, and what the operator called it.

use super::records::{PARTICIPANTS, Records, insert, participant_key, put};
use super::{AssistantRecord, CodeUsesRecord, HostedRecord, ParticipantRecord, StoreError, Write};

const CODE_USES: &str = "code-uses";
const HOSTED: &str = "hosted";

/// A use of the join code.
#[derive(Clone, Debug)]
pub struct CodeUse {
    /// The uses before it.
    pub before: Option<CodeUsesRecord>,
    /// The uses with it.
    pub after: CodeUsesRecord,
}

fn assistant_key(token_sha256: &str) -> String {
    format!("assistant/{token_sha256}")
}

impl Records {
    /// How often the newest code was used, where that is counted.
    ///
    /// # Errors
    /// The store fails.
    pub fn code_uses(&self) -> Result<Option<CodeUsesRecord>, StoreError> {
        self.get(CODE_USES)
    }

    /// Adds a participant under the hash of its token, if there are fewer than `limit`, and with it the count of uses of its join
    /// code, both or none.
    ///
    /// # Errors
    /// [`StoreError::Full`]; [`StoreError::Conflict`] if the count is not what it was counted from; or the store fails.
    pub fn insert_participant(
        &self,
        token_sha256: &str,
        participant: &ParticipantRecord,
        uses: Option<&CodeUse>,
        limit: u32,
    ) -> Result<(), StoreError> {
        let mut writes = vec![insert(participant_key(token_sha256), participant)];
        if self.store().is_shared() {
            writes.push(Write::AtMost { prefix: PARTICIPANTS.to_owned(), limit: limit.into() });
        }
        if let Some(CodeUse { before, after }) = uses {
            writes.extend([self.expect(CODE_USES, before.as_ref())?, put(CODE_USES, after)]);
        }
        self.store().commit(&writes)
    }

    /// Adds an assistant instructor under the hash of its token.
    ///
    /// # Errors
    /// The store fails.
    pub fn insert_assistant(&self, token_sha256: &str, assistant: &AssistantRecord) -> Result<(), StoreError> {
        self.store().commit(&[insert(assistant_key(token_sha256), assistant)])
    }

    /// The assistant instructor with this token's hash.
    ///
    /// # Errors
    /// The store fails.
    pub fn assistant(&self, token_sha256: &str) -> Result<Option<AssistantRecord>, StoreError> {
        self.get(&assistant_key(token_sha256))
    }

    /// All assistant instructors, in no order.
    ///
    /// # Errors
    /// The store fails.
    pub fn assistants(&self) -> Result<Vec<AssistantRecord>, StoreError> {
        self.scan("assistant/")
    }

    /// Forgets the assistant instructor with this id, or all of them; gives how many they were.
    ///
    /// # Errors
    /// The store fails.
    pub fn delete_assistants(&self, id: Option<&str>) -> Result<usize, StoreError> {
        let mut deletions = Vec::new();
        for (key, assistant) in self.scan_keys::<AssistantRecord>("assistant/")? {
            if id.is_none_or(|id| assistant.id == id) {
                deletions.push(Write::Delete { key });
            }
        }
        self.store().commit(&deletions)?;
        Ok(deletions.len())
    }

    /// What the operator called the federation; absent in the one that an aggregator begins with.
    ///
    /// # Errors
    /// The store fails.
    pub fn hosted(&self) -> Result<Option<HostedRecord>, StoreError> {
        self.get(HOSTED)
    }

    /// Writes what the operator called the federation.
    ///
    /// # Errors
    /// The store fails.
    pub fn put_hosted(&self, hosted: &HostedRecord) -> Result<(), StoreError> {
        self.store().commit(&[put(HOSTED, hosted)])
    }
}
