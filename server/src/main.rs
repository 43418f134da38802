//! `emofed`: the aggregator and its tools.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
