//! Who takes part: joining, leaving, revoking. Participants have no name; a token is all there is of one.

use std::sync::atomic::Ordering;

use emofed::protocol::ProblemCode;

use super::Federation;
use crate::error::ServeError;
use crate::store::ParticipantRecord;

impl Federation {
    /// Adds the participant `id` under the hash of its token.
    ///
    /// # Errors
    /// The class is full, or the store fails.
    pub fn add_participant(&self, token_sha256: &str, id: String) -> Result<(), ServeError> {
        let most = self.config.bounds.max_participants;
        let room = |count: u32| (count < most).then_some(count + 1);
        if self.participants.fetch_update(Ordering::SeqCst, Ordering::SeqCst, room).is_err() {
            let detail = format!("The class is full: {most} participants have joined. Ask the instructor.");
            return Err(ServeError::problem(ProblemCode::Conflict, detail));
        }
        let participant = ParticipantRecord { id, joined_at_s: Some(self.clock.now_s()) };
        self.records.insert_participant(token_sha256, &participant).inspect_err(|_| {
            self.participants.fetch_sub(1, Ordering::SeqCst);
        })?;
        Ok(())
    }

    /// Forgets a participant; its token opens nothing any more. An update that was acknowledged stays in its round.
    ///
    /// # Errors
    /// The store fails.
    pub fn remove_participant(&self, token_sha256: &str) -> Result<(), ServeError> {
        if self.records.delete_participant(token_sha256)? {
            self.participants.fetch_sub(1, Ordering::SeqCst);
        }
        Ok(())
    }

    /// Revokes one participant by its id, as [`Self::remove_participant`] does by its token.
    ///
    /// # Errors
    /// There is none, or the store fails.
    pub fn revoke_participant(&self, id: &str) -> Result<(), ServeError> {
        if !self.records.delete_participant_by_id(id)? {
            return Err(ServeError::problem(ProblemCode::NotFound, "No participant has this id."));
        }
        self.participants.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }

    /// Forgets all participants: every tab has to join again.
    ///
    /// # Errors
    /// The store fails.
    pub fn remove_participants(&self) -> Result<(), ServeError> {
        let removed = u32::try_from(self.records.delete_participants()?).unwrap_or(u32::MAX);
        self.participants.fetch_sub(removed, Ordering::SeqCst);
        Ok(())
    }

    /// Participants that have joined.
    pub fn participants(&self) -> u32 {
        self.participants.load(Ordering::SeqCst)
    }
}
