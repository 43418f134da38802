//! `emofed features`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ValueEnum;
use emofed::model::{BackboneKind, Device};
use emofed::protocol::CaptureSettings;
use emofed_server::lab::LabError;
use emofed_server::lab::cache;
use emofed_server::lab::cache::record::Counts;
use emofed_server::lab::datasets::{SourceList, crema_d, csv_list, ferplus};
use emofed_server::lab::extract::{Crop, Engines, Progress, Settings, extract};
use emofed_server::lab::media::Sampling;
use emofed_server::lab::models::{Models, gpu_device};

use super::progress::LabProgress;
use super::{ComputeArgument, DataFolder, Failure, print, runtime};

/// Seconds of the clip that is rendered from a still, as long as a clip in the tab.
const FILM_SECONDS: f64 = 3.0;
/// Ids that are shown of each kind of diagnostic.
const SHOWN: usize = 3;

const EXAMPLE: &str = "Example:
  emofed features crema-d ~/CREMA-D --out crema-d.features
  emofed features csv clips.csv --out mine.features --film-seconds 0

A list for `csv` begins with the line
  clip,subject,sex,split,anger,disgust,fear,happiness,neutral,sadness
where a clip is a video, a picture or a folder of pictures, and the emotions' columns count votes.
Killed or interrupted, the same command goes on where it stopped.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Arguments {
    /// The set
    set: Set,
    /// The set's folder; for `csv` the list, or a folder with only one
    folder: PathBuf,
    /// The feature cache to make, or to go on with
    #[arg(long, value_name = "CACHE")]
    out: PathBuf,
    /// Where the set's tables are, if not in its folder or beside it
    #[arg(long, value_name = "DIR")]
    tables: Option<PathBuf>,
    /// Frames a second, of videos and of clips rendered from stills
    #[arg(long, value_name = "F", default_value_t = CaptureSettings::default().max_frames_per_second)]
    frames_per_second: f64,
    /// Render so many seconds of each still with a simulated hand-held camera; 0 takes it as one frame [default: 3]
    #[arg(long, value_name = "S")]
    film_seconds: Option<f64>,
    /// What the backbone gets [default: whole-picture for ferplus, largest-face for the others]
    #[arg(long)]
    crop: Option<CropArgument>,
    /// Where the backbone runs
    #[arg(long, default_value = "cpu")]
    device: ComputeArgument,
    /// Seed of the random camera motion of stills
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Threads [default: one a core]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Only the first clips, by id
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    #[command(flatten)]
    data: DataFolder,
}

