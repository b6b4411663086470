//! Limits the memory of the pictures that are decoded at the same time.

use std::sync::{Condvar, Mutex, PoisonError};

/// A memory budget for pictures that are being decoded.
#[derive(Debug)]
pub struct MemoryBudget {
    bytes: u64,
    taken: Mutex<u64>,
    freed: Condvar,
}

/// A share of the budget, which is returned when this is dropped.
#[derive(Debug)]
pub struct Reservation<'a> {
    room: &'a MemoryBudget,
    bytes: u64,
}

impl MemoryBudget {
    /// A budget of this many bytes.
    pub fn of(bytes: u64) -> Self {
        Self { bytes, taken: Mutex::default(), freed: Condvar::new() }
    }

    /// Waits until the budget has room. A picture that needs more than the whole budget waits until no other is being
    /// decoded; its own size is limited by its reader.
    pub fn take(&self, bytes: u64) -> Reservation<'_> {
        let bytes = bytes.min(self.bytes);
        // Nothing panics while it holds the lock.
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken + bytes > self.bytes {
            taken = self.freed.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        *taken += bytes;
        Reservation { room: self, bytes }
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        *self.room.taken.lock().unwrap_or_else(PoisonError::into_inner) -= self.bytes;
        self.room.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
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
}
