//! The pixels of a component at a reduced size, and a hash of its coefficients.
//!
//! Each pixel of a reduced component is the mean of the full-size pixels that it replaces, as in libjpeg (`jidctred.c`): the
//! mean of the inverse transform (T.81, A.3.3) over a part of the block, which is linear in the coefficients. So each
//! coefficient adds a multiple of a fixed pattern, and zeros take no time.

/// Coefficients of a block.
pub(super) const COEFFICIENTS: usize = 64;

/// Pixels along the side of a block.
const SIDE: usize = 8;

/// A power of two above the number of coefficients, so that every index has a pattern: runs in damaged files and the end of
/// a block lead beyond the block, where patterns are zero.
pub(super) const BASIS_LEN: usize = 128;

/// What each coefficient adds to the pixels of a block, by the number of pixels.
#[derive(Default)]
pub(super) enum Basis {
    /// No pixels are needed.
    #[default]
    None,
    One(Box<[[f32; 1]; BASIS_LEN]>),
    Two(Box<[[f32; 2]; BASIS_LEN]>),
    Four(Box<[[f32; 4]; BASIS_LEN]>),
    Eight(Box<[[f32; 8]; BASIS_LEN]>),
    Sixteen(Box<[[f32; 16]; BASIS_LEN]>),
    ThirtyTwo(Box<[[f32; 32]; BASIS_LEN]>),
    SixtyFour(Box<[[f32; 64]; BASIS_LEN]>),
}

impl Basis {
    /// For blocks of `across` × `down` pixels, each 1, 2, 4 or 8, and coefficients with these quantization steps, in zigzag
    /// order.
    fn new([across, down]: [usize; 2], steps: &[u16; COEFFICIENTS]) -> Self {
        match across * down {
            1 => Self::One(patterns(across, down, steps)),
            2 => Self::Two(patterns(across, down, steps)),
            4 => Self::Four(patterns(across, down, steps)),
            8 => Self::Eight(patterns(across, down, steps)),
            16 => Self::Sixteen(patterns(across, down, steps)),
            32 => Self::ThirtyTwo(patterns(across, down, steps)),
            _ => Self::SixtyFour(patterns(across, down, steps)),
        }
    }
}

fn patterns<const N: usize>(
    across: usize,
    down: usize,
    steps: &[u16; COEFFICIENTS],
) -> Box<[[f32; N]; BASIS_LEN]> {
    let (columns, rows) = (means(across), means(down));
    let mut patterns = Box::new([[0.0; N]; BASIS_LEN]);
    for ((pattern, place), step) in patterns.iter_mut().zip(ZIGZAG).zip(steps) {
        let (row, column) = (usize::from(place) / SIDE, usize::from(place) % SIDE);
        for (at, value) in pattern.iter_mut().enumerate() {
            let (y, x) = (at / across, at % across);
            *value = (rows[row][y] * columns[column][x] * f64::from(*step)) as f32;
        }
    }
    patterns
}

/// By frequency, the mean of its wave over each of `count` equal parts of a block's side.
fn means(count: usize) -> [[f64; SIDE]; SIDE] {
    let len = SIDE / count;
    std::array::from_fn(|frequency| {
        let scale = if frequency == 0 { 0.125_f64.sqrt() } else { 0.5 };
        std::array::from_fn(|part| {
            let wave = |pixel: usize| cosine((2 * pixel + 1) * frequency);
            let sum: f64 = (part * len..(part + 1) * len).map(wave).sum();
            scale * sum / len as f64
        })
    })
}

/// The cosine of so many sixteenths of π.
fn cosine(sixteenths: usize) -> f64 {
    /// From 0 to π / 2.
    const COSINES: [f64; 9] = [
        1.0,
        0.980_785_280_403_230_4,
        0.923_879_532_511_286_7,
        0.831_469_612_302_545_2,
        std::f64::consts::FRAC_1_SQRT_2,
        0.555_570_233_019_602_2,
        0.382_683_432_365_089_8,
        0.195_090_322_016_128_27,
        0.0,
    ];
    match sixteenths % 32 {
        at @ 0..=8 => COSINES[at],
        at @ 9..=16 => -COSINES[16 - at],
        at @ 17..=24 => -COSINES[at - 16],
        at => COSINES[32 - at],
    }
}

