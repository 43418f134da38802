//! `emofed train`.

use std::path::PathBuf;

use clap::ValueEnum;
use emofed::learning::LabelKind;
use emofed::model::vfer::{Pooling, Recurrence, VferArchitecture};
use emofed::protocol::ModelCard;
use emofed_server::lab::dataset::Subset;
use emofed_server::lab::model_file::{self, Precision};
use emofed_server::lab::split::Split;
use emofed_server::lab::train::{TrainSettings, train};
use emofed_server::lab::video_model::VideoModel;

use super::{ComputeArgument, Failure, Source, compute, print};

#[derive(clap::Args)]
#[command(after_help = "Example:
  emofed train crema-d.features --split crema-d.split.json --labels softmax --out vfer.safetensors
  emofed publish vfer.safetensors
  emofed train crema-d.features --hidden-size 256 --layers 2 --bidirectional --pooling attention --device gpu --out large.safetensors

The defaults are the paper's: softmax of the vote counts, KL divergence, Adam at 1e-4, 20 epochs, the best validation epoch.")]
pub struct Arguments {
    #[command(flatten)]
    source: Source,
    /// The model to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The split that `emofed split` wrote [default: a split with the same seed]
    #[arg(long, value_name = "FILE")]
    split: Option<PathBuf>,
    /// What votes become: discrete, softmax, softmax:T or fraction
    #[arg(long, default_value = "softmax")]
    labels: LabelKind,
    /// Passes over the training clips
    #[arg(long, default_value_t = TrainSettings::default().epochs)]
    epochs: usize,
    /// Adam's learning rate
    #[arg(long, default_value_t = TrainSettings::default().learning_rate)]
    learning_rate: f64,
    /// Clips a step
    #[arg(long, default_value_t = TrainSettings::default().batch_size)]
    batch_size: usize,
    /// Of the initial weights and the order of clips
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Length of an LSTM direction's hidden state, at most 512
    #[arg(long, default_value_t = VferArchitecture::default().hidden_size)]
    hidden_size: usize,
    /// LSTM layers, at most 4
    #[arg(long, default_value_t = VferArchitecture::default().num_layers)]
    layers: usize,
    /// Run each layer from the last frame to the first, too
    #[arg(long)]
    bidirectional: bool,
    /// How frames become one vector: the last state (the paper), or a learned weighted mean
    #[arg(long, value_enum, default_value = "last")]
    pooling: PoolingArgument,
    /// Where it is trained; a GPU needs a build with `--features gpu`
    #[arg(long, value_enum, default_value = "cpu")]
    device: ComputeArgument,
    /// Write the weights in half the bytes, rounded to F16
    #[arg(long)]
    half: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PoolingArgument {
    Last,
    Attention,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let settings = settings(arguments)?;
    let dataset = arguments.source.read()?;
    let split = match &arguments.split {
        Some(file) => Split::read(file, &dataset)?,
        None => Split::by_subject(&dataset, arguments.seed)?,
    };
    let [training, validation, test] =
        [Subset::Train, Subset::Validation, Subset::Test].map(|subset| split.clips(&dataset, subset));
    eprintln!("{} clips to train on, {} to validate on, {} to test on", training.len(), validation.len(), test.len());
    let compute = compute(arguments.device)?;
    let trained = train(&training, &validation, &settings, &compute, |epoch| {
        eprintln!(
            "epoch {:3} of {}: training loss {:.4}, validation loss {:.4}, macro F1 {:.4}",
            epoch.epoch, settings.epochs, epoch.training_loss, epoch.validation_loss, epoch.validation_macro_f1
        );
    })?;
    let metrics = VideoModel::load(&trained.weights, &compute)?.evaluate(&test)?;
    let subjects: std::collections::BTreeSet<&str> = training.iter().map(|clip| clip.subject.as_str()).collect();
    let card = ModelCard {
        dataset: dataset.provenance.set.clone(),
        synthetic: dataset.provenance.synthetic,
        labels: settings.labels.to_string(),
        clips: training.len() as u64,
        subjects: subjects.len() as u64,
        seed: settings.seed,
        backbone_sha256: dataset.provenance.backbone_sha256.clone(),
        command: command(arguments, &settings),
        metrics: [
            ("test macro F1", metrics.macro_f1),
            ("test micro F1", metrics.micro_f1),
            ("test loss", metrics.loss),
            ("test ECE", metrics.ece),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into(),
    };
    let precision = if arguments.half { Precision::F16 } else { Precision::F32 };
    model_file::write(&arguments.out, &trained.weights, &card, precision)?;
    print(format!(
        "{}: epoch {} of {}; on the test subjects macro F1 {:.3}, micro F1 {:.3}, loss {:.3}, ECE {:.3}",
        arguments.out.display(),
        trained.best_epoch,
        settings.epochs,
        metrics.macro_f1,
        metrics.micro_f1,
        metrics.loss,
        metrics.ece
    ));
    Ok(())
}

fn settings(arguments: &Arguments) -> Result<TrainSettings, Failure> {
    let &Arguments { labels, learning_rate, epochs, batch_size, seed, .. } = arguments;
    if !(learning_rate.is_finite() && learning_rate > 0.0) || epochs == 0 || batch_size == 0 {
        let message = "the learning rate has to be above 0, epochs and batch size at least 1";
        return Err(Failure::new(message, "see `emofed train --help` for the defaults"));
    }
    let architecture = VferArchitecture {
        kind: Recurrence::Lstm,
        hidden_size: arguments.hidden_size,
        num_layers: arguments.layers,
        bidirectional: arguments.bidirectional,
        pooling: match arguments.pooling {
            PoolingArgument::Last => Pooling::Last,
            PoolingArgument::Attention => Pooling::Attention,
        },
    };
    architecture
        .check()
        .map_err(|error| Failure::new(error.to_string(), "see `emofed train --help` for the bounds"))?;
    Ok(TrainSettings { labels, learning_rate, epochs, batch_size, seed, architecture })
}

/// The command that makes the model again, without the places of files.
fn command(arguments: &Arguments, settings: &TrainSettings) -> String {
    let name = |path: &std::path::Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let split = arguments.split.as_deref().map_or(String::new(), |path| format!(" --split {}", name(path)));
    let architecture = match settings.architecture.is_paper() {
        true => String::new(),
        false => format!(
            " --hidden-size {} --layers {}{}{}",
            arguments.hidden_size,
            arguments.layers,
            if arguments.bidirectional { " --bidirectional" } else { "" },
            if arguments.pooling == PoolingArgument::Attention { " --pooling attention" } else { "" }
        ),
    };
    format!(
        "emofed train {}{split} --labels {} --epochs {} --learning-rate {} --batch-size {} --seed {}{architecture}",
        name(&arguments.source.cache),
        arguments.labels,
        arguments.epochs,
        arguments.learning_rate,
        arguments.batch_size,
        arguments.seed
    )
}
