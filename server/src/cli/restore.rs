//! `emofed restore`.

use std::fs::File;
use std::io::Seek as _;
use std::path::{Path, PathBuf};

use emofed_server::backup::{
    AllRestored, BackupError, Restored, Tokens, restore, restore_all, restore_all_shared, restore_shared,
};
use emofed_server::secret::{OPERATOR_TOKEN_FILE, TOKEN_FILE, write_private};

use super::credentials::unwritable;
use super::storage::{Storage, without_replicas};
use super::{Failure, print};

#[derive(clap::Args)]
#[command(after_help = "Example:
  emofed restore /backups/emofed-20260131T120000Z.tar
  emofed serve

Everything in the backup is compared with its hash before anything is put in place.")]
pub struct Arguments {
    /// The file that `emofed backup` wrote
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
    /// Restore into a data folder that has a federation already, whose data is moved into a folder `before-restore-…` in it
    #[arg(long, conflicts_with = "store")]
    replace: bool,
    #[command(flatten)]
    storage: Storage,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let data = arguments.storage.folder()?;
    let file = File::open(&arguments.backup).map_err(|error| {
        Failure::new(format!("{}: {error}", arguments.backup.display()), "name a file that `emofed backup` wrote")
    })?;
    let restored = match arguments.storage.is_shared() {
        false => restored_into_folder(file, &data, arguments.replace)?,
        true => restored_into_store(file, &data, &arguments.storage)?,
    };
    told_of(&data, restored);
    Ok(())
}

/// What was restored: all federations, or one.
enum Found {
    All(AllRestored),
    One(Restored),
}

fn restored_into_folder(mut file: File, data: &Path, replace: bool) -> Result<Found, Failure> {
    if let Some(all) = restore_all(&mut file, data, replace)? {
        return Ok(Found::All(all));
    }
    file.rewind().map_err(BackupError::Read)?;
    Ok(Found::One(restore(file, data, replace)?))
}

/// The tokens go into the data folder `data`, from where other replicas are given them.
fn restored_into_store(mut file: File, data: &Path, storage: &Storage) -> Result<Found, Failure> {
    let (store, registry) = storage.open_with_registry()?;
    let _alone = without_replicas(&*store)?;
    let (found, tokens) = match restore_all_shared(&mut file, &store, &*registry)? {
        Some((all, tokens)) => (Found::All(all), tokens),
        None => {
            file.rewind().map_err(BackupError::Read)?;
            let (one, instructor) = restore_shared(file, store)?;
            (Found::One(one), Tokens { instructor, operator: None })
        }
    };
    for (name, token) in [(TOKEN_FILE, tokens.instructor), (OPERATOR_TOKEN_FILE, tokens.operator)] {
        if let Some(token) = token {
            write_private(&data.join(name), &token).map_err(|error| unwritable(&data.join(name), &error))?;
        }
    }
    Ok(found)
}

/// What a federation goes on with.
fn state(version: Option<u64>, round: Option<(u64, usize)>) -> String {
    let version =
        version.map_or_else(|| "no model yet".to_owned(), |version| format!("version {version} is the newest model"));
    let round = round.map_or_else(
        || "no round is open".to_owned(),
        |(round, updates)| format!("round {round} goes on with {updates} updates"),
    );
    format!("{version}; {round}")
}

fn told_of(data: &Path, found: Found) {
    let (first, others) = match &found {
        Found::All(AllRestored { first, contents, .. }) => {
            let others = contents.federations.len();
            (first, format!(" with the federation that it began with and {others} that an operator made"))
        }
        Found::One(one) => (one, String::new()),
    };
    let state = state(first.version, first.round);
    print(format!("{} is restored{others}: {state}. `emofed serve` goes on from here.", data.display()));
    let before = match found {
        Found::All(AllRestored { contents, before, .. }) => {
            if !contents.unavailable.is_empty() {
                eprintln!(
                    "Not in the backup, since they could not be opened or were damaged then: {}.",
                    contents.unavailable.join(", ")
                );
            }
            before
        }
        Found::One(one) => one.before,
    };
    if let Some(before) = before {
        print(format!("What was there before is in {}; delete it when you do not need it.", before.display()));
    }
}
