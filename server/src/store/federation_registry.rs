//! Which federations there are beside the one that an aggregator begins with: how they are made and ended, wherever they are stored.
//!
//! One trait, so that folders of a data folder and a database that several replicas share are the same to everything above. A federation is
//! made in two steps, [`FederationRegistry::begin`] and [`FederationRegistry::complete`], and ends with [`FederationRegistry::end`]: each
//! is durable as a whole or has not happened. What a crash leaves between them is removed later.

use std::sync::Arc;

use tokio::sync::watch;

use super::{Store, StoreError};

/// The federations beside the first.
pub trait FederationRegistry: Send + Sync + 'static {
    /// Whether a federation was ever made here, or an operator's token.
    ///
    /// # Errors
    /// The store fails.
    fn is_used(&self) -> Result<bool, StoreError>;

    /// The ids of the federations that there are, in their order.
    ///
    /// # Errors
    /// The store fails.
    fn ids(&self) -> Result<Vec<String>, StoreError>;

    /// Opens the store of the federation `id`.
    ///
    /// # Errors
    /// The store fails.
    fn store(&self, id: &str) -> Result<Arc<dyn Store>, StoreError>;

    /// Begins to make the federation `id`: gives an empty store, to be filled and dropped before [`Self::complete`].
    ///
    /// # Errors
    /// [`StoreError::Full`] if there are `limit` federations, or the store fails.
    fn begin(&self, id: &str, limit: usize, now_s: u64) -> Result<Arc<dyn Store>, StoreError>;

    /// Gives the federation `id`, which is being made, an object that the first one has under the same name. Durable when this returns.
    ///
    /// # Errors
    /// The store fails.
    fn give_object(&self, id: &str, name: &str, bytes: &[u8]) -> Result<(), StoreError>;

    /// Makes what [`Self::begin`] began a federation.
    ///
    /// # Errors
    /// [`StoreError::Full`] if there are `limit` federations by now, or the store fails: then it may be one nevertheless.
    fn complete(&self, id: &str, limit: usize, now_s: u64) -> Result<(), StoreError>;

    /// Has what was begun and not completed removed, now or later.
    ///
    /// # Errors
    /// The store fails; it is removed later.
    fn give_up(&self, id: &str, now_s: u64) -> Result<(), StoreError>;

    /// Ends the federation `id`. What it has stored stays for who still uses it.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if there is none, or the store fails.
    fn end(&self, id: &str, now_s: u64) -> Result<(), StoreError>;

    /// This process does not use the ended federation `id` any more: what it has stored is removed, or will be, where other processes may
    /// still use it.
    ///
    /// # Errors
    /// The store fails; it is removed later.
    fn release(&self, id: &str) -> Result<(), StoreError>;

    /// Removes what nobody uses any more at `now_s`: what is left of federations that have ended, or that a crash kept from being made.
    ///
    /// # Errors
    /// The store fails; the next call goes on.
    fn tidy(&self, now_s: u64) -> Result<(), StoreError>;

    /// A number that changes when other processes make or end federations, where there can be any.
    fn changes(&self) -> Option<watch::Receiver<u64>> {
        None
    }

    /// SHA-256 of the operator's token, where processes share one.
    ///
    /// # Errors
    /// The store fails.
    fn operator_token_sha256(&self) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    /// Makes the hash of the operator's token, which was `before`, `after`, where processes share one.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if it was not, or the store fails.
    fn change_operator_token(&self, before: Option<&str>, after: &str) -> Result<(), StoreError> {
        let _of_the_file_alone = (before, after);
        Ok(())
    }
}
