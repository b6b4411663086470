//! Vectors of `f32` behind one trait, for AVX-512, AVX2 with FMA, and any machine.
//!
//! A value of a [`Simd`] type is the proof that the machine can execute its instructions, so the arithmetic is safe to
//! call. Loads and stores take a slice and an offset that the caller vouches for; builds with debug assertions check it.
//!
//! Every method is `#[inline(always)]`, and must end up inside a function compiled for the instruction set:
//! [`super::Executor::run`] provides it.

mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use portable::Portable;
#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};

/// Vectors of `LANES` floats, and masks with a bit for each lane.
pub trait Simd: Copy + Send + Sync + 'static {
    /// The number of floats in a vector: 8 or 16.
    const LANES: usize;
    /// The number of vector registers.
    const REGISTERS: usize;
    /// A vector of floats.
    type V: Copy;
    /// A truth value for each lane.
    type M: Copy;
    /// Vectors of eight lanes for the same machine, where sixteen are too many.
    type Eight: EightLanes;

    /// The instruction set with vectors of eight lanes.
    fn eight(self) -> Self::Eight;
    /// Calls `work` as a function of its own, compiled for the instruction set.
    ///
    /// It keeps the machine code of kernels with many variants small, and the registers of each for itself.
    fn outline<W: Outlined>(self, work: W) -> W::Output;

    /// Every lane `value`.
    fn splat(self, value: f32) -> Self::V;
    /// Every lane zero.
    #[inline(always)]
    fn zero(self) -> Self::V {
        self.splat(0.0)
    }

    /// `from[at..at + LANES]`.
    ///
    /// # Safety
    /// The range lies inside the slice.
    unsafe fn load(self, from: &[f32], at: usize) -> Self::V;
    /// `from[at..at + lanes]`, zero in the lanes from `lanes` on, whose memory is not touched.
    ///
    /// # Safety
    /// The range lies inside the slice, and `lanes <= LANES`.
    unsafe fn load_partial(self, from: &[f32], at: usize, lanes: usize) -> Self::V;
    /// `from[at]` in every lane.
    ///
    /// # Safety
    /// The index lies inside the slice.
    #[inline(always)]
    unsafe fn load_splat(self, from: &[f32], at: usize) -> Self::V {
        debug_assert!(at < from.len(), "{at} of {}", from.len());
        // SAFETY: inside, as the caller promises.
        self.splat(unsafe { *from.get_unchecked(at) })
    }
    /// `from[at..at + LANES]`, each byte as a float.
    ///
    /// # Safety
    /// The range lies inside the slice.
    unsafe fn load_u8(self, from: &[u8], at: usize) -> Self::V;
    /// Sets `to[at..at + LANES]`.
    ///
    /// # Safety
    /// The range lies inside the slice.
    unsafe fn store(self, to: &mut [f32], at: usize, value: Self::V);
    /// Sets `to[at..at + lanes]` to the first lanes of `value`; other memory is not touched.
    ///
    /// # Safety
    /// The range lies inside the slice, and `lanes <= LANES`.
    unsafe fn store_partial(self, to: &mut [f32], at: usize, lanes: usize, value: Self::V);

    /// Sets `to[at..at + lanes]` to the first lanes of `value`, whole numbers of 0 to 127; other memory is not touched.
    ///
    /// # Safety
    /// The range lies inside the slice, and `lanes <= LANES`.
    unsafe fn store_u8_partial(self, to: &mut [u8], at: usize, lanes: usize, value: Self::V);

    /// Asks for the cache line of `memory[at]`, which will be needed soon; any index will do.
    #[inline(always)]
    fn prefetch(self, memory: &[f32], at: usize) {
        let _ = (memory, at);
    }

    /// `a + b`
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a / b`
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once where the machine has FMA.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The square root.
    fn sqrt(self, a: Self::V) -> Self::V;
    /// The larger; `b` where either is NaN.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// The smaller; `b` where either is NaN.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// The nearest integer, ties to even.
    fn round(self, a: Self::V) -> Self::V;
    /// 2 to the power of `n`, an integer of -126 to 127.
    fn exp2_integer(self, n: Self::V) -> Self::V;

    /// Where `a > b`; false where either is NaN.
    fn gt(self, a: Self::V, b: Self::V) -> Self::M;
    /// Where `a`, `b` or both are NaN.
    fn either_nan(self, a: Self::V, b: Self::V) -> Self::M;
    /// Where `a` is not zero; NaN is not.
    fn nonzero(self, a: Self::V) -> Self::M;
    /// `a` where the mask is true, `b` elsewhere.
    fn select(self, mask: Self::M, a: Self::V, b: Self::V) -> Self::V;
    /// The mask with lane `i` in bit `i`.
    fn mask_bits(self, mask: Self::M) -> u32;
    /// The mask of the lowest `LANES` bits.
    fn mask_from_bits(self, bits: u32) -> Self::M;
    /// Whether `mask` is true in both.
    #[inline(always)]
    fn and(self, a: Self::M, b: Self::M) -> Self::M {
        self.mask_from_bits(self.mask_bits(a) & self.mask_bits(b))
    }

    /// The lanes of `a` where the mask is true, moved to the front; the others are unspecified.
    fn compress(self, mask: Self::M, a: Self::V) -> Self::V;

    /// The integers `from[at..at + LANES]`, in a vector whose lanes stand for 32 bits each.
    ///
    /// # Safety
    /// The range lies inside the slice.
    unsafe fn load_integers(self, from: &[u32], at: usize) -> Self::V;
    /// Sets `to[at..at + LANES]` to the integers that the lanes stand for.
    ///
    /// # Safety
    /// The range lies inside the slice.
    unsafe fn store_integers(self, to: &mut [u32], at: usize, value: Self::V);
    /// The integers that the lanes of `a`, whole numbers of 0 to 2²⁴, are equal to.
    fn to_integers(self, a: Self::V) -> Self::V;
    /// The sum of integers, modulo 2³².
    fn add_integers(self, a: Self::V, b: Self::V) -> Self::V;

    /// The lanes of even number of `a` then `b`, and those of odd number.
    fn deinterleave(self, a: Self::V, b: Self::V) -> (Self::V, Self::V);
    /// The vectors whose lanes of even and of odd number these are: what [`Simd::deinterleave`] took apart.
    fn interleave(self, even: Self::V, odd: Self::V) -> (Self::V, Self::V);
    /// The sum of the lanes, in an order that is fixed for the instruction set.
    fn sum(self, a: Self::V) -> f32;
    /// The largest lane; unspecified if one is NaN.
    fn max_lane(self, a: Self::V) -> f32;
}

/// Vectors of exactly eight lanes.
pub trait EightLanes: Simd {
    /// Lane `i` of result `j` is lane `j` of `rows[i]`.
    fn transpose(self, rows: [Self::V; 8]) -> [Self::V; 8];
}

/// Work for [`Simd::outline`].
pub trait Outlined {
    /// What the work returns.
    type Output;

    /// Does the work; `#[inline(always)]`, as [`crate::Kernel::run`] is.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// Work that is done in vectors of eight lanes.
