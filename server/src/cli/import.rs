//! `emofed import`.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;

use clap::Subcommand;
use emofed::model::BackboneKind;
use emofed::protocol::BackboneRef;
use emofed::weights::Weights;
use emofed_server::clock::{Clock as _, SystemClock};
use emofed_server::embedded;
use emofed_server::import::{ImportError, emonet, lite};
use emofed_server::store::{BackboneRecord, Lease, Records};
use indicatif::{ProgressBar, ProgressStyle};

use super::storage::{Storage, without_replicas};
use super::{Failure, print, runtime};

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// EmoNet's official weights (CC BY-NC-ND 4.0): the next start uses them
    Emonet {
        /// emonet_8.pth, or a file like it; downloaded from its authors' repository if not given
        file: Option<PathBuf>,
        /// Accept the licence without being asked
        #[arg(long)]
        accept_licence: bool,
        /// Import a file that is not one of the official ones
        #[arg(long)]
        allow_unverified: bool,
        /// Serve the weights in half the bytes (28 MB), rounded to F16: results change by less than 0.2 %
        #[arg(long)]
        half: bool,
        #[command(flatten)]
        storage: Storage,
    },
    /// The lite backbone and the face detector, from the npm package @vladmandic/face-api (MIT)
    Lite {
        /// The package's folder `model`
        folder: PathBuf,
        /// Go back to the lite backbone where EmoNet is in use
        #[arg(long)]
        replace_emonet: bool,
        #[command(flatten)]
        storage: Storage,
    },
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        let way_out = match error {
            ImportError::File { .. } => "check the path, and that the file can be read",
            _ => "nothing was changed; `emofed import --help` tells what can be imported",
        };
        Self::new(error.to_string(), way_out)
    }
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.what {
        What::Emonet { file, accept_licence, allow_unverified, half, storage } => {
            // Opened first: nobody should download 56 MB to hear that the folder is in use.
            let (records, _alone) = open(storage)?;
            accept(*accept_licence)?;
            let options = emonet::ImportOptions { allow_unverified: *allow_unverified };
            let weights = match file {
                Some(file) => emonet::convert(file, options)?,
                None => download(options)?,
            };
            let bytes = if *half { weights.to_safetensors_f16(None) } else { weights.to_safetensors(None) };
            use_backbone(&records, BackboneKind::Emonet, &bytes)?;
            print("EmoNet is imported; the next `emofed serve` uses it.");
        }
        What::Lite { folder, replace_emonet, storage } => {
            let (records, _alone) = open(storage)?;
            let pack = lite::convert(folder)?;
            let detector = records.put_blob(&pack.detector.to_safetensors(None))?;
            records.put_detector(&detector)?;
            let in_use = records.backbone()?.map(|record| record.backbone.kind);
            if in_use == Some(BackboneKind::Emonet) && !replace_emonet {
                print("The face detector is imported. EmoNet stays in use; --replace-emonet goes back to lite.");
            } else {
                use_backbone(&records, BackboneKind::Lite, &pack.backbone.to_safetensors(None))?;
                print("The lite backbone and the face detector are imported; the next `emofed serve` uses them.");
            }
        }
    }
    Ok(())
}

/// Imports the lite models that are part of this program, where there are some and the data folder has none.
pub fn import_embedded(records: &Records) -> Result<(), Failure> {
    let (has_detector, has_backbone) = (records.detector()?.is_some(), records.backbone()?.is_some());
    if has_detector && has_backbone {
        return Ok(());
    }
    let Some(pack) = embedded::lite()? else { return Ok(()) };
    if !has_detector {
        records.put_detector(&records.put_blob(&pack.detector.to_safetensors(None))?)?;
    }
    if !has_backbone {
        use_backbone(records, BackboneKind::Lite, &pack.backbone.to_safetensors(None))?;
    }
    eprintln!("The lite models that are part of this program were imported.");
    Ok(())
}

fn open(storage: &Storage) -> Result<(Records, [Lease; 2]), Failure> {
    let store = storage.open()?;
    let alone = without_replicas(store.as_ref())?;
    Ok((Records::open(store)?, alone))
}

fn use_backbone(records: &Records, kind: BackboneKind, weights: &[u8]) -> Result<(), Failure> {
    let blob = records.put_blob(weights)?;
    let backbone = BackboneRef { kind, blob };
    records.put_backbone(&BackboneRecord { backbone, imported_at_s: SystemClock.now_s() })?;
    Ok(())
}

/// Shows the licence and asks, unless it was accepted on the command line.
fn accept(accepted: bool) -> Result<(), Failure> {
    print(emonet::LICENCE_NOTICE);
    if accepted {
        return Ok(());
    }
    let way_out = "read the licence and pass --accept-licence if you accept it";
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new("the licence has not been accepted", way_out));
    }
    let mut answer = String::new();
    let mut stdout = std::io::stdout();
    let asked = write!(stdout, "Do you accept this licence? [y/N] ").and_then(|()| stdout.flush());
    let read = asked.and_then(|()| std::io::stdin().lock().read_line(&mut answer));
    match read {
        Ok(_) if matches!(answer.trim(), "y" | "Y" | "yes") => Ok(()),
        _ => Err(Failure::new("the licence has not been accepted", way_out)),
    }
}

fn download(options: emonet::ImportOptions) -> Result<Weights, Failure> {
    let folder = tempfile::tempdir().map_err(|error| {
        Failure::new(format!("there is no room for the download: {error}"), "free some space, or set TMPDIR")
    })?;
    let file = folder.path().join("emonet_8.pth");
    let bar = ProgressBar::new(0).with_style(
        ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    runtime()?.block_on(emonet::download(&file, |received, total| {
        bar.set_length(total.unwrap_or(received));
        bar.set_position(received);
    }))?;
    bar.finish_and_clear();
    Ok(emonet::convert(&file, options)?)
}
