//! Tests of `data::framed::room`.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

#[test]
fn never_more_is_taken_than_there_is_and_everybody_gets_their_turn() {
    let room = MemoryBudget::of(10);
    let (inside, done) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for bytes in [4, 7, 1, 40, 3, 10, 5, 2] {
            let (room, inside, done) = (&room, &inside, &done);
            scope.spawn(move || {
                for _ in 0..100 {
                    let place = room.take(bytes);
                    let now = inside.fetch_add(place.bytes, Ordering::SeqCst) + place.bytes;
                    assert!(now <= 10, "{now}");
                    inside.fetch_sub(place.bytes, Ordering::SeqCst);
                    drop(place);
                    done.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!(done.into_inner(), 800);
}
