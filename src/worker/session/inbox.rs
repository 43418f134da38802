//! Messages of the page to the session.

use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen_futures::spawn_local;

use super::opt_in::OptIn;
use super::page_state::PageState;
use super::{Session, post};
use crate::messages::{FromWorker, ToWorker};

/// Does what a message of the page asks for. One that comes before the session is ready only changes what the session reads when
/// it is.
pub(super) fn receive(
    current: &Rc<RefCell<Option<Rc<Session>>>>,
    opt_in: &Rc<OptIn>,
    page: &Rc<PageState>,
    message: ToWorker,
) {
    let session = current.borrow().clone();
    match (message, session) {
        (ToWorker::Start { join_code, backend, contribute, visible, keep_clips, share_metrics }, _) => {
            opt_in.set(contribute);
            page.visible.set(visible);
            page.keep_clips.set(keep_clips);
            page.share_metrics.set(share_metrics);
            let (current, opt_in, page) = (current.clone(), opt_in.clone(), page.clone());
            spawn_local(async move {
                let session = Rc::new(Session::new(join_code, backend, opt_in, page).await);
                if session.begin().await {
                    *current.borrow_mut() = Some(session);
                }
            });
        }
        (ToWorker::Contribute { on }, session) => {
            opt_in.set(on);
            match session {
                Some(session) if on => session.sync_soon(),
                Some(session) => spawn_local(async move { session.withdraw().await }),
                // The session that is starting reads the choice when it is ready.
                None => {}
            }
        }
        (ToWorker::SendWithheld, Some(session)) => spawn_local(async move { session.send_withheld().await }),
        (ToWorker::OverruleCollapse, Some(session)) => session.overrule_collapse(),
        (ToWorker::ClearClips, Some(session)) => spawn_local(async move { session.clear_clips().await }),
        (ToWorker::EditClip { id, edit }, Some(session)) => {
            spawn_local(async move { session.edit_clip(id, edit).await })
        }
        (ToWorker::CameraPaused, Some(session)) => spawn_local(async move {
            session.end_clip().await;
            session.keep_clips_soon();
        }),
        (ToWorker::Visible { on }, session) => {
            page.visible.set(on);
            if let Some(session) = session {
                session.update_subscription();
                // A hidden tab may be discarded at any time.
                spawn_local(async move { session.keep_clips().await });
            }
        }
        (ToWorker::KeepClips { on }, session) => {
            page.keep_clips.set(on);
            if let Some(session) = session {
                spawn_local(async move { session.allow_keeping_clips(on).await });
            }
        }
        (ToWorker::ShareMetrics { on }, session) => {
            page.share_metrics.set(on);
            if let Some(session) = session.filter(|_| !on) {
                spawn_local(async move { session.withdraw_metrics().await });
            }
        }
        (ToWorker::Battery(battery), session) => {
            let paused = session.filter(|session| session.pauses_training());
            page.battery.set(Some(battery));
            if let Some(session) = paused.filter(|session| !session.pauses_training()) {
                session.sync_soon();
            }
        }
        (ToWorker::End { after_sending }, session) => {
            *current.borrow_mut() = None;
            let opt_in = opt_in.clone();
            spawn_local(async move {
                if let Some(session) = session {
                    session.stop(after_sending).await;
                }
                opt_in.set(false);
                post(&FromWorker::Ended);
            });
        }
        (
            ToWorker::SendWithheld
            | ToWorker::OverruleCollapse
            | ToWorker::ClearClips
            | ToWorker::EditClip { .. }
            | ToWorker::CameraPaused,
            None,
        ) => {}
    }
}
