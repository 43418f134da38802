//! How rounds go: what the instructor may change, and within which bounds.

use emofed::protocol::{RoundSettings, RoundSettingsChange};

use super::{Federation, Refusal, RoundError};

/// Longest round, in seconds: a year.
const MAX_DURATION_S: u64 = 366 * 86_400;

impl Federation {
    /// Changes how rounds go from the next round on; what `change` leaves open stays as it is.
    ///
    /// # Errors
    /// A value makes no sense, or the store fails.
    pub fn change_settings(&self, change: RoundSettingsChange) -> Result<RoundSettings, RoundError> {
        self.check_change(&change)?;
        let settings = self.fresh_transition(|state| {
            let changes = change.clone().or(&state.changes);
            self.records.change_settings(&state.changes, &changes)?;
            state.changes = changes;
            self.refresh(state)?;
            Ok(self.effective_settings(state))
        })?;
        self.advance()?;
        Ok(settings)
    }
    fn check_change(&self, change: &RoundSettingsChange) -> Result<(), Refusal> {
        let (fewest, most) = (self.fewest_contributors(), self.config.bounds.max_participants);
        let strategy = &self.config.strategy;
        let shortest_s = self.config.bounds.shortest_round_s;
        match change.minimum_clients {
            Some(found) if found < fewest => return Err(Refusal::MinimumClientsTooSmall { found, limit: fewest }),
            Some(found) if found < strategy.minimum_clients() => {
                let (limit, strategy) = (strategy.minimum_clients(), strategy.name());
                return Err(Refusal::MinimumClientsBelowStrategy { found, limit, strategy });
            }
            Some(found) if found > most => return Err(Refusal::MinimumClientsTooLarge { found, limit: most }),
            _ => {}
        }
        if let Some(found) = change.target_clients.filter(|found| *found > most) {
            return Err(Refusal::TargetClientsTooLarge { found, limit: most });
        }
        match change.duration_s {
            Some(found) if found == 0 || found > MAX_DURATION_S => {
                Err(Refusal::DurationOutOfRange { found, limit: MAX_DURATION_S })
            }
            Some(found) if found < shortest_s => Err(Refusal::DurationTooShort { found, limit: shortest_s }),
            _ => Ok(()),
        }
    }
}
