//! Who is let in: the join code that participants join with, and the instructor's token.

use std::sync::{Arc, PoisonError, RwLock};

use emofed::protocol::{JoinCode, sha256_hex};

use crate::clock::Clock;
use crate::error::ServeError;
use crate::secret;
use crate::store::{FederationRecord, Records};

/// Seconds of a day.
const DAY_S: u64 = 86_400;

/// Why a join code opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeRefusal {
    /// No class has this code.
    Wrong,
    /// It was the class's, and is too old.
    Expired,
}

/// The class's secrets as they are now. A new code is on disk before it is told.
pub struct Admission {
    records: Records,
    clock: Arc<dyn Clock>,
    record: RwLock<FederationRecord>,
    code_valid_days: u32,
}

impl Admission {
    /// Lets in by `record`; a new code is valid for `code_valid_days`.
    pub fn new(records: Records, clock: Arc<dyn Clock>, record: FederationRecord, code_valid_days: u32) -> Self {
        Self { records, clock, record: RwLock::new(record), code_valid_days }
    }

    fn record(&self) -> FederationRecord {
        self.record.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The code that students join with.
    pub fn join_code(&self) -> JoinCode {
        let FederationRecord { join_code: code, join_code_expires_at_s, .. } = self.record();
        JoinCode { code, expires_at_s: join_code_expires_at_s }
    }

    /// Checks a code that somebody joins with.
    ///
    /// # Errors
    /// It is not the class's, or is not any more.
    pub fn check_code(&self, code: &str) -> Result<(), CodeRefusal> {
        let record = self.record();
        if !secret::same(&secret::normalized_code(code), &secret::normalized_code(&record.join_code)) {
            return Err(CodeRefusal::Wrong);
        }
        if record.is_code_expired(self.clock.now_s()) { Err(CodeRefusal::Expired) } else { Ok(()) }
    }

    /// Gives the class a new code. The old one lets nobody join any more; tokens stay valid.
    ///
    /// # Errors
    /// There is no randomness, or the store fails: then the old code stays.
    pub fn renew_code(&self) -> Result<JoinCode, ServeError> {
        // Held while writing, so that of two calls at once the same one is kept and told.
        let mut record = self.record.write().unwrap_or_else(PoisonError::into_inner);
        let renewed = record.with_new_code(self.clock.now_s(), self.code_valid_days)?;
        self.records.put_federation(&renewed)?;
        let told = JoinCode { code: renewed.join_code.clone(), expires_at_s: renewed.join_code_expires_at_s };
        *record = renewed;
        Ok(told)
    }

    /// Whether `token` is the instructor's.
    pub fn is_instructor(&self, token: &str) -> bool {
        secret::same(&sha256_hex(token.as_bytes()), &self.record().instructor_token_sha256)
    }
}

impl FederationRecord {
    /// Whether the code lets nobody join any more at `now_s`.
    pub fn is_code_expired(&self, now_s: u64) -> bool {
        self.join_code_expires_at_s.is_some_and(|expires_at_s| now_s >= expires_at_s)
    }

    /// The same class with another code, valid for `valid_days` from `now_s`.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn with_new_code(&self, now_s: u64, valid_days: u32) -> Result<Self, getrandom::Error> {
        let expires_at_s = now_s.saturating_add(u64::from(valid_days) * DAY_S);
        Ok(Self { join_code: secret::join_code()?, join_code_expires_at_s: Some(expires_at_s), ..self.clone() })
    }
}
