//! The bits of entropy-coded data, and the codes that they form.

use super::fault::Fault;

const CUT: Fault = Fault::Missing("a scan ends before its last block");

/// Reads bits up to the next marker (T.81, F.2.2.5).
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next bits, leftmost first; zeros follow those that are there.
    next: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, next: 0, count: 0 }
    }

    /// Bytes that were taken; where no bit is left of them, the data's end or its next marker.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    fn fill(&mut self) {
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
                _ => return,
            };
            self.next |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    /// The next 16 bits, with zeros for those that are not there, and how many there are.
    fn peek(&mut self) -> (u32, u32) {
        if self.count < 16 {
            self.fill();
        }
        ((self.next >> 48) as u32, self.count)
    }

    /// Takes up to 16 bits as a number.
    pub(super) fn take(&mut self, len: u32) -> Result<u32, Fault> {
        let (bits, there) = self.peek();
        if len > there {
            return Err(CUT);
        }
        self.next <<= len;
        self.count -= len;
        Ok(if len == 0 { 0 } else { bits >> (16 - len) })
    }

    /// Leaves the rest of a restart interval, and the marker behind it.
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

/// A Huffman table: codes of up to 16 bits (T.81, annex C).
pub(super) struct Huffman {
    /// By length less 1, the first number of 16 bits that begins with no code of that length or a shorter one.
    bounds: [u32; 16],
    /// By length less 1, what leads from a code to the place of its symbol.
    offsets: [i32; 16],
    symbols: Vec<u8>,
}

impl Huffman {
    /// `None` where the counts are of more codes than there can be.
    pub(super) fn new(counts: &[u8], symbols: &[u8]) -> Option<Self> {
        let (mut bounds, mut offsets) = ([0; 16], [0; 16]);
        let (mut code, mut place) = (0_u32, 0);
        for (at, &count) in counts.iter().enumerate().take(16) {
            offsets[at] = place - code as i32;
            code += u32::from(count);
            place += i32::from(count);
            if code > 2 << at {
                return None;
            }
            bounds[at] = code << (15 - at);
            code <<= 1;
        }
        (symbols.len() == place as usize).then(|| Self { bounds, offsets, symbols: symbols.into() })
    }

    /// Takes the next code, and returns what it stands for.
    pub(super) fn decode(&self, bits: &mut Bits) -> Result<u8, Fault> {
        let (next, there) = bits.peek();
        match self.bounds.iter().position(|&bound| next < bound) {
            Some(at) => {
                let code = bits.take(at as u32 + 1)?;
                let place = code as i32 + self.offsets[at];
                Ok(self.symbols[place as usize])
            }
            None if there < 16 => Err(CUT),
            None => Err(Fault::Damaged("a scan holds a code that stands for nothing")),
        }
    }
}
