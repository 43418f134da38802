//! The first video model of a data folder.

use emofed::model::vfer::VferArchitecture;
use emofed::model::{Backbone, Device};
use emofed::protocol::ModelOrigin;
use emofed::weights::Weights;
use emofed_server::clock::{Clock as _, SystemClock};
use emofed_server::lab::bootstrap::bootstrap;
use emofed_server::lab::shipped;
use emofed_server::round::{self, Refusal, RoundError, latest_model, publish_made};
use emofed_server::store::Records;
use indicatif::{ProgressBar, ProgressStyle};

use super::Failure;

/// The seed of the first model: the same backbone gives the same start everywhere.
const BOOTSTRAP_SEED: u64 = 1;

/// Sees that there is a VFER for the backbone in use: the one that is shipped for the lite backbone, or else one
/// distilled from the image head.
pub async fn first_model(records: &Records) -> Result<(), Failure> {
    let way_out = "run `emofed import lite DIR` with the folder `model` of the npm package @vladmandic/face-api";
    let Some(record) = records.backbone()? else {
        return Err(Failure::new("no backbone has been imported yet", way_out));
    };
    if records.detector()?.is_none() {
        return Err(Failure::new("no face detector has been imported yet", way_out));
    }
    let backbone_ref = record.backbone;
    if latest_model(records, &backbone_ref)?.is_some() {
        return Ok(());
    }
    if let Some((vfer, card)) = shipped::model_for(&backbone_ref.blob.sha256) {
        let bytes = vfer.to_safetensors(None);
        let (paper, now_s) = (VferArchitecture::default(), SystemClock.now_s());
        let model = publish_made(records, &backbone_ref, ModelOrigin::Trained, paper, &bytes, Some(card), now_s)?;
        eprintln!("Version {} is the model that comes with emofed, trained on people's votes.", model.version);
        return Ok(());
    }
    eprintln!("Making the first video model, distilled from the image head (once for each backbone):");
    let failed = |error: String| Failure::new(error, "import the backbone again");
    let weights = Weights::from_safetensors(&records.blob(&backbone_ref.blob.sha256)?)
        .map_err(|error| failed(error.to_string()))?;
    let backbone =
        Backbone::load(backbone_ref.kind, &weights, &Device::Cpu).map_err(|error| failed(error.to_string()))?;
    let bar = ProgressBar::new(0).with_style(
        ProgressStyle::with_template("{bar:40} {percent} %, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let made = bootstrap(&backbone, BOOTSTRAP_SEED, |step, steps| {
        bar.set_length(steps as u64);
        bar.set_position(step as u64);
    })
    .await
    .map_err(|error| failed(error.to_string()))?;
    bar.finish_and_clear();
    let vfer = made.vfer.to_safetensors(None);
    let (paper, now_s) = (VferArchitecture::default(), SystemClock.now_s());
    let model = publish_made(records, &backbone_ref, ModelOrigin::Bootstrap, paper, &vfer, None, now_s)?;
    eprintln!(
        "Version {} agrees with the image head on {:.0} % of unseen sequences (KL {:.3}).",
        model.version,
        100.0 * made.agreement,
        made.divergence
    );
    Ok(())
}

/// How many values the global model has; 0 where there is none yet.
pub fn model_values(records: &Records) -> Result<usize, Failure> {
    let way_out = "restore the data folder from a backup, or publish another model with `emofed publish`";
    match round::model_values(records) {
        Err(RoundError::Refused(Refusal::NoBackbone | Refusal::NoModel)) => Ok(0),
        Err(RoundError::Weights(error)) => Err(Failure::new(error.to_string(), way_out)),
        values => Ok(values?),
    }
}
