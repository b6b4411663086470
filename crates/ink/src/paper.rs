//! Paper as a smooth surface: a quadratic polynomial (as in Lu, Su and Tan, "Document image binarization using background
//! estimation and stroke edges", 2010), fitted by least trimmed squares (Rousseeuw and Van Driessen, "Computing LTS
//! regression for large data sets", 2006) so that strokes do not pull it.

use crate::Grey;

/// The paper's brightness as a function of position: c₀ + c₁x + c₂y + c₃x² + c₄xy + c₅y² for x and y from −1 to 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paper {
    coefficients: [f64; 6],
}

/// The share of pixels that the surface is fitted to: those closest to it.
const TRIMMED_SHARE: f64 = 0.6;
/// Most pixels that the surface is fitted to.
const SAMPLES_MAX: usize = 20_000;
const FIT_STEPS: usize = 12;

impl Paper {
    pub(super) fn fit(picture: &Grey) -> Self {
        let stride = picture.values.len().div_ceil(SAMPLES_MAX);
        let all: Vec<([f64; 6], f64)> = (0..picture.values.len())
            .step_by(stride)
            .map(|at| (terms(picture, at), f64::from(picture.values[at])))
            .collect();
        let kept = ((all.len() as f64 * TRIMMED_SHARE) as usize).max(1);
        let mut best: Option<(f64, Self)> = None;
        // Starts from a dark and a light flat surface and from the untrimmed fit; the best trimmed fit wins.
        for start in [
            Self::flat(quantile(&all, 0.2)),
            Self::flat(quantile(&all, 0.8)),
            Self::least_squares(&all),
        ] {
            let mut paper = start;
            let mut error = f64::INFINITY;
            for _ in 0..FIT_STEPS {
                let mut ranked: Vec<(f64, usize)> = all
                    .iter()
                    .enumerate()
                    .map(|(at, (terms, value))| ((paper.value(terms) - value).abs(), at))
                    .collect();
                ranked.select_nth_unstable_by(kept - 1, |a, b| {
                    a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
                });
                ranked.truncate(kept);
                let chosen: Vec<_> = ranked.iter().map(|&(_, at)| all[at]).collect();
                paper = Self::least_squares(&chosen);
                let errors =
                    chosen.iter().map(|(terms, value)| (paper.value(terms) - value).powi(2));
                let now = errors.sum::<f64>();
                if now >= error * 0.999 {
                    break;
                }
                error = now;
            }
            if best.is_none_or(|(least, _)| error < least) {
                best = Some((error, paper));
            }
        }
        best.map_or_else(|| Self::flat(0.0), |(_, paper)| paper)
    }

    pub(super) fn flat(value: f64) -> Self {
        Self { coefficients: [value, 0.0, 0.0, 0.0, 0.0, 0.0] }
    }

    /// Solves the normal equations; a ridge keeps them solvable for pictures of one row.
    fn least_squares(points: &[([f64; 6], f64)]) -> Self {
        let mut matrix = [[0.0; 7]; 6];
        for (terms, value) in points {
            for (row, term) in matrix.iter_mut().zip(terms) {
                for (cell, other) in row.iter_mut().zip(terms) {
                    *cell += term * other;
                }
                row[6] += term * value;
            }
        }
        let ridge = 1e-6 * points.len().max(1) as f64;
        for (at, row) in matrix.iter_mut().enumerate() {
            row[at] += if at == 0 { 1e-9 } else { ridge };
        }
        Self { coefficients: solve(matrix) }
    }

    fn value(&self, terms: &[f64; 6]) -> f64 {
        self.coefficients.iter().zip(terms).map(|(coefficient, term)| coefficient * term).sum()
    }

    pub(super) fn at(&self, picture: &Grey, index: usize) -> f32 {
        self.value(&terms(picture, index)) as f32
    }
}

fn terms(picture: &Grey, index: usize) -> [f64; 6] {
    let scale = |coordinate: usize, len: usize| (2 * coordinate + 1) as f64 / len as f64 - 1.0;
    let x = scale(index % picture.width, picture.width);
    let y = scale(index / picture.width, picture.height);
    [1.0, x, y, x * x, x * y, y * y]
}

fn quantile(points: &[([f64; 6], f64)], share: f64) -> f64 {
    let mut values: Vec<f64> = points.iter().map(|point| point.1).collect();
    let at = ((values.len() - 1) as f64 * share) as usize;
    *values.select_nth_unstable_by(at, f64::total_cmp).1
}

/// Gaussian elimination of a positive definite matrix with its right side in the last column.
fn solve(mut matrix: [[f64; 7]; 6]) -> [f64; 6] {
    for pivot in 0..6 {
        let lead = matrix[pivot];
        for (at, row) in matrix.iter_mut().enumerate() {
            if at != pivot {
                let factor = row[pivot] / lead[pivot];
                row.iter_mut().zip(lead).for_each(|(cell, lead)| *cell -= factor * lead);
            }
        }
    }
    std::array::from_fn(|at| matrix[at][6] / matrix[at][at])
}
