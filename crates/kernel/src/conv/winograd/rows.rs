//! A few rows of an image with the channels of each pixel side by side, padded to whole lines.

use crate::conv::transpose::{Rows, transpose};
use crate::simd::{Outlined, Simd};

/// Floats of a cache line: channels are transformed so many at a time.
pub(super) const LINE: usize = 16;

/// From one pixel to the next: whole lines, and no multiple of so many bytes that pixels crowd into a few sets of the
/// first-level cache.
pub(super) fn stride(channels: usize) -> usize {
    let lines = channels.next_multiple_of(LINE);
    if lines.is_multiple_of(128) { lines + LINE } else { lines }
}

/// The size of the images that rows are from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
}

impl Size {
    /// Floats of a pixel in memory.
    pub fn stride(&self) -> usize {
        stride(self.channels)
    }

    fn row_len(&self) -> usize {
        self.width * self.stride()
    }

    pub fn image_len(&self) -> usize {
        self.channels * self.height * self.width
    }
}

/// The `N` rows of pixels that a row of tiles reads, or writes.
pub(super) struct PixelRows<'a, const N: usize> {
    pub size: Size,
    /// The first row's number in the image; rows above and below the image are zero.
    first: isize,
    /// A row of zeros, then the rows.
    memory: &'a mut [f32],
}

impl<'a, const N: usize> PixelRows<'a, N> {
    /// Floats of room that rows need.
    pub fn room(size: Size) -> usize {
        (1 + N) * size.row_len()
    }

    pub fn new(size: Size, memory: &'a mut [f32]) -> Self {
        memory.fill(0.0);
        Self { size, first: 0, memory }
    }

    pub fn memory(&self) -> &[f32] {
        self.memory
    }

    pub fn memory_mut(&mut self) -> &mut [f32] {
        self.memory
    }

    /// Where row `row` of the `N` is kept, whether the image has it or not.
    pub fn slot(&self, row: usize) -> usize {
        (1 + row) * self.size.row_len()
    }

    /// Where row `row` of the `N` is, or zeros where the image has none.
    pub fn row_at(&self, row: usize) -> usize {
        let number = self.first + row as isize;
        let inside = number >= 0 && number < self.size.height as isize;
        if inside { self.slot(row) } else { 0 }
    }

    /// The number of the first row in the image, whose rows begin at 0.
    pub fn first(&self) -> usize {
        self.first.max(0) as usize
    }

    /// Which of the first `rows` rows the image has.
    pub fn inside(&self, rows: usize) -> [usize; 2] {
        let height = self.size.height as isize;
        [0, rows as isize]
            .map(|row| (self.first + row).clamp(0, height) - self.first)
            .map(|row| row.clamp(0, rows as isize) as usize)
    }

    /// Moves on to the rows from `first` on of the same image; rows that both have stay.
    pub fn move_to(&mut self, first: isize) -> usize {
        let kept = (self.first + N as isize - first).clamp(0, N as isize) as usize;
        let (from, to, len) = (self.slot(N - kept), self.slot(0), kept * self.size.row_len());
        self.memory.copy_within(from..from + len, to);
        self.first = first;
        kept
    }

    /// Starts with the rows from `first` on of another image.
    pub fn start_at(&mut self, first: isize) {
        self.first = first;
    }

    /// Reads rows from row `from` on out of `image`, `[channels, height, width]`.
    #[inline(always)]
    pub fn read<S: Simd>(&mut self, s: S, image: &[f32], from: usize) {
        let [start, end] = self.inside(N);
        let start = start.max(from);
        if start >= end {
            return;
        }
        let Size { channels, height, width } = self.size;
        assert_eq!(image.len(), self.size.image_len(), "{:?}", self.size);
        let at = (self.first + start as isize) as usize * width;
        let to = Rows { at: self.slot(start), stride: self.size.stride() };
        let from = Rows { at, stride: height * width };
        // SAFETY: the rows are inside every channel of the image, and have room here.
        unsafe {
            transpose(s, (image, from), [channels, (end - start) * width], (self.memory, to))
        };
    }

    /// Writes those of the first `rows` rows that the image has to `image`, `[channels, height, width]`.
    #[inline(always)]
    pub fn write<S: Simd>(&self, s: S, rows: usize, image: &mut [f32]) {
        let [start, end] = self.inside(rows);
        if start >= end {
            return;
        }
        let Size { channels, height, width } = self.size;
        assert_eq!(image.len(), self.size.image_len(), "{:?}", self.size);
        let at = (self.first + start as isize) as usize * width;
        let from = Rows { at: self.slot(start), stride: self.size.stride() };
        let to = Rows { at, stride: height * width };
        // SAFETY: as in `read`.
        unsafe {
            transpose(s, (self.memory, from), [(end - start) * width, channels], (image, to))
        };
    }

    /// Sets the first `rows` rows to zero.
    pub fn clear(&mut self, rows: usize) {
        let (start, end) = (self.slot(0), self.slot(rows));
        self.memory[start..end].fill(0.0);
    }

    /// Adds the pixels of the rows that the image has to `sums`, as long as a pixel.
    #[inline(always)]
    pub fn add_up<S: Simd>(&self, s: S, sums: &mut [f32]) {
        let [start, end] = self.inside(N);
        let row_len = self.size.row_len();
        let pixels = &self.memory[self.slot(0)..][start * row_len..end * row_len];
        s.outline(AddUp { pixels, stride: self.size.stride(), sums });
    }
}

/// Adds up pixels.
struct AddUp<'a> {
    pixels: &'a [f32],
    stride: usize,
    sums: &'a mut [f32],
}

impl Outlined for AddUp<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { pixels, stride, sums } = self;
        assert!(sums.len() >= stride && pixels.len().is_multiple_of(stride));
        for lane in (0..stride).step_by(S::LANES) {
            // SAFETY: pixels are whole vectors, and the sums are as long as one.
            unsafe {
                let mut sum = s.load(sums, lane);
                for at in (lane..pixels.len()).step_by(stride) {
                    sum = s.add(sum, s.load(pixels, at));
                }
                s.store(sums, lane, sum);
            }
        }
    }
}
