//! Distinguishes requests by pages of this service from those by other pages in the same browser.

use std::net::IpAddr;

use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};

/// Whether the `Host` of a request is this machine, or the public name of the service. Another name that resolves to this
/// machine belongs to an attacker ("DNS rebinding").
pub(in crate::serve) fn is_local(headers: &HeaderMap, public_url: Option<&str>) -> bool {
    let Some(host) = host(headers) else { return false };
    let name = name(host);
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.is_loopback())
        || public_url.is_some_and(|url| authority(url).eq_ignore_ascii_case(host))
}

/// Whether a change is requested by a page of this service, or by no page at all.
pub(in crate::serve) fn is_own(headers: &HeaderMap, public_url: Option<&str>) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match (text("sec-fetch-site"), text(ORIGIN.as_str())) {
        // Set by the browser; pages cannot change it.
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let asked = host(headers).into_iter().chain(public_url.map(authority));
            origin != "null"
                && asked.into_iter().any(|host| authority(origin).eq_ignore_ascii_case(host))
        }
        (None, None) => true,
    }
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(HOST)?.to_str().ok()
}

/// `example.org:8437` of `https://example.org:8437/builds`.
fn authority(url: &str) -> &str {
    let (_, rest) = url.split_once("://").unwrap_or(("", url));
    rest.split('/').next().unwrap_or_default()
}

/// A host without its port.
fn name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests;
