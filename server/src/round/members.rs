//! Who takes part: joining, leaving, revoking. Participants have no name; a token is all there is of one.

use std::sync::atomic::Ordering;

use super::{Federation, Refusal, RoundError};
use crate::store::{CodeUsesRecord, ParticipantRecord};

impl Federation {
    /// Adds the participant `id` under the hash of its token, and with it the count of uses of its join code, if there is one.
    ///
    /// # Errors
    /// The federation is full, or the store fails.
    pub fn add_participant(
        &self,
        token_sha256: &str,
        id: String,
        uses: Option<&CodeUsesRecord>,
    ) -> Result<(), RoundError> {
        let limit = self.config.bounds.max_participants;
        let room = |count: u32| (count < limit).then_some(count + 1);
        if self.participants.fetch_update(Ordering::SeqCst, Ordering::SeqCst, room).is_err() {
            return Err(Refusal::FederationFull { limit }.into());
        }
        let participant = ParticipantRecord { id, joined_at_s: Some(self.clock.now_s()) };
        let inserted = match uses {
            Some(uses) => self.records.insert_participant_counted(token_sha256, &participant, uses),
            None => self.records.insert_participant(token_sha256, &participant),
        };
        inserted.inspect_err(|_| {
            self.participants.fetch_sub(1, Ordering::SeqCst);
        })?;
        Ok(())
    }

    /// Forgets a participant; its token opens nothing any more. An update that was acknowledged stays in its round.
    ///
    /// # Errors
    /// The store fails.
    pub fn remove_participant(&self, token_sha256: &str) -> Result<(), RoundError> {
        if self.records.delete_participant(token_sha256)? {
            self.participants.fetch_sub(1, Ordering::SeqCst);
        }
        Ok(())
    }

    /// Revokes one participant by its id, as [`Self::remove_participant`] does by its token.
    ///
    /// # Errors
    /// There is none, or the store fails.
    pub fn revoke_participant(&self, id: &str) -> Result<(), RoundError> {
        if !self.records.delete_participant_by_id(id)? {
            return Err(Refusal::UnknownParticipant.into());
        }
        self.participants.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }

    /// Forgets all participants: every tab has to join again.
    ///
    /// # Errors
    /// The store fails.
    pub fn remove_participants(&self) -> Result<(), RoundError> {
        let removed = u32::try_from(self.records.delete_participants()?).unwrap_or(u32::MAX);
        self.participants.fetch_sub(removed, Ordering::SeqCst);
        Ok(())
    }

    /// Participants that have joined.
    pub fn participants(&self) -> u32 {
        self.participants.load(Ordering::SeqCst)
    }
}
