//! The one-dimensional transforms of F(4, 3) and F(4, 5), each lane on its own.
//!
//! A correlation of `N` numbers `d` with `K` weights `g` has four results, `y = Aᵀ [(G g) ∘ (Bᵀ d)]`, for which it takes `N`
//! products: six instead of twelve for three weights, eight instead of twenty for five. Polynomials are multiplied at so many
//! points: 0, infinity, and pairs of a number and its negative. The gradients are the adjoints: of the numbers
//! `B [(G g) ∘ (A y)]`, of the weights `Gᵀ [(Bᵀ d) ∘ (A y)]`.
//!
//! The points decide how much rounding is amplified ([Barabasz et al. 2020](https://doi.org/10.1145/3412380)). Of six, the usual
//! ones, 0, ±1 and ±2, lose twice as many digits as 0, ±5/8 and ±3/2, whose powers lie closer together and are `f32`s without
//! rounding. Of eight, 0, ±1/2, ±1 and ±2 lose least among all multiples of 1/8 up to 11/4.

use crate::simd::Simd;

/// Pairs of eight points.
const PAIRS_MAX: usize = 3;
/// Weights, and powers of a point from 0 on, that a transform takes at most.
const POWERS: usize = 5;

/// What is known of `N` points.
struct Points<const N: usize>;

impl<const N: usize> Points<N> {
    /// Pairs of a number and its negative; the other two points are 0 and infinity.
    const PAIRS: usize = N / 2 - 1;
    /// The positive ones of the pairs.
    const POSITIVE: [f64; PAIRS_MAX] = match N {
        6 => [0.625, 1.5, 0.0],
        8 => [0.5, 1.0, 2.0],
        _ => panic!("six or eight points"),
    };
    /// The powers of each.
    const POWERS: [[f32; POWERS]; PAIRS_MAX] = {
        let mut powers = [[0.0; POWERS]; PAIRS_MAX];
        let mut i = 0;
        while i < Self::PAIRS {
            powers[i] = scaled_powers(Self::POSITIVE[i], 1.0);
            i += 1;
        }
        powers
    };
    /// Coefficients of the polynomial in x² that vanishes at all pairs, the lowest first.
    const ALL: [f32; PAIRS_MAX + 1] = narrowed(Self::vanishing(PAIRS_MAX));
    /// The same of all pairs but one.
    const OTHERS: [[f32; PAIRS_MAX + 1]; PAIRS_MAX] =
        [narrowed(Self::vanishing(0)), narrowed(Self::vanishing(1)), narrowed(Self::vanishing(2))];
    /// The powers of each, divided by what the polynomial that vanishes at all other points is there.
    const DIVIDED: [[f32; POWERS]; PAIRS_MAX] = {
        let mut divided = [[0.0; POWERS]; PAIRS_MAX];
        let mut i = 0;
        while i < Self::PAIRS {
            let point = Self::POSITIVE[i];
            let mut value = 2.0 * point * point;
            let mut j = 0;
            while j < Self::PAIRS {
                if j != i {
                    value *= point * point - Self::POSITIVE[j] * Self::POSITIVE[j];
                }
                j += 1;
            }
            divided[i] = scaled_powers(point, 1.0 / value);
            i += 1;
        }
        divided
    };
    /// The same of the point 0, whose powers but the first are 0.
    const AT_ZERO: f32 = (1.0 / Self::vanishing(PAIRS_MAX)[0]) as f32;

    const fn vanishing(but: usize) -> [f64; PAIRS_MAX + 1] {
        let mut coefficients = [1.0, 0.0, 0.0, 0.0];
        let mut i = 0;
        while i < Self::PAIRS {
            if i != but {
                let square = Self::POSITIVE[i] * Self::POSITIVE[i];
                let mut k = PAIRS_MAX;
                while k > 0 {
                    coefficients[k] = coefficients[k - 1] - square * coefficients[k];
                    k -= 1;
                }
                coefficients[0] *= -square;
            }
            i += 1;
        }
        coefficients
    }
}

const fn narrowed(from: [f64; PAIRS_MAX + 1]) -> [f32; PAIRS_MAX + 1] {
    [from[0] as f32, from[1] as f32, from[2] as f32, from[3] as f32]
}

