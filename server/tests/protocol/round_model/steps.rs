//! What can happen to a federation, and random sequences of it.

use emofed::random::SplitMix64;

use super::disk::Failure;

/// Something that happens.
#[derive(Clone, Debug)]
pub enum Step {
    /// The participant `who` joins, or leaves if it has joined.
    JoinOrLeave { who: usize },
    /// Everybody's token ends.
    RevokeAll,
    /// The participant `who` sends an update.
    Submit { who: usize, body: Body },
    /// What the aggregator does every second and after each update.
    Advance,
    /// The instructor opens a round.
    Open,
    /// The instructor closes a round: the newest one, or the one before.
    Close { is_newest: bool },
    /// The instructor restores the version `back` before the newest; beyond the first there is none.
    Restore { back: u64 },
    /// The instructor changes settings.
    Settings {
        minimum_clients: Option<u32>,
        target_clients: Option<u32>,
        duration_s: Option<u64>,
        continuous: Option<bool>,
    },
    /// Time passes, or the clock is set back.
    Clock { by_s: i64 },
    /// The aggregator ends and starts again.
    Restart,
    /// A backup is taken.
    BackUp,
    /// The newest backup takes the place of everything.
    RestoreBackup,
    /// The store fails while something happens.
    Failing { failure: Failure, during: Box<Step> },
}

/// What is sent as an update.
#[derive(Clone, Copy, Debug)]
pub enum Body {
    /// An update for the open round, or for the newest one if none is open.
    Valid { value: i32, num_examples: u32 },
    /// The bytes that the participant sent last and had acknowledged.
    Again,
    /// Relative to an earlier version.
    StaleBase,
    /// For another round than the path says.
    OtherRound,
    /// No number of the model's.
    NotFinite,
    /// Tensors that the model has not.
    OtherLayout,
    /// No examples, or more than allowed.
    Examples { num_examples: u32 },
    /// Further than allowed.
    TooFar,
    /// No safetensors file.
    Garbage,
    /// A valid one for a round that was never opened.
    FutureRound,
}

/// Participants that there are, which is more than may join.
pub const PEOPLE: usize = 8;

/// `count` steps, the same for the same seed.
pub fn random_steps(seed: u64, count: usize) -> Vec<Step> {
    let mut random = SplitMix64::new(seed);
    (0..count).map(|_| random_step(&mut random)).collect()
}

fn random_step(random: &mut SplitMix64) -> Step {
    match random.below(100) {
        0..10 => {
            let failure = Failure {
                writes: random.below(7) as u32,
                is_made: random.below(2) == 0,
                is_crash: random.below(2) == 0,
            };
            let during = loop {
                match random_step(random) {
                    Step::Failing { .. } | Step::RestoreBackup | Step::BackUp | Step::Clock { .. } => {}
                    step => break Box::new(step),
                }
            };
            Step::Failing { failure, during }
        }
        10..50 => Step::Submit { who: random.below(PEOPLE), body: random_body(random) },
        50..62 => Step::Advance,
        62..70 => Step::Clock {
            by_s: match random.below(8) {
                0 => -15,
                1 => 3_700,
                2 | 3 => 25,
                _ => random.below(12) as i64,
            },
        },
        70..77 => Step::JoinOrLeave { who: random.below(PEOPLE) },
        77 => Step::RevokeAll,
        78..82 => Step::Open,
        82..87 => Step::Close { is_newest: random.below(5) > 0 },
        87..90 => Step::Restore { back: random.below(9) as u64 },
        90..94 => {
            let any = |random: &mut SplitMix64| random.below(2) == 0;
            Step::Settings {
                minimum_clients: any(random).then(|| random.below(9) as u32),
                target_clients: any(random).then(|| random.below(9) as u32),
                duration_s: any(random).then(|| [0, 5, 20, 60, 3_600][random.below(5)]),
                continuous: any(random).then(|| random.below(3) > 0),
            }
        }
        94..97 => Step::Restart,
        97..99 => Step::BackUp,
        _ => Step::RestoreBackup,
    }
}

fn random_body(random: &mut SplitMix64) -> Body {
    match random.below(24) {
        0 | 1 => Body::Again,
        2 => Body::StaleBase,
        3 => Body::OtherRound,
        4 => Body::NotFinite,
        5 => Body::OtherLayout,
        6 => Body::Examples { num_examples: [0, 201, u32::MAX][random.below(3)] },
        7 => Body::TooFar,
        8 => Body::Garbage,
        9 => Body::FutureRound,
        _ => Body::Valid { value: random.below(2_000) as i32 - 1_000, num_examples: 1 + random.below(200) as u32 },
    }
}
