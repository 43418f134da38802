//! Keeps the dependencies between modules one-way: a module uses only what [`ARROWS`] allows. `docs/ARCHITECTURE.md` shows
//! the same table.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Beside modules, the plain value types of others that the wire carries.
const PROTOCOL_USES: &[&str] = &[
    "learning::LabelFigures",
    "learning::LearningSettings",
    "learning::Recipe",
    "learning::UpdateEncoding",
    "model::BackboneKind",
    "model::vfer::VferArchitecture",
    "weights",
    "random",
];

/// What each top-level module may use.
const ARROWS: [(&str, &[&str]); 13] = [
    ("page", &["messages", "browser", "protocol", "emotion"]),
    (
        "worker",
        &["messages", "browser", "protocol", "learning", "model", "weights", "emotion", "random", "insertion_sort"],
    ),
    ("messages", &["protocol", "emotion"]),
    ("browser", &["protocol"]),
    ("protocol", PROTOCOL_USES),
    ("learning", &["model", "weights", "emotion", "simd", "random"]),
    ("model", &["weights", "emotion", "simd", "random", "insertion_sort"]),
    ("weights", &["simd", "random"]),
    ("simd", &[]),
    ("emotion", &[]),
    ("random", &[]),
    ("insertion_sort", &["random"]),
    ("bin", &["page", "worker"]),
];

#[test]
fn modules_use_only_what_is_below_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules = BTreeSet::new();
    let mut forbidden = Vec::new();
    for file in rust_files(&root) {
        // The crate emofed-core has its modules in a folder of its own, and emofed exports them.
        let path = file.strip_prefix(&root).unwrap();
        let path = path.strip_prefix("core").unwrap_or(path);
        let module = path.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        if ["lib", "arrows"].contains(&module.as_str()) {
            continue;
        }
        let source = without_comments(&fs::read_to_string(&file).unwrap());
        let allowed =
            ARROWS.iter().find(|(name, _)| *name == module).unwrap_or_else(|| panic!("{module} has no row")).1;
        for used in ["crate::", "emofed::", "emofed_core::"].into_iter().flat_map(|prefix| used_paths(&source, prefix))
        {
            let is_in = |module: &str| used == module || used.starts_with(&format!("{module}::"));
            if !is_in(&module) && !allowed.iter().any(|allowed| is_in(allowed)) {
                forbidden.push(format!("{} uses {used}", path.display()));
            }
        }
        // `super` must not lead out of the module: `crate` says where a path leads.
        let depth = path.components().count() - usize::from(path.ends_with("mod.rs"));
        if source.contains(&"super::".repeat(depth)) && !source.contains("mod tests {") {
            forbidden.push(format!("{} leaves its module by `super`", path.display()));
        }
        modules.insert(module);
    }
    assert!(forbidden.is_empty(), "not among the arrows in src/arrows.rs:\n{}", forbidden.join("\n"));
    let rows: BTreeSet<String> = ARROWS.iter().map(|(module, _)| (*module).to_owned()).collect();
    assert_eq!(modules, rows, "one row a module");
}

#[test]
fn the_arrows_point_one_way() {
    // Plain value types of another module are no circle.
    let mut settled: BTreeSet<&str> = PROTOCOL_USES.iter().copied().filter(|used| used.contains("::")).collect();
    let types = settled.len();
    while settled.len() < ARROWS.len() + types {
        let next = ARROWS
            .iter()
            .find(|(module, uses)| !settled.contains(module) && uses.iter().all(|used| settled.contains(used)));
        let (module, _) = next.unwrap_or_else(|| panic!("a circle beside {settled:?}"));
        settled.insert(module);
    }
}

#[test]
fn the_architecture_document_has_the_same_arrows() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ARCHITECTURE.md");
    let document = fs::read_to_string(document).unwrap();
    for (module, uses) in ARROWS {
        let uses = if uses.is_empty() { "nothing".to_owned() } else { format!("`{}`", uses.join("`, `")) };
        let row = format!("| `{module}` | {uses} |");
        assert!(document.contains(&row), "docs/ARCHITECTURE.md lacks the row {row}");
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn without_comments(source: &str) -> String {
    source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Every path after `prefix` (`crate::`), with groups expanded.
fn used_paths(source: &str, prefix: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, _) in source.match_indices(prefix) {
        if !source[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_') {
            expand(&source[at + prefix.len()..], "", &mut paths);
        }
    }
    paths
}

/// Adds the paths of the use tree at the start of `text`, each behind `parent`; returns what follows it.
fn expand<'a>(text: &'a str, parent: &str, paths: &mut Vec<String>) -> &'a str {
    let text = text.trim_start();
    let end = text.find(|letter: char| !(letter.is_alphanumeric() || "_:*".contains(letter))).unwrap_or(text.len());
    let (path, rest) = text.split_at(end);
    let path = format!("{parent}{path}");
    let Some(mut rest) = rest.strip_prefix('{') else {
        if !path.is_empty() {
            paths.push(path.trim_end_matches(':').to_owned());
        }
        return rest;
    };
    loop {
        rest = rest.trim_start_matches(|letter: char| letter.is_whitespace() || letter == ',');
        match rest.strip_prefix('}') {
            Some(after) => return after,
            None if rest.is_empty() => return rest,
            None => {
                let after = expand(rest, &path, paths);
                // A renaming (`as name`) is skipped.
                rest = &after[after.find([',', '}']).unwrap_or(after.len())..];
            }
        }
    }
}

#[test]
fn paths_are_found_in_groups_and_without_them() {
    let source = "use crate::{a::B, c::{D, e::{self, F}}, g as h};\nlet g = crate::i::J::new();\nmacro_crate::x";
    let found = used_paths(source, "crate::");
    assert_eq!(found, ["a::B", "c::D", "c::e::self", "c::e::F", "g", "i::J::new"]);
}
