//! `emofed backup`.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use emofed::protocol::{Problem, instructor_path, operator_path};
use emofed_server::backup::{AllBackups, Backup, BackupError, OtherBackups, read, read_all};
use emofed_server::clock::{Clock as _, SystemClock};
use emofed_server::secret::{OPERATOR_TOKEN_FILE, TOKEN_FILE};
use emofed_server::store::{EmbeddedStore, FederationFolders, StoreError};
use reqwest::Client;
use tempfile::NamedTempFile;

use super::credentials::{Links, unwritable};
use super::http_client::client_of;
use super::storage::Storage;
use super::{Failure, print, runtime};

/// How long the aggregator may take to make a connection, or to send something.
const TIMEOUT: Duration = Duration::from_secs(120);

#[derive(clap::Args)]
#[command(after_help = "Example:
  emofed backup /backups                              # writes /backups/emofed-20260131T120000Z.tar
  emofed restore /backups/emofed-20260131T120000Z.tar --data DIR

  emofed backup --all /backups                        # all federations, with the operator's token

An aggregator that runs over the data folder is asked for the backup, and goes on meanwhile. The configuration and a
self-signed certificate are not in it. A backup has the instructor's token, the join code and single updates in it: keep it
as you keep the data folder.")]
pub struct Arguments {
    /// The file to write, or a folder for a file named by the time
    #[arg(value_name = "FILE|DIR")]
    target: PathBuf,
    /// Of all federations that an operator made, too, in one file; an aggregator that runs is asked with the operator's token
    #[arg(long)]
    all: bool,
    /// Where the running aggregator answers [default: as in the file `links` of the data folder]
    #[arg(long, value_name = "ORIGIN")]
    from: Option<String>,
    #[command(flatten)]
    storage: Storage,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let data = arguments.storage.folder()?;
    if !arguments.storage.is_shared() && !data.join(EmbeddedStore::DATABASE).is_file() {
        let message = format!("{} has no federation", data.display());
        return Err(Failure::new(message, "name the data folder of `emofed serve` with --data DIR"));
    }
    let target = match arguments.target.is_dir() {
        true => arguments.target.join(format!("emofed-{}.tar", utc(SystemClock.now_s()))),
        false => arguments.target.clone(),
    };
    // Beside the target, so that a backup that is there is replaced by a whole one or not at all. For its owner alone.
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(folder).map_err(|error| unwritable(&target, &error))?;
    let is_served = || match EmbeddedStore::open(&data) {
        Err(StoreError::InUse) => Ok(true),
        opened => opened.map(|_| false),
    };
    if arguments.from.is_some() || !arguments.storage.is_shared() && is_served()? {
        let server = Server::of(&data, arguments.from.as_deref(), arguments.all)?;
        runtime()?.block_on(server.download(&mut file, &target))?;
    } else if arguments.all {
        of_all(&data, &arguments.storage)?.write(file.as_file_mut())?;
    } else {
        let token = std::fs::read_to_string(data.join(TOKEN_FILE)).ok();
        Backup::take(arguments.storage.open()?.as_ref(), token, SystemClock.now_s())?.write(file.as_file_mut())?;
    }
    file.as_file().sync_all().map_err(|error| unwritable(&target, &error))?;
    let told = check(file.path(), arguments.all)?;
    file.persist(&target).map_err(|error| unwritable(&target, &error.error))?;
    print(format!("{} has {told}.", target.display()));
    if !arguments.all && FederationFolders::are_in(&data) {
        eprintln!(
            "It has the federation that the aggregator began with alone; with --all, those that an operator made, too."
        );
    }
    Ok(())
}

/// All federations of `storage`, whose data folder `data` no aggregator uses, unless it is one of several replicas.
fn of_all(data: &Path, storage: &Storage) -> Result<AllBackups, Failure> {
    let now_s = SystemClock.now_s();
    let read = |name: &str| std::fs::read_to_string(data.join(name)).ok();
    let (store, registry) = storage.open_with_registry()?;
    let first = Backup::take(store.as_ref(), read(TOKEN_FILE), now_s)?;
    let mut others = OtherBackups::default();
    for id in registry.ids()? {
        let store = registry.store(&id).map_err(BackupError::from);
        match store.and_then(|store| Backup::take(store.as_ref(), None, now_s)) {
            Ok(backup) => others.backups.push((id, backup)),
            Err(error) => {
                eprintln!("{id}: {error}");
                others.unavailable.push(id);
            }
        }
    }
    Ok(AllBackups::new(first, others, read(OPERATOR_TOKEN_FILE)))
}

