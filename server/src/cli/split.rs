//! `emofed split`.

use std::path::PathBuf;

use emofed_server::lab::dataset::{Sex, Subset};
use emofed_server::lab::split::Split;

use super::{Failure, Source, print};

#[derive(clap::Args)]
#[command(after_help = "Example:
  emofed split crema-d.features --out crema-d.split.json --seed 1

Subjects are split 67 : 12 : 12 as in the paper, sexes balanced; a subset that the set itself prescribes is kept.")]
pub struct Arguments {
    #[command(flatten)]
    source: Source,
    /// The split to write, as JSON
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Of the shuffle
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let dataset = arguments.source.read()?;
    let split = Split::by_subject(&dataset, arguments.seed)?;
    split.write(&arguments.out)?;
    let subjects = dataset.subjects();
    for subset in [Subset::Train, Subset::Validation, Subset::Test] {
        let of = |sex: Option<Sex>| {
            let is_of = |(name, known): &&(&str, Option<Sex>)| {
                split.subjects.get(*name) == Some(&subset) && (sex.is_none() || *known == sex)
            };
            subjects.iter().filter(is_of).count()
        };
        print(format!(
            "{:10} {} subjects ({} female, {} male), {} clips",
            format!("{subset:?}").to_lowercase(),
            of(None),
            of(Some(Sex::Female)),
            of(Some(Sex::Male)),
            split.clips(&dataset, subset).len()
        ));
    }
    Ok(())
}
