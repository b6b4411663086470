//! The one-dimensional transforms of F(4, 3) and F(2, 5), each lane on its own.
//!
//! A correlation of six numbers `d` with three weights `g` has four results, `y = Aᵀ [(G g) ∘ (Bᵀ d)]`, for which it
//! takes six products instead of twelve: polynomials are multiplied at six points, here 0, ±5/8, ±3/2 and infinity. The
//! gradients are the adjoints: of the numbers `B [(G g) ∘ (A y)]`, of the weights `Gᵀ [(Bᵀ d) ∘ (A y)]`. With five weights
//! there are two results, for six products instead of ten; `B` stays as it is, `G` and `A` have the next powers of the points,
//! or fewer.
//!
//! The points decide how much rounding is amplified ([Barabasz et al. 2020](https://doi.org/10.1145/3412380)). The usual
//! ones, 0, ±1 and ±2, lose twice as many digits as these, whose powers lie closer together and are `f32`s without
//! rounding.

use crate::simd::Simd;

/// The points besides 0 and infinity: ±`P` and ±`Q`.
const P: f32 = 0.625;
const Q: f32 = 1.5;

const P2: f32 = P * P;
const Q2: f32 = Q * Q;
/// Their powers, from 0 on.
const POWERS_OF_P: [f32; 4] = [1.0, P, P2, P2 * P];
const POWERS_OF_Q: [f32; 4] = [1.0, Q, Q2, Q2 * Q];
const PRODUCT: f32 = P2 * Q2;
const SUM: f32 = P2 + Q2;

/// What the polynomials that vanish at all points but one are divided by.
const AT_ZERO: f32 = (1.0 / (P2 as f64 * Q2 as f64)) as f32;
const AT_P: [f32; 5] = divided(P, P2 as f64 - Q2 as f64);
const AT_Q: [f32; 5] = divided(Q, Q2 as f64 - P2 as f64);

/// The powers of a point, divided.
const fn divided(point: f32, difference: f64) -> [f32; 5] {
    let point = point as f64;
    let scale = 1.0 / (2.0 * point * point * difference);
    let (p1, p2) = (scale * point, scale * point * point);
    [scale as f32, p1 as f32, p2 as f32, (p2 * point) as f32, (p2 * point * point) as f32]
}

/// `Bᵀ d`
#[inline(always)]
pub(super) fn numbers<S: Simd>(s: S, d: [S::V; 6]) -> [S::V; 6] {
    let [minus_p2, minus_q2] = [s.splat(-P2), s.splat(-Q2)];
    let [minus_sum, product] = [s.splat(-SUM), s.splat(PRODUCT)];
    let even_p = s.fma(d[2], minus_q2, d[4]);
    let odd_p = s.mul(s.fma(d[1], minus_q2, d[3]), s.splat(P));
    let even_q = s.fma(d[2], minus_p2, d[4]);
    let odd_q = s.mul(s.fma(d[1], minus_p2, d[3]), s.splat(Q));
    [
        s.fma(d[0], product, s.fma(d[2], minus_sum, d[4])),
        s.add(even_p, odd_p),
        s.sub(even_p, odd_p),
        s.add(even_q, odd_q),
        s.sub(even_q, odd_q),
        s.fma(d[1], product, s.fma(d[3], minus_sum, d[5])),
    ]
}

/// `B v`, the adjoint of [`numbers`].
#[inline(always)]
pub(super) fn numbers_gradient<S: Simd>(s: S, v: [S::V; 6]) -> [S::V; 6] {
    let [minus_p2, minus_q2] = [s.splat(-P2), s.splat(-Q2)];
    let [minus_sum, product] = [s.splat(-SUM), s.splat(PRODUCT)];
    let (even_p, odd_p) = (s.add(v[1], v[2]), s.mul(s.sub(v[1], v[2]), s.splat(P)));
    let (even_q, odd_q) = (s.add(v[3], v[4]), s.mul(s.sub(v[3], v[4]), s.splat(Q)));
    [
        s.mul(v[0], product),
        s.fma(odd_p, minus_q2, s.fma(odd_q, minus_p2, s.mul(v[5], product))),
        s.fma(even_p, minus_q2, s.fma(even_q, minus_p2, s.mul(v[0], minus_sum))),
        s.fma(v[5], minus_sum, s.add(odd_p, odd_q)),
        s.add(v[0], s.add(even_p, even_q)),
        v[5],
    ]
}

