//! Limits how often invalid tokens may be tried: with increasing waits for an address, and with a total limit.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Invalid tokens of an address before it has to wait.
const FREE: u32 = 5;
/// The longest wait of an address.
const WAIT_MAX: Duration = Duration::from_secs(15 * 60);
/// Invalid tokens of all addresses together in a minute. Tokens that were valid before are still checked.
const ALL_IN_A_MINUTE: u32 = 60;
/// Most addresses that are remembered.
const ADDRESSES_MAX: usize = 4096;
/// After this time without an invalid token, an address is forgotten.
const FORGET: Duration = Duration::from_secs(60 * 60);

/// Recent attempts.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<RecentAttempts>);

#[derive(Debug, Default)]
struct RecentAttempts {
    addresses: HashMap<IpAddr, Address>,
    minute: Option<(Instant, u32)>,
}

#[derive(Debug, Clone, Copy)]
struct Address {
    wrong: u32,
    was_right: bool,
    last: Instant,
}

impl Address {
    /// Until when it has to wait.
    fn free_at(&self) -> Instant {
        let over = self.wrong.saturating_sub(FREE);
        if over == 0 && self.wrong < FREE {
            return self.last;
        }
        let wait = Duration::from_secs(1 << over.min(20)).min(WAIT_MAX);
        self.last + wait
    }
}

impl Attempts {
    /// Lets an address try a token, unless it has to wait; the error says for how long.
    pub(super) fn attempt<T>(
        &self,
        address: IpAddr,
        now: Instant,
        attempt: impl FnOnce() -> Option<T>,
    ) -> Result<Option<T>, Duration> {
        let address = network(address);
        // Locked during the check, so that simultaneous attempts are counted one by one.
        let mut tried = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = tried.addresses.get(&address).copied();
        if let Some(free_at) = known.map(|known| known.free_at())
            && free_at > now
        {
            return Err(free_at - now);
        }
        let is_trusted = known.is_some_and(|known| known.was_right);
        if let Some((since, count)) = tried.minute
            && count >= ALL_IN_A_MINUTE
            && now < since + Duration::from_secs(60)
            && !is_trusted
        {
            return Err(since + Duration::from_secs(60) - now);
        }
        let found = attempt();
        match found {
            Some(_) => tried.note(address, now, Address { wrong: 0, was_right: true, last: now }),
            None => {
                let wrong =
                    known.filter(|known| now < known.last + FORGET).map_or(0, |known| known.wrong);
                let entry = Address { wrong: wrong + 1, was_right: is_trusted, last: now };
                tried.note(address, now, entry);
                tried.count(now);
            }
        }
        Ok(found)
    }
}

impl RecentAttempts {
    fn note(&mut self, address: IpAddr, now: Instant, entry: Address) {
        if self.addresses.len() >= ADDRESSES_MAX && !self.addresses.contains_key(&address) {
            self.addresses.retain(|_, entry| now < entry.last + FORGET);
            let oldest = self.addresses.iter().min_by_key(|(_, entry)| entry.last);
            if self.addresses.len() >= ADDRESSES_MAX
                && let Some(oldest) = oldest.map(|(address, _)| *address)
            {
                self.addresses.remove(&oldest);
            }
        }
        self.addresses.insert(address, entry);
    }

    fn count(&mut self, now: Instant) {
        match &mut self.minute {
            Some((since, count)) if now < *since + Duration::from_secs(60) => *count += 1,
            minute => *minute = Some((now, 1)),
        }
    }
}

/// The unit that attempts are counted by: an IPv4 address, or a /64 network of IPv6 addresses.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        address => address,
    }
}

#[cfg(test)]
mod tests;
