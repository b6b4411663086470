//! Vectors of AVX2 with FMA, and of AVX-512.

#![expect(
    clippy::undocumented_unsafe_blocks,
    reason = "every block has the same two reasons: a value of the type proves that the machine has the instructions, \
              and the caller of a load or store promises that its range lies inside the slice"
)]

use std::arch::x86_64::*;

use super::{EightLanes, Outlined, Simd, check};

/// Eight lanes, AVX2 and FMA.
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

/// Sixteen lanes, AVX-512 F, VL, BW and DQ.
#[derive(Clone, Copy, Debug)]
pub struct Avx512(());

impl Avx2 {
    /// # Safety
    /// The machine has AVX2 and FMA.
    #[inline(always)]
    pub unsafe fn new_unchecked() -> Self {
        Self(())
    }
}

impl Avx512 {
    /// # Safety
    /// The machine has AVX-512 F, VL, BW and DQ.
    #[inline(always)]
    pub unsafe fn new_unchecked() -> Self {
        Self(())
    }
}

#[inline(always)]
fn prefetch(memory: &[f32], at: usize) {
    #[cfg(not(miri))]
    // An address that does not exist is ignored by the machine.
    unsafe {
        _mm_prefetch::<_MM_HINT_T0>(memory.as_ptr().wrapping_add(at).cast());
    }
}

/// Eight times all bits, then eight times none: the eight values at `8 - n` select the first `n` lanes.
static FIRST_LANES: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

#[inline(always)]
unsafe fn first_lanes_256(lanes: usize) -> __m256i {
    debug_assert!(lanes <= 8);
    unsafe { _mm256_loadu_si256(FIRST_LANES.as_ptr().add(8 - lanes).cast()) }
}

#[inline(always)]
fn first_lanes_512(lanes: usize) -> __mmask16 {
    debug_assert!(lanes <= 16);
    ((1_u32 << lanes) - 1) as __mmask16
}

/// For each mask of eight lanes the numbers of its lanes, a byte each, from the lowest byte up.
static COMPRESSED: [u64; 256] = {
    let mut orders = [0; 256];
    let mut mask = 0;
    while mask < 256 {
        let (mut lane, mut count) = (0, 0);
        while lane < 8 {
            if mask >> lane & 1 == 1 {
                orders[mask] |= (lane as u64) << (8 * count);
                count += 1;
            }
            lane += 1;
        }
        mask += 1;
    }
    orders
};

impl Simd for Avx2 {
    const LANES: usize = 8;
    const REGISTERS: usize = 16;
    type V = __m256;
    type M = __m256;
    type Eight = Self;

    #[inline(always)]
    fn eight(self) -> Self {
        self
    }

    #[inline(always)]
    fn outline<W: Outlined>(self, work: W) -> W::Output {
        #[target_feature(enable = "avx2,fma")]
        #[inline(never)]
        fn outlined<W: Outlined>(simd: Avx2, work: W) -> W::Output {
            work.run(simd)
        }
        unsafe { outlined(self, work) }
    }

