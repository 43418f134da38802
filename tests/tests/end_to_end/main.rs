//! The product end to end: real tabs of Chromium, and of Firefox and WebKit, with made cameras against the real aggregator.
//!
//! Run by `make test`, one test at a time: each drives whole browsers.

mod accessibility;
mod architectures;
mod bad_input;
mod camera;
mod class_metrics;
mod classroom;
mod continuous;
mod device;
mod differences;
mod embedded;
mod engine;
mod federations;
mod forgetting;
mod harness;
mod instructor;
mod kept_clips;
mod languages;
mod ledger;
mod loading;
mod network;
mod no_harm;
mod opting_out;
mod other_browsers;
mod quiet;
mod recipes;
mod recording;
mod rounds;
mod service_worker;
mod tabs;
mod timeline;
mod unobtrusive;
mod wire;
