//! Admission: the join code that participants join with, and the instructors' tokens.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use emofed::protocol::{JoinCode, Role, sha256_hex};

use super::error::{RequestError, ServeError};
use crate::clock::Clock;
use crate::round::RoundError;
use crate::secret;
use crate::store::{AssistantRecord, CodeUse, CodeUsesRecord, FederationRecord, Grant, Records, StoreError};

/// Seconds in a day.
const DAY_S: u64 = 86_400;

/// How often somebody is admitted when other replicas are faster.
const ATTEMPTS: u32 = 50;

/// Most assistant instructors of a federation.
const MAX_ASSISTANTS: usize = 100;

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
    /// How many may join with a code; 0: as many as the federation takes.
    code_uses: u32,
    /// Held while a use of the code is counted, the participant's commit included.
    counting: Mutex<()>,
    /// Held while an assistant's token is made, so that there are never more than there may be.
    assistants: Mutex<()>,
    on_renewal: Option<RenewalHook>,
}

impl Admission {
    /// Admits by `record`; a new code is valid for `code_valid_days`.
    pub fn new(records: Records, clock: Arc<dyn Clock>, record: FederationRecord, code_valid_days: u32) -> Self {
        Self {
            records,
            clock,
            record: RwLock::new(record),
            renewal: Mutex::default(),
            code_valid_days,
            code_uses: 0,
            counting: Mutex::default(),
            assistants: Mutex::default(),
            on_renewal: None,
        }
    }

    /// Lets `limit` join with a code, those who leave again included; 0: as many as the federation takes.
    #[must_use]
    pub fn with_code_uses(self, limit: u32) -> Self {
        Self { code_uses: limit, ..self }
    }

    /// Calls `hook` with every new code, in the order of renewals, before [`Self::renew_code`] returns it.
    #[must_use]
    pub fn on_renewal(self, hook: impl Fn(&JoinCode) + Send + Sync + 'static) -> Self {
        Self { on_renewal: Some(Box::new(hook)), ..self }
    }

