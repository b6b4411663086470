//! The memory of tensors, taken back when they are dropped and used again for the next.
//!
//! A training step needs the same sizes as the one before. Fresh memory would cost a page fault for every 4 KiB, or at
//! least being zeroed.

use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::tensor::{Bytes, DType, Shape, TensorData};
use burn_std::{AccessError, AccessPolicy, AllocationController, AllocationProperty};

/// Floats of unspecified value, for a tensor that is being computed.
#[derive(Debug)]
pub struct Buffer {
    lines: Lines,
    len: usize,
}

impl Buffer {
    /// Memory for `len` floats. What they are is left from an earlier use.
    pub fn take(len: usize) -> Self {
        Self { lines: Lines::take(len), len }
    }

    /// The floats as a tensor's data, without a copy.
    ///
    /// # Panics
    /// The shape has another number of elements.
    pub fn into_data(self, shape: impl Into<Shape>) -> TensorData {
        let shape = shape.into();
        assert_eq!(shape.num_elements(), self.len, "elements of {shape:?}");
        TensorData::from_bytes(self.into_bytes(), shape, DType::F32)
    }

    pub(super) fn into_bytes(self) -> Bytes {
        let len = self.len * size_of::<f32>();
        // SAFETY: all of the memory is initialised, and it is at least this long.
        unsafe { Bytes::from_controller(Box::new(self.lines), len) }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: lines are floats without padding, and at least this many.
        unsafe { std::slice::from_raw_parts(self.lines.0.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`.
        unsafe { std::slice::from_raw_parts_mut(self.lines.0.as_mut_ptr().cast(), self.len) }
    }
}

/// A cache line of floats, so that vectors do not straddle two.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line([f32; LINE_FLOATS]);

const LINE_FLOATS: usize = 16;

/// Memory that goes back to the buffer pool when it is dropped.
#[derive(Debug)]
struct Lines(Vec<Line>);

impl Lines {
    fn take(len: usize) -> Self {
        let class = Class::of(len.div_ceil(LINE_FLOATS));
        let reused = buffer_pool().take(class);
        Self(reused.unwrap_or_else(|| vec![Line([0.0; LINE_FLOATS]); class.lines()]))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        buffer_pool().put(std::mem::take(&mut self.0));
    }
}

impl AllocationController for Lines {
    /// The most that burn's own allocations have: it asks this of the copies it makes.
    fn alloc_align(&self) -> usize {
        align_of::<u128>()
    }

    fn property(&self) -> AllocationProperty {
        AllocationProperty::Other
    }

    unsafe fn memory_mut(
        &mut self,
        _: AccessPolicy,
    ) -> Result<&mut [MaybeUninit<u8>], AccessError> {
        let len = size_of_val(self.0.as_slice());
        // SAFETY: the bytes of the lines; the caller promises to write initialised ones.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), len) })
    }

    fn memory(&self, _: AccessPolicy) -> Result<&[MaybeUninit<u8>], AccessError> {
        // SAFETY: the bytes of the lines.
        Ok(unsafe {
            std::slice::from_raw_parts(self.0.as_ptr().cast(), size_of_val(self.0.as_slice()))
        })
    }
}

/// A size that memory is handed out in: four to each power of two, so that other shapes find a use for it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Class(usize);

impl Class {
    const COUNT: usize = 4 * usize::BITS as usize;

    /// The smallest with at least so many lines, and no smaller than five.
    fn of(lines: usize) -> Self {
        let last = lines.max(5) - 1;
        let power = last.ilog2() as usize;
        let quarter = (1 << power) >> 2;
        Self(4 * power + (last - (1 << power)) / quarter + 1)
    }

    fn lines(self) -> usize {
        let (power, quarters) = (self.0 / 4, self.0 % 4);
        (1 << power) + ((1 << power) >> 2) * quarters
    }

    fn bytes(self) -> usize {
        self.lines() * size_of::<Line>()
    }
}

/// Memory that waits for its next use: as much as was ever in use at once, so that a step finds what the one before had, and
/// the process needs no more than that.
#[derive(Debug)]
struct BufferPool {
    classes: [Vec<Vec<Line>>; Class::COUNT],
    /// Of what waits.
    bytes: usize,
    bytes_in_use: usize,
    most_in_use: usize,
    /// Memory was handed out so many times, and of each class last at this one.
    takes: u64,
    last_takes: [u64; Class::COUNT],
}

/// So much is kept even where less was in use.
const BUFFER_POOL_BYTES_MIN: usize = 64 << 20;

static BUFFER_POOL: Mutex<BufferPool> = Mutex::new(BufferPool::EMPTY);

/// A poisoned lock is ignored: nothing panics while it is held but a failing allocation, which changes nothing.
fn buffer_pool() -> MutexGuard<'static, BufferPool> {
    BUFFER_POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

impl BufferPool {
    const EMPTY: Self = Self {
        classes: [const { Vec::new() }; Class::COUNT],
        bytes: 0,
        bytes_in_use: 0,
        most_in_use: 0,
        takes: 0,
        last_takes: [0; Class::COUNT],
    };

    /// `None` where nothing of this class waits: then the caller makes it.
    fn take(&mut self, class: Class) -> Option<Vec<Line>> {
        self.bytes_in_use += class.bytes();
        self.most_in_use = self.most_in_use.max(self.bytes_in_use);
        self.takes += 1;
        self.last_takes[class.0] = self.takes;
        let lines = self.classes[class.0].pop();
        match lines {
            Some(_) => self.bytes -= class.bytes(),
            None => self.free_surplus(),
        }
        lines
    }

    fn put(&mut self, lines: Vec<Line>) {
        if lines.is_empty() {
            return;
        }
        let class = Class::of(lines.len());
        self.bytes_in_use = self.bytes_in_use.saturating_sub(class.bytes());
        self.bytes += class.bytes();
        self.classes[class.0].push(lines);
        self.free_surplus();
    }

    /// Gives what is too much back to the allocator, from the class on that has not been asked for the longest: another
    /// network's, perhaps.
    fn free_surplus(&mut self) {
        while self.bytes + self.bytes_in_use > self.most_in_use.max(BUFFER_POOL_BYTES_MIN) {
            let waiting = (0..Class::COUNT).filter(|class| !self.classes[*class].is_empty());
            let Some(oldest) = waiting.min_by_key(|class| self.last_takes[*class]) else {
                return;
            };
            self.classes[oldest].pop();
            self.bytes -= Class(oldest).bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Tensor};

    #[test]
    fn classes_fit_what_they_are_for() {
        let mut last = Class::of(0);
        for lines in 0..5000 {
            let class = Class::of(lines);
            assert!(class.lines() >= lines, "{lines}");
            assert!(class.lines() <= lines.max(5) + lines / 4, "{lines}: {}", class.lines());
            assert!(class.0 >= last.0);
            assert_eq!(Class::of(class.lines()), class, "a class is its own smallest");
            last = class;
        }
    }

    #[test]
    fn a_tensor_made_of_a_buffer_has_its_floats() {
        let mut buffer = Buffer::take(6);
        buffer.copy_from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let tensor = Tensor::<2>::from_data(buffer.into_data([2, 3]), &Device::flex());
        let shared = tensor.clone();
        let doubled = tensor.mul_scalar(2.0);
        assert_eq!(shared.into_data().try_to_vec::<f32>().unwrap(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(
            doubled.into_data().try_to_vec::<f32>().unwrap(),
            [2.0, 4.0, 6.0, 8.0, 10.0, 12.0]
        );
    }

    #[test]
    fn what_was_in_use_is_kept_and_what_is_asked_for_no_more_goes_first() {
        let megabytes = |count: usize| Class::of(count * (1 << 20) / size_of::<Line>());
        let mut pool = BufferPool::EMPTY;
        let make = |pool: &mut BufferPool, class: Class| {
            pool.take(class).unwrap_or_else(|| vec![Line([0.0; LINE_FLOATS]); class.lines()])
        };
        // A step of a large network.
        let step: Vec<_> = (0..3).map(|_| make(&mut pool, megabytes(32))).collect();
        step.into_iter().for_each(|lines| pool.put(lines));
        assert_eq!(pool.bytes, 96 << 20, "all of it waits for the next step");
        // Steps of another one, of the same size in all.
        for _ in 0..2 {
            let step: Vec<_> = (0..4).map(|_| make(&mut pool, megabytes(24))).collect();
            step.into_iter().for_each(|lines| pool.put(lines));
            assert_eq!(pool.bytes_in_use, 0);
            assert_eq!(pool.bytes, 96 << 20);
        }
        assert!(pool.classes[megabytes(32).0].is_empty(), "nobody asks for these any more");
        assert_eq!(pool.classes[megabytes(24).0].len(), 4);
    }

    #[test]
    fn memory_comes_back() {
        // A size that nothing else takes.
        let len = 77_777;
        let first = Buffer::take(len).as_ptr() as usize;
        let second = Buffer::take(len);
        assert_eq!(second.as_ptr() as usize, first);
        assert_ne!(Buffer::take(len).as_ptr() as usize, first);
    }
}
