//! How far long work is: a bar in a terminal, a line now and then elsewhere.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a line is written where there is no terminal.
const EVERY: Duration = Duration::from_secs(30);

/// The progress of clips, runs or whatever else is counted.
#[derive(Default)]
pub struct LabProgress {
    bar: Option<ProgressBar>,
    /// When it started, and when a line was last written.
    times: Option<(Instant, Instant)>,
    unit: &'static str,
    done_before: usize,
    done: usize,
    all: usize,
}

impl LabProgress {
    /// `done` of `all` were done before. `unit` is what is counted, in the plural.
    pub fn start(&mut self, unit: &'static str, done: usize, all: usize) {
        self.unit = unit;
        (self.done_before, self.done, self.all) = (done, done, all);
        self.times = Some((Instant::now(), Instant::now()));
        if std::io::stderr().is_terminal() {
            let style = ProgressStyle::with_template("{bar:40} {pos} of {len} {msg}, {eta} left");
            let bar = ProgressBar::new(all as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            // What an earlier run did must not make this one look fast.
            self.bar = Some(bar.with_position(done as u64).with_message(unit));
            self.bar.iter().for_each(ProgressBar::reset_eta);
        }
    }

    /// One more is done.
    pub fn step(&mut self) {
        self.done += 1;
        if let Some(bar) = &self.bar {
            bar.inc(1);
            return;
        }
        let Some((started, told)) = &mut self.times else { return };
        if told.elapsed() < EVERY {
            return;
        }
        *told = Instant::now();
        let each = started.elapsed().as_secs_f64() / (self.done - self.done_before) as f64;
        let left = each * (self.all - self.done) as f64;
        eprintln!("{} of {} {}, {:.0} min left", self.done, self.all, self.unit, (left / 60.0).ceil());
    }

    /// All is done, or nothing more will be.
    pub fn finish(&self) {
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
    }
}
