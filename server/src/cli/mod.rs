//! The command line.

mod backup;
mod check_config;
mod clients;
mod configured;
mod credentials;
mod evaluate;
mod features;
mod federations;
mod first_model;
mod hosting;
mod http_client;
mod import;
mod pretrain;
mod progress;
mod publish;
mod reproduce;
mod restore;
mod serve;
mod server_certificate;
mod simulate;
mod split;
mod storage;
mod train;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use emofed_server::backup::BackupError;
use emofed_server::lab::LabError;
use emofed_server::lab::dataset::Dataset;
use emofed_server::lab::datasets::sequences;
use emofed_server::lab::synthetic::{self, SyntheticSettings};
use emofed_server::lab::video_model::Compute;
use emofed_server::round::RoundError;
use emofed_server::serve::ServeError;
use emofed_server::store::StoreError;

/// Federated learning of facial-expression recognition, in browser tabs.
#[derive(Parser)]
#[command(name = "emofed", version, about, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the page and run the rounds of a federation
    Serve(Box<serve::Arguments>),
    /// Write a backup of a federation, also while it is served
    Backup(backup::Arguments),
    /// Restore a federation from a backup
    Restore(restore::Arguments),
    /// Read and check a configuration as `serve` would, and print what is in effect
    CheckConfig(check_config::Arguments),
    /// List, make and end federations (classes) beside the first
    Federations(federations::Arguments),
    /// Put load on a running aggregator with many real participants, some of them faulty
    Clients(Box<clients::Arguments>),
    /// Import weights that are not part of emofed
    Import(import::Arguments),
    /// Extract the features of a dataset of rated clips once, with the frozen models, into a cache
    Features(Box<features::Arguments>),
    /// Split a cache's subjects into those to train on, to validate on and to test on
    Split(split::Arguments),
    /// Train a video model on a cache's votes
    Train(train::Arguments),
    /// Make the first video model, from votes on faces
    Pretrain(pretrain::Arguments),
    /// Measure a video model, and the image head, on a cache
    Evaluate(evaluate::Arguments),
    /// Make a trained video model the global one of a federation
    Publish(publish::Arguments),
    /// Run rounds with virtual students
    Simulate(Box<simulate::Arguments>),
    /// Features, splits, both tables of the paper and what goes beyond it, in one report
    Reproduce(reproduce::Arguments),
}

/// Where the aggregator keeps the federation.
#[derive(clap::Args, Clone)]
struct DataFolder {
    /// The folder with the federation's data [default: emofed in the user's data folder]
    #[arg(long, env = "EMOFED_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
}

impl DataFolder {
    fn path(&self) -> Result<PathBuf, Failure> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        self.data
            .clone()
            .or_else(|| variable("XDG_DATA_HOME").map(|folder| folder.join("emofed")))
            .or_else(|| variable("HOME").map(|home| home.join(".local/share/emofed")))
            .ok_or_else(|| Failure::new("there is no home folder", "name a folder with --data DIR"))
    }
}

/// A feature cache, a file of sequences, or the word `synthetic`.
#[derive(clap::Args, Clone)]
struct Source {
    /// A feature cache that `emofed features` made; NAME.safetensors with NAME_EMOTION/features and …/probabilities of each
    /// clip; or `synthetic` for generated data
    #[arg(value_name = "CACHE")]
    cache: PathBuf,
}

impl Source {
    fn read(&self) -> Result<Dataset, Failure> {
        match self.cache.to_str() {
            Some("synthetic") => Ok(synthetic::generate(&SyntheticSettings::default())),
            _ if self.cache.extension().is_some_and(|extension| extension == "safetensors") => {
                Ok(sequences::read(&self.cache)?)
            }
            _ => Ok(Dataset::read(&self.cache)?),
        }
    }
}

/// Where models run.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ComputeArgument {
    /// On the CPU
    Cpu,
    /// On the GPU, where emofed was built with the feature `gpu`
    Gpu,
}

/// Where video models run.
fn compute(argument: ComputeArgument) -> Result<Compute, Failure> {
    match argument {
        ComputeArgument::Cpu => Ok(Compute::Cpu),
        ComputeArgument::Gpu => Ok(Compute::gpu()?),
    }
}

/// Prints lines to standard output. A reader that has gone away is no error.
fn print(text: impl std::fmt::Display) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// What went wrong, and what to do about it.
#[derive(Debug)]
struct Failure {
    message: String,
    way_out: String,
}

