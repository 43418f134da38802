//! The round machine against a specification: random sequences of calls, clock steps, failing disks, crashes, backups and
//! restorations, compared after every step. A sequence that fails is made as short as it gets before it is shown.

mod calls;
mod compare;
mod disk;
mod machine;
pub(super) mod memory;
mod sent;
mod specification;
mod steps;

use std::time::{Duration, Instant};

use self::disk::Disk;
use self::machine::Machine;
use self::steps::{Step, random_steps};

/// Compares the machine with the specification over `steps`.
fn run(steps: &[Step], disk: Disk) -> Result<(), String> {
    let mut machine = Machine::start(disk)?;
    for (index, step) in steps.iter().enumerate() {
        machine.step(step).map_err(|error| format!("step {index}, {step:?}: {error}"))?;
    }
    Ok(())
}

/// The sequence without every step that is not needed for it to fail.
fn shortened(mut steps: Vec<Step>) -> Vec<Step> {
    let mut at = 0;
    while at < steps.len() {
        let mut without = steps.clone();
        without.remove(at);
        if run(&without, Disk::memory()).is_err() { steps = without } else { at += 1 }
    }
    steps
}

#[test]
fn the_rounds_do_what_the_specification_says() {
    const SEQUENCES: u64 = 1_000;
    const STEPS: usize = 80;
    let started = Instant::now();
    for seed in 0..SEQUENCES {
        let steps = random_steps(seed, STEPS);
        if let Err(error) = run(&steps, Disk::memory()) {
            let short = shortened(steps);
            let again = run(&short, Disk::memory()).unwrap_err();
            panic!("seed {seed}: {error}\nshortened to {short:#?}\n{again}");
        }
    }
    assert!(started.elapsed() < Duration::from_secs(120), "{SEQUENCES} sequences took {:?}", started.elapsed());
}

#[test]
fn so_they_do_on_a_disk() {
    for seed in 1_000..1_006 {
        run(&random_steps(seed, 40), Disk::folder()).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}

#[test]
fn the_sequences_reach_what_they_are_meant_to() {
    let mut reached = specification::Reached::default();
    for seed in 0..100 {
        let mut machine = Machine::start(Disk::memory()).unwrap();
        for step in random_steps(seed, 80) {
            machine.step(&step).unwrap();
        }
        reached.add(machine.reached());
    }
    reached.check();
}
