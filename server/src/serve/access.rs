//! Who may do what: bearer tokens, and a brake for guesses.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, header};
use emofed::protocol::{Problem, ProblemCode, sha256_hex};

use super::App;
use crate::error::ServeError;

/// Wrong codes that an address may try in a window, in seconds below.
const WRONG_CODES: u32 = 10;
const WRONG_WINDOW: Duration = Duration::from_secs(60);
const JOIN_WINDOW: Duration = Duration::from_secs(3_600);
/// Addresses remembered at the most; the one whose window began first goes first.
const ADDRESSES: usize = 10_000;

/// Counts wrong join codes and joins by address, in memory only.
pub struct JoinLimiter {
    wrong: Mutex<Windows>,
    joins: Mutex<Windows>,
    most_joins: u32,
}

impl JoinLimiter {
    /// Lets `most_joins` an hour join from one address.
    pub fn new(most_joins: u32) -> Self {
        let windows = |length| Mutex::new(Windows { length, counts: HashMap::new(), order: VecDeque::new() });
        Self { wrong: windows(WRONG_WINDOW), joins: windows(JOIN_WINDOW), most_joins }
    }

    /// Counts a wrong code.
    ///
    /// # Errors
    /// `rate-limited`, if the address has guessed too often.
    pub fn count_wrong(&self, address: IpAddr) -> Result<(), ServeError> {
        count(&self.wrong, address, WRONG_CODES, "Too many wrong join codes")
    }

    /// Counts a join.
    ///
    /// # Errors
    /// `rate-limited`, if too many have joined from the address.
    pub fn count_join(&self, address: IpAddr) -> Result<(), ServeError> {
        count(&self.joins, address, self.most_joins, "Too many have joined from this address")
    }
}

fn count(windows: &Mutex<Windows>, address: IpAddr, most: u32, what: &str) -> Result<(), ServeError> {
    let mut windows = windows.lock().unwrap_or_else(PoisonError::into_inner);
    let (count, left) = windows.count(network(address), Instant::now());
    if count <= most {
        return Ok(());
    }
    let wait_s = left.as_secs() + 1;
    let problem = Problem::new(ProblemCode::RateLimited, format!("{what}. Try again in {wait_s} s."));
    Err(Problem { retry_after_s: Some(wait_s), ..problem }.into())
}

/// Who shares a limit: an IPv4 address, or an IPv6 /64, which is one customer's.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        v4 => v4,
    }
}

/// Counts by address in windows of one length.
struct Windows {
    length: Duration,
    counts: HashMap<IpAddr, (u32, Instant)>,
    /// Addresses in the order in which their windows began, and so end.
    order: VecDeque<IpAddr>,
}

impl Windows {
    /// Counts once more; gives the count and how long its window still lasts. Takes the same time whatever it remembers.
    fn count(&mut self, address: IpAddr, now: Instant) -> (u32, Duration) {
        while let Some(oldest) = self.order.front() {
            let has_ended = self.counts.get(oldest).is_none_or(|(_, since)| now.duration_since(*since) >= self.length);
            let is_one_too_many = self.counts.len() >= ADDRESSES && !self.counts.contains_key(&address);
            if !has_ended && !is_one_too_many {
                break;
            }
            self.counts.remove(oldest);
            self.order.pop_front();
        }
        let (count, since) = self.counts.entry(address).or_insert_with(|| {
            self.order.push_back(address);
            (0, now)
        });
        *count = count.saturating_add(1);
        (*count, self.length.saturating_sub(now.duration_since(*since)))
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

/// Hash of the bearer token, under which its participant is known.
pub(super) fn token_sha256(headers: &HeaderMap) -> Option<String> {
    Some(sha256_hex(bearer(headers)?.as_bytes()))
}

/// Whether the client has what `etag` names (RFC 9110, 13.1.2: a list of tags, weak ones compared as strong, or `*`).
pub(super) fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let lists = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok());
    lists
        .flat_map(|tags| tags.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// The id of the participant that calls.
pub(super) async fn participant(app: &App, headers: &HeaderMap) -> Result<String, ServeError> {
    let refused = || ServeError::problem(ProblemCode::Unauthorized, "The participant's token is missing or unknown.");
    let token_sha256 = token_sha256(headers).ok_or_else(refused)?;
    let known = app.blocking(move |federation| Ok(federation.records().participant(&token_sha256)?)).await?;
    known.map(|participant| participant.id).ok_or_else(refused)
}

/// Lets only the instructor pass.
pub(super) fn instructor(app: &App, headers: &HeaderMap) -> Result<(), ServeError> {
    if bearer(headers).is_some_and(|token| app.admission.is_instructor(token)) {
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
        let limiter = JoinLimiter::new(3);
        let (guesser, other) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        for _ in 0..WRONG_CODES {
            assert!(limiter.count_wrong(guesser).is_ok());
        }
        let problem = limiter.count_wrong(guesser).unwrap_err().into_problem();
        assert_eq!(problem.code, ProblemCode::RateLimited);
        assert!(problem.retry_after_s.is_some_and(|wait_s| (1..=61).contains(&wait_s)));
        assert!(limiter.count_wrong(other).is_ok());
        // Joining is counted apart: a right code passes.
        for _ in 0..3 {
            assert!(limiter.count_join(guesser).is_ok());
        }
        assert!(limiter.count_join(guesser).is_err());
    }

    #[test]
    fn the_limiter_is_bounded_and_forgets_the_oldest() {
        let mut windows = Windows { length: WRONG_WINDOW, counts: HashMap::new(), order: VecDeque::new() };
        let now = Instant::now();
        let address = |number: u32| IpAddr::from(number.to_be_bytes());
        for number in 0..ADDRESSES as u32 + 100 {
            windows.count(address(number), now);
        }
        assert_eq!((windows.counts.len(), windows.order.len()), (ADDRESSES, ADDRESSES));
        assert!(!windows.counts.contains_key(&address(0)));
        assert_eq!(windows.count(address(ADDRESSES as u32), now).0, 2);
        assert_eq!(windows.count(address(1), now + WRONG_WINDOW).0, 1);
        assert_eq!(windows.counts.len(), 1);
    }

    #[test]
    fn a_network_of_ipv6_addresses_is_one() {
        let network_of = |text: &str| network(text.parse().unwrap());
        assert_eq!(network_of("2001:db8:1:2::1"), network_of("2001:db8:1:2:ffff::9"));
        assert_ne!(network_of("2001:db8:1:2::1"), network_of("2001:db8:1:3::1"));
        assert_eq!(network_of("::ffff:192.0.2.1"), network_of("192.0.2.1"));
    }

    #[test]
    fn entity_tags_come_in_lists_weak_or_as_a_star() {
        let known = |tags: &str| {
            let mut headers = HeaderMap::new();
            headers.append("if-none-match", tags.parse().unwrap());
            is_known(&headers, "\"a\"")
        };
        assert!(known("\"a\"") && known("\"b\", \"a\"") && known("W/\"a\"") && known("*"));
        assert!(!known("\"b\"") && !known("a"));
    }
}
