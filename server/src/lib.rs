//! The aggregator, natively: it serves the page, takes client updates, averages them and publishes models.

#![forbid(unsafe_code)]

pub mod backup;
pub mod clock;
pub mod config;
pub mod embedded;
pub mod event_log;
mod hex;
pub mod import;
pub mod lab;
pub mod load;
pub mod ordered_pipeline;
pub mod round;
pub mod secret;
pub mod serve;
pub mod store;
pub mod telemetry;
pub mod tls;
