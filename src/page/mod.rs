//! What the student and the instructor see. Markup and styles are in `www/`; here is what moves.
//!
//! Data flows one way: a message changes the state, and the state is shown. Models never run on this thread.

mod dom;
mod instructor;
mod locks;
mod status;
mod student;

/// Starts the page that the document is.
pub fn run() {
    console_error_panic_hook::set_once();
    match gloo::utils::body().get_attribute("data-page").as_deref() {
        Some("instructor") => instructor::run(),
        _ => student::run(),
    }
}
