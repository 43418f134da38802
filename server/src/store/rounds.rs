//! Records of rounds, their updates, and models.
//!
//! Whoever opens a round or publishes a model changes the record `newest`, and expects it to be as it was when the round or the model was
//! made up: of two that do so at once, one is refused, whatever each of them does.

use super::records::{Records, insert, put};
use super::{ModelRecord, NewestRecord, RoundRecord, StoreError, UpdateRecord, Write};

const NEWEST: &str = "newest";
/// Numbers after a restoration begin behind a multiple of this.
const RESTORED_STEP: u64 = 1_000;
const MODELS: &str = "model/";
const ROUNDS: &str = "round/";

fn model_key(version: u64) -> String {
    format!("{MODELS}{version:020}")
}

fn round_key(round: u64) -> String {
    format!("{ROUNDS}{round:020}")
}

fn update_prefix(round: u64) -> String {
    format!("update/{round:020}/")
}

/// The changes that put the `records` of a backup, made `age_s` ago, into an empty store. Numbers of rounds and versions go on behind
/// all that may have been given out since: a tab may have an update for one of those.
pub fn restored(records: Vec<(String, Vec<u8>)>, age_s: u64) -> Vec<Write> {
    let after = |prefix: &str| {
        let numbers = records.iter().filter_map(|(key, _)| key.strip_prefix(prefix)?.parse::<u64>().ok());
        // Neither comes more often than once a second.
        let least = numbers.max().unwrap_or(0).saturating_add(age_s).saturating_add(1);
        least.checked_next_multiple_of(RESTORED_STEP).unwrap_or(u64::MAX)
    };
    let newest = NewestRecord { round: after(ROUNDS), version: after(MODELS) };
    let kept = records.into_iter().filter(|(key, _)| key != NEWEST);
    kept.map(|(key, value)| Write::Insert { key, value }).chain([put(NEWEST, &newest)]).collect()
}

impl Records {
    /// What was opened and published last; absent in a store in which only earlier versions of this program did so.
    ///
    /// # Errors
    /// The store fails.
    pub fn newest(&self) -> Result<Option<NewestRecord>, StoreError> {
        self.get(NEWEST)
    }

    /// Adds a round, whose base was the global model when the newest record was `newest`; gives that with the round.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] or [`StoreError::Exists`] if something was opened or published meanwhile, or the store fails.
    pub fn insert_round(&self, newest: Option<&NewestRecord>, round: &RoundRecord) -> Result<NewestRecord, StoreError> {
        let after = NewestRecord { round: round.id, ..newest.cloned().unwrap_or_default() };
        let expected = self.expect(NEWEST, newest)?;
        self.store().commit(&[expected, put(NEWEST, &after), insert(round_key(round.id), round)])?;
        Ok(after)
    }

    /// Adds a model, whose version was new when the newest record was `newest`, and changes a round with it, both or none: `round` is
    /// what it was and what it becomes. Gives the newest record with the model.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] or [`StoreError::Exists`] if something was opened or published meanwhile or the round is another one, or
    /// the store fails.
    pub fn insert_model(
        &self,
        newest: Option<&NewestRecord>,
        model: &ModelRecord,
        round: Option<(&RoundRecord, &RoundRecord)>,
    ) -> Result<NewestRecord, StoreError> {
        let after = NewestRecord { version: model.version, ..newest.cloned().unwrap_or_default() };
        let mut writes = vec![self.expect(NEWEST, newest)?, put(NEWEST, &after)];
        if let Some((before, after)) = round {
            writes.extend([self.expect(round_key(before.id), Some(before))?, put(round_key(after.id), after)]);
        }
        writes.push(insert(model_key(model.version), model));
        self.store().commit(&writes)?;
        Ok(after)
    }

    /// All published models, oldest first.
    ///
    /// # Errors
    /// The store fails.
    pub fn models(&self) -> Result<Vec<ModelRecord>, StoreError> {
        self.scan(MODELS)
    }