    #[inline(always)]
    fn splat(self, value: f32) -> __m256 {
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn load(self, from: &[f32], at: usize) -> __m256 {
        check(from.len(), at, 8);
        unsafe { _mm256_loadu_ps(from.as_ptr().add(at)) }
    }

    #[inline(always)]
    unsafe fn load_partial(self, from: &[f32], at: usize, lanes: usize) -> __m256 {
        check(from.len(), at, lanes);
        unsafe { _mm256_maskload_ps(from.as_ptr().add(at), first_lanes_256(lanes)) }
    }

    #[inline(always)]
    unsafe fn load_u8(self, from: &[u8], at: usize) -> __m256 {
        check(from.len(), at, 8);
        unsafe {
            _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(from.as_ptr().add(at).cast())))
        }
    }

    #[inline(always)]
    unsafe fn store(self, to: &mut [f32], at: usize, value: __m256) {
        check(to.len(), at, 8);
        unsafe { _mm256_storeu_ps(to.as_mut_ptr().add(at), value) }
    }

    #[inline(always)]
    unsafe fn store_partial(self, to: &mut [f32], at: usize, lanes: usize, value: __m256) {
        check(to.len(), at, lanes);
        // Not a masked store, which takes a dozen cycles on AMD's machines.
        unsafe {
            let (mut to, mut rest) = (to.as_mut_ptr().add(at), _mm256_castps256_ps128(value));
            if lanes == 8 {
                return _mm256_storeu_ps(to, value);
            }
            if lanes & 4 != 0 {
                _mm_storeu_ps(to, rest);
                (to, rest) = (to.add(4), _mm256_extractf128_ps::<1>(value));
            }
            if lanes & 2 != 0 {
                _mm_storel_epi64(to.cast(), _mm_castps_si128(rest));
                (to, rest) = (to.add(2), _mm_movehl_ps(rest, rest));
            }
            if lanes & 1 != 0 {
                _mm_store_ss(to, rest);
            }
        }
    }

    #[inline(always)]
    unsafe fn store_u8_partial(self, to: &mut [u8], at: usize, lanes: usize, value: __m256) {
        check(to.len(), at, lanes);
        unsafe {
            let words = _mm256_cvtps_epi32(value);
            let halves = _mm_packs_epi32(
                _mm256_castsi256_si128(words),
                _mm256_extracti128_si256::<1>(words),
            );
            let bytes = _mm_cvtsi128_si64(_mm_packus_epi16(halves, halves)).to_ne_bytes();
            let to = to.as_mut_ptr().add(at);
            if lanes == 8 {
                to.cast::<[u8; 8]>().write(bytes);
            } else {
                for (i, byte) in bytes.iter().enumerate().take(lanes) {
                    to.add(i).write(*byte);
                }
            }
        }
    }

    #[inline(always)]
    fn prefetch(self, memory: &[f32], at: usize) {
        prefetch(memory, at);
    }

    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_mul_ps(a, b) }
    }

    #[inline(always)]
    fn div(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_div_ps(a, b) }
    }

    #[inline(always)]
    fn fma(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn sqrt(self, a: __m256) -> __m256 {
        unsafe { _mm256_sqrt_ps(a) }
    }

    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_max_ps(a, b) }
    }

    #[inline(always)]
    fn min(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_min_ps(a, b) }
    }

    #[inline(always)]
    fn round(self, a: __m256) -> __m256 {
        unsafe { _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }

    #[inline(always)]
    fn exp2_integer(self, n: __m256) -> __m256 {
        unsafe {
            let biased = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
            _mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased))
        }
    }

    #[inline(always)]
    fn gt(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_cmp_ps::<_CMP_GT_OQ>(a, b) }
    }

    #[inline(always)]
    fn either_nan(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_cmp_ps::<_CMP_UNORD_Q>(a, b) }
    }

    #[inline(always)]
    fn nonzero(self, a: __m256) -> __m256 {
        unsafe { _mm256_cmp_ps::<_CMP_NEQ_UQ>(a, _mm256_setzero_ps()) }
    }

    #[inline(always)]
    fn select(self, mask: __m256, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_blendv_ps(b, a, mask) }
    }

    #[inline(always)]
    fn mask_bits(self, mask: __m256) -> u32 {
        unsafe { _mm256_movemask_ps(mask) as u32 }
    }

    #[inline(always)]
    fn mask_from_bits(self, bits: u32) -> __m256 {
        unsafe {
            let lane_bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
            let own = _mm256_and_si256(_mm256_set1_epi32(bits as i32), lane_bit);
            _mm256_castsi256_ps(_mm256_cmpeq_epi32(own, lane_bit))
        }
    }

    #[inline(always)]
    fn and(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_and_ps(a, b) }
    }

    #[inline(always)]
    fn compress(self, mask: __m256, a: __m256) -> __m256 {
        unsafe {
            let order = COMPRESSED[_mm256_movemask_ps(mask) as usize];
            _mm256_permutevar8x32_ps(a, _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(order as i64)))
        }
    }

    #[inline(always)]
    unsafe fn load_integers(self, from: &[u32], at: usize) -> __m256 {
        check(from.len(), at, 8);
        unsafe { _mm256_loadu_ps(from.as_ptr().add(at).cast()) }
    }

    #[inline(always)]
    unsafe fn store_integers(self, to: &mut [u32], at: usize, value: __m256) {
        check(to.len(), at, 8);
        unsafe { _mm256_storeu_ps(to.as_mut_ptr().add(at).cast(), value) }
    }

    #[inline(always)]
    fn to_integers(self, a: __m256) -> __m256 {
        unsafe { _mm256_castsi256_ps(_mm256_cvtps_epi32(a)) }
    }

    #[inline(always)]
    fn add_integers(self, a: __m256, b: __m256) -> __m256 {
        unsafe {
            _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)))
        }
    }

    #[inline(always)]
    fn deinterleave(self, a: __m256, b: __m256) -> (__m256, __m256) {
        unsafe {
            // Within 128-bit halves first: the quarters then come as a.low, b.low, a.high, b.high.
            let even = _mm256_shuffle_ps::<0b10_00_10_00>(a, b);
            let odd = _mm256_shuffle_ps::<0b11_01_11_01>(a, b);
            let order =
                |v| _mm256_castpd_ps(_mm256_permute4x64_pd::<0b11_01_10_00>(_mm256_castps_pd(v)));
            (order(even), order(odd))
        }
    }

    #[inline(always)]
    fn interleave(self, even: __m256, odd: __m256) -> (__m256, __m256) {
        unsafe {
            let (low, high) = (_mm256_unpacklo_ps(even, odd), _mm256_unpackhi_ps(even, odd));
            (_mm256_permute2f128_ps::<0x20>(low, high), _mm256_permute2f128_ps::<0x31>(low, high))
        }
    }

    #[inline(always)]
    fn sum(self, a: __m256) -> f32 {
        unsafe {
            let four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
        }
    }

    #[inline(always)]
    fn max_lane(self, a: __m256) -> f32 {
        unsafe {
            let four = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps::<1>(two, two)))
        }
    }
}

