//! From calls that block to clients that do not: a runtime of their own, so that calls can be made from any thread.

use std::sync::mpsc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::store::StoreError;

/// How long a call may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long one may take that works on all objects of a round or a federation.
const LONG_TIMEOUT: Duration = Duration::from_secs(540);

/// The runtime of a store's clients.
pub(super) struct Bridge(Option<Runtime>);

impl Bridge {
    /// Starts it.
    ///
    /// # Errors
    /// There are no threads.
    pub fn start() -> Result<Self, StoreError> {
        Ok(Self(Some(Builder::new_multi_thread().worker_threads(2).thread_name("emofed-store").enable_all().build()?)))
    }

    /// Does `work` there, and waits for it.
    ///
    /// # Errors
    /// `work` fails, or takes too long.
    pub fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run_within(TIMEOUT, work)
    }

    /// The same for work that may take minutes.
    ///
    /// # Errors
    /// `work` fails, or takes too long.
    pub fn run_long<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run_within(LONG_TIMEOUT, work)
    }

    fn run_within<T: Send + 'static>(
        &self,
        timeout: Duration,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.spawn(async move {
            let late = |_| Err(StoreError::Database(format!("no answer within {} s", timeout.as_secs())));
            // Who has asked may be gone.
            let _ = sender.send(tokio::time::timeout(timeout, work).await.unwrap_or_else(late));
        });
        receiver.recv().unwrap_or_else(|_| Err(StoreError::Database("the call was broken off".to_owned())))
    }

    /// Does `work` there, and does not wait.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.0 {
            runtime.spawn(work);
        }
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        // Not waited for: a store may be dropped where nothing may block.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
