//! Making and ending federations, as the operator says.

use std::sync::{Arc, PoisonError};

use emofed::protocol::{FederationLinks, path, sha256_hex};

use super::hosted::Hosted;
use super::{FederationDefaults, Federations};
use crate::round::seed;
use crate::secret;
use crate::serve::error::{RequestError, ServeError};
use crate::store::{FederationRecord, HostedRecord, StoreError};

/// Most characters of a federation's name.
const MAX_NAME: usize = 100;

impl Federations {
    /// Makes a federation called `name`. Blocks on the store.
    ///
    /// # Errors
    /// The name is none, there are as many as there may be, or the store fails: then there is no new federation.
    pub fn create(&self, name: &str) -> Result<FederationLinks, ServeError> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(RequestError::FederationName { limit: MAX_NAME }.into());
        }
        let _one_at_a_time = self.lock();
        let (id, token) = (secret::federation_id()?, secret::token()?);
        let made = self.make(&id, name, &token).inspect_err(|_| self.undo(&id))?;
        let hosted = Arc::new(Hosted::new(id.clone()));
        let opened = self
            .registry()
            .store(&id)
            .map_err(ServeError::from)
            .and_then(|store| hosted.open(store, &self.defaults, &self.parts, &self.streams, &self.runtime));
        opened.inspect_err(|_| self.undo(&id))?;
        self.hosted.write().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), hosted);
        tracing::info!(federation = id, "a federation was made");
        let below = format!("{}{}", self.defaults.link_origin, path::prefix(&id));
        Ok(FederationLinks {
            student_link: format!("{below}/#join={}", made.join_code),
            instructor_link: format!("{below}/instructor.html#token={token}"),
            id,
            name: name.to_owned(),
        })
    }

    /// Makes what a federation begins with, and then a federation of it.
    fn make(&self, id: &str, name: &str, token: &str) -> Result<FederationRecord, ServeError> {
        let FederationDefaults { base, clock, code_days, max_federations: limit, .. } = &self.defaults;
        let (now_s, limit) = (clock.now_s(), *limit);
        let full = |error| match error {
            StoreError::Full(_) => ServeError::from(RequestError::TooManyFederations { limit }),
            error => error.into(),
        };
        let store = self.registry().begin(id, limit, now_s).map_err(full)?;
        let records = seed(base, store, |name, bytes| self.registry().give_object(id, name, bytes), now_s)?;
        records.put_hosted(&HostedRecord { name: name.to_owned(), made_at_s: now_s })?;
        let record = FederationRecord {
            join_code: String::new(),
            join_code_expires_at_s: None,
            instructor_token_sha256: sha256_hex(token.as_bytes()),
        }
        .with_new_code(now_s, *code_days)?;
        records.put_federation(&record)?;
        drop(records);
        self.registry().complete(id, limit, clock.now_s()).map_err(full)?;
        Ok(record)
    }

    /// Has what was being made removed: nobody was told its links. If the store fails for this, too, the operator's list may have it.
    fn undo(&self, id: &str) {
        let (registry, now_s) = (self.registry(), self.defaults.clock.now_s());
        let ended = registry.end(id, now_s).and_then(|()| registry.release(id));
        if let Err(error) = ended.or_else(|_| registry.give_up(id, now_s)) {
            tracing::warn!(federation = id, %error, "what was made of a federation is removed later");
        }
    }

    /// Ends the federation `id`: from now on there is none, also after a crash. Its event streams hear of it; what it has stored is
    /// removed once nothing uses it any more.
    ///
    /// # Errors
    /// There is none, or the store fails: then it goes on.
    pub fn end(self: &Arc<Self>, id: &str) -> Result<(), ServeError> {
        let _one_at_a_time = self.lock();
        let ended = self.registry().end(id, self.defaults.clock.now_s());
        ended.map_err(|error| match error {
            StoreError::Missing(_) => ServeError::from(RequestError::UnknownFederation),
            error => error.into(),
        })?;
        tracing::info!(federation = id, "a federation has ended");
        self.retire(id);
        Ok(())
    }

    /// Serves the federation `id` no longer, which has ended.
    pub(super) fn retire(self: &Arc<Self>, id: &str) {
        let hosted = self.hosted.write().unwrap_or_else(PoisonError::into_inner).remove(id);
        let Some(hosted) = hosted else { return };
        let federations = self.clone();
        self.runtime.spawn(async move {
            hosted.end().await;
            let id = hosted.id().to_owned();
            drop(hosted);
            let released = tokio::task::spawn_blocking(move || federations.registry().release(&id)).await;
            match released {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(%error, "what an ended federation has stored stays until the next start");
                }
                Err(error) => tracing::warn!(%error, "what an ended federation has stored stays until the next start"),
            }
        });
    }
}
