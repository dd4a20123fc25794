//! How many requests one client may make in a minute, so that the endpoint cannot be searched for names at will.
//!
//! Its memory is bounded: clients beyond the bound share one count.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_secs(60);
const MAX_CLIENTS: usize = 50_000;

#[derive(Debug)]
pub(super) struct RequestLimit {
    per_minute: u32,
    counts: Mutex<MinuteCounts>,
}

#[derive(Debug)]
struct MinuteCounts {
    since: Instant,
    requests: HashMap<IpAddr, u32>,
}

impl RequestLimit {
    pub(super) fn new(per_minute: u32) -> Self {
        let counts = MinuteCounts { since: Instant::now(), requests: HashMap::new() };
        Self { per_minute, counts: Mutex::new(counts) }
    }

    /// Counts a request; whether it may be answered.
    pub(super) fn admits(&self, client: IpAddr, now: Instant) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(counts.since) >= MINUTE {
            *counts = MinuteCounts { since: now, requests: HashMap::new() };
        }
        let client = network(client);
        let is_full = counts.requests.len() >= MAX_CLIENTS && !counts.requests.contains_key(&client);
        let counted = if is_full { IpAddr::V6(Ipv6Addr::UNSPECIFIED) } else { client };
        let requests = counts.requests.entry(counted).or_default();
        *requests = requests.saturating_add(1);
        *requests <= self.per_minute
    }
}

/// One client has one IPv4 address, or a whole /64 of IPv6.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_counted_by_its_network_and_begins_anew_every_minute() {
        let (limit, now) = (RequestLimit::new(2), Instant::now());
        let admits = |client: &str, now| limit.admits(client.parse().unwrap(), now);
        assert!(admits("192.0.2.1", now) && admits("::ffff:192.0.2.1", now) && !admits("192.0.2.1", now));
        assert!(admits("2001:db8::1", now) && admits("2001:db8::2", now) && !admits("2001:db8::3", now));
        assert!(admits("192.0.2.2", now) && admits("192.0.2.1", now + MINUTE));
    }

    #[test]
    fn its_memory_is_bounded() {
        let (limit, now) = (RequestLimit::new(1), Instant::now());
        for client in 0..=MAX_CLIENTS as u32 {
            limit.admits(IpAddr::V4(client.into()), now);
        }
        assert!(!limit.admits("203.0.113.9".parse().unwrap(), now), "the rest share one count");
        assert_eq!(limit.counts.lock().unwrap().requests.len(), MAX_CLIENTS + 1);
    }
}
