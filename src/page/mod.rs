//! The student's and the instructor's page. Markup, styles and fixed text are in `www/`; here is what changes.
//!
//! Data flows one way: a message changes the state, and the state is shown. Models never run on this thread.

mod dom;
mod instructor;
mod status;
mod student;
mod words;

/// Starts the page that the document is.
pub fn run() {
    console_error_panic_hook::set_once();
    match gloo::utils::body().get_attribute("data-page").as_deref() {
        Some("instructor") => instructor::run(),
        _ => student::run(),
    }
}