pub struct InEight<W>(pub W);

impl<W: Outlined> Outlined for InEight<W> {
    type Output = W::Output;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> W::Output {
        self.0.run(simd.eight())
    }
}

/// `values`, as far as the optimiser can tell a slice it knows nothing of.
///
/// Without it the compiler hoists the broadcasts of loop-invariant weights out of a loop, runs out of registers, and
/// reloads them from the stack, which costs twice the time.
#[inline(always)]
pub fn opaque<T>(values: &[T]) -> &[T] {
    let len = values.len();
    #[cfg_attr(
        any(miri, not(target_arch = "x86_64")),
        expect(unused_mut, reason = "assigned in assembly alone")
    )]
    let mut start = values.as_ptr();
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    #[expect(clippy::pointers_in_nomem_asm_block, reason = "the empty assembly touches no memory")]
    // SAFETY: the empty assembly changes nothing. It is not `pure`, or it would itself be hoisted out of a loop.
    unsafe {
        std::arch::asm!("/* {0} */", inout(reg) start, options(nomem, nostack, preserves_flags));
    }
    // SAFETY: the slice that was passed in.
    unsafe { std::slice::from_raw_parts(start, len) }
}

/// `index`, as far as the optimiser can tell a number it knows nothing of; see [`opaque`].
#[inline(always)]
pub fn opaque_index(index: usize) -> usize {
    #[cfg_attr(
        any(miri, not(target_arch = "x86_64")),
        expect(unused_mut, reason = "assigned in assembly alone")
    )]
    let mut index = index;
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: the empty assembly changes nothing.
    unsafe {
        std::arch::asm!("/* {0} */", inout(reg) index, options(nomem, nostack, preserves_flags));
    }
    index
}

