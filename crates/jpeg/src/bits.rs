//! Reads the bits of entropy-coded data, and decodes their Huffman codes.

use super::fault::Fault;

const CUT: Fault = Fault::Missing("a scan ends before its last block");

/// Reads bits up to the next marker (T.81, F.2.2.5).
///
/// Rare cases work on a copy, so that the original can stay in registers.
#[derive(Clone, Copy)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next bits, leftmost first; zeros follow those that are there.
    next: u64,
    count: u64,
}

impl<'a> Bits<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, next: 0, count: 0 }
    }

    /// Number of bytes read; once all their bits were taken, the position of the end of the data or the next marker.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    #[inline(always)]
    fn fill(&mut self) {
        if !self.fill_at_once() {
            *self = self.filled_by_bytes();
        }
    }

    /// Reads as many bytes as there is room for, if none of the next eight may be part of a marker.
    #[inline(always)]
    fn fill_at_once(&mut self) -> bool {
        let next = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<8>());
        let Some(word) = next.map(|bytes| u64::from_be_bytes(*bytes)) else { return false };
        if has_marker_byte(word) || self.count >= 64 {
            return false;
        }
        // Bits beyond the count are those that come next, so setting them again later changes nothing.
        self.next |= word >> self.count;
        let taken = (64 - self.count) / 8;
        self.at += taken as usize;
        self.count += taken * 8;
        true
    }

    #[cold]
    fn filled_by_bytes(mut self) -> Self {
        while self.count <= 56 {
            let byte = match self.bytes.get(self.at..) {
                Some([0xff, 0x00, ..]) => {
                    self.at += 2;
                    0xff
                }
                Some([byte, ..]) if *byte != 0xff => {
                    self.at += 1;
                    *byte
                }
                // A marker, or nothing more.
                _ => break,
            };
            self.next |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
        self
    }

    /// The next 16 bits, with zeros for missing ones, and how many bits are available.
    #[inline(always)]
    fn peek(&mut self) -> (u32, u64) {
        if self.count < 16 {
            self.fill();
        }
        ((self.next >> 48) as u32, self.count)
    }

    /// Takes up to 16 bits as a number.
    #[inline(always)]
    pub(super) fn take(&mut self, len: u32) -> Result<u32, Fault> {
        let (bits, available) = self.peek();
        if u64::from(len) > available {
            return Err(CUT);
        }
        self.skip(len.into());
        Ok(if len == 0 { 0 } else { bits >> (16 - len) })
    }

    /// Skips bits that are available.
    #[inline(always)]
    pub(super) fn skip(&mut self, len: u64) {
        self.next <<= len;
        self.count -= len;
    }

    /// Skips the rest of a restart interval and the marker after it.
    pub(super) fn restart(&mut self) -> Result<(), Fault> {
        (self.next, self.count) = (0, 0);
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xff);
        match rest.windows(2).position(is_marker) {
            Some(place) if matches!(rest[place + 1], 0xd0..=0xd7) => {
                self.at += place + 2;
                Ok(())
            }
            _ => Err(CUT),
        }
    }
}

/// Whether one of eight bytes is 0xff, with which markers begin.
fn has_marker_byte(word: u64) -> bool {
    const LOW: u64 = 0x0101_0101_0101_0101;
    // A byte of the complement is zero (Warren, Hacker's Delight, 6-1).
    (!word).wrapping_sub(LOW) & word & (LOW << 7) != 0
}

/// Decodes a signed number of `size` bits (EXTEND in T.81, F.2.2.1).
#[inline(always)]
pub(super) fn extended(bits: u32, size: u32) -> i32 {
    let is_negative = size > 0 && bits >> (size - 1) == 0;
    bits as i32 - if is_negative { (1 << size) - 1 } else { 0 }
}

/// Codes of up to this many bits are looked up in a table. Reading JPEGs of 500×400 pixels took 8 % longer with 9 bits, 5 %
/// longer with 12, and as long with 11.
const LOOK: u32 = 10;

/// A Huffman table: codes of up to 16 bits (T.81, annex C).
pub(super) struct Huffman {
    /// By length less 1, the first number of 16 bits that begins with no code of that length or a shorter one.
    bounds: [u32; 16],
    /// By length less 1, the offset from a code to the index of its symbol.
    offsets: [i32; 16],
    symbols: Vec<u8>,
    /// By the next bits: the length of the code that they begin with, and its symbol; 0 for longer codes.
    short: Box<[[u8; 2]; 1 << LOOK]>,
    /// By the next bits, the one or two coefficients that they begin with.
    pairs: Box<[Pair; 1 << LOOK]>,
}

/// One or two coefficients after the first, each with its code and the bits that follow, if they fit the table.
///
/// From the lowest bit: 8 bits for the length of both, 8 for the length of the first, 8 each for the distances to the
/// coefficient before, and 16 each for the values. The length is 0 if the first does not fit, and the second's distance is
/// 0 if the second does not. The end of a block counts as a coefficient of 0 at a distance of [`END`].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pair(u64);

/// Distance of the end of a block, which leads beyond the block from every coefficient.
pub(super) const END: usize = 64;

impl Pair {
    fn new(first: Single, second: Option<Single>) -> Self {
        let other = second.unwrap_or_default();
        let both = u64::from(first.len) + u64::from(other.len);
        let low = both | u64::from(first.len) << 8;
        let distances = u64::from(first.distances) << 16 | u64::from(other.distances) << 24;
        let values = u64::from(first.value as u16) << 32 | u64::from(other.value as u16) << 48;
        Self(low | distances | values)
    }

