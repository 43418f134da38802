//! What other replicas make and end: heard of, looked for now and then, and asked for before somebody is told that there is nothing.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Federations;
use super::hosted::Hosted;
use crate::secret::is_federation_id;
use crate::serve::error::ServeError;
use crate::serve::replicas;
use crate::store::StoreError;

/// How often it is read at the most which federations there are, for requests that name unknown ones.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(250);

/// When it was last begun to be read which federations there are. Held while it is read.
#[derive(Default)]
pub(super) struct Inquiry(tokio::sync::Mutex<Begun>);

#[derive(Default)]
struct Begun {
    /// Whatever came of it.
    last: Option<Instant>,
    /// The last time that it was read to the end.
    read: Option<Instant>,
}

impl Federations {
    /// Reads what other replicas have made and ended whenever that is heard of. Ends at once where nobody else can.
    pub(in crate::serve) async fn follow(self: Arc<Self>) {
        let Some(changes) = self.registry().changes() else { return };
        replicas::whenever_changed(changes, || {
            let federations = self.clone();
            async move { tokio::task::spawn_blocking(move || Ok(federations.catch_up()?)).await? }
        })
        .await;
    }

    /// The federation `id`, which is not known here, if the records have it by now. They are read for all who wait at once, and not
    /// more often than every [`SHORTEST_INTERVAL`], whoever asks for what.
    ///
    /// # Errors
    /// The store fails.
    pub(super) async fn inquire(self: &Arc<Self>, id: &str) -> Result<Option<Arc<Hosted>>, ServeError> {
        if self.registry().changes().is_none() || !is_federation_id(id) {
            return Ok(None);
        }
        let asked = Instant::now();
        let mut begun = self.inquiry.0.lock().await;
        if begun.read.is_none_or(|read| read < asked) {
            if let Some(last) = begun.last {
                tokio::time::sleep_until(last + SHORTEST_INTERVAL).await;
            }
            let now = Instant::now();
            begun.last = Some(now);
            let federations = self.clone();
            tokio::task::spawn_blocking(move || federations.catch_up()).await??;
            // Not before: who waits must not be told that there is none because somebody else's look failed or was given up.
            begun.read = Some(now);
        }
        Ok(self.find(id))
    }

    /// Serves the federations that the records have, and no others.
    ///
    /// # Errors
    /// The store fails: then nothing changes.
    fn catch_up(self: &Arc<Self>) -> Result<(), StoreError> {
        let _one_at_a_time = self.lock();
        let ids: BTreeSet<String> = self.registry().ids()?.into_iter().collect();
        let known: BTreeSet<String> = self.all().iter().map(|hosted| hosted.id().to_owned()).collect();
        for id in known.difference(&ids) {
            tracing::info!(federation = id, "another replica has ended a federation");
            self.retire(id);
        }
        for id in ids.difference(&known) {
            tracing::info!(federation = id, "another replica has made a federation");
            self.add(id.clone());
        }
        if self.defaults.operator_token_sha256.is_some() {
            let sha256 = self.registry().operator_token_sha256()?;
            *self.operator_token_sha256.write().unwrap_or_else(PoisonError::into_inner) = sha256;
        }
        Ok(())
    }
}
