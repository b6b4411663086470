//! Tests of `notify::back_off`.

use super::*;

#[test]
fn delays_double_to_six_hours_and_differ_from_message_to_message() {
    for (attempts, seconds) in
        [(1, 60.0), (2, 120.0), (5, 960.0), (9, 15_360.0), (12, 21_600.0), (u32::MAX, 21_600.0)]
    {
        let delay = delay("a", attempts).as_secs_f64() / seconds;
        assert!((0.75..=1.25).contains(&delay), "{attempts}: {delay}");
    }
    let delays: std::collections::BTreeSet<_> =
        (0..100).map(|id| delay(&id.to_string(), 3)).collect();
    assert!(delays.len() > 90, "{delays:?}");
}
