//! Tests of `serve::client`.

use super::*;

fn seen(lines: &[&str], peer: &str, trusted: &[&str]) -> String {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append("x-forwarded-for", line.parse().unwrap());
    }
    let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().unwrap()).collect();
    client(&headers, peer.parse().unwrap(), &trusted).to_string()
}

#[test]
fn only_what_a_trusted_proxy_added_counts() {
    const PROXY: &[&str] = &["127.0.0.1", "10.0.0.0/8"];
    for (lines, peer, client) in [
        // Whoever is no proxy may say what it likes.
        (&["1.1.1.1"][..], "203.0.113.7", "203.0.113.7"),
        (&[], "127.0.0.1", "127.0.0.1"),
        (&["203.0.113.7"], "127.0.0.1", "203.0.113.7"),
        (&["203.0.113.7"], "::ffff:127.0.0.1", "203.0.113.7"),
        // The first ones are the client's own words.
        (&["1.1.1.1, 2.2.2.2, 203.0.113.7"], "127.0.0.1", "203.0.113.7"),
        (&["127.0.0.1, 203.0.113.7"], "127.0.0.1", "203.0.113.7"),
        (&["1.1.1.1", "203.0.113.7"], "127.0.0.1", "203.0.113.7"),
        // Through two proxies.
        (&["1.1.1.1, 203.0.113.7, 10.1.2.3"], "127.0.0.1", "203.0.113.7"),
        (&["1.1.1.1, 203.0.113.7", "10.1.2.3"], "10.9.9.9", "203.0.113.7"),
        // Somebody within, and nonsense before a known step.
        (&["10.1.2.3"], "127.0.0.1", "10.1.2.3"),
        (&["203.0.113.7, unknown, 10.1.2.3"], "127.0.0.1", "10.1.2.3"),
        (&["203.0.113.7, "], "127.0.0.1", "127.0.0.1"),
        (&["203.0.113.7:4711"], "127.0.0.1", "203.0.113.7"),
        (&["[2001:db8::7]:4711"], "127.0.0.1", "2001:db8::7"),
        (&["[2001:db8::7]"], "127.0.0.1", "2001:db8::7"),
        (&["::ffff:203.0.113.7"], "127.0.0.1", "203.0.113.7"),
    ] {
        assert_eq!(seen(lines, peer, PROXY), client, "{lines:?} from {peer}");
    }
    assert_eq!(seen(&["1.1.1.1"], "127.0.0.1", &[]), "127.0.0.1", "nobody is trusted unless said");
    let long = ["203.0.113.7"].into_iter().chain(["10.1.1.1"; 99]).collect::<Vec<_>>().join(",");
    assert_eq!(seen(&[&long], "127.0.0.1", PROXY), "10.1.1.1");
}