    #[inline(always)]
    pub(super) fn values(self) -> [i32; 2] {
        [(self.0 << 16) as i64 >> 48, self.0 as i64 >> 48].map(|value| value as i32)
    }

    #[inline(always)]
    pub(super) fn distances(self) -> [usize; 2] {
        [self.0 >> 16 & 0xff, self.0 >> 24 & 0xff].map(|distances| distances as usize)
    }

    /// Lengths in bits of the first and of both.
    #[inline(always)]
    pub(super) fn lens(self) -> [u64; 2] {
        [self.0 >> 8 & 0xff, self.0 & 0xff]
    }
}

/// A coefficient in the look-up table.
#[derive(Debug, Clone, Copy, Default)]
struct Single {
    value: i16,
    distances: u8,
    /// 0 if it has more bits than the table.
    len: u8,
}

impl Single {
    /// The coefficient at the start of `next`, which begins with a code of this length and symbol.
    fn new(next: u32, [len, symbol]: [u8; 2]) -> Self {
        let (run, size) = (symbol >> 4, u32::from(symbol & 15));
        let bits = u32::from(len) + size;
        if len == 0 || (size == 0 && run > 0) || bits > LOOK {
            return Self::default();
        }
        let value = extended(next >> (LOOK - bits) & ((1 << size) - 1), size) as i16;
        let distances = if size == 0 { END as u8 } else { run + 1 };
        Self { value, distances, len: bits as u8 }
    }
}

/// By the next bits, the one or two coefficients that they begin with.
fn pairs(short: &[[u8; 2]; 1 << LOOK]) -> Box<[Pair; 1 << LOOK]> {
    let mut singles = [Single::default(); 1 << LOOK];
    for (next, single) in singles.iter_mut().enumerate() {
        *single = Single::new(next as u32, short[next]);
    }
    let mut pairs = Box::new([Pair::default(); 1 << LOOK]);
    for (next, pair) in pairs.iter_mut().enumerate() {
        let first = singles[next];
        if first.len > 0 {
            let rest = singles[next << first.len & ((1 << LOOK) - 1)];
            let is_whole = rest.len > 0 && u32::from(first.len + rest.len) <= LOOK;
            let follows = is_whole && usize::from(first.distances) < END;
            *pair = Pair::new(first, follows.then_some(rest));
        }
    }
    pairs
}

impl Huffman {
    /// `None` if there are more codes than possible.
    pub(super) fn new(counts: &[u8], symbols: &[u8]) -> Option<Self> {
        let (mut bounds, mut offsets) = ([0; 16], [0; 16]);
        let (mut code, mut place) = (0_u32, 0);
        let mut short = Box::new([[0; 2]; 1 << LOOK]);
        for (at, &count) in counts.iter().enumerate().take(16) {
            offsets[at] = place - code as i32;
            if at < LOOK as usize {
                let spread = 1 << (LOOK as usize - 1 - at);
                let first = code as usize * spread;
                let named = symbols.get(place as usize..).unwrap_or_default();
                for (number, symbol) in named.iter().take(count.into()).enumerate() {
                    let filled = short.get_mut(first + number * spread..).unwrap_or_default();
                    filled.iter_mut().take(spread).for_each(|to| *to = [at as u8 + 1, *symbol]);
                }
            }
            code += u32::from(count);
            place += i32::from(count);
            if code > 2 << at {
                return None;
            }
            bounds[at] = code << (15 - at);
            code <<= 1;
        }
        let pairs = pairs(&short);
        (symbols.len() == place as usize).then(|| Self {
            bounds,
            offsets,
            symbols: symbols.into(),
            short,
            pairs,
        })
    }

    /// Reads the next code, and returns its symbol.
    #[inline(always)]
    pub(super) fn decode(&self, bits: &mut Bits) -> Result<u8, Fault> {
        let (next, available) = bits.peek();
        let [len, symbol] = self.short[(next >> (16 - LOOK)) as usize];
        if len > 0 && u64::from(len) <= available {
            bits.skip(len.into());
            return Ok(symbol);
        }
        let (symbol, rest) = self.decode_long(*bits)?;
        *bits = rest;
        Ok(symbol)
    }

    #[cold]
    fn decode_long<'a>(&self, mut bits: Bits<'a>) -> Result<(u8, Bits<'a>), Fault> {
        let (next, available) = bits.peek();
        match self.bounds.iter().position(|&bound| next < bound) {
            Some(at) => {
                let code = bits.take(at as u32 + 1)?;
                let place = code as i32 + self.offsets[at];
                Ok((self.symbols[place as usize], bits))
            }
            None if available < 16 => Err(CUT),
            None => Err(Fault::Damaged("a scan holds a code that stands for nothing")),
        }
    }

    /// The next one or two coefficients, without skipping them, if they are short and no marker is near.
    #[inline(always)]
    pub(super) fn next_pair(&self, bits: &mut Bits) -> Option<Pair> {
        if bits.count < LOOK.into() && !bits.fill_at_once() {
            return None;
        }
        let pair = self.pairs[(bits.next >> (64 - LOOK)) as usize];
        (pair.0 & 0xff > 0).then_some(pair)
    }
}
