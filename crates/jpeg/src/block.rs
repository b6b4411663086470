//! Reads the blocks of sequential files, in which most of the decoding time is spent.

use super::bits::{Bits, END, Huffman, extended};
use super::fault::Fault;
use super::plane::{BASIS_LEN, Block, COEFFICIENTS, FACTORS, MIDDLE};

/// A run of this many zeros, where no coefficient follows.
pub(super) const LONG_RUN: usize = 15;

/// Reads the blocks of a component.
pub(super) struct BlockReader<'a, 'b> {
    pub(super) first: &'a Huffman,
    pub(super) others: &'a Huffman,
    /// The first coefficient of the block before.
    pub(super) predictor: &'a mut i32,
    pub(super) bits: &'a mut Bits<'b>,
}

impl<const N: usize> Block<N> {
    #[inline(always)]
    fn new(first: i32, basis: &[[f32; N]; BASIS_LEN]) -> Self {
        let mut block = Self { pixels: [MIDDLE; N], number: 0 };
        block.add(0, first, basis);
        block
    }

    /// Adds a coefficient.
    #[inline(always)]
    fn add(&mut self, at: usize, value: i32, basis: &[[f32; N]; BASIS_LEN]) {
        let at = at % BASIS_LEN;
        self.number = self.number.wrapping_add(FACTORS[at].wrapping_mul(value as u64));
        let value = value as f32;
        for (pixel, part) in self.pixels.iter_mut().zip(&basis[at]) {
            *pixel += value * part;
        }
    }
}

impl BlockReader<'_, '_> {
    /// Reads the next block (T.81, F.2.2); each coefficient adds a multiple of its pattern in `basis`.
    #[inline(always)]
    pub(super) fn read<const N: usize>(
        &mut self,
        basis: &[[f32; N]; BASIS_LEN],
    ) -> Result<Block<N>, Fault> {
        // A copy, which can stay in registers.
        let mut bits = *self.bits;
        let size = first_size(self.first, &mut bits)?;
        let difference = extended(bits.take(size)?, size);
        *self.predictor = self.predictor.wrapping_add(difference);
        let mut block = Block::new(*self.predictor, basis);
        let mut at = 0;
        while at < LAST {
            let value;
            if let Some(pair) = self.others.next_pair(&mut bits) {
                let [first_len, len] = pair.lens();
                let [first, second] = pair.values();
                let [distance, more] = pair.distances();
                at += distance;
                if at < LAST {
                    bits.skip(len);
                    block.add(at, first, basis);
                    at += more;
                    // A missing second one is 0 and adds nothing.
                    block.add(at, second, basis);
                    continue;
                }
                // What follows belongs to the next block.
                bits.skip(first_len);
                value = first;
            } else {
                let (run, size) = run_and_size(self.others.decode(&mut bits)?);
                match (run, size) {
                    (LONG_RUN, 0) => {
                        at += 16;
                        continue;
                    }
                    (_, 0) => at += END,
                    _ => at += run + 1,
                }
                value = extended(bits.take(size)?, size);
            }
            block.add(at, value, basis);
        }
        *self.bits = bits;
        Ok(block)
    }
}

/// The index of the last coefficient.
const LAST: usize = COEFFICIENTS - 1;

/// How many bits the difference of the first coefficient has.
#[inline(always)]
pub(super) fn first_size(table: &Huffman, bits: &mut Bits) -> Result<u32, Fault> {
    let size = table.decode(bits)?;
    if size > 16 {
        return Err(Fault::Damaged("a scan holds a coefficient of more bits than there can be"));
    }
    Ok(size.into())
}

#[inline(always)]
pub(super) fn run_and_size(symbol: u8) -> (usize, u32) {
    (usize::from(symbol >> 4), u32::from(symbol & 15))
}
