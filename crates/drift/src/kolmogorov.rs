//! The distribution of Kolmogorov's statistic of one sample, which SciPy takes for that of two large ones.
//!
//! Simard and L'Ecuyer, "Computing the two-sided Kolmogorov-Smirnov distribution" (2011), choose between the formulas
//! by size and distance. The limits between them are SciPy's (`scipy.stats.kstwo`), so that the values are too.

use std::f64::consts::PI;

/// The probability that the largest distance between the empirical distribution of `n` values and the distribution
/// that they come from is at least `distance`.
pub fn survival(n: u64, distance: f64) -> f64 {
    if distance.is_nan() || n == 0 {
        return f64::NAN;
    }
    if distance >= 1.0 {
        return 0.0;
    }
    let count = n as f64;
    let scaled = count * distance;
    if scaled <= 0.5 {
        return 1.0;
    }
    let squared = scaled * distance;
    let survival = if scaled <= 1.0 {
        // Ruben and Gambino (1982): n! (2 d - 1 / n)^n.
        let log =
            libm::lgamma(count + 1.0) - count * count.ln() + count * (2.0 * scaled - 1.0).ln();
        1.0 - log.exp()
    } else if scaled >= count - 1.0 {
        2.0 * (1.0 - distance).powf(count)
    } else if distance >= 0.5 {
        2.0 * one_sided(n, distance)
    } else if n <= 140 {
        if squared <= 4.0 { 1.0 - durbin(n, distance) } else { 2.0 * one_sided(n, distance) }
    } else if squared >= 370.0 {
        0.0
    } else if squared >= 2.2 {
        2.0 * one_sided(n, distance)
    } else if n <= 100_000 && count * distance.powf(1.5) <= 1.4 {
        1.0 - durbin(n, distance)
    } else {
        pelz_good(count, distance)
    };
    survival.clamp(0.0, 1.0)
}

/// The same probability for the distance to one side alone: Birnbaum and Tingey, "One-sided confidence contours for
/// probability distribution functions" (1951).
fn one_sided(n: u64, distance: f64) -> f64 {
    let count = n as f64;
    let log_factorial = libm::lgamma(count + 1.0);
    let last = (count * (1.0 - distance)).floor() as u64;
    let term = |index: u64| {
        let (at, left) = (index as f64, (n - index) as f64);
        let outside = 1.0 - distance - at / count;
        if outside <= 0.0 && left > 0.0 {
            return 0.0;
        }
        let power = if left > 0.0 { left * outside.ln() } else { 0.0 };
        let choices = log_factorial - libm::lgamma(at + 1.0) - libm::lgamma(left + 1.0);
        (choices + power + (at - 1.0) * (distance + at / count).ln()).exp()
    };
    distance * (0..=last).map(term).sum::<f64>()
}

/// The distribution function at `distance`: Marsaglia, Tsang and Wang, "Evaluating Kolmogorov's distribution" (2003).
fn durbin(n: u64, distance: f64) -> f64 {
    const SCALE: i32 = 128;
    let large = 2f64.powi(SCALE);
    let scaled = n as f64 * distance;
    let k = scaled.ceil() as usize;
    let (h, side) = (k as f64 - scaled, 2 * k - 1);
    let mut inverse_factorial = vec![1.0; side + 1];
    for index in 1..=side {
        inverse_factorial[index] = inverse_factorial[index - 1] / index as f64;
    }
    let mut edge: Vec<f64> =
        (1..=side).map(|power| (1.0 - h.powi(power as i32)) * inverse_factorial[power]).collect();
    let both = (2.0 * h - 1.0).max(0.0).powi(side as i32) - 2.0 * h.powi(side as i32);
    edge[side - 1] = (1.0 + both) * inverse_factorial[side];
    let mut matrix = vec![0.0; side * side];
    for row in 0..side {
        for column in 1..(row + 2).min(side) {
            matrix[row * side + column] = inverse_factorial[row + 1 - column];
        }
        matrix[row * side] = edge[row];
    }
    for column in 0..side {
        matrix[(side - 1) * side + column] = edge[side - 1 - column];
    }

    let middle = (k - 1) * side + k - 1;
    let mut power = vec![0.0; side * side];
    for index in 0..side {
        power[index * side + index] = 1.0;
    }
    let (mut left, mut exponent, mut matrix_exponent) = (n, 0, 0);
    while left > 0 {
        if left % 2 == 1 {
            power = product(&power, &matrix, side);
            exponent += matrix_exponent;
        }
        matrix = product(&matrix, &matrix, side);
        matrix_exponent *= 2;
        if matrix[middle].abs() > large {
            matrix.iter_mut().for_each(|value| *value /= large);
            matrix_exponent += SCALE;
        }
        left /= 2;
    }
    let mut probability = power[middle];
    for index in 1..=n {
        probability *= index as f64 / n as f64;
        if probability.abs() < 1.0 / large {
            probability *= large;
            exponent -= SCALE;
        }
    }
    libm::ldexp(probability, exponent)
}

