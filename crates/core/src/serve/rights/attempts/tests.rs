//! Tests of `serve::rights::attempts`.

use super::*;

const ANN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

#[test]
fn an_address_waits_longer_and_longer_and_not_even_a_right_token_is_looked_at() {
    let attempts = Attempts::default();
    let mut now = Instant::now();
    let mut waits = Vec::new();
    for _ in 0..14 {
        match attempts.attempt(ANN, now, || None::<()>) {
            Ok(None) => {}
            Ok(Some(())) => panic!(),
            Err(wait) => {
                let looked = attempts.attempt(ANN, now, || Some(()));
                assert!(looked.is_err());
                waits.push(wait.as_secs());
                now += wait;
            }
        }
    }
    assert_eq!(waits, [1, 2, 4, 8, 16]);
    now += WAIT_MAX;
    assert_eq!(attempts.attempt(ANN, now, || Some(7)), Ok(Some(7)));
    for _ in 0..FREE {
        assert_eq!(attempts.attempt(ANN, now, || None::<()>), Ok(None));
    }
}

#[test]
fn all_together_are_bounded_and_whoever_was_right_is_not_locked_out() {
    let attempts = Attempts::default();
    let now = Instant::now();
    assert_eq!(attempts.attempt(ANN, now, || Some(())), Ok(Some(())));
    let address = |n: u32| IpAddr::V4((0x0b00_0000 + n).into());
    for n in 0..ALL_IN_A_MINUTE {
        assert_eq!(attempts.attempt(address(n), now, || None::<()>), Ok(None));
    }
    assert!(attempts.attempt(address(9999), now, || Some(())).is_err());
    assert_eq!(attempts.attempt(ANN, now, || Some(())), Ok(Some(())));
    let later = now + Duration::from_secs(61);
    assert_eq!(attempts.attempt(address(9999), later, || Some(())), Ok(Some(())));
}

#[test]
fn memory_is_bounded_and_a_network_is_one_address() {
    let attempts = Attempts::default();
    let mut now = Instant::now();
    for n in 0..ADDRESSES_MAX as u32 + 500 {
        now += Duration::from_secs(2);
        let _ = attempts.attempt(IpAddr::V4(n.into()), now, || None::<()>);
    }
    assert!(attempts.0.lock().unwrap().addresses.len() <= ADDRESSES_MAX);
    let [one, other] = ["2001:db8::1", "2001:db8::ffff:2"].map(|text| text.parse().unwrap());
    assert_eq!(network(one), network(other));
    assert_eq!(network("::ffff:10.0.0.1".parse().unwrap()), ANN);
}
