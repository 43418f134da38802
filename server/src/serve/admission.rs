//! Admission: the join code that participants join with, and the instructor's token.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use emofed::protocol::{JoinCode, sha256_hex};

use super::error::ServeError;
use crate::clock::Clock;
use crate::secret;
use crate::store::{FederationRecord, Records};

/// Seconds in a day.
const DAY_S: u64 = 86_400;

/// Why a join code does not admit anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeRefusal {
    /// It is not the federation's.
    Wrong,
    /// It was the federation's, and is too old.
    Expired,
}

type RenewalHook = Box<dyn Fn(&JoinCode) + Send + Sync>;

/// The federation's secrets as they are now. A new code is on disk before it is handed out.
pub struct Admission {
    records: Records,
    clock: Arc<dyn Clock>,
    /// Read on the async executor: write-locked for the assignment of a new record only, never during I/O.
    record: RwLock<FederationRecord>,
    /// Held while a code is renewed, its commit included, so that of two renewals at once the same one is stored and returned.
    renewal: Mutex<()>,
    code_valid_days: u32,
    on_renewal: Option<RenewalHook>,
}

impl Admission {
    /// Admits by `record`; a new code is valid for `code_valid_days`.
    pub fn new(records: Records, clock: Arc<dyn Clock>, record: FederationRecord, code_valid_days: u32) -> Self {
        let (record, renewal) = (RwLock::new(record), Mutex::new(()));
        Self { records, clock, record, renewal, code_valid_days, on_renewal: None }
    }

    /// Calls `hook` with every new code, in the order of renewals, before [`Self::renew_code`] returns it.
    #[must_use]
    pub fn on_renewal(self, hook: impl Fn(&JoinCode) + Send + Sync + 'static) -> Self {
        Self { on_renewal: Some(Box::new(hook)), ..self }
    }

    fn record(&self) -> FederationRecord {
        self.record.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The code that participants join with.
    pub fn join_code(&self) -> JoinCode {
        let FederationRecord { join_code: code, join_code_expires_at_s, .. } = self.record();
        JoinCode { code, expires_at_s: join_code_expires_at_s }
    }

    /// Checks a code that somebody joins with.
    ///
    /// # Errors
    /// It is not the federation's, or has expired.
    pub fn check_code(&self, code: &str) -> Result<(), CodeRefusal> {
        let record = self.record();
        if !secret::same(&secret::normalized_code(code), &secret::normalized_code(&record.join_code)) {
            return Err(CodeRefusal::Wrong);
        }
        if record.is_code_expired(self.clock.now_s()) { Err(CodeRefusal::Expired) } else { Ok(()) }
    }

    /// Gives the federation a new code. The old one admits nobody any more; tokens stay valid. Blocks on the store's commit.
    ///
    /// # Errors
    /// There is no randomness, or the store fails: then the old code stays.
    pub fn renew_code(&self) -> Result<JoinCode, ServeError> {
        let _one_at_a_time = self.renewal.lock().unwrap_or_else(PoisonError::into_inner);
        let renewed = self.record().with_new_code(self.clock.now_s(), self.code_valid_days)?;
        self.records.put_federation(&renewed)?;
        let code = JoinCode { code: renewed.join_code.clone(), expires_at_s: renewed.join_code_expires_at_s };
        *self.record.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        if let Some(hook) = &self.on_renewal {
            hook(&code);
        }
        Ok(code)
    }

    /// Whether `token` is the instructor's.
    pub fn is_instructor(&self, token: &str) -> bool {
        secret::same(&sha256_hex(token.as_bytes()), &self.record().instructor_token_sha256)
    }
}

impl FederationRecord {
    /// Whether the code has expired at `now_s`.
    pub fn is_code_expired(&self, now_s: u64) -> bool {
        self.join_code_expires_at_s.is_some_and(|expires_at_s| now_s >= expires_at_s)
    }

    /// The same federation with another code, valid for `valid_days` from `now_s`.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn with_new_code(&self, now_s: u64, valid_days: u32) -> Result<Self, getrandom::Error> {
        let expires_at_s = now_s.saturating_add(u64::from(valid_days) * DAY_S);
        Ok(Self { join_code: secret::join_code()?, join_code_expires_at_s: Some(expires_at_s), ..self.clone() })
    }
}
