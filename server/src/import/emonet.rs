//! EmoNet's weights, from the file that its authors publish.

use std::{io::Write, path::Path, time::Duration};

use emofed::{
    model::{Backbone, BackboneKind, Device, emonet::used_tensors},
    weights::{Tensor, Weights},
};
use pytorch_reader::{DType, PytorchReader};
use sha1::{Digest, Sha1};

use super::ImportError;
use crate::hex::hex;

/// Where the authors publish the model with 8 expressions.
pub const URL: &str = "https://github.com/face-analysis/emonet/raw/master/pretrained/emonet_8.pth";

/// What has to be accepted before the weights are downloaded or used.
pub const LICENCE_NOTICE: &str = "\
EmoNet's weights belong to their authors (A. Toisoul, J. Kossaifi, A. Bulat, G. Tzimiropoulos, M. Pantic; Nature
Machine Intelligence, 2021). They are licensed under Creative Commons Attribution-NonCommercial-NoDerivatives 4.0
International (CC BY-NC-ND 4.0):

  - credit the authors, and link to the licence;
  - no commercial use;
  - do not distribute modified weights.

The full text: https://creativecommons.org/licenses/by-nc-nd/4.0/legalcode
The aggregator serves a converted copy to the tabs of your federation: make sure that this is within the licence.";

/// Git blob id of the authors' emonet_8.pth.
const EIGHT_EXPRESSIONS: &str = "6833bfdcf8fc761deb7630256a750cf1f7c850c1";

/// Git blob id of the authors' emonet_5.pth.
const FIVE_EXPRESSIONS: &str = "61358cb3ea0fe410c01ee4ffff5ed1b49713af98";

/// How strict an import is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// Take a file that is not the authors'.
    pub allow_unverified: bool,
}

/// Reads a PyTorch file (or, if it is named so, a safetensors file) and checks that the model in it loads. The result holds exactly the tensors that the model
/// reads, under their published names.
///
/// # Errors
/// The file is not the authors' (unless `options` allow it), or not a PyTorch file, or holds another model.
pub fn convert(file: &Path, options: ImportOptions) -> Result<Weights, ImportError> {
    let content = std::fs::read(file).map_err(|error| ImportError::file(file, error))?;
    let blob_id = git_blob_id(&content);
    match blob_id.as_str() {
        EIGHT_EXPRESSIONS => {}
        FIVE_EXPRESSIONS => return Err(ImportError::FiveExpressions { path: file.to_owned() }),
        _ if options.allow_unverified => {}
        _ => return Err(ImportError::Unverified { path: file.to_owned(), blob_id }),
    }
    let weights = match file.extension() {
        Some(extension) if extension == "safetensors" => {
            Weights::from_safetensors(&content).map_err(|error| ImportError::malformed(file, error))?
        }
        _ => read(file)?,
    };
    let weights = used_tensors(&weights).map_err(|error| ImportError::model(file, error))?;
    Backbone::load(BackboneKind::Emonet, &weights, &Device::Cpu).map_err(|error| ImportError::model(file, error))?;
    Ok(weights)
}

/// Every f32 tensor of a PyTorch file; the others are counters that the model does not read.
fn read(file: &Path) -> Result<Weights, ImportError> {
    let reader = PytorchReader::new(file).map_err(|error| ImportError::malformed(file, error))?;
    let mut weights = Weights::new();
    for (name, tensor) in reader.into_tensors() {
        if tensor.dtype() == DType::F32 {
            let bytes = tensor.read().map_err(|error| ImportError::malformed(file, error))?;
            let values = bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_ne_bytes(*bytes)).collect();
            weights.insert(name, Tensor::new(tensor.shape(), values));
        }
    }
    Ok(weights)
}

/// Downloads the authors' emonet_8.pth to `destination`, which appears only when it is complete and verified.
/// `progress` is told the bytes so far and, if the server says, in all.
///
/// # Errors
/// [`ImportError::Download`] with the way out, [`ImportError::Unverified`], or [`ImportError::File`].
pub async fn download(destination: &Path, mut progress: impl FnMut(u64, Option<u64>)) -> Result<(), ImportError> {
    let failed = |error: reqwest::Error| ImportError::Download { url: URL, reason: chain(&error) };
    let in_file = |error| ImportError::file(destination, error);
    let client = reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(20))
        .read_timeout(Duration::from_secs(60))
        .build()
        .map_err(failed)?;
    let mut response = client.get(URL).send().await.and_then(reqwest::Response::error_for_status).map_err(failed)?;
    let total = response.content_length();

    let folder = destination.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(in_file)?;
    let mut part = tempfile::NamedTempFile::new_in(folder).map_err(in_file)?;
    let mut received = 0;
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        part.write_all(&chunk).map_err(in_file)?;
        received += chunk.len() as u64;
        progress(received, total);
    }
    let blob_id = git_blob_id(&std::fs::read(part.path()).map_err(in_file)?);
    if blob_id != EIGHT_EXPRESSIONS {
        return Err(ImportError::Unverified { path: destination.to_owned(), blob_id });
    }
    part.as_file().sync_all().map_err(in_file)?;
    part.persist(destination).map_err(|error| in_file(error.error))?;
    Ok(())
}

/// An error and what caused it: reqwest tells only the outermost by itself.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}

/// The name that git gives to a file of this content.
fn git_blob_id(content: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", content.len()));
    hash.update(content);
    hex(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blob_ids_are_those_of_git() {
        assert_eq!(git_blob_id(b""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(git_blob_id(b"what is up, doc?"), "bd9dbf5aae1a3862dd1526723246b20206e5fc37");
    }
}
