//! A handful of connections to Postgres.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_rustls::rustls::{ClientConfig, crypto};

use crate::store::StoreError;

/// Most connections that a store has at once, beside the one that listens.
const CONNECTIONS: usize = 8;
/// How long making a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// After how long without a sign of life a connection is asked for one, and how long it then has.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Of every session: what is committed is on disk, and nothing waits or holds a lock for ever, not even for who has gone.
const OPTIONS: &str = "-c synchronous_commit=on -c statement_timeout=30000 -c lock_timeout=15000 \
     -c idle_in_transaction_session_timeout=600000 -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 \
     -c tcp_keepalives_count=3";

/// Connections that nobody uses at the moment, and how to make more.
pub(super) struct Pool {
    config: Config,
    tls: MakeRustlsConnect,
    idle: Mutex<Vec<Client>>,
    room: Arc<Semaphore>,
}

/// A connection, which goes back into the pool if [`Pooled::keep`] was called and is closed otherwise.
pub(super) struct Pooled {
    client: Option<Client>,
    is_kept: bool,
    pool: Arc<Pool>,
    _room: OwnedSemaphorePermit,
}

impl Pool {
    /// Reads `url`, `postgres://USER:PASSWORD@HOST/DATABASE` or `key=value` pairs.
    ///
    /// # Errors
    /// It is none.
    pub fn new(url: &str) -> Result<Self, StoreError> {
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            StoreError::Settings(format!("the store is no address of a Postgres database: {}", reason(&error)))
        })?;
        let options = config.get_options().map_or_else(|| OPTIONS.to_owned(), |own| format!("{own} {OPTIONS}"));
        config.options(options).connect_timeout(CONNECT_TIMEOUT);
        config.keepalives_idle(KEEP_ALIVE).keepalives_interval(KEEP_ALIVE / 2).keepalives_retries(3);
        config.tcp_user_timeout(KEEP_ALIVE * 2);
        if config.get_application_name().is_none() {
            config.application_name("emofed");
        }
        let tls = |error: String| StoreError::Settings(format!("TLS to the database cannot be set up: {error}"));
        let client = ClientConfig::builder_with_provider(Arc::new(crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_platform_verifier())
            .map_err(|error| tls(error.to_string()))?
            .with_no_client_auth();
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        Ok(Self { config, tls: MakeRustlsConnect::new(client), idle: Mutex::default(), room })
    }

    /// A connection for one piece of work.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn client(self: &Arc<Self>) -> Result<Pooled, StoreError> {
        let room = self.room.clone().acquire_owned().await;
        let room = room.map_err(|error| StoreError::Database(error.to_string()))?;
        let idle = loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            if idle.as_ref().is_none_or(|client| !client.is_closed()) {
                break idle;
            }
        };
        let client = match idle {
            Some(client) => client,
            None => self.connect(|_| {}).await?,
        };
        Ok(Pooled { client: Some(client), is_kept: false, pool: self.clone(), _room: room })
    }

    /// A new connection, outside of the pool; `heard` gets what the database notifies of.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn connect(&self, mut heard: impl FnMut(AsyncMessage) + Send + 'static) -> Result<Client, StoreError> {
        let (client, mut connection) = self.config.connect(self.tls.clone()).await.map_err(|error| failed(&error))?;
        tokio::spawn(async move {
            // An error ends the connection, which whoever uses the client is told.
            while let Some(Ok(message)) = std::future::poll_fn(|context| connection.poll_message(context)).await {
                heard(message);
            }
        });
        Ok(client)
    }
}

impl Pooled {
    /// The work went well, so that the connection can be used again.
    pub fn keep(&mut self) {
        self.is_kept = true;
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        if let Some(client) = self.client.take().filter(|client| self.is_kept && !client.is_closed()) {
            self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(client);
        }
    }
}

impl Deref for Pooled {
    type Target = Client;

    fn deref(&self) -> &Client {
        self.client.as_ref().expect("it is there until it is dropped")
    }
}

impl DerefMut for Pooled {
    fn deref_mut(&mut self) -> &mut Client {
        self.client.as_mut().expect("it is there until it is dropped")
    }
}

/// Why the database failed.
pub(super) fn failed(error: &tokio_postgres::Error) -> StoreError {
    let gives_way = [SqlState::T_R_DEADLOCK_DETECTED, SqlState::T_R_SERIALIZATION_FAILURE];
    if error.code().is_some_and(|code| gives_way.contains(code)) {
        return StoreError::Conflict(reason(error));
    }
    StoreError::Database(reason(error))
}

/// The error's sentence, and that of what caused it.
fn reason(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), std::error::Error::source(error)) {
        (Some(told), _) => told.message().to_owned(),
        (None, Some(cause)) => format!("{error}: {cause}"),
        (None, None) => error.to_string(),
    }
}
