//! The gradients of a few filters, sorted by position.

use super::gradient::Entries;

/// For each of a range of pixels, the gradients whose filters start there.
#[derive(Debug, Default)]
pub(super) struct PositionList {
    first_pixel: usize,
    /// For each pixel, the end of its gradients.
    ends: Vec<u32>,
    weights_at: Vec<u32>,
    gradients: Vec<f32>,
}

/// The gradients at one position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position<'a> {
    pub pixel: usize,
    /// Where the filters' weights are.
    pub weights_at: &'a [u32],
    pub gradients: &'a [f32],
}

impl PositionList {
    /// Sorts the entries of filters, each with the place of its weights and its first entry's
    /// number; pixels lie in the given range.
    ///
    /// Entries of equal position stay in the order of filters.
    pub fn sort(
        &mut self,
        entries: Entries<'_>,
        filters: &[(u32, usize)],
        pixels: std::ops::Range<usize>,
    ) {
        let Entries { pixels: keys, gradients } = entries;
        self.first_pixel = pixels.start;
        self.ends.clear();
        self.ends.resize(pixels.len() + 1, 0);
        let len = self.gradients.len().max(keys.len());
        self.gradients.resize(len, 0.0);
        self.weights_at.resize(len, 0);
        // Counted one place further, so that adding up gives the starts, and placing the entries
        // moves them to the ends.
        for pixel in keys {
            self.ends[*pixel as usize - pixels.start + 1] += 1;
        }
        let mut sum = 0;
        for end in &mut self.ends {
            sum += *end;
            *end = sum;
        }
        for (i, (weights_at, start)) in filters.iter().enumerate() {
            let end = filters.get(i + 1).map_or(keys.len(), |(_, start)| *start);
            for (pixel, gradient) in keys[*start..end].iter().zip(&gradients[*start..end]) {
                let place = &mut self.ends[*pixel as usize - pixels.start];
                self.gradients[*place as usize] = *gradient;
                self.weights_at[*place as usize] = *weights_at;
                *place += 1;
            }
        }
    }

    /// The positions that have gradients, in the order of pixels.
    #[inline(always)]
    pub fn iter(&self) -> impl Iterator<Item = Position<'_>> {
        let mut start = 0;
        self.ends.iter().enumerate().filter_map(move |(i, end)| {
            let range = start..*end as usize;
            start = *end as usize;
            (!range.is_empty()).then(|| Position {
                pixel: self.first_pixel + i,
                weights_at: &self.weights_at[range.clone()],
                gradients: &self.gradients[range],
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_sorted_by_pixel_and_keep_the_order_of_filters() {
        let entries = Entries { pixels: &[3, 5, 3, 4, 5], gradients: &[0.3, 0.5, 1.3, 1.4, 2.5] };
        let mut list = PositionList::default();
        for _ in 0..2 {
            list.sort(entries, &[(0, 0), (10, 2), (20, 4)], 3..7);
            let found: Vec<_> =
                list.iter().map(|at| (at.pixel, at.weights_at, at.gradients)).collect();
            let expected: [(usize, &[u32], &[f32]); 3] =
                [(3, &[0, 10], &[0.3, 1.3]), (4, &[10], &[1.4]), (5, &[0, 20], &[0.5, 2.5])];
            assert_eq!(found, expected);
        }
    }
}