impl EightLanes for Avx2 {
    #[inline(always)]
    fn transpose(self, r: [__m256; 8]) -> [__m256; 8] {
        unsafe {
            // Pairs of rows, then fours, each within 128-bit halves; then the halves.
            let low = |i: usize| _mm256_unpacklo_ps(r[i], r[i + 1]);
            let high = |i: usize| _mm256_unpackhi_ps(r[i], r[i + 1]);
            let even = |a, b| _mm256_shuffle_ps::<0b01_00_01_00>(a, b);
            let odd = |a, b| _mm256_shuffle_ps::<0b11_10_11_10>(a, b);
            let top = [
                even(low(0), low(2)),
                odd(low(0), low(2)),
                even(high(0), high(2)),
                odd(high(0), high(2)),
            ];
            let bottom = [
                even(low(4), low(6)),
                odd(low(4), low(6)),
                even(high(4), high(6)),
                odd(high(4), high(6)),
            ];
            let first = |i: usize| _mm256_permute2f128_ps::<0x20>(top[i], bottom[i]);
            let last = |i: usize| _mm256_permute2f128_ps::<0x31>(top[i], bottom[i]);
            [first(0), first(1), first(2), first(3), last(0), last(1), last(2), last(3)]
        }
    }
}

impl Simd for Avx512 {
    const LANES: usize = 16;
    const REGISTERS: usize = 32;
    type V = __m512;
    type M = __mmask16;
    type Eight = Avx2;

    #[inline(always)]
    fn eight(self) -> Avx2 {
        Avx2(())
    }

    #[inline(always)]
    fn outline<W: Outlined>(self, work: W) -> W::Output {
        #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
        #[inline(never)]
        fn outlined<W: Outlined>(simd: Avx512, work: W) -> W::Output {
            work.run(simd)
        }
        unsafe { outlined(self, work) }
    }

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn load(self, from: &[f32], at: usize) -> __m512 {
        check(from.len(), at, 16);
        unsafe { _mm512_loadu_ps(from.as_ptr().add(at)) }
    }

    #[inline(always)]
    unsafe fn load_partial(self, from: &[f32], at: usize, lanes: usize) -> __m512 {
        check(from.len(), at, lanes);
        unsafe { _mm512_maskz_loadu_ps(first_lanes_512(lanes), from.as_ptr().add(at)) }
    }

