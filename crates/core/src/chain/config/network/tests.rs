//! Tests of `chain::config::network`.

use super::*;

#[test]
fn a_network_holds_its_own_addresses_and_no_others() {
    for (network, address, held) in [
        ("127.0.0.1", "127.0.0.1", true),
        ("127.0.0.1", "127.0.0.2", false),
        ("127.0.0.1", "::ffff:127.0.0.1", true),
        ("10.0.0.0/8", "10.255.0.3", true),
        ("10.0.0.0/8", "11.0.0.0", false),
        ("10.1.2.3/31", "10.1.2.2", true),
        ("10.1.2.3/31", "10.1.2.4", false),
        ("0.0.0.0/0", "203.0.113.9", true),
        ("0.0.0.0/0", "2001:db8::1", false),
        ("2001:db8::/32", "2001:db8:ffff::1", true),
        ("2001:db8::/32", "2001:db9::1", false),
        ("::/0", "2001:db8::1", true),
        ("::/0", "10.0.0.1", false),
    ] {
        let parsed: Network = network.parse().unwrap();
        assert_eq!(parsed.holds(address.parse().unwrap()), held, "{address} in {network}");
    }
    for wrong in [
        "",
        "localhost",
        "10.0.0.0/33",
        "::/129",
        "10.0.0.0/",
        "10.0.0.0/+8",
        "10.0.0/8",
        "1.2.3.4:80",
    ] {
        assert!(wrong.parse::<Network>().is_err(), "{wrong}");
    }
}
