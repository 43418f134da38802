//! The bodies that participants send, good and bad.

use emofed::protocol::{ClientUpdate, sha256_hex};
use emofed::weights::{Tensor, Weights};

use super::super::harness::delta;
use super::specification::{Acknowledged, Specification};
use super::steps::{Body, Step};

/// What is sent.
pub struct Sent {
    pub path: u64,
    pub bytes: Vec<u8>,
    /// Its round and base, and what it counts as; nothing if it is none of this model.
    pub update: Option<((u64, u64), Acknowledged)>,
}

/// What a step sends, if anything, to a federation of which `specification` holds. `last` is what each participant sent last.
pub fn sent(step: &Step, specification: &Specification, last: &[Option<(u64, Vec<u8>)>]) -> Option<Sent> {
    let Step::Submit { who, body } = step else { return None };
    let open = specification.round.as_ref();
    let target = open
        .map_or((specification.newest_round(), specification.newest_version()), |open| (open.id, open.base_version));
    let update = |(round, base_version), num_examples, delta| ClientUpdate {
        round,
        base_version,
        num_examples,
        metrics: None,
        delta,
    };
    let counted = |path, update: ClientUpdate| {
        let (bytes, value) = (update.encode(), first_value(&update.delta));
        let acknowledged = Acknowledged { sha256: sha256_hex(&bytes), value, num_examples: update.num_examples };
        Sent { path, bytes, update: Some(((update.round, update.base_version), acknowledged)) }
    };
    let refused = |bytes| Sent { path: target.0, bytes, update: None };
    Some(match *body {
        Body::Valid { value, num_examples } => {
            counted(target.0, update(target, num_examples, delta(value as f32 / 1_000.0)))
        }
        Body::Again => match &last[*who] {
            Some((path, bytes)) => counted(*path, ClientUpdate::decode(bytes).unwrap()),
            None => counted(target.0, update(target, 7, delta(0.125))),
        },
        Body::StaleBase => counted(target.0, update((target.0, target.1 - 1), 3, delta(0.25))),
        Body::OtherRound => counted(target.0, update((target.0 + 1, target.1), 3, delta(0.25))),
        Body::FutureRound => counted(target.0 + 1, update((target.0 + 1, target.1), 3, delta(0.25))),
        Body::NotFinite => refused(update(target, 3, delta(f32::NAN)).encode()),
        Body::OtherLayout => {
            let mut weights = delta(0.25);
            weights.insert("head.weight", Tensor::new([4], vec![0.25; 4]));
            refused(update(target, 3, weights).encode())
        }
        Body::Examples { num_examples } => refused(update(target, num_examples, delta(0.25)).encode()),
        Body::TooFar => refused(update(target, 3, delta(100.0)).encode()),
        Body::Garbage => refused(b"no weights".to_vec()),
    })
}

/// The first weight.
pub fn first_value(weights: &Weights) -> f64 {
    f64::from(weights.iter().next().unwrap().1.values[0])
}
