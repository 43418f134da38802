//! With the feature `embedded`: writes `embedded.rs`, which has the built page (`EMOFED_DIST`) and the lite models
//! (`EMOFED_LITE_MODEL`, the folder `model` of @vladmandic/face-api) in it.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What the names of the models' files begin with.
const MODELS: [&str; 2] = ["face_expression_model", "tiny_face_detector_model"];
/// The licence of the models asks for itself to be handed on; the page's files have it.
const LICENCE: &str = "licences/face-api.txt";

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_EMBEDDED").is_none() {
        return ExitCode::SUCCESS;
    }
    match embed() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error=the feature `embedded`: {error}");
            ExitCode::FAILURE
        }
    }
}

fn embed() -> Result<(), Box<dyn Error>> {
    let page = folder("EMOFED_DIST", "the built page")?;
    let models = folder("EMOFED_LITE_MODEL", "the folder `model` of the npm package @vladmandic/face-api")?;
    let mut files = files_of(&page, &page)?;
    if !files.contains_key("index.html") {
        return Err(format!("{} has no index.html: build the page first", page.display()).into());
    }
    let licence = models.join("../LICENSE").canonicalize()?;
    files.insert(LICENCE.to_owned(), licence);

    let mut code = String::from("pub(crate) static PAGE: &[crate::serve::EmbeddedFile] = &[\n");
    let plain: BTreeSet<&String> = files.keys().filter(|path| original(path, &files).is_none()).collect();
    for path in plain {
        let form = |ending: &str| files.get(&format!("{path}{ending}"));
        let (brotli, gzip) = (included(form(".br")), included(form(".gz")));
        let identity = included(form("").filter(|_| form(".gz").is_none()));
        writeln!(
            code,
            "    crate::serve::EmbeddedFile {{ path: {path:?}, identity: {identity}, gzip: {gzip}, brotli: {brotli} }},"
        )?;
    }
    code.push_str("];\n\npub(crate) static LITE: &[(&str, &[u8])] = &[\n");
    let all = files_of(&models, &models)?;
    let wanted: Vec<_> = all.iter().filter(|(name, _)| MODELS.iter().any(|model| name.starts_with(model))).collect();
    if wanted.is_empty() {
        return Err(format!("{} has no models", models.display()).into());
    }
    for (name, file) in wanted {
        writeln!(code, "    ({name:?}, include_bytes!({file:?})),")?;
    }
    code.push_str("];\n");
    std::fs::write(Path::new(&std::env::var("OUT_DIR")?).join("embedded.rs"), code)?;
    // For the tests, which compare what is served with what was embedded.
    println!("cargo::rustc-env=EMOFED_EMBEDDED_PAGE={}", page.display());
    Ok(())
}

/// The folder that an environment variable names.
fn folder(variable: &str, what: &str) -> Result<PathBuf, Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed={variable}");
    let folder = std::env::var_os(variable).map(PathBuf::from).filter(|folder| folder.is_absolute() && folder.is_dir());
    let folder = folder.ok_or_else(|| format!("{variable} has to name {what}, by an absolute path"))?;
    println!("cargo::rerun-if-changed={}", folder.display());
    Ok(folder)
}

/// All files below `folder`, by their paths from `root` with `/` between names. Names that begin with a dot are left out.
fn files_of(folder: &Path, root: &Path) -> Result<BTreeMap<String, PathBuf>, Box<dyn Error>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
            continue;
        }
        if path.is_dir() {
            files.extend(files_of(&path, root)?);
            continue;
        }
        let names: Option<Vec<&str>> = path.strip_prefix(root)?.iter().map(|name| name.to_str()).collect();
        let names = names.ok_or_else(|| format!("{} is no text", path.display()))?;
        files.insert(names.join("/"), path);
    }
    Ok(files)
}

/// The file that `path` is a compressed form of.
fn original<'a>(path: &'a str, files: &BTreeMap<String, PathBuf>) -> Option<&'a str> {
    let original = path.strip_suffix(".br").or_else(|| path.strip_suffix(".gz"))?;
    files.contains_key(original).then_some(original)
}

/// An expression for the bytes of a file, if there is one.
fn included(file: Option<&PathBuf>) -> String {
    file.map_or("None".to_owned(), |file| format!("Some(include_bytes!({:?}))", file.display().to_string()))
}
