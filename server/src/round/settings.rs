//! How rounds go: what the instructor may change, and within which bounds.

use emofed::protocol::{ProblemCode, RoundSettings, RoundSettingsChange};

use super::{Federation, WHY_SEVERAL};
use crate::error::ServeError;

/// Longest round, in seconds: a year.
const MAX_DURATION_S: u64 = 366 * 86_400;

impl Federation {
    /// Changes how rounds go from the next round on; what `change` leaves open stays as it is.
    ///
    /// # Errors
    /// A value makes no sense, or the store fails.
    pub fn change_settings(&self, change: RoundSettingsChange) -> Result<RoundSettings, ServeError> {
        let refused = |detail: String| Err(ServeError::problem(ProblemCode::BadRequest, detail));
        let fewest = self.fewest_contributors();
        if change.minimum_clients.is_some_and(|minimum| minimum < fewest) {
            return refused(format!("minimum_clients is at least {fewest}: {WHY_SEVERAL}"));
        }
        if change.minimum_clients.is_some_and(|minimum| minimum > self.config.bounds.max_participants) {
            let most = self.config.bounds.max_participants;
            return refused(format!("minimum_clients is at most {most}: no more participants may join."));
        }
        if change.duration_s.is_some_and(|duration_s| duration_s == 0 || duration_s > MAX_DURATION_S) {
            return refused(format!("duration_s is between 1 and {MAX_DURATION_S} (a year)."));
        }
        let shortest_s = self.config.bounds.shortest_round_s;
        if change.duration_s.is_some_and(|duration_s| duration_s < shortest_s) {
            return refused(format!("duration_s is at least {shortest_s}, the configured limits.shortest_round_s."));
        }
        let settings = self.transition(|state| {
            let changes = change.or(&state.changes);
            self.records.put_settings(&changes)?;
            state.changes = changes;
            self.refresh(state)?;
            Ok(self.effective_settings(state))
        })?;
        self.advance()?;
        Ok(settings)
    }
}