const fn scaled_powers(point: f64, scale: f64) -> [f32; POWERS] {
    let mut powers = [0.0; POWERS];
    let mut power = scale;
    let mut k = 0;
    while k < POWERS {
        powers[k] = power as f32;
        power *= point;
        k += 1;
    }
    powers
}

/// Values at the pairs from the even and the odd part of a polynomial at their positive points, with those at 0 and infinity.
#[inline(always)]
fn at_points<S: Simd, const N: usize>(
    s: S,
    [zero, infinity]: [S::V; 2],
    even: [S::V; PAIRS_MAX],
    odd: [S::V; PAIRS_MAX],
) -> [S::V; N] {
    let mut values = [zero; N];
    for i in 0..Points::<N>::PAIRS {
        values[1 + 2 * i] = s.add(even[i], odd[i]);
        values[2 + 2 * i] = s.sub(even[i], odd[i]);
    }
    values[N - 1] = infinity;
    values
}

/// The sum and the difference of the values at each pair.
#[inline(always)]
fn of_pairs<S: Simd, const N: usize>(s: S, values: [S::V; N]) -> [[S::V; PAIRS_MAX]; 2] {
    let (mut sums, mut differences) = ([s.zero(); PAIRS_MAX], [s.zero(); PAIRS_MAX]);
    for i in 0..Points::<N>::PAIRS {
        let [plus, minus] = [values[1 + 2 * i], values[2 + 2 * i]];
        (sums[i], differences[i]) = (s.add(plus, minus), s.sub(plus, minus));
    }
    [sums, differences]
}

/// The sum of what belongs to the pairs.
#[inline(always)]
fn total<S: Simd, const N: usize>(s: S, of_pairs: [S::V; PAIRS_MAX]) -> S::V {
    let mut total = of_pairs[0];
    for &value in &of_pairs[1..Points::<N>::PAIRS] {
        total = s.add(total, value);
    }
    total
}

/// `Bᵀ d`
#[inline(always)]
pub(super) fn numbers<S: Simd, const N: usize>(s: S, d: [S::V; N]) -> [S::V; N] {
    let pairs = Points::<N>::PAIRS;
    // The value of a polynomial in x², whose numbers are two apart; its highest coefficient is 1.
    let mut zero = d[N - 2];
    let mut infinity = d[N - 1];
    for k in (0..pairs).rev() {
        let coefficient = s.splat(Points::<N>::ALL[k]);
        zero = s.fma(d[2 * k], coefficient, zero);
        infinity = s.fma(d[2 * k + 1], coefficient, infinity);
    }
    let (mut even, mut odd) = ([s.zero(); PAIRS_MAX], [s.zero(); PAIRS_MAX]);
    for i in 0..pairs {
        (even[i], odd[i]) = (d[N - 2], d[N - 3]);
        for k in (0..pairs - 1).rev() {
            let coefficient = s.splat(Points::<N>::OTHERS[i][k]);
            even[i] = s.fma(d[2 * k + 2], coefficient, even[i]);
            odd[i] = s.fma(d[2 * k + 1], coefficient, odd[i]);
        }
        odd[i] = s.mul(odd[i], s.splat(Points::<N>::POWERS[i][1]));
    }
    at_points(s, [zero, infinity], even, odd)
}

/// `B v`, the adjoint of [`numbers`].
#[inline(always)]
pub(super) fn numbers_gradient<S: Simd, const N: usize>(s: S, v: [S::V; N]) -> [S::V; N] {
    let pairs = Points::<N>::PAIRS;
    let [zero, infinity] = [v[0], v[N - 1]];
    let [even, mut odd] = of_pairs(s, v);
    for (odd, powers) in odd.iter_mut().zip(Points::<N>::POWERS) {
        *odd = s.mul(*odd, s.splat(powers[1]));
    }
    let mut gradient = [s.zero(); N];
    for k in 0..pairs {
        let all = s.splat(Points::<N>::ALL[k]);
        // The highest coefficient of the others is 1.
        gradient[2 * k + 1] = if k + 1 == pairs {
            s.fma(infinity, all, total::<S, N>(s, odd))
        } else {
            combined::<S, N>(s, k, s.mul(infinity, all), odd)
        };
        gradient[2 * k] = match k.checked_sub(1) {
            None => s.mul(zero, all),
            Some(before) => combined::<S, N>(s, before, s.mul(zero, all), even),
        };
    }
    gradient[N - 2] = s.add(zero, total::<S, N>(s, even));
    gradient[N - 1] = infinity;
    gradient
}