impl Failure {
    fn new(message: impl Into<String>, way_out: impl Into<String>) -> Self {
        Self { message: message.into(), way_out: way_out.into() }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let way_out = match error {
            StoreError::NewerSchema { .. } => {
                "start the newer emofed that wrote this data folder, restore a backup from before it, or name another folder \
                 with --data DIR"
            }
            StoreError::Objects { .. } => {
                "see that the folder or the bucket is there; for s3://, that AWS_ENDPOINT, AWS_REGION, AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY are those of who may list, read, write and delete objects there, then try again"
            }
            StoreError::Settings(_) => "see `emofed serve --help`",
            StoreError::Conflict(_) | StoreError::Exists(_) => "another replica was faster; try again",
            StoreError::InUse => "stop the other emofed, or name another folder with --data DIR",
            StoreError::Damaged { .. } | StoreError::Missing(_) => {
                "restore the data folder from a backup, or name another with --data DIR"
            }
            StoreError::Database(_) => {
                "see that the database (or the data folder) can be reached and has room, then try again"
            }
            _ => "see that the disk has room and the folder can be written, then try again",
        };
        Self::new(error.to_string(), way_out)
    }
}

impl From<RoundError> for Failure {
    fn from(error: RoundError) -> Self {
        match error {
            RoundError::Store(error) => error.into(),
            error => Self::new(error.to_string(), "see the message; the data folder is unchanged"),
        }
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Store(error) => error.into(),
            ServeError::Round(error) => error.into(),
            error => Self::new(error.to_string(), "see the message; the data folder is unchanged"),
        }
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        let way_out = match error {
            BackupError::Store(error) => return error.into(),
            BackupError::Write(_) => "see that the disk has room and the folder can be written, then run this again",
            BackupError::Read(_) => "see that the file can be read, or take another copy of it",
            BackupError::Damaged { .. } => {
                "restore this file from an earlier backup; or delete it, if it is a model version that can be done without"
            }
            BackupError::NotABackup => "name a file that `emofed backup` wrote",
            BackupError::NewerFormat { .. } => "restore it with the newer emofed that made it",
            BackupError::Truncated { .. } | BackupError::Altered { .. } => {
                "take another copy of it, or an earlier backup; nothing was restored"
            }
            BackupError::FolderNotEmpty { .. } => {
                "name an empty folder with --data DIR; or say --replace, which moves the federation that is there aside"
            }
            BackupError::StoreNotEmpty => "name another with --federation NAME",
            BackupError::Folder { .. } => {
                "see that the disk has room and the folder can be written, then run this again"
            }
        };
        Self::new(error.to_string(), way_out)
    }
}

impl From<LabError> for Failure {
    fn from(error: LabError) -> Self {
        match error {
            LabError::Store(error) => error.into(),
            LabError::Missing { what, way_out } => Self::new(format!("{what} is missing"), way_out),
            LabError::Mismatch { what, way_out } => Self::new(what, way_out),
            LabError::Interrupted { done } => {
                Self::new(format!("interrupted after {done} clips"), "the same command goes on where this one stopped")
            }
            error @ LabError::File { .. } => Self::new(
                error.to_string(),
                "see that the file can be read or written and the disk has room, then run this again",
            ),
            error => Self::new(error.to_string(), "see the message; what was done so far is kept"),
        }
    }
}

/// Parses the command line and does what it says.
pub fn run() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Serve(arguments) => serve::run(*arguments),
        Command::Backup(arguments) => backup::run(&arguments),
        Command::Restore(arguments) => restore::run(&arguments),
        Command::CheckConfig(arguments) => check_config::run(&arguments),
        Command::Federations(arguments) => federations::run(&arguments),
        Command::Clients(arguments) => clients::run(*arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Features(arguments) => features::run(&arguments),
        Command::Split(arguments) => split::run(&arguments),
        Command::Train(arguments) => train::run(&arguments),
        Command::Pretrain(arguments) => pretrain::run(&arguments),
        Command::Evaluate(arguments) => evaluate::run(&arguments),
        Command::Publish(arguments) => publish::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Reproduce(arguments) => reproduce::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {}", failure.message);
            eprintln!("way out: {}", failure.way_out);
            ExitCode::FAILURE
        }
    }
}

/// A runtime for what is asynchronous.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Runtime::new()
        .map_err(|error| Failure::new(format!("the runtime does not start: {error}"), "free some memory and try again"))
}