/// Checks a range where debug assertions are on.
#[inline(always)]
fn check(len: usize, at: usize, lanes: usize) {
    debug_assert!(at + lanes <= len, "{at}..{} of {len}", at + lanes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cpu, DisjointMut, Executor, Kernel};

    /// Runs `Work` once with every instruction set of this machine.
    fn with_every_cpu<K: Kernel>(kernel: &K) {
        for cpu in Cpu::available() {
            Executor::new(cpu, 1).run(1, kernel);
        }
    }

    fn lanes<S: Simd>(simd: S, v: S::V) -> Vec<f32> {
        let mut out = vec![0.0; S::LANES];
        // SAFETY: as long as a vector.
        unsafe { simd.store(&mut out, 0, v) };
        out
    }

    struct Arithmetic;
    impl Kernel for Arithmetic {
        #[inline(always)]
        fn run<S: Simd>(&self, s: S, _: usize) {
            let a: Vec<f32> = (0..S::LANES).map(|i| i as f32 - 3.5).collect();
            let b: Vec<f32> = (0..S::LANES).map(|i| 2.0 - i as f32 * 0.25).collect();
            // SAFETY: as long as a vector.
            let (va, vb) = unsafe { (s.load(&a, 0), s.load(&b, 0)) };
            let both = |f: fn(f32, f32) -> f32| -> Vec<f32> {
                a.iter().zip(&b).map(|(a, b)| f(*a, *b)).collect()
            };
            assert_eq!(lanes(s, s.add(va, vb)), both(|a, b| a + b));
            assert_eq!(lanes(s, s.sub(va, vb)), both(|a, b| a - b));
            assert_eq!(lanes(s, s.mul(va, vb)), both(|a, b| a * b));
            assert_eq!(lanes(s, s.div(va, vb)), both(|a, b| a / b));
            assert_eq!(lanes(s, s.max(va, vb)), both(f32::max));
            assert_eq!(lanes(s, s.min(va, vb)), both(f32::min));
            assert_eq!(lanes(s, s.fma(va, vb, va)), both(|a, b| a * b + a));
            assert_eq!(lanes(s, s.round(va)), both(|a, _| a.round_ties_even()));
            assert_eq!(lanes(s, s.select(s.gt(va, vb), va, vb)), both(f32::max));
            assert_eq!(
                lanes(s, s.exp2_integer(s.round(va))),
                both(|a, _| a.round_ties_even().exp2())
            );
            assert_eq!(s.sum(va), a.iter().sum::<f32>());
            assert_eq!(s.max_lane(vb), 2.0);
            assert_eq!(lanes(s, s.max(s.splat(f32::NAN), va)), a);
            assert!(lanes(s, s.max(va, s.splat(f32::NAN))).iter().all(|lane| lane.is_nan()));
        }
    }

    #[test]
    fn arithmetic_matches_scalar_code() {
        with_every_cpu(&Arithmetic);
    }

    struct Masks;
    impl Kernel for Masks {
        #[inline(always)]
        fn run<S: Simd>(&self, s: S, _: usize) {
            for bits in [0, 1, 0b1010_0101, (1_u32 << S::LANES) - 1] {
                let mask = s.mask_from_bits(bits);
                assert_eq!(s.mask_bits(mask), bits);
                let picked = lanes(s, s.select(mask, s.splat(1.0), s.zero()));
                let expected: Vec<f32> = (0..S::LANES).map(|i| (bits >> i & 1) as f32).collect();
                assert_eq!(picked, expected);
            }
        }
    }

    #[test]
    fn masks_round_trip_through_bits() {
        with_every_cpu(&Masks);
    }

    struct Transposition;
    impl Kernel for Transposition {
        #[inline(always)]
        fn run<S: Simd>(&self, s: S, _: usize) {
            let s = s.eight();
            let from: Vec<f32> = (0..64).map(|i| i as f32).collect();
            // SAFETY: 7 * 8 + 8 = 64.
            let rows = std::array::from_fn(|i| unsafe { s.load(&from, i * 8) });
            for (j, column) in s.transpose(rows).into_iter().enumerate() {
                assert_eq!(
                    lanes(s, column),
                    (0..8).map(|i| (i * 8 + j) as f32).collect::<Vec<_>>()
                );
            }
        }
    }

    #[test]
    fn transposing_swaps_rows_and_columns() {
        with_every_cpu(&Transposition);
    }

    struct NotANumber;
    impl Kernel for NotANumber {
        #[inline(always)]
        fn run<S: Simd>(&self, s: S, _: usize) {
            let (number, nan) = (s.splat(1.0), s.splat(f32::NAN));
            let all = (1_u32 << S::LANES) - 1;
            assert_eq!(s.mask_bits(s.either_nan(number, number)), 0);
            for (a, b) in [(number, nan), (nan, number), (nan, nan)] {
                assert_eq!(s.mask_bits(s.either_nan(a, b)), all);
            }
        }
    }

    #[test]
    fn nan_is_found_on_either_side() {
        with_every_cpu(&NotANumber);
    }

    struct Compression;
    impl Kernel for Compression {
        #[inline(always)]
        fn run<S: Simd>(&self, s: S, _: usize) {
            for bits in 0..256_u32 {
                let bits = (bits | bits.wrapping_mul(37) << 8) & ((1 << S::LANES) - 1);
                let from: Vec<f32> =
                    (0..S::LANES).map(|i| (bits >> i & 1) as f32 * (i as f32 - 20.0)).collect();
                // SAFETY: as long as a vector.
                let v = unsafe { s.load(&from, 0) };
                assert_eq!(s.mask_bits(s.nonzero(v)), bits);
                let expected: Vec<f32> = from.into_iter().filter(|lane| *lane != 0.0).collect();
                assert_eq!(lanes(s, s.compress(s.nonzero(v), v))[..expected.len()], expected);
            }
            assert_ne!(s.mask_bits(s.nonzero(s.splat(f32::NAN))), 0);
        }
    }

    #[test]
    fn compressing_keeps_the_lanes_of_the_mask_in_order() {
        with_every_cpu(&Compression);
    }

    struct Integers;
    impl Kernel for Integers {
        #[inline(always)]
        fn run<S: Simd>(&self, s: S, _: usize) {
            let from: Vec<u32> = (0..20_u32).map(|i| i.wrapping_sub(7)).collect();
            let mut to = vec![0; 20];
            let whole: Vec<f32> = (0..S::LANES).map(|i| i as f32 * 1_000_000.0).collect();
            // SAFETY: 3 + 16 <= 20.
            unsafe {
                let sum =
                    s.add_integers(s.load_integers(&from, 3), s.to_integers(s.load(&whole, 0)));
                s.store_integers(&mut to, 2, sum);
            }
            for i in 0..S::LANES {
                assert_eq!(to[2 + i], from[3 + i].wrapping_add(i as u32 * 1_000_000));
            }
        }
    }

    #[test]
    fn integers_are_added_modulo_32_bits() {
        with_every_cpu(&Integers);
    }

    struct Memory;
    impl Kernel for Memory {
        #[inline(always)]
        fn run<S: Simd>(&self, s: S, _: usize) {
            let from: Vec<f32> = (1..=40).map(|i| i as f32).collect();
            for n in 0..=S::LANES {
                let mut to = vec![-1.0; 20];
                // SAFETY: 2 + 16 <= 20 and 3 + 16 <= 40.
                unsafe { s.store_partial(&mut to, 2, n, s.load_partial(&from, 3, n)) };
                let expected: Vec<f32> = (0..20)
                    .map(|i| if (2..2 + n).contains(&i) { (i + 2) as f32 } else { -1.0 })
                    .collect();
                assert_eq!(to, expected, "{n} lanes");
                // SAFETY: as above.
                let loaded = lanes(s, unsafe { s.load_partial(&from, 3, n) });
                assert!(loaded[n..].iter().all(|lane| *lane == 0.0));
            }
            for n in 0..=S::LANES {
                let mut to = [255; 20];
                // SAFETY: 2 + 16 <= 20 and 3 + 16 <= 40.
                unsafe { s.store_u8_partial(&mut to, 2, n, s.load(&from, 3)) };
                let expected: Vec<u8> = (0..20)
                    .map(|i| if (2..2 + n).contains(&i) { i as u8 + 2 } else { 255 })
                    .collect();
                assert_eq!(to[..], expected, "{n} lanes");
            }
            // SAFETY: 32 <= 40.
            let (a, b) = unsafe { (s.load(&from, 0), s.load(&from, S::LANES)) };
            let (even, odd) = s.deinterleave(a, b);
            assert_eq!(
                lanes(s, even),
                from.iter().copied().step_by(2).take(S::LANES).collect::<Vec<_>>()
            );
            assert_eq!(
                lanes(s, odd),
                from.iter().copied().skip(1).step_by(2).take(S::LANES).collect::<Vec<_>>()
            );
            let (again_a, again_b) = s.interleave(even, odd);
            assert_eq!((lanes(s, again_a), lanes(s, again_b)), (lanes(s, a), lanes(s, b)));
            let bytes: Vec<u8> = (0..24).map(|i| 255 - i).collect();
            // SAFETY: 3 + 16 <= 24.
            let loaded = lanes(s, unsafe { s.load_u8(&bytes, 3) });
            assert_eq!(loaded, (0..S::LANES).map(|i| 252.0 - i as f32).collect::<Vec<_>>());
        }
    }

    #[test]
    fn loads_and_stores_touch_only_their_range() {
        with_every_cpu(&Memory);
    }

    #[test]
    fn kernels_write_disjoint_parts_from_several_threads() {
        struct Fill<'a>(DisjointMut<'a, f32>);
        impl Kernel for Fill<'_> {
            #[inline(always)]
            fn run<S: Simd>(&self, simd: S, chunk: usize) {
                // SAFETY: chunks do not overlap.
                let part = unsafe { self.0.range(chunk * 16..chunk * 16 + 16) };
                for at in (0..16).step_by(S::LANES) {
                    // SAFETY: both 8 and 16 divide 16.
                    unsafe { simd.store(part, at, simd.splat(chunk as f32)) };
                }
            }
        }
        for cpu in Cpu::available() {
            let mut data = vec![-1.0; 16 * 9];
            Executor::new(cpu, 2).run(9, &Fill(DisjointMut::new(&mut data)));
            assert!(data.chunks(16).enumerate().all(|(chunk, part)| part == [chunk as f32; 16]));
        }
    }
}
