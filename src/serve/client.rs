//! Whose request it is, where proxies stand in front of the service.
//!
//! Invariant: nothing that a request says of its origin counts unless a proxy that the configuration names has said it.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

use crate::chain::Network;

/// More steps than that are not followed.
const STEPS_MAX: usize = 32;

/// The address of whoever makes a request: the other end of its connection or, if that is a trusted proxy, the last
/// address of `X-Forwarded-For` that is none. Each proxy adds the address that connects to it at the end; what stands
/// before the first one that is not trusted, anybody may have written.
pub(super) fn client(headers: &HeaderMap, peer: IpAddr, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.holds(address));
    let mut client = peer.to_canonical();
    if !is_trusted(client) {
        return client;
    }
    let lines = headers.get_all("x-forwarded-for").into_iter().rev();
    let steps = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    for step in steps.take(STEPS_MAX) {
        // One that cannot be read was written by the last one that is known.
        let Some(address) = address(step) else { break };
        client = address;
        if !is_trusted(client) {
            break;
        }
    }
    client
}

/// An address as proxies write it: some add the port.
fn address(step: &[u8]) -> Option<IpAddr> {
    let step = std::str::from_utf8(step).ok()?.trim();
    let address = step.parse().or_else(|_| step.parse::<SocketAddr>().map(|with| with.ip()));
    let bracketed = || step.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    address.ok().or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests;
