//! Sums over squares of a picture, however large, in four look-ups.

/// A summed-area table (Crow, "Summed-area tables for texture mapping", 1984).
pub(super) struct Sums {
    table: Vec<f64>,
    width: usize,
    height: usize,
}

impl Sums {
    pub(super) fn of(width: usize, height: usize, value: impl Fn(usize) -> f64) -> Self {
        let row = width + 1;
        let mut table = vec![0.0; row * (height + 1)];
        for y in 0..height {
            let mut sum = 0.0;
            for x in 0..width {
                sum += value(y * width + x);
                table[(y + 1) * row + x + 1] = table[y * row + x + 1] + sum;
            }
        }
        Self { table, width, height }
    }

    /// The sum over the square from `before` pixels left of and above a pixel to `after` pixels right of and below it, as
    /// far as it is within the picture.
    pub(super) fn between(&self, at: usize, before: usize, after: usize) -> f64 {
        let range = |coordinate: usize, len: usize| {
            [coordinate.saturating_sub(before), (coordinate + after + 1).min(len)]
        };
        let ([left, right], [top, bottom]) =
            (range(at % self.width, self.width), range(at / self.width, self.height));
        self.sum([left, right], [top, bottom])
    }

    /// The sum over the square with sides of `2 · reach + 1` around a pixel, as far as it is within the picture.
    pub(super) fn around(&self, at: usize, reach: usize) -> f64 {
        self.between(at, reach, reach)
    }

    fn sum(&self, [left, right]: [usize; 2], [top, bottom]: [usize; 2]) -> f64 {
        let corner = |x: usize, y: usize| self.table[y * (self.width + 1) + x];
        corner(right, bottom) - corner(left, bottom) - corner(right, top) + corner(left, top)
    }

    pub(super) fn count_around(&self, at: usize, reach: usize) -> f64 {
        let ([left, right], [top, bottom]) = self.bounds(at, reach);
        ((right - left) * (bottom - top)) as f64
    }

    fn bounds(&self, at: usize, reach: usize) -> ([usize; 2], [usize; 2]) {
        let range = |coordinate: usize, len: usize| {
            [coordinate.saturating_sub(reach), (coordinate + reach + 1).min(len)]
        };
        (range(at % self.width, self.width), range(at / self.width, self.height))
    }
}
