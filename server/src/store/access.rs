//! Records of who may do what in a federation, beside its secrets: participants, assistant instructors, how often a join code was
//! used, and what the operator called it.

use super::records::{FEDERATION, Records, insert, put};
use super::{AssistantRecord, CodeUsesRecord, FederationRecord, HostedRecord, ParticipantRecord, StoreError, Write};

/// What the keys of participants begin with; the hash of the token follows.
const PARTICIPANTS: &str = "participant/";
const CODE_USES: &str = "code-uses";
const HOSTED: &str = "hosted";

/// By what a participant is admitted.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The federation's secrets that the join code was compared with.
    pub federation: FederationRecord,
    /// The use of the code, where its uses are counted.
    pub code_use: Option<CodeUse>,
}

/// A use of the join code.
#[derive(Clone, Debug)]
pub struct CodeUse {
    /// The uses before it.
    pub before: Option<CodeUsesRecord>,
    /// The uses with it.
    pub after: CodeUsesRecord,
}

fn participant_key(token_sha256: &str) -> String {
    format!("{PARTICIPANTS}{token_sha256}")
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

    /// Adds a participant under the hash of its token, if there are fewer than `limit`, and with it what its `grant` counts, both or
    /// none.
    ///
    /// # Errors
    /// [`StoreError::Full`]; [`StoreError::Conflict`] if the grant is of secrets or a count that are others by now; or the store fails.
    pub fn insert_participant(
        &self,
        token_sha256: &str,
        participant: &ParticipantRecord,
        grant: Option<&Grant>,
        limit: u32,
    ) -> Result<(), StoreError> {
        let mut writes = Vec::new();
        if let Some(grant) = grant {
            writes.push(self.expect(FEDERATION, Some(&grant.federation))?);
        }
        writes.push(insert(participant_key(token_sha256), participant));
        if self.store().is_shared() {
            writes.push(Write::AtMost { prefix: PARTICIPANTS.to_owned(), limit: limit.into() });
        }
        if let Some(CodeUse { before, after }) = grant.and_then(|grant| grant.code_use.as_ref()) {
            writes.extend([self.expect(CODE_USES, before.as_ref())?, put(CODE_USES, after)]);
        }
        self.store().commit(&writes)
    }

    /// The participant with this token's hash.
    ///
    /// # Errors
    /// The store fails.
    pub fn participant(&self, token_sha256: &str) -> Result<Option<ParticipantRecord>, StoreError> {
        self.get(&participant_key(token_sha256))
    }

    /// All participants, in no order.
    ///
    /// # Errors
    /// The store fails.
    pub fn participants(&self) -> Result<Vec<ParticipantRecord>, StoreError> {
        self.scan(PARTICIPANTS)
    }

    /// How many participants there are.
    ///
    /// # Errors
    /// The store fails.
    pub fn participant_count(&self) -> Result<u32, StoreError> {
        Ok(u32::try_from(self.store().count(PARTICIPANTS)?).unwrap_or(u32::MAX))
    }

    /// Forgets a participant: its token opens nothing any more. Whether there was one.
    ///
    /// # Errors
    /// The store fails.
    pub fn delete_participant(&self, token_sha256: &str) -> Result<bool, StoreError> {
        let key = participant_key(token_sha256);
        let known = self.store().get(&key)?.is_some();
        self.store().commit(&[Write::Delete { key }])?;
        Ok(known)
    }

    /// Forgets the participant with this id. Whether there was one.
    ///
    /// # Errors
    /// The store fails.
    pub fn delete_participant_by_id(&self, id: &str) -> Result<bool, StoreError> {
        for (key, participant) in self.scan_keys::<ParticipantRecord>(PARTICIPANTS)? {
            if participant.id == id {
                self.store().commit(&[Write::Delete { key }])?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Forgets every participant; gives their number.
    ///
    /// # Errors
    /// The store fails.
    pub fn delete_participants(&self) -> Result<usize, StoreError> {
        let deletions: Vec<Write> =
            self.store().scan(PARTICIPANTS)?.into_iter().map(|(key, _)| Write::Delete { key }).collect();
        self.store().commit(&deletions)?;
        Ok(deletions.len())
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