impl Arguments {
    /// The command's defaults.
    pub fn new(set: Set, folder: PathBuf, out: PathBuf, data: DataFolder) -> Self {
        Self {
            set,
            folder,
            out,
            tables: None,
            frames_per_second: CaptureSettings::default().max_frames_per_second,
            film_seconds: None,
            crop: None,
            device: ComputeArgument::Cpu,
            seed: 0,
            jobs: None,
            limit: None,
            data,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Set {
    /// CREMA-D's videos, tabulatedVotes.csv and VideoDemographics.csv
    CremaD,
    /// FER2013's pictures (or features computed of them) and FER+'s fer2013new.csv
    Ferplus,
    /// Clips of one's own, listed in a CSV file
    Csv,
}

#[derive(Clone, Copy, ValueEnum)]
enum CropArgument {
    /// The largest face, as in the tab
    LargestFace,
    /// All of it
    WholePicture,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let settings = settings(arguments)?;
    let stop = Arc::new(AtomicBool::new(false));
    let _signals = stop_on_signal(stop.clone())?;
    let data = arguments.data.path()?;
    // Stored features of FER+ can do without a backbone.
    let models = match Models::read(&data) {
        Err(LabError::Missing { .. }) if arguments.set == Set::Ferplus => None,
        models => Some(models?),
    };
    let lite = models.as_ref().filter(|models| models.kind == BackboneKind::Lite);
    let tables = arguments.tables.as_deref();
    let mut list = match arguments.set {
        Set::CremaD => crema_d::list(&arguments.folder, tables)?,
        Set::Ferplus => ferplus::list(&arguments.folder, tables, lite.map(|lite| lite.backbone_sha256.as_str()))?,
        Set::Csv => csv_list::list(&arguments.folder, tables)?,
    };
    list.entries.truncate(arguments.limit.unwrap_or(usize::MAX));
    list.notes.iter().for_each(|note| eprintln!("{note}"));
    if list.stored.is_some() {
        eprintln!("There are no pictures: the features stored beside the table are taken, of the lite backbone.");
    } else if models.is_none() {
        Models::read(&data)?;
    }
    let device = if arguments.device == ComputeArgument::Gpu { gpu_device()? } else { Device::Cpu };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = arguments.jobs.unwrap_or(cores);
    let engines = models.as_ref().map(|models| Engines { models, device: &device, jobs });
    let mut progress = LabProgress::default();
    let result = extract(&list, &settings, engines, &arguments.out, &stop, |event| match event {
        Progress::Started { resumed, all } => {
            if resumed > 0 {
                eprintln!("{} has {resumed} of {all} clips from an earlier run; going on.", arguments.out.display());
            }
            progress.start("clips", resumed, all);
        }
        Progress::Clip(_) => progress.step(),
    });
    progress.finish();
    print_summary(&result?, &list, &arguments.out)
}

fn settings(arguments: &Arguments) -> Result<Settings, Failure> {
    let rate = arguments.frames_per_second;
    if !(0.1..=120.0).contains(&rate) {
        return Err(Failure::new(format!("{rate} frames a second are not possible"), "choose 0.1 to 120"));
    }
    let film_seconds = arguments.film_seconds.unwrap_or(FILM_SECONDS);
    if !(0.0..=600.0).contains(&film_seconds) {
        return Err(Failure::new(
            format!("a still image cannot become a video of {film_seconds} s"),
            "choose 0 to 600",
        ));
    }
    let crop = match arguments.crop {
        Some(CropArgument::LargestFace) => Crop::LargestFace,
        Some(CropArgument::WholePicture) => Crop::WholePicture,
        None if arguments.set == Set::Ferplus => Crop::WholePicture,
        None => Crop::LargestFace,
    };
    Ok(Settings { sampling: Sampling { frames_per_second: rate, film_seconds, seed: arguments.seed }, crop })
}

/// Ends the run between two frames at the first Ctrl-C, and at once at the second.
fn stop_on_signal(stop: Arc<AtomicBool>) -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = runtime()?;
    runtime.spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if stop.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
            eprintln!("stopping …");
        }
    });
    Ok(runtime)
}

/// Prints what the cache holds.
fn print_summary(counts: &Counts, list: &SourceList, out: &std::path::Path) -> Result<(), Failure> {
    print(format!("{}: {} clips, {} frames", out.display(), counts.clips, counts.frames));
    if counts.left_out > 0 {
        print(format!("  left out, since none of the six emotions has most votes: {}", counts.left_out));
    }
    if !counts.diagnostics.is_empty() {
        let diagnostics = cache::read(out)?.diagnostics;
        for (kind, count) in &counts.diagnostics {
            print(format!("  {kind}: {count}"));
            for diagnostic in diagnostics.iter().filter(|diagnostic| diagnostic.kind == *kind).take(SHOWN) {
                print(format!("    {}: {}", diagnostic.clip, diagnostic.message));
            }
        }
    }
    if counts.clips > 0 {
        return Ok(());
    }
    let message = format!("none of the {} clips of {} gave features", list.entries.len(), list.set);
    let way_out = "see the diagnostics above; mend the clips or tables, delete the cache, and run this again";
    Err(Failure::new(message, way_out))
}
