//! Vectors as arrays of eight floats, in plain safe arithmetic that compilers vectorise for whatever they target.

use super::{EightLanes, Outlined, Simd, check};

/// Eight lanes on any machine.
#[derive(Clone, Copy, Debug)]
pub struct Portable(());

const LANES: usize = 8;
type V = [f32; LANES];

impl Portable {
    /// Needs no proof: it runs everywhere.
    #[inline(always)]
    pub fn new() -> Self {
        Self(())
    }
}

impl Default for Portable {
    fn default() -> Self {
        Self::new()
    }
}

#[inline(always)]
fn map(a: V, f: impl Fn(f32) -> f32) -> V {
    std::array::from_fn(|i| f(a[i]))
}

#[inline(always)]
fn zip(a: V, b: V, f: impl Fn(f32, f32) -> f32) -> V {
    std::array::from_fn(|i| f(a[i], b[i]))
}

impl Simd for Portable {
    const LANES: usize = LANES;
    const REGISTERS: usize = 8;
    type V = V;
    type M = [bool; LANES];
    type Eight = Self;

    #[inline(always)]
    fn eight(self) -> Self {
        self
    }

    #[inline(never)]
    fn outline<W: Outlined>(self, work: W) -> W::Output {
        work.run(self)
    }

    #[inline(always)]
    fn splat(self, value: f32) -> V {
        [value; LANES]
    }

    #[inline(always)]
    unsafe fn load(self, from: &[f32], at: usize) -> V {
        check(from.len(), at, LANES);
        // SAFETY: inside the slice, as the caller promises; arrays of floats have the alignment of floats.
        unsafe { *from.as_ptr().add(at).cast::<V>() }
    }

    #[inline(always)]
    unsafe fn load_partial(self, from: &[f32], at: usize, lanes: usize) -> V {
        check(from.len(), at, lanes);
        // SAFETY: lane numbers below `lanes` are inside the slice, as the caller promises.
        std::array::from_fn(
            |i| {
                if i < lanes { unsafe { *from.get_unchecked(at + i) } } else { 0.0 }
            },
        )
    }

    #[inline(always)]
    unsafe fn load_u8(self, from: &[u8], at: usize) -> V {
        check(from.len(), at, LANES);
        // SAFETY: inside the slice, as the caller promises.
        std::array::from_fn(|i| f32::from(unsafe { *from.get_unchecked(at + i) }))
    }

    #[inline(always)]
    unsafe fn store(self, to: &mut [f32], at: usize, value: V) {
        check(to.len(), at, LANES);
        // SAFETY: inside the slice, as the caller promises; arrays of floats have the alignment of floats.
        unsafe { *to.as_mut_ptr().add(at).cast::<V>() = value };
    }

    #[inline(always)]
    unsafe fn store_partial(self, to: &mut [f32], at: usize, lanes: usize, value: V) {
        check(to.len(), at, lanes);
        for (i, lane) in value.iter().enumerate().take(lanes) {
            // SAFETY: inside the slice, as the caller promises.
            unsafe { *to.get_unchecked_mut(at + i) = *lane };
        }
    }

    #[inline(always)]
    unsafe fn store_u8_partial(self, to: &mut [u8], at: usize, lanes: usize, value: V) {
        check(to.len(), at, lanes);
        for (i, lane) in value.iter().enumerate().take(lanes) {
            // SAFETY: inside the slice, as the caller promises.
            unsafe { *to.get_unchecked_mut(at + i) = *lane as u8 };
        }
    }

