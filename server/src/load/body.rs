//! Bodies of client updates: random changes within the norm limit, and what hostile participants send.

use emofed::learning::{LearningSettings, UpdateEncoding};
use emofed::protocol::{ClientUpdate, OpenRound, ProblemCode, UpdateLimits};
use emofed::random::SplitMix64;
use emofed::weights::{Tensor, Weights};

/// Different changes that updates are made of.
const CHANGES: usize = 8;
/// Most examples that an update claims.
const MOST_EXAMPLES: usize = 20;

/// What is wrong with how an update is sent, or with the update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It takes seconds.
    Slow,
    /// The connection is closed in mid-upload; then the same bytes are sent again.
    Dropping,
    /// The same bytes are sent twice.
    Duplicate,
    /// It is relative to another version than the round's.
    Stale,
    /// It is no update of this model, or the participant no participant.
    Hostile,
}

/// What a hostile participant sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attack {
    NotFinite,
    Norm,
    Shape,
    Count,
    Length,
    Noise,
    Stranger,
}

impl Attack {
    pub const ALL: [Self; 7] =
        [Self::NotFinite, Self::Norm, Self::Shape, Self::Count, Self::Length, Self::Noise, Self::Stranger];

    /// What the aggregator has to answer.
    pub fn expected(self) -> ProblemCode {
        match self {
            Self::NotFinite | Self::Norm | Self::Shape | Self::Count | Self::Noise => ProblemCode::BadUpdate,
            Self::Length => ProblemCode::TooLarge,
            Self::Stranger => ProblemCode::Unauthorized,
        }
    }
}

/// Makes bodies for one model.
pub(super) struct Bodies {
    /// Each with a tenth of the norm that fine-tuning on one example can reach.
    changes: Vec<Weights>,
    max_size: usize,
    encoding: UpdateEncoding,
}

impl Bodies {
    pub fn new(base: &Weights, learning: &LearningSettings, seed: u64) -> Self {
        let norm = UpdateLimits::reachable(learning, 1, base.value_count()).max_norm / 10.0;
        let change = |number: usize| {
            let mut random = SplitMix64::new(seed ^ number as u64);
            let mut change = base.clone();
            for (_, tensor) in change.iter_mut() {
                tensor.values.fill_with(|| random.signed());
            }
            let factor = norm / change.norm().max(f64::MIN_POSITIVE);
            change.scale(factor);
            change
        };
        let changes = (0..CHANGES).map(change).collect();
        Self { changes, max_size: ClientUpdate::max_size(base), encoding: learning.update_encoding }
    }

    fn update(&self, round: &OpenRound, random: &mut SplitMix64) -> ClientUpdate {
        let num_examples = u32::try_from(1 + random.below(MOST_EXAMPLES)).unwrap_or(1);
        let delta = self.changes[random.below(CHANGES)].clone();
        ClientUpdate { round: round.id, base_version: round.base_version, num_examples, metrics: None, delta }
    }

    /// A good one.
    pub fn good(&self, round: &OpenRound, random: &mut SplitMix64) -> Vec<u8> {
        self.update(round, random).encode_as(self.encoding, random.next_u64())
    }

    /// One that is relative to a version that does not exist yet.
    pub fn stale(&self, round: &OpenRound, random: &mut SplitMix64) -> Vec<u8> {
        let update = self.update(round, random);
        let update = ClientUpdate { base_version: update.base_version + 1, ..update };
        update.encode_as(self.encoding, random.next_u64())
    }

    /// A hostile one.
    pub fn hostile(&self, attack: Attack, round: &OpenRound, random: &mut SplitMix64) -> Vec<u8> {
        let mut update = self.update(round, random);
        match attack {
            Attack::NotFinite => {
                update.delta.iter_mut().filter_map(|(_, it)| it.values.first_mut()).for_each(|it| *it = f32::NAN);
            }
            Attack::Norm => update.delta.scale(1e9),
            Attack::Shape => {
                if let Some((_, tensor)) = update.delta.iter_mut().next() {
                    *tensor = Tensor::new([1, 1, 1, 1], vec![0.0]);
                }
            }
            Attack::Count => update.num_examples = u32::MAX,
            Attack::Length => return vec![0; self.max_size + 1],
            Attack::Noise => return (0..self.max_size / 2).map(|_| random.next_u64() as u8).collect(),
            Attack::Stranger => {}
        }
        update.encode()
    }
}
