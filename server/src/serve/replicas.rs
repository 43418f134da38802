//! What other replicas do.

use std::time::Duration;

use tokio::sync::watch;

use super::App;
use super::error::ServeError;

/// How long changes are gathered.
const GATHERING: Duration = Duration::from_millis(50);
/// After how long everything is read again although nothing was heard.
const SILENCE: Duration = Duration::from_secs(10);

/// Reads what others have changed whenever that is heard of, and tells the tabs that listen here. Ends at once where nobody else can
/// change anything.
pub(super) async fn follow(app: App) {
    let Some(changes) = app.federation.records().store().changes() else { return };
    whenever_changed(changes, || {
        let admission = app.admission.clone();
        app.blocking(move |federation| {
            admission.follow()?;
            Ok(federation.follow()?)
        })
    })
    .await;
}

/// Has `read` read again whenever `changes` says that others have changed something, and now and then although it does not.
pub(super) async fn whenever_changed<F>(mut changes: watch::Receiver<u64>, read: impl Fn() -> F)
where
    F: Future<Output = Result<(), ServeError>>,
{
    loop {
        // Silence or the end of the store's own task: either way it is read again now and then.
        if let Ok(Err(_)) = tokio::time::timeout(SILENCE, changes.changed()).await {
            tokio::time::sleep(SILENCE).await;
        }
        if let Err(error) = read().await {
            tracing::warn!(%error, "what other replicas have done is not known; reading again");
            tokio::time::sleep(Duration::from_secs(1)).await;
            changes.mark_changed();
        }
        tokio::time::sleep(GATHERING).await;
    }
}
