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
mod tests;
