//! Hearing of what other replicas commit.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_postgres::AsyncMessage;
use tokio_postgres::types::Type;

use super::pool::{Pool, failed};
use super::{CHANNEL, Place};
use crate::store::{SERVING, StoreError};

/// After how long a connection that broke is made again.
const PAUSE: Duration = Duration::from_secs(1);

/// Counts in `changes` what others commit. A connection that breaks is made again, and counts as a change: who knows what was missed.
pub(super) async fn listen(pool: Arc<Pool>, place: Place, changes: watch::Sender<u64>) {
    while !changes.is_closed() {
        if let Err(error) = hear(&pool, &place, &changes).await {
            tracing::warn!(%error, "other replicas are not heard; trying again");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn hear(pool: &Pool, place: &Place, changes: &watch::Sender<u64>) -> Result<(), StoreError> {
    let (sender, mut heard) = mpsc::unbounded_channel();
    let own = place.clone();
    let client = pool
        .connect(move |message| {
            if matches!(&message, AsyncMessage::Notification(told) if is_of_another(told.payload(), &own)) {
                // Who listens may have stopped.
                let _ = sender.send(());
            }
        })
        .await?;
    // Shared by all who listen: who wants it alone has to wait until nobody does.
    let serving = "select pg_advisory_lock_shared(hashtextextended($1, 0))";
    let name = place.lease(SERVING);
    client.query_typed(serving, &[(&name, Type::TEXT)]).await.map_err(|error| failed(&error))?;
    client.batch_execute(&format!("listen {CHANNEL}")).await.map_err(|error| failed(&error))?;
    tracing::debug!("listening to other replicas");
    changes.send_modify(|count| *count += 1);
    while heard.recv().await.is_some() {
        changes.send_modify(|count| *count += 1);
    }
    Err(StoreError::Database("the connection that listens has ended".to_owned()))
}

/// Whether another replica of the same federation has sent this.
fn is_of_another(payload: &str, place: &Place) -> bool {
    payload
        .split_once(' ')
        .is_some_and(|(replica, federation)| federation == place.federation && replica != place.replica)
}
