//! What the tests of several operations share: reproducible values and a comparison with double precision.

use super::activation::Activation;

/// `len` values in -1..1 that depend on `seed` alone.
pub fn random(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0xd1b5_4a32_d192_ed03;
    let mut next = || {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) >> 40
    };
    (0..len).map(|_| next() as f32 / (1 << 23) as f32 - 1.0).collect()
}

/// Asserts an error of at most `tolerance`, relative to the root mean square of the expected values: an element that
/// cancels to nearly nothing is as precise as its terms, not as itself.
#[track_caller]
pub fn assert_close(found: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_close_beside(found, expected, tolerance, 0.0, what);
}

/// As [`assert_close`], where sums of terms as large as `scale` may have cancelled in all of the values.
#[track_caller]
pub fn assert_close_beside(
    found: &[f32],
    expected: &[f64],
    tolerance: f64,
    scale: f64,
    what: &str,
) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let mean_square =
        expected.iter().map(|value| value * value).sum::<f64>() / expected.len().max(1) as f64;
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected).abs();
        let scale = expected.abs().max(mean_square.sqrt()).max(scale);
        assert!(error <= tolerance * scale, "{what}[{i}]: {found} for {expected}");
    }
}

impl Activation {
    /// The activation in double precision.
    pub fn reference(self, x: f64) -> f64 {
        let sigmoid = 1.0 / (1.0 + (-x).exp());
        match self {
            Self::Linear => x,
            Self::Relu => x.max(0.0),
            Self::LeakyRelu => x.max(f64::from(Self::LEAKY_SLOPE) * x),
            Self::Gelu => x * 0.5 * (1.0 + libm::erf(x / 2_f64.sqrt())),
            Self::Silu => x * sigmoid,
            Self::Tanh => x.tanh(),
            Self::Sigmoid => sigmoid,
        }
    }

    /// Its derivative, by the formulas of calculus.
    pub fn reference_slope(self, x: f64) -> f64 {
        let sigmoid = 1.0 / (1.0 + (-x).exp());
        match self {
            Self::Linear => 1.0,
            Self::Relu => f64::from(u8::from(x > 0.0)),
            Self::LeakyRelu => {
                if x > 0.0 {
                    1.0
                } else {
                    f64::from(Self::LEAKY_SLOPE)
                }
            }
            Self::Gelu => {
                let density = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
                0.5 * (1.0 + libm::erf(x / 2_f64.sqrt())) + x * density
            }
            Self::Silu => sigmoid * (1.0 + x * (1.0 - sigmoid)),
            Self::Tanh => 1.0 - x.tanh().powi(2),
            Self::Sigmoid => sigmoid * (1.0 - sigmoid),
        }
    }
}
