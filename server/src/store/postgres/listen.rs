//! Telling other replicas of commits, and hearing of theirs: for all federations of a process over one connection.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio_postgres::AsyncMessage;
use tokio_postgres::types::{ToSql, Type};

use super::CHANNEL;
use super::pool::{Pool, failed};
use crate::store::StoreError;

/// After how long a connection that broke is made again.
const PAUSE: Duration = Duration::from_secs(1);

/// How long commits are gathered that are told of at once.
const GATHERING: Duration = Duration::from_millis(20);

/// In which federations something was committed that others have not been told of.
#[derive(Default)]
pub(super) struct News {
    federations: Mutex<BTreeSet<String>>,
    added: Notify,
}

impl News {
    /// There is something to tell of `federation`.
    pub fn add(&self, federation: &str) {
        self.add_all([federation.to_owned()]);
    }

    fn add_all(&self, federations: impl IntoIterator<Item = String>) {
        self.federations.lock().unwrap_or_else(PoisonError::into_inner).extend(federations);
        self.added.notify_one();
    }

    fn take(&self) -> Vec<String> {
        let taken = std::mem::take(&mut *self.federations.lock().unwrap_or_else(PoisonError::into_inner));
        taken.into_iter().collect()
    }
}

/// Who waits for what others commit, by federation.
#[derive(Default)]
pub(super) struct Listeners(Mutex<BTreeMap<String, watch::Sender<u64>>>);

impl Listeners {
    /// A number that changes with what others commit in `federation`.
    pub fn subscribe(&self, federation: &str) -> watch::Receiver<u64> {
        let mut senders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        senders.retain(|_, sender| !sender.is_closed());
        senders.entry(federation.to_owned()).or_insert_with(|| watch::channel(0).0).subscribe()
    }

    fn changed(&self, federation: &str) {
        if let Some(sender) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(federation) {
            sender.send_modify(|count| *count += 1);
        }
    }

    fn all_changed(&self) {
        for sender in self.0.lock().unwrap_or_else(PoisonError::into_inner).values() {
            sender.send_modify(|count| *count += 1);
        }
    }
}

/// Tells the other replicas whenever there is `news`. Not in the transactions of the commits: Postgres commits those that notify one after
/// the other, each with a sync of its own.
pub(super) async fn announce(pool: Arc<Pool>, replica: String, news: Arc<News>) {
    loop {
        news.added.notified().await;
        let federations = news.take();
        if let Err(error) = tell(&pool, &replica, &federations).await {
            tracing::warn!(%error, "other replicas are not told; trying again");
            tokio::time::sleep(PAUSE).await;
            news.add_all(federations);
        }
        tokio::time::sleep(GATHERING).await;
    }
}

async fn tell(pool: &Arc<Pool>, replica: &str, federations: &[String]) -> Result<(), StoreError> {
    let payloads: Vec<String> = federations.iter().map(|federation| format!("{replica} {federation}")).collect();
    let mut client = pool.client().await?;
    let values: [(&(dyn ToSql + Sync), Type); 2] = [(&CHANNEL, Type::TEXT), (&payloads, Type::TEXT_ARRAY)];
    let notify = "select pg_notify($1, payload) from unnest($2) as payload";
    client.query_typed(notify, &values).await.map_err(|error| failed(&error))?;
    client.keep();
    Ok(())
}

/// Counts for `listeners` what others commit. A connection that breaks is made again, and counts as a change in every federation: who
/// knows what was missed. Shares the lock `serving` meanwhile.
pub(super) async fn listen(pool: Arc<Pool>, replica: String, serving: String, listeners: Arc<Listeners>) {
    loop {
        if let Err(error) = hear(&pool, &replica, &serving, &listeners).await {
            tracing::warn!(%error, "other replicas are not heard; trying again");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn hear(pool: &Pool, replica: &str, serving: &str, listeners: &Listeners) -> Result<(), StoreError> {
    let (sender, mut heard) = mpsc::unbounded_channel();
    let own = replica.to_owned();
    let client = pool
        .connect(move |message| {
            if let AsyncMessage::Notification(told) = &message
                && let Some(federation) = told_by_another(told.payload(), &own)
            {
                // Who listens may have stopped.
                let _ = sender.send(federation.to_owned());
            }
        })
        .await?;
    // Shared by all who listen: who wants it alone has to wait until nobody does.
    let lock = "select pg_advisory_lock_shared(hashtextextended($1, 0))";
    client.query_typed(lock, &[(&serving, Type::TEXT)]).await.map_err(|error| failed(&error))?;
    client.batch_execute(&format!("listen {CHANNEL}")).await.map_err(|error| failed(&error))?;
    tracing::debug!("listening to other replicas");
    listeners.all_changed();
    while let Some(federation) = heard.recv().await {
        listeners.changed(&federation);
    }
    Err(StoreError::Database("the connection that listens has ended".to_owned()))
}

/// The federation that another replica has sent this about.
fn told_by_another<'a>(payload: &'a str, own: &str) -> Option<&'a str> {
    payload.split_once(' ').filter(|(replica, _)| *replica != own).map(|(_, federation)| federation)
}
