//! `emofed simulate`.

use std::path::PathBuf;

use emofed_server::lab::report::{Cell, Report, plots};
use emofed_server::lab::simulate::{Simulated, SimulationSettings, simulate};

use super::{Failure, print};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  emofed simulate --students 1000 --rounds 10 --out simulation
  emofed simulate --sweep sweep.toml --out simulation

A sweep is TOML: settings that hold for all, and a [[variant]] with what differs, for each row of the report:
  students = 200
  participation = 0.5
  learning.learning_rate = 1e-4
  [[variant]]
  name = 'a tenth is hostile'
  hostile = 0.1            # attack = 'sign-flip', 'noise' or 'not-a-number'
  [[variant]]
  name = 'skewed, FedAdam'
  skew = 0.3
  learning.update_encoding = 'int8'  # or 'f16', 'f32'
  transport = 'http'       # over HTTP on loopback, as tabs do, instead of 'in-process'
  strategy = { name = 'fedadam', learning_rate = 1e-4, beta1 = 0.9, beta2 = 0.99, epsilon = 1e-6 }
  [[variant]]
  name = 'a tenth is hostile, trimmed mean'
  hostile = 0.1
  strategy = { name = 'trimmed-mean', trim = 0.2 }")]
pub struct Arguments {
    /// The report's folder
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What differs from the defaults, and the variants
    #[arg(long, value_name = "FILE")]
    sweep: Option<PathBuf>,
    /// Virtual students [default: 100, or as in the sweep]
    #[arg(long, value_name = "N")]
    students: Option<usize>,
    /// Rounds [default: 10, or as in the sweep]
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
    /// Who takes part, drops out, is hostile [default: 1, or as in the sweep]
    #[arg(long)]
    seed: Option<u64>,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut variants = match &arguments.sweep {
        Some(file) => SimulationSettings::read_sweep(file)?,
        None => vec![SimulationSettings::default()],
    };
    for settings in &mut variants {
        settings.students = arguments.students.unwrap_or(settings.students);
        settings.rounds = arguments.rounds.unwrap_or(settings.rounds);
        settings.seed = arguments.seed.unwrap_or(settings.seed);
        settings.check().map_err(|reason| Failure::new(reason, "see `emofed simulate --help`"))?;
    }
    // Made first, so that a folder that cannot be written is told before hours of work.
    let mut report = Report::create(&arguments.out, "Simulation")?;
    let mut results = Vec::with_capacity(variants.len());
    for (index, settings) in variants.iter().enumerate() {
        eprintln!("{} ({} of {}): {} students", settings.name, index + 1, variants.len(), settings.students);
        results.push(simulate(settings, |round| {
            eprintln!(
                "  round {} of {}: {} received, {} refused, macro F1 {:.3} (others {:.3}), {:.1} s",
                round.round,
                settings.rounds,
                round.received,
                round.refused,
                round.students_macro_f1,
                round.others_macro_f1,
                round.seconds
            );
        })?);
    }
    tell(&mut report, &results)?;
    print(format!("{}", report.finish()?.display()));
    Ok(())
}

fn tell(report: &mut Report, results: &[Simulated]) -> Result<(), Failure> {
    report.text(
        "Virtual students in a **synthetic** world, over the aggregator's own rounds. No figure here is a statement about \
         people.",
    );
    let rows: Vec<Vec<Cell>> = results
        .iter()
        .map(|result| {
            let last = result.rounds.last();
            let after = last.map_or(result.before, |round| (round.students_macro_f1, round.others_macro_f1));
            let sum = |value: fn(&emofed_server::lab::simulate::SimulatedRound) -> f64| {
                result.rounds.iter().map(value).sum::<f64>()
            };
            vec![
                result.settings.name.clone().into(),
                result.settings.students.to_string().into(),
                result.rounds.len().to_string().into(),
                Cell::Value(result.before.0),
                Cell::Value(after.0),
                Cell::Value(result.before.1),
                Cell::Value(after.1),
                sum(|round| f64::from(round.received)).to_string().into(),
                sum(|round| f64::from(round.refused)).to_string().into(),
                format!("{:.1}", sum(|round| round.bytes as f64) / 1e6).into(),
                format!("{:.1}", sum(|round| round.seconds)).into(),
            ]
        })
        .collect();
    let header = [
        "variant",
        "students",
        "rounds",
        "macro F1 before",
        "after",
        "others before",
        "others after",
        "updates",
        "refused",
        "MB",
        "seconds",
    ];
    report.table("simulation", &header, &rows)?;
    let curve = |pick: fn(&Simulated) -> Vec<f64>| -> Vec<plots::Line> {
        let points = |result: &Simulated| pick(result).into_iter().enumerate().map(|(x, y)| (x as f64, y)).collect();
        results.iter().map(|result| (result.settings.name.clone(), points(result))).collect()
    };
    let students = curve(|result| {
        let rounds = result.rounds.iter().map(|round| round.students_macro_f1);
        [result.before.0].into_iter().chain(rounds).collect()
    });
    report.plot("students", "Macro F1 of students", plots::lines("Students", "round", "macro F1", &students))?;
    let others = curve(|result| {
        let rounds = result.rounds.iter().map(|round| round.others_macro_f1);
        [result.before.1].into_iter().chain(rounds).collect()
    });
    report.plot("others", "Macro F1 of others", plots::lines("Others", "round", "macro F1", &others))?;
    report.text("## Settings");
    let settings: Vec<&SimulationSettings> = results.iter().map(|result| &result.settings).collect();
    let json = serde_json::to_string_pretty(&settings).unwrap_or_default();
    report.text(format!("```json\n{json}\n```"));
    Ok(())
}