/// `Aᵀ m`, of `R` results.
#[inline(always)]
pub(super) fn results<S: Simd, const R: usize>(s: S, m: [S::V; 6]) -> [S::V; R] {
    let (sum_p, difference_p) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
    let (sum_q, difference_q) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
    let mut results = [s.zero(); R];
    results[0] = s.add(m[0], s.add(sum_p, sum_q));
    for k in 1..R {
        let [of_p, of_q] = if k % 2 == 0 { [sum_p, sum_q] } else { [difference_p, difference_q] };
        let at_infinity = if k + 1 == R { m[5] } else { s.zero() };
        let of_q = s.fma(of_q, s.splat(POWERS_OF_Q[k]), at_infinity);
        results[k] = s.fma(of_p, s.splat(POWERS_OF_P[k]), of_q);
    }
    results
}

/// `A y`, the adjoint of [`results`].
#[inline(always)]
pub(super) fn results_gradient<S: Simd, const R: usize>(s: S, y: [S::V; R]) -> [S::V; 6] {
    let (mut even_p, mut even_q) = (y[0], y[0]);
    let (mut odd_p, mut odd_q) = (s.mul(y[1], s.splat(P)), s.mul(y[1], s.splat(Q)));
    for k in 2..R {
        let [p, q] = [s.splat(POWERS_OF_P[k]), s.splat(POWERS_OF_Q[k])];
        if k % 2 == 0 {
            (even_p, even_q) = (s.fma(y[k], p, even_p), s.fma(y[k], q, even_q));
        } else {
            (odd_p, odd_q) = (s.fma(y[k], p, odd_p), s.fma(y[k], q, odd_q));
        }
    }
    [
        y[0],
        s.add(even_p, odd_p),
        s.sub(even_p, odd_p),
        s.add(even_q, odd_q),
        s.sub(even_q, odd_q),
        y[R - 1],
    ]
}

/// `G g`, of `K` weights.
#[inline(always)]
pub(super) fn weights<S: Simd, const K: usize>(s: S, g: [S::V; K]) -> [S::V; 6] {
    let (mut even_p, mut even_q) = (s.mul(g[0], s.splat(AT_P[0])), s.mul(g[0], s.splat(AT_Q[0])));
    let (mut odd_p, mut odd_q) = (s.mul(g[1], s.splat(AT_P[1])), s.mul(g[1], s.splat(AT_Q[1])));
    for k in 2..K {
        let [p, q] = [s.splat(AT_P[k]), s.splat(AT_Q[k])];
        if k % 2 == 0 {
            (even_p, even_q) = (s.fma(g[k], p, even_p), s.fma(g[k], q, even_q));
        } else {
            (odd_p, odd_q) = (s.fma(g[k], p, odd_p), s.fma(g[k], q, odd_q));
        }
    }
    [
        s.mul(g[0], s.splat(AT_ZERO)),
        s.add(even_p, odd_p),
        s.sub(even_p, odd_p),
        s.add(even_q, odd_q),
        s.sub(even_q, odd_q),
        g[K - 1],
    ]
}

/// `Gᵀ u`, the adjoint of [`weights`].
#[inline(always)]
pub(super) fn weights_gradient<S: Simd, const K: usize>(s: S, u: [S::V; 6]) -> [S::V; K] {
    let (sum_p, difference_p) = (s.add(u[1], u[2]), s.sub(u[1], u[2]));
    let (sum_q, difference_q) = (s.add(u[3], u[4]), s.sub(u[3], u[4]));
    let mut gradients = [s.zero(); K];
    for k in 0..K {
        let [of_p, of_q] = if k % 2 == 0 { [sum_p, sum_q] } else { [difference_p, difference_q] };
        let rest = if k == 0 {
            s.mul(u[0], s.splat(AT_ZERO))
        } else if k + 1 == K {
            u[5]
        } else {
            s.zero()
        };
        gradients[k] = s.fma(of_p, s.splat(AT_P[k]), s.fma(of_q, s.splat(AT_Q[k]), rest));
    }
    gradients
}
