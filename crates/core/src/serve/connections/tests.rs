//! Tests of `serve::connections`.

use super::*;

#[test]
fn the_longest_idle_connection_makes_room_and_a_busy_one_never() {
    let all = Connections::new(3);
    let first = all.enter().unwrap();
    let second = all.enter().unwrap();
    let third = all.enter().unwrap();
    let (busy, also) = (first.busy(), third.busy());
    let fourth = all.enter().unwrap();
    assert_eq!(all.count(), 3);
    assert!(!all.lock().entries.contains_key(&second.id));
    let busy_too = fourth.busy();
    assert!(all.enter().is_none(), "all are busy");
    drop(busy);
    assert!(all.enter().is_some());
    drop((also, busy_too, first, second, third, fourth));
    assert_eq!(all.count(), 0);
}
