//! Bounds how much memory the pictures take that are decoded at a time.

use std::sync::{Condvar, Mutex, PoisonError};

/// Room for pictures that are being decoded.
#[derive(Debug)]
pub struct Room {
    bytes: u64,
    taken: Mutex<u64>,
    freed: Condvar,
}

/// Room that was taken, until this is dropped.
#[derive(Debug)]
pub struct Place<'a> {
    room: &'a Room,
    bytes: u64,
}

impl Room {
    /// Room for so many bytes.
    pub fn of(bytes: u64) -> Self {
        Self { bytes, taken: Mutex::default(), freed: Condvar::new() }
    }

    /// Waits until there is room. What needs more than all of it gets it when nobody else has any: a single picture
    /// is bounded by its reader.
    pub fn take(&self, bytes: u64) -> Place<'_> {
        let bytes = bytes.min(self.bytes);
        // Nothing panics while it holds the lock.
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken + bytes > self.bytes {
            taken = self.freed.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        *taken += bytes;
        Place { room: self, bytes }
    }
}

impl Drop for Place<'_> {
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
        let room = Room::of(10);
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
