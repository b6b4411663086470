//! Scratch memory that a thread keeps from one operation to the next.

use std::cell::RefCell;

/// Calls `work` with `len` floats of unspecified value, aligned to a cache line.
///
/// The memory belongs to the calling thread and is reused by later calls; nested calls get memory of their own.
pub fn with<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut buffer = FREE.with_borrow_mut(Vec::pop).unwrap_or_default();
    let lines = len.div_ceil(LINE_FLOATS);
    if buffer.len() < lines {
        buffer.resize(lines, Line([0.0; LINE_FLOATS]));
    }
    let result = work(&mut floats(&mut buffer)[..len]);
    FREE.with_borrow_mut(|free| free.push(buffer));
    result
}

/// Cuts `memory` into parts of these lengths.
///
/// # Panics
/// It is shorter than they are together.
pub(crate) fn split<const N: usize>(mut memory: &mut [f32], lens: [usize; N]) -> [&mut [f32]; N] {
    lens.map(|len| {
        let (part, rest) = std::mem::take(&mut memory).split_at_mut(len);
        memory = rest;
        part
    })
}

const LINE_FLOATS: usize = 16;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LINE_FLOATS]);

thread_local! {
    static FREE: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

fn floats(lines: &mut [Line]) -> &mut [f32] {
    let len = lines.len() * LINE_FLOATS;
    // SAFETY: a `Line` is exactly sixteen floats without padding, and the borrow of `lines` is passed on.
    unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), len) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_calls_get_separate_memory() {
        with(10, |outer| {
            outer.fill(1.0);
            with(20, |inner| inner.fill(2.0));
            assert_eq!(outer, [1.0; 10]);
        });
    }

    #[test]
    fn memory_is_reused_and_aligned() {
        let first = with(100, |memory| memory.as_ptr() as usize);
        let second = with(50, |memory| memory.as_ptr() as usize);
        assert_eq!(first, second);
        assert_eq!(first % 64, 0);
    }
}
