//! `emofed pretrain`.

use std::path::PathBuf;

use emofed::protocol::ModelCard;
use emofed_server::lab::model_file::{self, Precision};
use emofed_server::lab::pretrain::{Recipe, faces, measure, pretrain};

use super::progress::LabProgress;
use super::{Failure, print};

/// Frames that a face is held still for, beside one: three seconds in the tab.
const HELD_FRAMES: usize = 30;

#[derive(clap::Args)]
#[command(after_help = "Example:
  emofed pretrain ~/ferplus --out server/models/lite-vfer.safetensors

Makes the first global model that comes with emofed: a running mean over frames, learned from FER+'s votes on faces that are seen
at many gains, with noise. The folder holds fer2013new.csv, images.txt, train_views.txt and lite_features.safetensors.")]
pub struct Arguments {
    /// The folder with FER+'s votes and the faces' features
    folder: PathBuf,
    /// The model to write, in F16
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Of everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Clips to show, in all
    #[arg(long, default_value_t = Recipe::default().samples)]
    samples: usize,
    /// Power of the training prior that is divided out
    #[arg(long, default_value_t = Recipe::default().prior_power)]
    prior_power: f64,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let usable = arguments.samples > 0 && (0.0..=2.0).contains(&arguments.prior_power);
    if !usable {
        let message = "there must be at least one sample, and the prior's power has to be in 0..2";
        return Err(Failure::new(message, "see `emofed pretrain --help` for the defaults"));
    }
    let recipe = Recipe {
        seed: arguments.seed,
        samples: arguments.samples,
        prior_power: arguments.prior_power,
        ..Recipe::default()
    };
    let faces = faces::read(&arguments.folder)?;
    let mut progress = LabProgress::default();
    let mut started = false;
    let vfer = pretrain(&faces, &recipe, |_, steps| {
        if !started {
            progress.start("steps", 0, steps);
            started = true;
        }
        progress.step();
    })?;
    progress.finish();
    let [one, held] = [1, HELD_FRAMES].map(|frames| measure(&vfer, &faces.test, frames));
    let card = ModelCard {
        dataset: "FER+".into(),
        synthetic: false,
        labels: format!("fraction^{}", recipe.vote_power),
        clips: faces.training.len() as u64,
        subjects: faces.training.len() as u64,
        seed: recipe.seed,
        backbone_sha256: faces.backbone_sha256.clone(),
        command: format!(
            "emofed pretrain FERPLUS --seed {} --samples {} --prior-power {}",
            recipe.seed, recipe.samples, recipe.prior_power
        ),
        metrics: [
            ("test macro F1, one frame", one.macro_f1),
            ("test micro F1, one frame", one.micro_f1),
            ("test ECE, one frame", one.ece),
            ("test macro F1, 30 frames", held.macro_f1),
            ("test ECE, 30 frames", held.ece),
        ]
        .map(|(name, value)| (name.to_owned(), (value * 1e4).round() / 1e4))
        .into(),
    };
    model_file::write(&arguments.out, &vfer.to_weights(), &card, Precision::F16)?;
    let validation = measure(&vfer, &faces.validation, 1);
    print(format!(
        "{}: on FER+'s validation faces macro F1 {:.3}, ECE {:.3}; on its test faces macro F1 {:.3} (held for {HELD_FRAMES} \
         frames {:.3}), micro F1 {:.3}, ECE {:.3} ({:.3})",
        arguments.out.display(),
        validation.macro_f1,
        validation.ece,
        one.macro_f1,
        held.macro_f1,
        one.micro_f1,
        one.ece,
        held.ece
    ));
    Ok(())
}