    fn record(&self) -> FederationRecord {
        self.record.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The code that participants join with. Blocks on the store where its uses are limited.
    ///
    /// # Errors
    /// The store fails.
    pub fn join_code(&self) -> Result<JoinCode, StoreError> {
        let FederationRecord { join_code: code, join_code_expires_at_s, .. } = self.record();
        let uses_left = match self.code_uses {
            0 => None,
            limit => Some(limit.saturating_sub(self.uses_of(&code)?)),
        };
        Ok(JoinCode { code, expires_at_s: join_code_expires_at_s, uses_left })
    }

    /// How many have joined with `code`.
    fn uses_of(&self, code: &str) -> Result<u32, StoreError> {
        let counted = self.records.code_uses()?;
        Ok(counted.filter(|counted| counted.join_code == code).map_or(0, |counted| counted.uses))
    }

    /// Has `join` add a participant who has `code`, with what the records need to have for that. Blocks on the store.
    ///
    /// # Errors
    /// The code admits nobody (any more), [`RequestError::JoinCodeUsedUp`], or `join` fails.
    pub fn admit(&self, code: &str, join: impl Fn(&Grant) -> Result<(), ServeError>) -> Result<(), ServeError> {
        let is_counted = self.code_uses > 0;
        let _one_at_a_time = is_counted.then(|| self.counting.lock().unwrap_or_else(PoisonError::into_inner));
        let mut attempt = 1;
        loop {
            let record = self.checked(code).map_err(RequestError::from)?;
            let code_use = is_counted.then(|| self.next_use(&record.join_code)).transpose()?;
            match join(&Grant { federation: record, code_use }) {
                Err(ServeError::Round(RoundError::Store(error))) if error.is_conflict() && attempt < ATTEMPTS => {
                    self.follow()?;
                    attempt += 1;
                }
                joined => return joined,
            }
        }
    }

    /// The next use of `join_code`, if it may be used once more.
    fn next_use(&self, join_code: &str) -> Result<CodeUse, ServeError> {
        let before = self.records.code_uses()?;
        let counted = before.as_ref().filter(|counted| counted.join_code == join_code);
        let uses = counted.map_or(0, |counted| counted.uses);
        if uses >= self.code_uses {
            return Err(RequestError::JoinCodeUsedUp.into());
        }
        Ok(CodeUse { before, after: CodeUsesRecord { join_code: join_code.to_owned(), uses: uses + 1 } })
    }

    /// Reads the secrets again where another replica may have changed them. Blocks on the store.
    ///
    /// # Errors
    /// The store fails.
    pub fn follow(&self) -> Result<(), StoreError> {
        if !self.records.store().is_shared() {
            return Ok(());
        }
        let _no_renewal = self.renewal.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(now) = self.records.federation()?.filter(|now| *now != self.record()) else { return Ok(()) };
        let is_new_code = now.join_code != self.record().join_code;
        *self.record.write().unwrap_or_else(PoisonError::into_inner) = now;
        if let (true, Some(hook)) = (is_new_code, &self.on_renewal) {
            hook(&self.join_code()?);
        }
        Ok(())
    }

    /// Whether [`Self::follow`] has to be called before a code is checked.
    pub fn is_shared(&self) -> bool {
        self.records.store().is_shared()
    }

    /// Checks a code that somebody joins with.
    ///
    /// # Errors
    /// It is not the federation's, or has expired.
    pub fn check_code(&self, code: &str) -> Result<(), CodeRefusal> {
        self.checked(code).map(|_| ())
    }

    /// The secrets by which `code` admits.
    fn checked(&self, code: &str) -> Result<FederationRecord, CodeRefusal> {
        let record = self.record();
        if !secret::same(&secret::normalized_code(code), &secret::normalized_code(&record.join_code)) {
            return Err(CodeRefusal::Wrong);
        }
        if record.is_code_expired(self.clock.now_s()) { Err(CodeRefusal::Expired) } else { Ok(record) }
    }

    /// Gives the federation a new code. The old one admits nobody any more; tokens stay valid. Blocks on the store's commit.
    ///
    /// # Errors
    /// There is no randomness, or the store fails: then the old code stays.
    pub fn renew_code(&self) -> Result<JoinCode, ServeError> {
        let _one_at_a_time = self.renewal.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match self.is_shared() {
            true => self.records.federation()?.unwrap_or_else(|| self.record()),
            false => self.record(),
        };
        let renewed = before.with_new_code(self.clock.now_s(), self.code_valid_days)?;
        self.records.change_federation(Some(&before), &renewed)?;
        let code = JoinCode {
            code: renewed.join_code.clone(),
            expires_at_s: renewed.join_code_expires_at_s,
            uses_left: (self.code_uses > 0).then_some(self.code_uses),
        };
        *self.record.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        if let Some(hook) = &self.on_renewal {
            hook(&code);
        }
        Ok(code)
    }

    /// Whether `token` is the owner's.
    pub fn is_owner(&self, token: &str) -> bool {
        secret::same(&sha256_hex(token.as_bytes()), &self.record().instructor_token_sha256)
    }

    /// What `token` allows; absent: it is no instructor's. Blocks on the store.
    ///
    /// # Errors
    /// The store fails.
    pub fn role(&self, token: &str) -> Result<Option<Role>, StoreError> {
        if self.is_owner(token) {
            return Ok(Some(Role::Owner));
        }
        Ok(self.records.assistant(&sha256_hex(token.as_bytes()))?.map(|_| Role::Assistant))
    }

    /// Makes an assistant instructor's token; gives its id and the token. Blocks on the store's commit.
    ///
    /// # Errors
    /// There are too many, there is no randomness, or the store fails.
    pub fn add_assistant(&self) -> Result<(String, String), ServeError> {
        let _one_at_a_time = self.assistants.lock().unwrap_or_else(PoisonError::into_inner);
        if self.records.assistants()?.len() >= MAX_ASSISTANTS {
            return Err(RequestError::TooManyAssistants { limit: MAX_ASSISTANTS }.into());
        }
        let (id, token) = (secret::id()?, secret::token()?);
        let assistant = AssistantRecord { id: id.clone(), made_at_s: self.clock.now_s() };
        self.records.insert_assistant(&sha256_hex(token.as_bytes()), &assistant)?;
        Ok((id, token))
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
