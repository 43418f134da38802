//! Who may do what: bearer tokens, and a brake for guesses.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, header};
use emofed::protocol::{Problem, ProblemCode, sha256_hex};

use super::App;
use crate::error::ServeError;
use crate::secret;

/// Wrong codes that an address may try in a window.
const WRONG_CODES: u32 = 10;
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses remembered at the most.
const ADDRESSES: usize = 10_000;

/// Counts wrong class codes by address, in memory only.
#[derive(Default)]
pub struct JoinLimiter(Mutex<HashMap<IpAddr, (u32, Instant)>>);

impl JoinLimiter {
    /// # Errors
    /// `rate-limited`, if the address has guessed too often.
    pub fn check(&self, address: IpAddr) -> Result<(), ServeError> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.get(&address) {
            Some((count, since)) if *count >= WRONG_CODES && since.elapsed() < WINDOW => {
                let wait_s = (WINDOW - since.elapsed().min(WINDOW)).as_secs() + 1;
                let detail = format!("Too many wrong class codes. Try again in {wait_s} s.");
                let problem = Problem::new(ProblemCode::RateLimited, detail);
                Err(Problem { retry_after_s: Some(wait_s), ..problem }.into())
            }
            _ => Ok(()),
        }
    }

    /// Counts a wrong code.
    pub fn count_wrong(&self, address: IpAddr) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= ADDRESSES {
            seen.retain(|_, (_, since)| since.elapsed() < WINDOW);
        }
        let entry = seen.entry(address).or_insert((0, Instant::now()));
        if entry.1.elapsed() >= WINDOW {
            *entry = (0, Instant::now());
        }
        entry.0 += 1;
    }
}

/// Where a request comes from. Behind a proxy, the proxy's last entry tells; earlier ones are the client's own words.
pub(super) fn address(trusted_proxy: bool, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let forwarded = || headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?.rsplit(',').next();
    let told = trusted_proxy.then(forwarded).flatten().and_then(|address| address.trim().parse().ok());
    told.unwrap_or(peer)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// The id of the participant that calls.
pub(super) async fn participant(app: &App, headers: &HeaderMap) -> Result<String, ServeError> {
    let refused = || ServeError::problem(ProblemCode::Unauthorized, "The participant's token is missing or unknown.");
    let token_sha256 = sha256_hex(bearer(headers).ok_or_else(refused)?.as_bytes());
    let known = app.blocking(move |class| Ok(class.records().participant(&token_sha256)?)).await?;
    known.map(|participant| participant.id).ok_or_else(refused)
}

/// Lets only the instructor pass.
pub(super) fn instructor(app: &App, headers: &HeaderMap) -> Result<(), ServeError> {
    let is_instructor = bearer(headers)
        .is_some_and(|token| secret::same(&sha256_hex(token.as_bytes()), &app.record.instructor_token_sha256));
    if is_instructor {
        Ok(())
    } else {
        Err(ServeError::problem(ProblemCode::Unauthorized, "The instructor's token is missing or wrong."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_proxy_says_where_a_request_comes_from() {
        let peer = IpAddr::from([10, 0, 0, 1]);
        let mut headers = HeaderMap::new();
        assert_eq!(address(true, peer, &headers), peer);
        headers.append("x-forwarded-for", "203.0.113.9".parse().unwrap());
        headers.append("x-forwarded-for", "198.51.100.1, 192.0.2.7".parse().unwrap());
        assert_eq!(address(true, peer, &headers), IpAddr::from([192, 0, 2, 7]));
        assert_eq!(address(false, peer, &headers), peer);
        headers.append("x-forwarded-for", "nobody".parse().unwrap());
        assert_eq!(address(true, peer, &headers), peer);
    }

    #[test]
    fn guessing_is_slowed_down_by_address() {
        let limiter = JoinLimiter::default();
        let (guesser, other) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        for _ in 0..WRONG_CODES {
            assert!(limiter.check(guesser).is_ok());
            limiter.count_wrong(guesser);
        }
        let problem = limiter.check(guesser).unwrap_err().into_problem();
        assert_eq!(problem.code, ProblemCode::RateLimited);
        assert!(problem.retry_after_s.is_some_and(|wait_s| (1..=61).contains(&wait_s)));
        assert!(limiter.check(other).is_ok());
    }
}
