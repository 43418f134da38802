//! Limits of wrong join codes and of joins, by address.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::error::RequestError;

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
    /// [`RequestError::TooManyWrongCodes`], if the address has guessed too often.
    pub fn count_wrong(&self, address: IpAddr) -> Result<(), RequestError> {
        count(&self.wrong, address, WRONG_CODES)
            .map_err(|retry_after_s| RequestError::TooManyWrongCodes { limit: WRONG_CODES, retry_after_s })
    }

    /// Counts a join.
    ///
    /// # Errors
    /// [`RequestError::TooManyJoins`], if too many have joined from the address.
    pub fn count_join(&self, address: IpAddr) -> Result<(), RequestError> {
        let limit = self.most_joins;
        count(&self.joins, address, limit).map_err(|retry_after_s| RequestError::TooManyJoins { limit, retry_after_s })
    }
}

/// Counts once more; gives the seconds until the window ends if that makes more than `limit`.
fn count(windows: &Mutex<Windows>, address: IpAddr, limit: u32) -> Result<(), u64> {
    let mut windows = windows.lock().unwrap_or_else(PoisonError::into_inner);
    let (count, left) = windows.count(network(address), Instant::now());
    if count <= limit { Ok(()) } else { Err(left.as_secs() + 1) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessing_is_slowed_down_by_address() {
        let limiter = JoinLimiter::new(3);
        let (guesser, other) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        for _ in 0..WRONG_CODES {
            assert!(limiter.count_wrong(guesser).is_ok());
        }
        let refused = limiter.count_wrong(guesser);
        assert!(
            matches!(refused, Err(RequestError::TooManyWrongCodes { limit: WRONG_CODES, retry_after_s: 1..=61 })),
            "{refused:?}"
        );
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
}
