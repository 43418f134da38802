//! From rated clips to a published model, through the program itself, on synthetic data.

use std::path::Path;

use emofed_server::lab::shipped;

use super::program::{emofed, imported, words};

/// Runs `emofed` with `arguments` in `folder`; gives what it printed.
fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = emofed().current_dir(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", words(&output));
    words(&output)
}

fn fails(folder: &Path, arguments: &[&str], expected: &str) {
    let output = emofed().current_dir(folder).args(arguments).output().unwrap();
    let told = words(&output);
    assert!(!output.status.success() && told.contains(expected) && told.contains("way out: "), "{arguments:?}: {told}");
}

#[test]
fn both_tables_come_out_of_a_synthetic_world() {
    let folder = tempfile::tempdir().unwrap();
    let small = ["reproduce", "synthetic", "--small", "--seeds", "2", "--learning-rate", "1e-3", "--out", "report"];
    run(folder.path(), &small);
    let report = folder.path().join("report");
    let markdown = std::fs::read_to_string(report.join("report.md")).unwrap();
    for part in ["**Synthetic.**", "Table 1", "Table 2", "Beyond the paper", "learning-f1.svg", "adaptation-gain.svg"] {
        assert!(markdown.contains(part), "{part} is missing:\n{markdown}");
    }
    // Every plot that the report shows is there, and is SVG.
    let plots: Vec<&str> =
        markdown.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(p, _)| p).collect();
    assert!(plots.len() >= 8 && !markdown.contains("could not be drawn"), "{plots:?}");
    for plot in plots {
        assert!(std::fs::read_to_string(report.join(plot)).unwrap().starts_with("<svg"), "{plot}");
    }
    let mut table = csv::Reader::from_path(report.join("table1.csv")).unwrap();
    let macro_f1 = |row: &csv::StringRecord| row[1].parse::<f64>().unwrap();
    let rows: Vec<(String, f64)> =
        table.records().map(|row| row.unwrap()).map(|row| (row[0].into(), macro_f1(&row))).collect();
    let labels: Vec<&str> = rows.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(labels, ["discrete", "softmax", "softmax:2", "fraction", "image head alone"]);
    // Better than always naming the commonest emotion: 0.05 to 0.08.
    assert!(rows[..4].iter().all(|(_, f1)| *f1 > 0.2), "{rows:?}");

    // The same seeds give the same tables.
    let first = std::fs::read(report.join("adaptation.csv")).unwrap();
    run(folder.path(), &small);
    assert_eq!(std::fs::read(report.join("adaptation.csv")).unwrap(), first);
}

#[test]
fn a_model_is_split_trained_evaluated_and_only_published_over_its_backbone() {
    let folder = tempfile::tempdir().unwrap();
    let told = run(folder.path(), &["split", "synthetic", "--out", "split.json"]);
    assert!(told.contains("train      67 subjects") && told.contains("test       12 subjects (6"), "{told}");
    let train = ["train", "synthetic", "--split", "split.json", "--epochs", "1", "--learning-rate", "1e-3", "--out"];
    let told = run(folder.path(), &[&train[..], &["vfer"]].concat());
    assert!(told.contains("epoch 1 of 1") && told.contains("macro F1"), "{told}");
    run(folder.path(), &[&train[..], &["again"]].concat());
    let bytes = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert_eq!(bytes("vfer"), bytes("again"), "the same seed gives the same file");
    run(folder.path(), &[&train[..], &["half", "--half"]].concat());
    assert!(bytes("half").len() < 400_000);

    let json = run(folder.path(), &["evaluate", "vfer", "synthetic", "--split", "split.json", "--json"]);
    let metrics: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(
        metrics["video"]["macro_f1"].as_f64().unwrap() > 0.1 && metrics["video"]["clips"] == metrics["image"]["clips"]
    );
    assert!(run(folder.path(), &["evaluate", "vfer", "synthetic", "--subset", "all"]).contains("2184 clips"));

    let data = imported();
    let data = data.path().to_str().unwrap();
    fails(folder.path(), &["publish", "vfer", "--data", data], "backbone");
    std::fs::write(folder.path().join("damaged"), &bytes("vfer")[..1_000]).unwrap();
    fails(folder.path(), &["publish", "damaged", "--data", data], "damaged");
    fails(folder.path(), &["train", "missing.cache", "--out", "x"], "missing.cache");
    fails(folder.path(), &["train", "synthetic", "--learning-rate", "0", "--out", "x"], "above 0");
    fails(folder.path(), &["reproduce", "crema-d", "--out", "x"], "folder is missing");

    // The shipped model belongs to the imported backbone; published, it is the federation's newest version, with its card.
    std::fs::write(folder.path().join("shipped"), shipped::MODEL).unwrap();
    assert!(run(folder.path(), &["publish", "shipped", "--data", data]).contains("Version 1 is the global model"));
    assert!(run(folder.path(), &["publish", "shipped", "--data", data]).contains("Version 2 is the global model"));
}

#[test]
fn a_sweep_is_simulated_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = "students = 6\nrounds = 1\nclips_per_student = 3\n[[variant]]\nname = 'all'\n[[variant]]\nname = 'hostile'\n\
                 hostile = 1.0\nattack = 'not-a-number'\nlearning.confidence_threshold = 0.0\n";
    std::fs::write(folder.path().join("sweep.toml"), sweep).unwrap();
    run(folder.path(), &["simulate", "--sweep", "sweep.toml", "--out", "simulation"]);
    let table = std::fs::read_to_string(folder.path().join("simulation/simulation.csv")).unwrap();
    let hostile: Vec<&str> = table.lines().last().unwrap().split(',').collect();
    assert_eq!((hostile[0], hostile[7], hostile[8]), ("hostile", "0", "6"), "{table}");
    std::fs::write(folder.path().join("sweep.toml"), "student = 6").unwrap();
    fails(folder.path(), &["simulate", "--sweep", "sweep.toml", "--out", "simulation"], "unknown field");
}

#[test]
fn every_command_has_help_with_an_example() {
    for command in ["features", "split", "train", "evaluate", "publish", "simulate", "reproduce"] {
        let help = run(Path::new("/"), &[command, "--help"]);
        assert!(help.contains("Example"), "{command}: {help}");
    }
}
