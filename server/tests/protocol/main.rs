//! The protocol over real HTTP: what a participant may do, what a hostile one may not, and what a crash must not lose.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is how a failure is told")]
#[cfg(unix)]
mod acme;
mod authorisation;
mod backup;
mod backup_of_all;
mod class_metrics;
mod connections;
mod contributors;
mod crashes;
mod described;
mod faults;
mod federations;
mod federations_program;
mod files;
mod harness;
mod herd;
#[cfg(unix)]
mod hosted_replicas;
mod hostile;
mod instructor;
#[cfg(unix)]
mod kills;
mod load;
mod page;
#[cfg(unix)]
mod pebble;
#[cfg(unix)]
mod postgres;
mod program;
mod races;
#[cfg(unix)]
mod replicas;
#[cfg(unix)]
mod replicas_mechanisms;
#[cfg(unix)]
mod replicas_with_s3;
mod round_model;
mod s3;
#[cfg(unix)]
mod shared_store;
mod stage;
mod strategies;
mod telemetry;
mod tls;
mod updates;
mod uploads;