/// Adds what belongs to the pairs, times coefficient `k` of the polynomial of all other pairs.
#[inline(always)]
fn combined<S: Simd, const N: usize>(
    s: S,
    k: usize,
    start: S::V,
    of_pairs: [S::V; PAIRS_MAX],
) -> S::V {
    let mut sum = start;
    for i in (0..Points::<N>::PAIRS).rev() {
        sum = s.fma(of_pairs[i], s.splat(Points::<N>::OTHERS[i][k]), sum);
    }
    sum
}

/// `Aᵀ m`, of `R` results.
#[inline(always)]
pub(super) fn results<S: Simd, const N: usize, const R: usize>(s: S, m: [S::V; N]) -> [S::V; R] {
    let [sums, differences] = of_pairs(s, m);
    let mut results = [s.zero(); R];
    results[0] = s.add(m[0], total::<S, N>(s, sums));
    for (k, result) in results.iter_mut().enumerate().skip(1) {
        let of_pairs = if k % 2 == 0 { sums } else { differences };
        *result = if k + 1 == R { m[N - 1] } else { s.zero() };
        for i in (0..Points::<N>::PAIRS).rev() {
            *result = s.fma(of_pairs[i], s.splat(Points::<N>::POWERS[i][k]), *result);
        }
    }
    results
}

/// `A y`, the adjoint of [`results`].
#[inline(always)]
pub(super) fn results_gradient<S: Simd, const N: usize, const R: usize>(
    s: S,
    y: [S::V; R],
) -> [S::V; N] {
    let [even, odd] = evaluated::<S, N, R>(s, y, Points::<N>::POWERS);
    at_points(s, [y[0], y[R - 1]], even, odd)
}

/// `G g`, of `K` weights.
#[inline(always)]
pub(super) fn weights<S: Simd, const N: usize, const K: usize>(s: S, g: [S::V; K]) -> [S::V; N] {
    let [even, odd] = evaluated::<S, N, K>(s, g, Points::<N>::DIVIDED);
    at_points(s, [s.mul(g[0], s.splat(Points::<N>::AT_ZERO)), g[K - 1]], even, odd)
}

/// The even and the odd part of a polynomial at the positive points, whose (scaled) powers are given.
#[inline(always)]
fn evaluated<S: Simd, const N: usize, const K: usize>(
    s: S,
    coefficients: [S::V; K],
    powers: [[f32; POWERS]; PAIRS_MAX],
) -> [[S::V; PAIRS_MAX]; 2] {
    let (mut even, mut odd) = ([s.zero(); PAIRS_MAX], [s.zero(); PAIRS_MAX]);
    for i in 0..Points::<N>::PAIRS {
        even[i] = s.mul(coefficients[0], s.splat(powers[i][0]));
        odd[i] = s.mul(coefficients[1], s.splat(powers[i][1]));
        for k in 2..K {
            let part = if k % 2 == 0 { &mut even[i] } else { &mut odd[i] };
            *part = s.fma(coefficients[k], s.splat(powers[i][k]), *part);
        }
    }
    [even, odd]
}

/// `Gᵀ u`, the adjoint of [`weights`].
#[inline(always)]
pub(super) fn weights_gradient<S: Simd, const N: usize, const K: usize>(
    s: S,
    u: [S::V; N],
) -> [S::V; K] {
    let [sums, differences] = of_pairs(s, u);
    let mut gradients = [s.zero(); K];
    for (k, gradient) in gradients.iter_mut().enumerate() {
        let of_pairs = if k % 2 == 0 { sums } else { differences };
        *gradient = if k == 0 {
            s.mul(u[0], s.splat(Points::<N>::AT_ZERO))
        } else if k + 1 == K {
            u[N - 1]
        } else {
            s.zero()
        };
        for i in (0..Points::<N>::PAIRS).rev() {
            *gradient = s.fma(of_pairs[i], s.splat(Points::<N>::DIVIDED[i][k]), *gradient);
        }
    }
    gradients
}