    #[inline(always)]
    unsafe fn load_u8(self, from: &[u8], at: usize) -> __m512 {
        check(from.len(), at, 16);
        unsafe {
            _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(from.as_ptr().add(at).cast())))
        }
    }

    #[inline(always)]
    unsafe fn store(self, to: &mut [f32], at: usize, value: __m512) {
        check(to.len(), at, 16);
        unsafe { _mm512_storeu_ps(to.as_mut_ptr().add(at), value) }
    }

    #[inline(always)]
    unsafe fn store_partial(self, to: &mut [f32], at: usize, lanes: usize, value: __m512) {
        check(to.len(), at, lanes);
        unsafe { _mm512_mask_storeu_ps(to.as_mut_ptr().add(at), first_lanes_512(lanes), value) }
    }

    #[inline(always)]
    unsafe fn store_u8_partial(self, to: &mut [u8], at: usize, lanes: usize, value: __m512) {
        check(to.len(), at, lanes);
        unsafe {
            let bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(value));
            _mm_mask_storeu_epi8(to.as_mut_ptr().add(at).cast(), first_lanes_512(lanes), bytes);
        }
    }

    #[inline(always)]
    fn prefetch(self, memory: &[f32], at: usize) {
        prefetch(memory, at);
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_div_ps(a, b) }
    }

    #[inline(always)]
    fn fma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn sqrt(self, a: __m512) -> __m512 {
        unsafe { _mm512_sqrt_ps(a) }
    }

    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_max_ps(a, b) }
    }

    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_min_ps(a, b) }
    }

    #[inline(always)]
    fn round(self, a: __m512) -> __m512 {
        unsafe { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }

    #[inline(always)]
    fn exp2_integer(self, n: __m512) -> __m512 {
        unsafe {
            let biased = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(biased))
        }
    }

    #[inline(always)]
    fn gt(self, a: __m512, b: __m512) -> __mmask16 {
        unsafe { _mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b) }
    }

    #[inline(always)]
    fn either_nan(self, a: __m512, b: __m512) -> __mmask16 {
        unsafe { _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, b) }
    }

    #[inline(always)]
    fn nonzero(self, a: __m512) -> __mmask16 {
        unsafe { _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(a, _mm512_setzero_ps()) }
    }

    #[inline(always)]
    fn select(self, mask: __mmask16, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mask_blend_ps(mask, b, a) }
    }

    #[inline(always)]
    fn mask_bits(self, mask: __mmask16) -> u32 {
        u32::from(mask)
    }

    #[inline(always)]
    fn mask_from_bits(self, bits: u32) -> __mmask16 {
        bits as __mmask16
    }

    #[inline(always)]
    fn compress(self, mask: __mmask16, a: __m512) -> __m512 {
        unsafe { _mm512_maskz_compress_ps(mask, a) }
    }

    #[inline(always)]
    unsafe fn load_integers(self, from: &[u32], at: usize) -> __m512 {
        check(from.len(), at, 16);
        unsafe { _mm512_loadu_ps(from.as_ptr().add(at).cast()) }
    }

    #[inline(always)]
    unsafe fn store_integers(self, to: &mut [u32], at: usize, value: __m512) {
        check(to.len(), at, 16);
        unsafe { _mm512_storeu_ps(to.as_mut_ptr().add(at).cast(), value) }
    }

    #[inline(always)]
    fn to_integers(self, a: __m512) -> __m512 {
        unsafe { _mm512_castsi512_ps(_mm512_cvtps_epi32(a)) }
    }

    #[inline(always)]
    fn add_integers(self, a: __m512, b: __m512) -> __m512 {
        unsafe {
            _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b)))
        }
    }

    #[inline(always)]
    fn deinterleave(self, a: __m512, b: __m512) -> (__m512, __m512) {
        unsafe {
            let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
            let odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
            (_mm512_permutex2var_ps(a, even, b), _mm512_permutex2var_ps(a, odd, b))
        }
    }

    #[inline(always)]
    fn interleave(self, even: __m512, odd: __m512) -> (__m512, __m512) {
        unsafe {
            let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let high =
                _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
            (_mm512_permutex2var_ps(even, low, odd), _mm512_permutex2var_ps(even, high, odd))
        }
    }

    #[inline(always)]
    fn sum(self, a: __m512) -> f32 {
        unsafe { _mm512_reduce_add_ps(a) }
    }

    #[inline(always)]
    fn max_lane(self, a: __m512) -> f32 {
        unsafe { _mm512_reduce_max_ps(a) }
    }
}
