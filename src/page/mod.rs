//! The student's and the instructor's page. Markup, styles and fixed text are in `www/`; here is what changes.
//!
//! Data flows one way: a message changes the state, and the state is shown. Models never run on this thread.

#[cfg(target_arch = "wasm32")]
mod deployment;
#[cfg(target_arch = "wasm32")]
mod dom;
#[cfg(target_arch = "wasm32")]
mod download;
mod instructor;
mod l10n;
#[cfg(target_arch = "wasm32")]
mod status;
#[cfg(target_arch = "wasm32")]
mod student;
#[cfg(target_arch = "wasm32")]
mod svg;
mod timeline;
mod words;

/// Starts the student's page, once its language is loaded. A binary of its own links nothing of the instructor's.
#[cfg(target_arch = "wasm32")]
pub fn run_student() {
    console_error_panic_hook::set_once();
    l10n::start(student::run);
}

/// Starts the instructor's page, once its language is loaded.
#[cfg(target_arch = "wasm32")]
pub fn run_instructor() {
    console_error_panic_hook::set_once();
    l10n::start(instructor::run);
}
