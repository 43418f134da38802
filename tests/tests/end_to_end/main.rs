//! The product end to end: real Chromium tabs with made cameras against the real aggregator.
//!
//! Run by `make test`, one test at a time: each drives whole browsers.

mod bad_input;
mod continuous;
mod device;
mod engine;
mod harness;
mod ledger;
mod loading;
mod network;
mod recording;
mod rounds;
mod tabs;
mod wire;
