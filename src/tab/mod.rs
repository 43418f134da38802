//! The tab: everything between the camera's frames and the aggregator, in web workers.

pub mod message;
