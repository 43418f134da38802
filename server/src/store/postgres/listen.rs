//! Telling other replicas of commits, and hearing of theirs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio_postgres::AsyncMessage;
use tokio_postgres::types::{ToSql, Type};

use super::pool::{Pool, failed};
use super::{CHANNEL, Place};
use crate::store::{SERVING, StoreError};

/// After how long a connection that broke is made again.
const PAUSE: Duration = Duration::from_secs(1);

/// How long commits are gathered that are told of at once.
const GATHERING: Duration = Duration::from_millis(20);

/// Tells the other replicas whenever `committed` says that there is something to tell. Not in the transactions of the commits: Postgres
/// commits those that notify one after the other, each with a sync of its own.
pub(super) async fn announce(pool: Arc<Pool>, place: Place, committed: Arc<Notify>) {
    let payload = format!("{} {}", place.replica, place.federation);
    loop {
        committed.notified().await;
        if let Err(error) = tell(&pool, &payload).await {
            tracing::warn!(%error, "other replicas are not told; trying again");
            tokio::time::sleep(PAUSE).await;
            committed.notify_one();
        }
        tokio::time::sleep(GATHERING).await;
    }
}

async fn tell(pool: &Arc<Pool>, payload: &str) -> Result<(), StoreError> {
    let mut client = pool.client().await?;
    let values: [(&(dyn ToSql + Sync), Type); 2] = [(&CHANNEL, Type::TEXT), (&payload, Type::TEXT)];
    client.query_typed("select pg_notify($1, $2)", &values).await.map_err(|error| failed(&error))?;
    client.keep();
    Ok(())
}

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
