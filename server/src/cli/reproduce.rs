//! `emofed reproduce`.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use clap::ValueEnum;
use emofed::learning::LabelKind;
use emofed_server::lab::LabError;
use emofed_server::lab::adaptation::{Method, adapt, methods, papers_method};
use emofed_server::lab::dataset::Dataset;
use emofed_server::lab::raters::{self, VoteStatistics};
use emofed_server::lab::report::{self, Cell, Report};
use emofed_server::lab::supervised::{Run, table1};
use emofed_server::lab::synthetic::{self, SyntheticSettings};
use emofed_server::lab::train::TrainSettings;

use super::progress::LabProgress;
use super::{DataFolder, Failure, features, print};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  emofed reproduce crema-d ~/CREMA-D --out report
  emofed reproduce ferplus ~/ferplus --out report --seeds 10
  emofed reproduce synthetic --out report --seeds 20

Makes the features once (FOLDER/…, kept in the report's folder), then splits, trains on every kind of label with every seed,
adapts the test subjects by the paper's method and by others, and writes report.md with CSV tables and SVG plots.")]
pub struct Arguments {
    /// The set
    set: Set,
    /// The set's folder or list; not for `synthetic`
    folder: Option<PathBuf>,
    /// The report's folder
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Runs of everything, each with its own split, initial weights and order
    #[arg(long, default_value_t = 10, value_name = "N")]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Kinds of label, the first to be compared with
    #[arg(long, value_delimiter = ',', default_value = "discrete,softmax,softmax:2,fraction", value_name = "KIND,…")]
    labels: Vec<LabelKind>,
    /// Passes over the training clips
    #[arg(long, default_value_t = TrainSettings::default().epochs)]
    epochs: usize,
    /// Adam's learning rate
    #[arg(long, default_value_t = TrainSettings::default().learning_rate)]
    learning_rate: f64,
    /// Ways to adapt beside the paper's, as TOML: a [[method]] each, with name, rounds, learning and strategy
    /// [default: those of server/src/lab/methods.toml]
    #[arg(long, value_name = "FILE", conflicts_with = "paper_only")]
    methods: Option<PathBuf>,
    /// Leave out what goes beyond the paper
    #[arg(long)]
    paper_only: bool,
    /// A small synthetic dataset, to check that everything works
    #[arg(long)]
    small: bool,
    #[command(flatten)]
    data: DataFolder,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Set {
    CremaD,
    Ferplus,
    Csv,
    /// Synthetic data whose truth is known
    Synthetic,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let usable = arguments.learning_rate.is_finite() && arguments.learning_rate > 0.0;
    if arguments.seeds == 0 || arguments.epochs == 0 || !usable {
        let message = "there must be at least one seed and one epoch, and the learning rate has to be above 0";
        return Err(Failure::new(message, "see `emofed reproduce --help` for the defaults"));
    }
    let title = if arguments.set == Set::Synthetic { "Reproduction on synthetic data" } else { "Reproduction" };
    let mut report = Report::create(&arguments.out, title)?;
    let dataset = dataset(arguments)?;
    describe(&mut report, &dataset, arguments)?;

    let seeds: Vec<u64> = (arguments.seed..).take(arguments.seeds as usize).collect();
    let settings =
        TrainSettings { epochs: arguments.epochs, learning_rate: arguments.learning_rate, ..TrainSettings::default() };
    let table = with_progress("models trained", arguments.labels.len() * seeds.len(), |step| {
        table1(&dataset, &arguments.labels, &seeds, &settings, step)
    })?;
    report::supervised(&mut report, &table)?;

    // The paper adapts the model that partial labels gave.
    let row = table.rows.iter().find(|row| row.labels == LabelKind::PAPER).unwrap_or(&table.rows[0]);
    let runs: Vec<_> = row.runs.iter().map(|run: &Run| (&run.split, &run.vfer)).collect();
    if runs.first().is_some_and(|(split, _)| split.has_virtual_students(&dataset)) {
        report.text(
            "**The set does not tell whose clips are whose**: below, test clips are dealt to virtual students of 20 clips. \
             They share a camera and a set, not a face, so that there is little to adapt to.",
        );
    }
    let others = match &arguments.methods {
        Some(file) => Method::read_list(file)?,
        None if arguments.paper_only => Vec::new(),
        None => methods()?,
    };
    let methods: Vec<Method> = [papers_method()].into_iter().chain(others).collect();
    let adapted =
        with_progress("models adapted", methods.len() * runs.len(), |step| adapt(&dataset, &runs, &methods, step))?;
    report::adaptation(&mut report, &adapted[0])?;
    if !arguments.paper_only {
        report::comparison(&mut report, &methods, &adapted)?;
    }
    print(report.finish()?.display());
    Ok(())
}

fn dataset(arguments: &Arguments) -> Result<Dataset, Failure> {
    let set = match arguments.set {
        Set::Synthetic if arguments.small => {
            let settings =
                SyntheticSettings { subjects: 24, clips_per_subject: 12, frames: 10, ..SyntheticSettings::default() };
            return Ok(synthetic::generate(&settings));
        }
        Set::Synthetic => return Ok(synthetic::generate(&SyntheticSettings::default())),
        Set::CremaD => features::Set::CremaD,
        Set::Ferplus => features::Set::Ferplus,
        Set::Csv => features::Set::Csv,
    };
    let folder = arguments.folder.clone().ok_or_else(|| {
        Failure::new("the set's folder is missing", "name it behind the set: emofed reproduce SET FOLDER")
    })?;
    let cache = arguments.out.join("features.cache");
    features::run(&features::Arguments::new(set, folder, cache.clone(), arguments.data.clone()))?;
    Ok(Dataset::read(&cache)?)
}

fn describe(report: &mut Report, dataset: &Dataset, arguments: &Arguments) -> Result<(), Failure> {
    let provenance = &dataset.provenance;
    if provenance.synthetic {
        report.text(
            "> **Synthetic.** Features, faces and raters are made up; only how raters confuse emotions is taken from CREMA-D's \
             vote tables. No figure here is a statement about people.",
        );
    }
    let labels: Vec<String> = arguments.labels.iter().map(LabelKind::to_string).collect();
    report.text(format!(
        "Set `{}`, {} clips of {} subjects, {} frames; backbone {:?} `{:.12}`. Seeds {} to {}, labels {}, {} epochs, Adam {}. \
         Command: `emofed reproduce … --seeds {} --seed {}`.",
        provenance.set,
        dataset.clips.len(),
        dataset.subjects().len(),
        dataset.clips.iter().map(emofed_server::lab::dataset::RatedClip::frames).sum::<usize>(),
        provenance.backbone,
        provenance.backbone_sha256,
        arguments.seed,
        arguments.seed + arguments.seeds - 1,
        labels.join(", "),
        arguments.epochs,
        arguments.learning_rate,
        arguments.seeds,
        arguments.seed,
    ));
    report.text(
        "The paper's own figures are not printed beside ours: only its abstract could be had where this was written. Compare \
         with sections 4.1 and 4.2 of the paper by hand.",
    );
    let found = VoteStatistics::of(dataset.clips.iter().map(|clip| (clip.votes, 1.0)));
    let row = |name: &str, statistics: &VoteStatistics| {
        let values = [statistics.mean_maximum, statistics.entropy].into_iter().chain(statistics.balance);
        [Cell::from(name)].into_iter().chain(values.map(Cell::Value)).collect::<Vec<Cell>>()
    };
    report.text(
        "How raters agree (mean of the largest vote fraction, entropy in nats, shares of the majority's emotions):",
    );
    let header = ["votes", "mean maximum", "entropy", "anger", "disgust", "fear", "happiness", "neutral", "sadness"];
    report.table("votes", &header, &[row("this set", &found), row("CREMA-D, face only", &raters::CREMA_D)])?;
    Ok(())
}

/// Runs `work`, which calls what it is given once for each of `count` steps, from any thread.
fn with_progress<T>(
    unit: &'static str,
    count: usize,
    work: impl FnOnce(&(dyn Fn() + Sync)) -> Result<T, LabError>,
) -> Result<T, LabError> {
    let progress = Mutex::new(LabProgress::default());
    let locked = || progress.lock().unwrap_or_else(PoisonError::into_inner);
    locked().start(unit, 0, count);
    let result = work(&|| locked().step());
    locked().finish();
    result
}