/// The product of two matrices, `[side, side]`.
fn product(first: &[f64], second: &[f64], side: usize) -> Vec<f64> {
    let mut product = vec![0.0; side * side];
    for (row, out) in first.chunks_exact(side).zip(product.chunks_exact_mut(side)) {
        for (&factor, values) in row.iter().zip(second.chunks_exact(side)) {
            if factor != 0.0 {
                out.iter_mut().zip(values).for_each(|(out, value)| *out += factor * value);
            }
        }
    }
    product
}

/// The approximation of Pelz and Good, "Approximating the lower tail-areas of the Kolmogorov-Smirnov one-sample
/// statistic" (1976).
fn pelz_good(n: f64, distance: f64) -> f64 {
    let z = n.sqrt() * distance;
    let [z2, z3, z4, z6, z7, z8, z10] = [2, 3, 4, 6, 7, 8, 10].map(|power| z.powi(power));
    let [pi2, pi4, pi6] = [2, 4, 6].map(|power| PI.powi(power));
    let exponent = -pi2 / 8.0 / z2;
    if exponent < -708.0 {
        return 1.0;
    }
    let q = exponent.exp();
    let terms = (16.0 * z / PI).ceil() as i32;
    let mut sums = [0.0; 4];
    for k in (1..=terms).rev() {
        let odd = f64::from(2 * k - 1);
        let [m2, m4, m6] = [2, 4, 6].map(|power| odd.powi(power));
        let parts = [
            1.0,
            -z2 + pi2 / 4.0 * m2,
            6.0 * z6
                + 2.0 * z4
                + (2.0 * z4 - 5.0 * z2) * pi2 / 4.0 * m2
                + pi4 * (1.0 - 2.0 * z2) / 16.0 * m4,
            -30.0 * z6 - 90.0 * z8
                + pi2 * (135.0 * z4 - 96.0 * z6) / 4.0 * m2
                + pi4 * (-60.0 * z2 + 212.0 * z4) / 16.0 * m4
                + pi6 * (5.0 - 30.0 * z2) / 64.0 * m6,
        ];
        let power = q.powi(8 * k);
        for (sum, part) in sums.iter_mut().zip(parts) {
            *sum = *sum * power + part;
        }
    }
    let root = (2.0 * PI).sqrt();
    for (sum, divisor) in sums.iter_mut().zip([z, 6.0 * z4, 72.0 * z7, 6480.0 * z10]) {
        *sum *= q * root / divisor;
    }
    let q = (-pi2 / 2.0 / z2).exp();
    let (mut second, mut third) = (0.0, 0.0);
    for k in (1..=terms).rev() {
        let square = f64::from(k * k);
        let power = q.powi(k * k);
        second += square * power;
        third += (3.0 * z2 - pi2 * square) * square * power;
    }
    sums[2] -= second * pi2 * root / (36.0 * z3);
    sums[3] += third * pi2 * root / (216.0 * z6);
    let [first, second, third, fourth] = sums;
    (1.0 - first) - second / n.sqrt() - third / n - fourth / (n * n.sqrt())
}
