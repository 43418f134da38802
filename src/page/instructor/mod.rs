//! The instructor's page: invitation, rounds, models. It shows nothing about any single student.

#[cfg(target_arch = "wasm32")]
mod api;
mod command;
#[cfg(target_arch = "wasm32")]
mod desk;
#[cfg(target_arch = "wasm32")]
mod view;

pub use self::command::Command;
#[cfg(target_arch = "wasm32")]
pub use self::desk::run;