    /// Up to `limit` published models before the version `before`, newest first.
    ///
    /// # Errors
    /// The store fails.
    pub fn newest_models(&self, before: Option<u64>, limit: usize) -> Result<Vec<ModelRecord>, StoreError> {
        self.scan_back(MODELS, before.map(model_key).as_deref(), limit)
    }

    /// The model of a version.
    ///
    /// # Errors
    /// The store fails.
    pub fn model(&self, version: u64) -> Result<Option<ModelRecord>, StoreError> {
        self.get(&model_key(version))
    }

    /// All rounds, oldest first.
    ///
    /// # Errors
    /// The store fails.
    pub fn rounds(&self) -> Result<Vec<RoundRecord>, StoreError> {
        self.scan(ROUNDS)
    }

    /// Up to `limit` rounds before the round `before`, newest first.
    ///
    /// # Errors
    /// The store fails.
    pub fn newest_rounds(&self, before: Option<u64>, limit: usize) -> Result<Vec<RoundRecord>, StoreError> {
        self.scan_back(ROUNDS, before.map(round_key).as_deref(), limit)
    }

    /// Makes the round `before` the round `after`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if it is not `before`, or the store fails.
    pub fn change_round(&self, before: &RoundRecord, after: &RoundRecord) -> Result<(), StoreError> {
        let expected = self.expect(round_key(before.id), Some(before))?;
        self.store().commit(&[expected, put(round_key(after.id), after)])
    }

    /// Writes a round, whatever it was.
    ///
    /// # Errors
    /// The store fails.
    pub fn put_round(&self, round: &RoundRecord) -> Result<(), StoreError> {
        self.store().commit(&[put(round_key(round.id), round)])
    }

    /// How many updates a round has.
    ///
    /// # Errors
    /// The store fails.
    pub fn update_count(&self, round: u64) -> Result<u32, StoreError> {
        Ok(u32::try_from(self.store().count(&update_prefix(round))?).unwrap_or(u32::MAX))
    }

    /// Updates of a round, in the order of participants' ids.
    ///
    /// # Errors
    /// The store fails.
    pub fn updates(&self, round: u64) -> Result<Vec<UpdateRecord>, StoreError> {
        self.scan(&update_prefix(round))
    }

    /// A participant's update in a round.
    ///
    /// # Errors
    /// The store fails.
    pub fn update(&self, round: u64, participant: &str) -> Result<Option<UpdateRecord>, StoreError> {
        self.get(&format!("{}{participant}", update_prefix(round)))
    }

    /// Adds an update to the round, which must be as it is here; there must be none of the participant in it yet.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] or [`StoreError::Exists`] if one of this is not so, or the store fails.
    pub fn insert_update(&self, round: &RoundRecord, update: &UpdateRecord) -> Result<(), StoreError> {
        let key = format!("{}{}", update_prefix(round.id), update.participant);
        let expected = self.expect(round_key(round.id), Some(round))?;
        self.store().commit(&[expected, insert(key, update)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_behind_all_that_may_have_been_given_out_since_the_backup() {
        let newest = |keys: &[&str], age_s| {
            let records = keys.iter().map(|key| ((*key).to_owned(), b"{}".to_vec())).collect();
            let Some(Write::Put { key, value }) = restored(records, age_s).pop() else { panic!("the last is put") };
            assert_eq!(key, NEWEST);
            let NewestRecord { round, version } = serde_json::from_slice(&value).unwrap();
            (round, version)
        };
        let (first, later) = (round_key(7), round_key(1_999));
        assert_eq!(newest(&[&first, &model_key(3), "newest", "other/9"], 60), (1_000, 1_000));
        assert_eq!(newest(&[&first, &later, &model_key(1_000)], 0), (2_000, 2_000));
        assert_eq!(newest(&[], 86_400), (87_000, 87_000));
    }
}
