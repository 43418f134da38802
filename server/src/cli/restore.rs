//! `emofed restore`.

use std::fs::File;
use std::path::{Path, PathBuf};

use emofed_server::backup::{AllRestored, BackupError, Restored, read_all, restore, restore_all, restore_shared};
use emofed_server::secret::{TOKEN_FILE, write_private};

use super::credentials::unwritable;
use super::storage::Storage;
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
    let open_again = || File::open(&arguments.backup).map_err(BackupError::Read);
    if !arguments.storage.is_shared()
        && let Some(all) = restore_all(file, &data, arguments.replace)?
    {
        told_of_all(&data, all);
        return Ok(());
    }
    if arguments.storage.is_shared() && matches!(read_all(open_again()?), Ok(Some(_))) {
        let message =
            format!("{} is a backup of all federations, which --store does not take", arguments.backup.display());
        let way_out = "restore it into a data folder; or unpack it, and restore the part of one federation";
        return Err(Failure::new(message, way_out));
    }
    let file = open_again()?;
    let Restored { version, round, before, .. } = match arguments.storage.is_shared() {
        false => restore(file, &data, arguments.replace)?,
        true => {
            let (restored, token) = restore_shared(file, arguments.storage.open()?)?;
            let token_file = data.join(TOKEN_FILE);
            if let Some(token) = token {
                write_private(&token_file, &token).map_err(|error| unwritable(&token_file, &error))?;
            }
            restored
        }
    };
    print(format!("{} is restored: {}. `emofed serve` goes on from here.", data.display(), state(version, round)));
    told_of_before(before);
    Ok(())
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

fn told_of_before(before: Option<PathBuf>) {
    if let Some(before) = before {
        print(format!("What was there before is in {}; delete it when you do not need it.", before.display()));
    }
}

fn told_of_all(data: &Path, AllRestored { contents, first, before }: AllRestored) {
    let others = contents.federations.len();
    print(format!(
        "{} is restored with the federation that it began with ({}) and {others} that an operator made. `emofed serve` goes on \
         from here.",
        data.display(),
        state(first.version, first.round)
    ));
    if !contents.unavailable.is_empty() {
        eprintln!("Not in the backup, since they could not be opened then: {}.", contents.unavailable.join(", "));
    }
    told_of_before(before);
}