/// Row times eight plus column of each coefficient, in zigzag order (T.81, figure A.6).
const ZIGZAG: [u8; COEFFICIENTS] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// A block that was read: `N` pixels, and a hash of its coefficients.
pub(super) struct Block<const N: usize> {
    pub(super) pixels: [f32; N],
    pub(super) number: u64,
}

/// Brightness is stored relative to this.
pub(super) const MIDDLE: f32 = 128.0;

/// The position of a block.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) across: usize,
    pub(super) down: usize,
    /// Among all blocks of the component.
    pub(super) index: usize,
    /// Whether it holds a part of the picture, and is not only padding.
    pub(super) shows: bool,
}

/// Factors of the coefficients in the hash of a block: their sum is a universal hash (Carter and Wegman 1979). It does not
/// depend on the order, and zeros add nothing.
pub(super) static FACTORS: [u64; BASIS_LEN] = {
    let mut factors = [0; BASIS_LEN];
    let mut at = 0;
    while at < COEFFICIENTS {
        factors[at] = mixed(at as u64 + 1) | 1;
        at += 1;
    }
    factors
};

/// 2⁶⁴ divided by the golden ratio, odd (Knuth, volume 3, 6.4).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Mixes the bits of a number (Steele, Lea and Flood 2014, "SplitMix64").
const fn mixed(number: u64) -> u64 {
    let number = number.wrapping_mul(SPREAD);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

/// The decoded result of a component.
#[derive(Default)]
pub(super) struct Plane {
    pub(super) basis: Basis,
    /// Pixels of a block, across and down.
    block: [usize; 2],
    /// Pixels in a row.
    stride: usize,
    bytes: Vec<u8>,
    /// The sum over its blocks of hashes of their coefficients and positions, so that their order does not matter.
    pub(super) number: u64,
}

impl Plane {
    /// For `blocks` across and down of `block` pixels, whose coefficients have these quantization steps.
    pub(super) fn new(blocks: [usize; 2], block: [usize; 2], steps: &[u16; COEFFICIENTS]) -> Self {
        let stride = blocks[0] * block[0];
        let bytes = vec![0; stride * blocks[1] * block[1]];
        Self { basis: Basis::new(block, steps), block, stride, bytes, number: 0 }
    }

    /// Adds a block's coefficients to the hash.
    #[inline(always)]
    pub(super) fn count<const N: usize>(&mut self, place: Place, block: &Block<N>) {
        if place.shows {
            let number = block.number.wrapping_add(SPREAD.wrapping_mul(place.index as u64));
            let number = (number ^ number >> 32).wrapping_mul(SPREAD);
            self.number = self.number.wrapping_add(number ^ number >> 29);
        }
    }

    /// Adds a block's coefficients to the hash, and stores its pixels.
    #[inline(always)]
    pub(super) fn keep<const N: usize>(&mut self, place: Place, block: &Block<N>) {
        self.count(place, block);
        let mut bytes = [0; N];
        for (byte, pixel) in bytes.iter_mut().zip(&block.pixels) {
            *byte = to_byte(*pixel);
        }
        let start = place.down * self.block[1] * self.stride + place.across * self.block[0];
        for (row, part) in bytes.chunks_exact(self.block[0]).enumerate() {
            let start = start + row * self.stride;
            self.bytes[start..start + part.len()].copy_from_slice(part);
        }
    }

    /// The pixels of a row.
    pub(super) fn row(&self, y: usize) -> &[u8] {
        &self.bytes[y * self.stride..][..self.stride]
    }
}

/// Rounds to the nearest number that a byte can hold.
#[inline(always)]
pub(super) fn to_byte(value: f32) -> u8 {
    // Adding 2²³ rounds a smaller number to an integer, which is then in the lowest bits.
    (value.clamp(0.0, 255.0) + 8_388_608.0).to_bits() as u8
}
