//! `emofed publish`.

use std::path::PathBuf;

use emofed::model::vfer::VferArchitecture;
use emofed::protocol::ModelOrigin;
use emofed_server::clock::{Clock as _, SystemClock};
use emofed_server::lab::{LabError, model_file};
use emofed_server::round::publish_made;
use emofed_server::store::Records;

use super::storage::{Storage, without_replicas};
use super::{Failure, print};

#[derive(clap::Args)]
#[command(after_help = "Example:
  emofed publish vfer.safetensors
  emofed serve

The model becomes the newest version of the federation, with its card in the manifest; nothing is overwritten.")]
pub struct Arguments {
    /// The model that `emofed train` wrote
    #[arg(value_name = "VFER")]
    vfer: PathBuf,
    #[command(flatten)]
    storage: Storage,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let store = arguments.storage.open()?;
    let _alone = without_replicas(store.as_ref())?;
    let (vfer, card) = model_file::read(&arguments.vfer)?;
    let records = Records::open(store)?;
    let way_out = "run `emofed import lite DIR` or `emofed import emonet` first";
    let backbone =
        records.backbone()?.ok_or_else(|| Failure::new("no backbone has been imported yet", way_out))?.backbone;
    if card.backbone_sha256 != backbone.blob.sha256 {
        let message = format!(
            "{} reads features of the backbone {:.12}…, and the federation uses {:.12}…",
            arguments.vfer.display(),
            card.backbone_sha256,
            backbone.blob.sha256
        );
        let way_out = "import the backbone that it was trained over, or train one on features of the backbone in use";
        return Err(Failure::new(message, way_out));
    }
    let architecture = VferArchitecture::of(&vfer).map_err(LabError::from)?;
    let (bytes, now_s) = (vfer.to_safetensors(None), SystemClock.now_s());
    let model = publish_made(&records, &backbone, ModelOrigin::Trained, architecture, &bytes, Some(card), now_s)?;
    print(format!("Version {} is the global model; the next `emofed serve` hands it out.", model.version));
    Ok(())
}
