//! One of several federations while it is served.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use emofed::protocol::{Event, FederationSummary};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{FederationDefaults, ServerParts};
use crate::round::{Federation, model_values};
use crate::serve::connections::OpenCounts;
use crate::serve::error::ServeError;
use crate::serve::{Admission, Advancing, App, EventStreams, JoinLimiter, replicas, router};
use crate::store::{HostedRecord, Records, Store, StoreError};

/// How long event streams have to send that the federation has ended.
const FAREWELL: Duration = Duration::from_secs(1);
/// How often it is looked whether anything still uses an ended federation.
const UNUSED_POLL: Duration = Duration::from_millis(20);

/// A federation, or the place of one whose store cannot be opened.
pub(super) struct Hosted {
    id: String,
    open: RwLock<Option<Open>>,
}

struct Open {
    record: HostedRecord,
    app: App,
    /// Made at the first request.
    router: OnceLock<Router>,
    advancing: Advancing,
    /// Ends the event streams.
    stop: watch::Sender<bool>,
    tasks: [JoinHandle<()>; 3],
}

impl Drop for Open {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Hosted {
    pub fn new(id: String) -> Self {
        Self { id, open: RwLock::default() }
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    fn with<T>(&self, work: impl FnOnce(&Open) -> T) -> Option<T> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(work)
    }

    /// Absent: it is not available.
    pub fn federation(&self) -> Option<Arc<Federation>> {
        self.with(|open| open.app.federation.clone())
    }

    /// Its routes with `page` behind them; absent: it is not available.
    pub fn router(&self, page: &Router) -> Option<Router> {
        let made = |open: &Open| router::calls(open.app.clone()).router.fallback_service(page.clone());
        self.with(|open| open.router.get_or_init(|| made(open)).clone())
    }

    /// Begins to do what is due; whether it is available.
    pub fn advance(&self) -> bool {
        let span = tracing::info_span!("federation", id = self.id);
        self.with(|open| open.advancing.advance(&open.app.federation, span)).is_some()
    }

    pub fn summary(&self) -> FederationSummary {
        let id = self.id.clone();
        let available = |open: &Open| FederationSummary {
            id: id.clone(),
            name: Some(open.record.name.clone()),
            made_at_s: Some(open.record.made_at_s),
            available: true,
            connected: u32::try_from(open.app.federation.events().listeners()).unwrap_or(u32::MAX),
            participants: open.app.federation.participants(),
        };
        self.with(available).unwrap_or_else(|| FederationSummary {
            id: id.clone(),
            name: None,
            made_at_s: None,
            available: false,
            connected: 0,
            participants: 0,
        })
    }

    /// Opens the federation in `store` and what is served over it.
    ///
    /// # Errors
    /// The store fails, or has not all that a federation needs.
    pub fn open(
        &self,
        store: Arc<dyn Store>,
        defaults: &FederationDefaults,
        parts: &ServerParts,
        streams: &OpenCounts,
        runtime: &Handle,
    ) -> Result<(), ServeError> {
        let _in_span = tracing::info_span!("federation", id = self.id).entered();
        let records = Records::open(store)?;
        let missing = |key: &str| StoreError::Damaged { key: key.to_owned(), reason: "it is missing".to_owned() };
        let record = records.hosted()?.ok_or_else(|| missing("hosted"))?;
        let secrets = records.federation()?.ok_or_else(|| missing("federation"))?;
        let config = (defaults.configure)(record.name.clone(), model_values(&records)?);
        let acceptance = (defaults.acceptance)(&config);
        let clock = &defaults.clock;
        let federation = Arc::new(Federation::open(records.clone(), clock.clone(), config, acceptance)?);
        let is_expired = secrets.is_code_expired(clock.now_s());
        let admission =
            Admission::new(records, clock.clone(), secrets, defaults.code_days).with_code_uses(defaults.code_uses);
        if is_expired {
            match admission.renew_code() {
                // Another replica has renewed it.
                Err(ServeError::Store(error)) if error.is_conflict() => admission.follow()?,
                renewed => _ = renewed?,
            }
        }
        let ServerParts { origins, tls, connections, stopping } = parts.clone();
        let (stop, ending) = watch::channel(false);
        let app = App {
            federation: federation.clone(),
            admission: Arc::new(admission),
            joins: Arc::new(JoinLimiter::new(defaults.joins_per_address)),
            origins,
            tls,
            connections,
            streams: EventStreams::among(streams.clone()),
            stopping: ending,
        };
        let counting = runtime.spawn(async move { federation.events().send_counts().await });
        let stopped = stop.clone();
        let mut stopping = stopping;
        let stopping = runtime.spawn(async move {
            // An aggregator that is gone is a stop, too.
            let _ = stopping.wait_for(|stopping| *stopping).await;
            let _ = stopped.send(true);
        });
        let following = runtime.spawn(replicas::follow(app.clone()));
        let tasks = [counting, stopping, following];
        let open = Open { record, app, router: OnceLock::new(), advancing: Advancing::default(), stop, tasks };
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = Some(open);
        Ok(())
    }

    /// Tells those who listen, ends their streams, and waits until nothing uses the store any more.
    pub async fn end(&self) {
        let Some(open) = self.open.write().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let federation = open.app.federation.clone();
        federation.events().push(Event::FederationEnded);
        tokio::time::sleep(FAREWELL).await;
        // Nobody listening any more is fine.
        let _ = open.stop.send(true);
        drop(open);
        while Arc::strong_count(&federation) > 1 {
            tokio::time::sleep(UNUSED_POLL).await;
        }
    }
}
