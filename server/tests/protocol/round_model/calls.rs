//! The calls of the machine's steps: to the federation, and what the specification says of them.

use emofed::protocol::{RoundSettingsChange, sha256_hex};
use emofed_server::round::{Refusal, RoundError};

use super::machine::Machine;
use super::sent::Sent;
use super::specification::Specification;
use super::steps::Step;

/// How a call ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Done,
    Refused(Refusal),
    /// The update is none of this model.
    BadUpdate,
    /// The store failed.
    Failed,
}

impl From<Result<(), RoundError>> for Outcome {
    fn from(result: Result<(), RoundError>) -> Self {
        match result {
            Ok(()) => Self::Done,
            Err(RoundError::Refused(refusal)) => Self::Refused(refusal),
            Err(RoundError::Update(_)) => Self::BadUpdate,
            Err(RoundError::Store(_) | RoundError::Weights(_)) => Self::Failed,
        }
    }
}

/// How a call may end, and what is so then.
pub type Prediction = (Outcome, Specification);

impl Machine {
    /// Calls the federation.
    pub fn act(&mut self, step: &Step, sent: Option<&Sent>) -> Outcome {
        if let Step::Restart = step {
            return self.open().into();
        }
        let (federation, specification) = (self.federation(), &self.specification);
        let done = match step {
            Step::JoinOrLeave { who } => {
                let token = format!("t{who}");
                match specification.participants.contains(who) {
                    true => federation.remove_participant(&token),
                    false => federation.add_participant(&token, participant(*who), None),
                }
            }
            Step::RevokeAll => federation.remove_participants(),
            Step::Submit { who, .. } => {
                let sent = sent.unwrap();
                federation.submit(&participant(*who), sent.path, &sent.bytes).map(|receipt| {
                    assert_eq!((receipt.round, receipt.sha256), (sent.path, sha256_hex(&sent.bytes)));
                })
            }
            Step::Advance => federation.advance(),
            Step::Open => federation.open_round().map(|_| ()),
            Step::Close { is_newest } => federation.close_round(closed_round(specification, *is_newest)),
            Step::Restore { back } => federation.restore(restored_version(specification, *back)).map(|_| ()),
            Step::Settings { .. } => federation.change_settings(change(step)).map(|_| ()),
            other => unreachable!("{other:?} is no call"),
        };
        done.into()
    }

    /// What the specification says of a call.
    pub fn predictions(&self, step: &Step, sent: Option<&Sent>) -> Vec<Prediction> {
        let mut then = self.specification.clone();
        let now_s = self.now_s();
        let result = match step {
            Step::Restart | Step::Advance => {
                then.advance(now_s);
                Ok(())
            }
            Step::JoinOrLeave { who } => match then.participants.remove(who) {
                true => Ok(()),
                false => then.join(*who),
            },
            Step::RevokeAll => {
                then.participants.clear();
                Ok(())
            }
            Step::Submit { who, .. } => {
                let Sent { path, bytes, update } = sent.unwrap();
                match update {
                    Some((target, update)) => then.submit(*who, *path, *target, update.clone()),
                    None => match then.check_target(*who, *path, &sha256_hex(bytes)) {
                        Ok(_) => return vec![(Outcome::BadUpdate, then)],
                        Err(refusal) => Err(refusal),
                    },
                }
            }
            Step::Open => then.open(now_s),
            Step::Close { is_newest } => then.close(closed_round(&self.specification, *is_newest), now_s),
            Step::Restore { back } => {
                let version = restored_version(&self.specification, *back);
                let result = then.restore(version, now_s);
                if !self.specification.is_kept(version) {
                    // Weights of old versions may be gone, and need not be.
                    let gone = Outcome::Refused(Refusal::WeightsUnavailable { version });
                    return vec![(Outcome::Done, then), (gone, self.specification.clone())];
                }
                result
            }
            Step::Settings { .. } => then.change_settings(change(step), now_s),
            other => unreachable!("{other:?} is no call"),
        };
        vec![(result.map_or_else(Outcome::Refused, |()| Outcome::Done), then)]
    }
}

fn participant(who: usize) -> String {
    format!("p{who}")
}

fn closed_round(specification: &Specification, is_newest: bool) -> u64 {
    specification.newest_round() - u64::from(!is_newest && specification.newest_round() > 0)
}

fn restored_version(specification: &Specification, back: u64) -> u64 {
    specification.newest_version().saturating_sub(back)
}

fn change(step: &Step) -> RoundSettingsChange {
    let Step::Settings { minimum_clients, target_clients, duration_s, continuous } = *step else {
        unreachable!("{step:?}")
    };
    RoundSettingsChange { minimum_clients, target_clients, duration_s, continuous }
}
