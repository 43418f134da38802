//! Who takes part: joining, leaving, revoking. Participants have no name; a token is all there is of one.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{Federation, Refusal, RoundError};
use crate::store::{Grant, ParticipantRecord, StoreError};

/// How many participants the records have.
pub(super) struct Members {
    pub count: AtomicU32,
    /// Held by who changes them. A commit failed, and whether it holds is unknown: they are counted again first.
    is_uncertain: Mutex<bool>,
}

impl Members {
    pub fn new(count: u32) -> Self {
        Self { count: count.into(), is_uncertain: Mutex::new(false) }
    }
}

impl Federation {
    /// Adds the participant `id` under the hash of its token, admitted by `grant`.
    ///
    /// # Errors
    /// The federation is full, or the store fails.
    pub fn add_participant(&self, token_sha256: &str, id: String, grant: Option<&Grant>) -> Result<(), RoundError> {
        let limit = self.config.bounds.max_participants;
        let is_shared = self.records.store().is_shared();
        self.change_members(|count| {
            // What others have added or removed is counted by the store.
            if count >= limit && !is_shared {
                return Err(Refusal::FederationFull { limit }.into());
            }
            let participant = ParticipantRecord { id, joined_at_s: Some(self.clock.now_s()) };
            match self.records.insert_participant(token_sha256, &participant, grant, limit) {
                Err(StoreError::Full(_)) => Err(Refusal::FederationFull { limit }.into()),
                added => Ok(added.map(|()| count.saturating_add(1))?),
            }
        })
    }

    /// Forgets a participant; its token opens nothing any more. An update that was acknowledged stays in its round.
    ///
    /// # Errors
    /// The store fails.
    pub fn remove_participant(&self, token_sha256: &str) -> Result<(), RoundError> {
        self.change_members(|count| Ok(count.saturating_sub(self.records.delete_participant(token_sha256)?.into())))
    }

    /// Revokes one participant by its id, as [`Self::remove_participant`] does by its token.
    ///
    /// # Errors
    /// There is none, or the store fails.
    pub fn revoke_participant(&self, id: &str) -> Result<(), RoundError> {
        self.change_members(|count| {
            if !self.records.delete_participant_by_id(id)? {
                return Err(Refusal::UnknownParticipant.into());
            }
            Ok(count.saturating_sub(1))
        })
    }

    /// Forgets all participants: every tab has to join again.
    ///
    /// # Errors
    /// The store fails.
    pub fn remove_participants(&self) -> Result<(), RoundError> {
        self.change_members(|_| {
            self.records.delete_participants()?;
            Ok(0)
        })
    }

    /// Participants that have joined.
    pub fn participants(&self) -> u32 {
        self.members.count.load(Ordering::SeqCst)
    }

    /// Changes the participants, one change at a time; `change` gets their number and gives the new one.
    fn change_members(&self, change: impl FnOnce(u32) -> Result<u32, RoundError>) -> Result<(), RoundError> {
        let Members { count, is_uncertain } = &self.members;
        let mut is_uncertain = is_uncertain.lock().unwrap_or_else(PoisonError::into_inner);
        let recount = || Ok::<_, RoundError>(self.records.participant_count()?);
        if *is_uncertain {
            count.store(recount()?, Ordering::SeqCst);
            *is_uncertain = false;
        }
        let changed = change(self.participants());
        match &changed {
            Ok(now) => count.store(*now, Ordering::SeqCst),
            // A commit that failed may hold nevertheless.
            Err(RoundError::Store(_)) => match recount() {
                Ok(now) => count.store(now, Ordering::SeqCst),
                Err(_) => *is_uncertain = true,
            },
            Err(_) => {}
        }
        changed.map(|_| ())
    }
}