/// Reads a backup that was just written, as a restoration would; gives what is in it.
fn check(file: &Path, is_of_all: bool) -> Result<String, BackupError> {
    let open = || File::open(file).map_err(BackupError::Read);
    if !is_of_all {
        let contents = read(open()?, |_| Ok(()))?;
        let bytes: u64 = contents.files.iter().map(|file| file.size).sum();
        return Ok(format!("the federation's {} files, {} kB", contents.files.len(), bytes / 1_000));
    }
    let (contents, files, bytes) = read_all(open()?)?.ok_or(BackupError::NotABackup)?;
    if !contents.unavailable.is_empty() {
        eprintln!(
            "Not in the backup, since they cannot be opened or are damaged: {}.",
            contents.unavailable.join(", ")
        );
    }
    Ok(format!("the {files} files of {} federations, {} kB", contents.federations.len() + 1, bytes / 1_000))
}

/// The aggregator that has the data folder.
struct Server {
    origin: String,
    path: &'static str,
    token: String,
    client: Client,
}

impl Server {
    /// The aggregator at `origin`, or else where the data folder says that it is.
    fn of(data: &Path, origin: Option<&str>, is_of_all: bool) -> Result<Self, Failure> {
        let way_out = "start `emofed serve` again, or stop it and run this command then";
        let unknown = |file: &Path, error: String| Failure::new(format!("{}: {error}", file.display()), way_out);
        let read = |file: &Path| std::fs::read_to_string(file).map_err(|error| unknown(file, error.to_string()));
        let links = data.join(Links::FILE);
        let origin = match origin {
            Some(origin) => origin.trim_end_matches('/').to_owned(),
            None => Links::origin_in(&read(&links)?)
                .ok_or_else(|| unknown(&links, "there is no link of the instructor in it".to_owned()))?,
        };
        let (path, token) = match is_of_all {
            true => (operator_path::BACKUP, OPERATOR_TOKEN_FILE),
            false => (instructor_path::BACKUP, TOKEN_FILE),
        };
        let token = read(&data.join(token))?.trim().to_owned();
        let client = client_of(data, TIMEOUT).map_err(|error| unknown(data, error.to_string()))?;
        Ok(Self { origin, path, token, client })
    }

    /// Writes the backup that the aggregator makes into `file`, which becomes `target`.
    async fn download(&self, file: &mut NamedTempFile, target: &Path) -> Result<(), Failure> {
        let lost = |error: reqwest::Error| {
            let message = format!("the aggregator at {} does not answer: {error}", self.origin);
            Failure::new(message, "name its address with --from ORIGIN; or stop it and run this command then")
        };
        let url = format!("{}{}", self.origin, self.path);
        let mut answer = self.client.get(url).bearer_auth(&self.token).send().await.map_err(lost)?;
        if !answer.status().is_success() {
            let status = answer.status();
            let text = answer.text().await.map_err(lost)?;
            let told =
                serde_json::from_str(&text).map_or_else(|_| status.to_string(), |problem: Problem| problem.detail);
            return Err(Failure::new(format!("the aggregator at {} refuses: {told}", self.origin), "see its log"));
        }
        while let Some(piece) = answer.chunk().await.map_err(lost)? {
            file.write_all(&piece).map_err(|error| unwritable(target, &error))?;
        }
        Ok(())
    }
}

/// A time in seconds since 1970 as `20260131T120000Z`.
fn utc(seconds: u64) -> String {
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant's algorithm: years that begin in March, in eras of 400 years.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", time / 3_600, time / 60 % 60, time % 60)
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn times() {
        assert_eq!(utc(0), "19700101T000000Z");
        assert_eq!(utc(951_782_399), "20000228T235959Z");
        assert_eq!(utc(951_782_400), "20000229T000000Z");
        assert_eq!(utc(1_798_761_599), "20261231T235959Z");
        assert_eq!(utc(4_107_542_400), "21000301T000000Z");
    }
}
