//! The one-dimensional transforms of F(4, 3), each lane on its own.
//!
//! A correlation of six numbers `d` with three weights `g` has four results, `y = Aᵀ [(G g) ∘ (Bᵀ d)]`, for which it
//! takes six products instead of twelve: polynomials are multiplied at six points, here 0, ±5/8, ±3/2 and infinity. The
//! gradients are the adjoints: of the numbers `B [(G g) ∘ (A y)]`, of the weights `Gᵀ [(Bᵀ d) ∘ (A y)]`.
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
const P3: f32 = P2 * P;
const Q3: f32 = Q2 * Q;
const PRODUCT: f32 = P2 * Q2;
const SUM: f32 = P2 + Q2;

/// What the polynomials that vanish at all points but one are divided by.
const AT_ZERO: f32 = (1.0 / (P2 as f64 * Q2 as f64)) as f32;
const AT_P: [f32; 3] = divided(P, P2 as f64 - Q2 as f64);
const AT_Q: [f32; 3] = divided(Q, Q2 as f64 - P2 as f64);

/// The powers of a point, divided.
const fn divided(point: f32, difference: f64) -> [f32; 3] {
    let point = point as f64;
    let scale = 1.0 / (2.0 * point * point * difference);
    [scale as f32, (scale * point) as f32, (scale * point * point) as f32]
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

/// `Aᵀ m`
#[inline(always)]
pub(super) fn results<S: Simd>(s: S, m: [S::V; 6]) -> [S::V; 4] {
    let (sum_p, difference_p) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
    let (sum_q, difference_q) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
    let [p, p2, p3] = [s.splat(P), s.splat(P2), s.splat(P3)];
    let [q, q2, q3] = [s.splat(Q), s.splat(Q2), s.splat(Q3)];
    [
        s.add(m[0], s.add(sum_p, sum_q)),
        s.fma(difference_p, p, s.mul(difference_q, q)),
        s.fma(sum_p, p2, s.mul(sum_q, q2)),
        s.fma(difference_p, p3, s.fma(difference_q, q3, m[5])),
    ]
}

/// `A y`, the adjoint of [`results`].
#[inline(always)]
pub(super) fn results_gradient<S: Simd>(s: S, y: [S::V; 4]) -> [S::V; 6] {
    let [p, p2, p3] = [s.splat(P), s.splat(P2), s.splat(P3)];
    let [q, q2, q3] = [s.splat(Q), s.splat(Q2), s.splat(Q3)];
    let (even_p, odd_p) = (s.fma(y[2], p2, y[0]), s.fma(y[3], p3, s.mul(y[1], p)));
    let (even_q, odd_q) = (s.fma(y[2], q2, y[0]), s.fma(y[3], q3, s.mul(y[1], q)));
    [
        y[0],
        s.add(even_p, odd_p),
        s.sub(even_p, odd_p),
        s.add(even_q, odd_q),
        s.sub(even_q, odd_q),
        y[3],
    ]
}

/// `G g`
#[inline(always)]
pub(super) fn weights<S: Simd>(s: S, g: [S::V; 3]) -> [S::V; 6] {
    let [p0, p1, p2] = [s.splat(AT_P[0]), s.splat(AT_P[1]), s.splat(AT_P[2])];
    let [q0, q1, q2] = [s.splat(AT_Q[0]), s.splat(AT_Q[1]), s.splat(AT_Q[2])];
    let (even_p, odd_p) = (s.fma(g[2], p2, s.mul(g[0], p0)), s.mul(g[1], p1));
    let (even_q, odd_q) = (s.fma(g[2], q2, s.mul(g[0], q0)), s.mul(g[1], q1));
    [
        s.mul(g[0], s.splat(AT_ZERO)),
        s.add(even_p, odd_p),
        s.sub(even_p, odd_p),
        s.add(even_q, odd_q),
        s.sub(even_q, odd_q),
        g[2],
    ]
}

/// `Gᵀ u`, the adjoint of [`weights`].
#[inline(always)]
pub(super) fn weights_gradient<S: Simd>(s: S, u: [S::V; 6]) -> [S::V; 3] {
    let [p0, p1, p2] = [s.splat(AT_P[0]), s.splat(AT_P[1]), s.splat(AT_P[2])];
    let [q0, q1, q2] = [s.splat(AT_Q[0]), s.splat(AT_Q[1]), s.splat(AT_Q[2])];
    let (sum_p, difference_p) = (s.add(u[1], u[2]), s.sub(u[1], u[2]));
    let (sum_q, difference_q) = (s.add(u[3], u[4]), s.sub(u[3], u[4]));
    [
        s.fma(sum_p, p0, s.fma(sum_q, q0, s.mul(u[0], s.splat(AT_ZERO)))),
        s.fma(difference_p, p1, s.mul(difference_q, q1)),
        s.fma(sum_p, p2, s.fma(sum_q, q2, u[5])),
    ]
}
