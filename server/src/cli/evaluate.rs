//! `emofed evaluate`.

use std::path::PathBuf;

use clap::ValueEnum;
use emofed::emotion::Emotion;
use emofed_server::lab::dataset::{RatedClip, Subset};
use emofed_server::lab::metrics::{FIGURES, Metrics, predictions};
use emofed_server::lab::model_file;
use emofed_server::lab::split::Split;
use emofed_server::lab::train::image_head;
use emofed_server::lab::video_model::VideoModel;

use super::{ComputeArgument, Failure, Source, compute, print};

#[derive(clap::Args)]
#[command(after_help = "Example:
  emofed evaluate vfer.safetensors crema-d.features --split crema-d.split.json --subset test")]
pub struct Arguments {
    /// The model that `emofed train` wrote
    #[arg(value_name = "VFER")]
    vfer: PathBuf,
    #[command(flatten)]
    source: Source,
    /// The split that `emofed split` wrote [default: a split with the model's seed]
    #[arg(long, value_name = "FILE")]
    split: Option<PathBuf>,
    /// Which clips
    #[arg(long, default_value = "test")]
    subset: SubsetArgument,
    /// Where the video model runs
    #[arg(long, value_enum, default_value = "cpu")]
    device: ComputeArgument,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SubsetArgument {
    Train,
    Validation,
    Test,
    /// All of them, whoever they are of
    All,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (weights, card) = model_file::read(&arguments.vfer)?;
    let dataset = arguments.source.read()?;
    let backbone = &dataset.provenance.backbone_sha256;
    if *backbone != card.backbone_sha256 {
        let message = format!("{} reads features of another backbone than the cache has", arguments.vfer.display());
        return Err(Failure::new(message, "make the cache with the backbone that the model was trained over"));
    }
    let subset = match arguments.subset {
        SubsetArgument::Train => Some(Subset::Train),
        SubsetArgument::Validation => Some(Subset::Validation),
        SubsetArgument::Test => Some(Subset::Test),
        SubsetArgument::All => None,
    };
    let clips: Vec<&RatedClip> = match (subset, &arguments.split) {
        (None, _) => dataset.clips.iter().collect(),
        (Some(subset), Some(file)) => Split::read(file, &dataset)?.clips(&dataset, subset),
        (Some(subset), None) => Split::by_subject(&dataset, card.seed)?.clips(&dataset, subset),
    };
    if clips.is_empty() {
        return Err(Failure::new("there is no such clip", "choose another --subset, or another split"));
    }
    let video = VideoModel::load(&weights, &compute(arguments.device)?)?.evaluate(&clips)?;
    let image = Metrics::of(&predictions(&clips, &image_head(&clips)));
    if arguments.json {
        print(serde_json::json!({ "video": video, "image": image }));
        return Ok(());
    }
    print(format!("{} clips", clips.len()));
    print(format!("{:18} {:>12} {:>12}", "", "video model", "image head"));
    for (name, metric) in FIGURES {
        print(format!("{name:18} {:12.3} {:12.3}", metric(&video), metric(&image)));
    }
    for emotion in Emotion::ALL {
        let [video, image] = [&video, &image].map(|metrics| metrics.emotions[emotion.index()]);
        print(format!("F1 of {:12} {:12.3} {:12.3}   {} clips", emotion.name(), video.f1, image.f1, video.support));
    }
    Ok(())
}