    #[inline(always)]
    fn add(self, a: V, b: V) -> V {
        zip(a, b, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, a: V, b: V) -> V {
        zip(a, b, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, a: V, b: V) -> V {
        zip(a, b, |a, b| a * b)
    }

    #[inline(always)]
    fn div(self, a: V, b: V) -> V {
        zip(a, b, |a, b| a / b)
    }

    #[inline(always)]
    fn fma(self, a: V, b: V, c: V) -> V {
        // `mul_add` is a call into libm on targets without the instruction.
        if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
            std::array::from_fn(|i| a[i].mul_add(b[i], c[i]))
        } else {
            std::array::from_fn(|i| a[i] * b[i] + c[i])
        }
    }

    #[inline(always)]
    fn sqrt(self, a: V) -> V {
        map(a, f32::sqrt)
    }

    #[inline(always)]
    fn max(self, a: V, b: V) -> V {
        zip(a, b, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn min(self, a: V, b: V) -> V {
        zip(a, b, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    fn round(self, a: V) -> V {
        // Adding and taking away 1.5 * 2^23 leaves no fraction bits; beyond 2^22 there are none to lose.
        const SHIFT: f32 = 12_582_912.0;
        map(a, |a| if a.abs() < 4_194_304.0 { (a + SHIFT) - SHIFT } else { a })
    }

    #[inline(always)]
    fn exp2_integer(self, n: V) -> V {
        map(n, |n| f32::from_bits(((n as i32 + 127) as u32) << 23))
    }

    #[inline(always)]
    fn gt(self, a: V, b: V) -> [bool; LANES] {
        std::array::from_fn(|i| a[i] > b[i])
    }

    #[inline(always)]
    fn either_nan(self, a: V, b: V) -> [bool; LANES] {
        std::array::from_fn(|i| a[i].is_nan() || b[i].is_nan())
    }

    #[inline(always)]
    fn nonzero(self, a: V) -> [bool; LANES] {
        std::array::from_fn(|i| a[i] != 0.0)
    }

    #[inline(always)]
    fn select(self, mask: [bool; LANES], a: V, b: V) -> V {
        std::array::from_fn(|i| if mask[i] { a[i] } else { b[i] })
    }

    #[inline(always)]
    fn mask_bits(self, mask: [bool; LANES]) -> u32 {
        mask.iter().rev().fold(0, |bits, lane| bits << 1 | u32::from(*lane))
    }

    #[inline(always)]
    fn mask_from_bits(self, bits: u32) -> [bool; LANES] {
        std::array::from_fn(|i| bits >> i & 1 == 1)
    }

    #[inline(always)]
    fn compress(self, mask: [bool; LANES], a: V) -> V {
        let (mut front, mut count) = (a, 0);
        for i in 0..LANES {
            front[count & (LANES - 1)] = a[i];
            count += usize::from(mask[i]);
        }
        front
    }

    #[inline(always)]
    unsafe fn load_integers(self, from: &[u32], at: usize) -> V {
        check(from.len(), at, LANES);
        // SAFETY: inside the slice, as the caller promises.
        std::array::from_fn(|i| f32::from_bits(unsafe { *from.get_unchecked(at + i) }))
    }

    #[inline(always)]
    unsafe fn store_integers(self, to: &mut [u32], at: usize, value: V) {
        check(to.len(), at, LANES);
        for (i, lane) in value.iter().enumerate() {
            // SAFETY: inside the slice, as the caller promises.
            unsafe { *to.get_unchecked_mut(at + i) = lane.to_bits() };
        }
    }

    #[inline(always)]
    fn to_integers(self, a: V) -> V {
        map(a, |a| f32::from_bits(a as i32 as u32))
    }

    #[inline(always)]
    fn add_integers(self, a: V, b: V) -> V {
        zip(a, b, |a, b| f32::from_bits(a.to_bits().wrapping_add(b.to_bits())))
    }

    #[inline(always)]
    fn deinterleave(self, a: V, b: V) -> (V, V) {
        let at = |i: usize| if i < LANES { a[i] } else { b[i - LANES] };
        (std::array::from_fn(|i| at(2 * i)), std::array::from_fn(|i| at(2 * i + 1)))
    }

    #[inline(always)]
    fn interleave(self, even: V, odd: V) -> (V, V) {
        let at = |i: usize| {
            if i.is_multiple_of(2) { even[i / 2] } else { odd[i / 2] }
        };
        (std::array::from_fn(at), std::array::from_fn(|i| at(LANES + i)))
    }

    #[inline(always)]
    fn sum(self, a: V) -> f32 {
        ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]))
    }

    #[inline(always)]
    fn max_lane(self, a: V) -> f32 {
        a.into_iter().fold(f32::NEG_INFINITY, f32::max)
    }
}

impl EightLanes for Portable {
    #[inline(always)]
    fn transpose(self, rows: [V; 8]) -> [V; 8] {
        std::array::from_fn(|j| std::array::from_fn(|i| rows[i][j]))
    }
}
