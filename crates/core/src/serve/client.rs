//! The address of the client, behind proxies or not.
//!
//! Invariant: what a request says about its origin is believed only if a proxy that the configuration names said it.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

use crate::chain::Network;

/// How many proxies in a row are followed.
const STEPS_MAX: usize = 32;

/// The address of the client: the other end of its connection or, if that is a trusted proxy, the last address in
/// `X-Forwarded-For` that is not a trusted proxy. Each proxy appends the address that connects to it; whatever precedes
/// the first untrusted address may be forged.
pub(super) fn client(headers: &HeaderMap, peer: IpAddr, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.holds(address));
    let mut client = peer.to_canonical();
    if !is_trusted(client) {
        return client;
    }
    let lines = headers.get_all("x-forwarded-for").into_iter().rev();
    let steps = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    for step in steps.take(STEPS_MAX) {
        // An unreadable address was sent by the last known one.
        let Some(address) = address(step) else { break };
        client = address;
        if !is_trusted(client) {
            break;
        }
    }
    client
}

/// Parses an address as proxies write it: some add the port.
fn address(step: &[u8]) -> Option<IpAddr> {
    let step = std::str::from_utf8(step).ok()?.trim();
    let address = step.parse().or_else(|_| step.parse::<SocketAddr>().map(|with| with.ip()));
    let bracketed = || step.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    address.ok().or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests;
