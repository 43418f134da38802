//! The instructor's page: invitation, rounds, lecture, models. It shows nothing about any single student.
//!
//! `desk.rs` holds the state and asks the aggregator; every other module shows a part of the status, or computes what is shown.

#[cfg(target_arch = "wasm32")]
mod api;
mod command;
#[cfg(target_arch = "wasm32")]
mod desk;
mod figures;
#[cfg(target_arch = "wasm32")]
mod invitation;
pub mod lineage;
mod log;
mod qr;
mod report;
#[cfg(target_arch = "wasm32")]
mod round;
#[cfg(target_arch = "wasm32")]
mod settings;
#[cfg(target_arch = "wasm32")]
mod stage;
#[cfg(target_arch = "wasm32")]
mod tables;
#[cfg(target_arch = "wasm32")]
mod versions;

pub use self::command::Command;
#[cfg(target_arch = "wasm32")]
pub use self::desk::run;
pub use self::log::LogEvent;
