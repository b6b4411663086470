//! Reads the scans of a JPEG file: those of sequential files fully, those of progressive ones as far as needed to check that
//! all their blocks are there.

use super::bits::{Bits, Huffman};
use super::block::{BlockReader, LONG_RUN, first_size, run_and_size};
use super::fault::Fault;
use super::frame::{Component, Frame};
use super::plane::{BASIS_LEN, Basis, COEFFICIENTS, Place};

/// The most recently defined tables and restart interval, with which scans are read.
#[derive(Default)]
pub(super) struct Tables {
    /// Of the first coefficient, and of the others, by number.
    huffman: [[Option<Huffman>; 4]; 2],
    /// By number, the quantization steps of coefficients, in zigzag order.
    pub(super) quantization: [Option<[u16; COEFFICIENTS]>; 4],
    /// Units between two restart markers; 0 for none.
    restart_interval: usize,
}

impl Tables {
    /// Reads a segment of Huffman tables, as far as it is valid; a scan that needs a missing table is an error.
    pub(super) fn read(&mut self, mut content: &[u8]) {
        while let Some((&[place, ref counts @ ..], rest)) = content.split_first_chunk::<17>() {
            let len: usize = counts.iter().map(|&count| usize::from(count)).sum();
            let Some((symbols, rest)) = rest.split_at_checked(len) else {
                return;
            };
            let (class, number) = (usize::from(place >> 4), usize::from(place & 15));
            if let Some(table) = self.huffman.get_mut(class).and_then(|all| all.get_mut(number)) {
                *table = Huffman::new(counts, symbols);
            }
            content = rest;
        }
    }

    /// Reads a segment of quantization tables, as far as it is valid.
    pub(super) fn read_quantization(&mut self, mut content: &[u8]) {
        while let Some((&place, rest)) = content.split_first() {
            let width = match place >> 4 {
                0 => 1,
                1 => 2,
                _ => return,
            };
            let Some((steps, rest)) = rest.split_at_checked(COEFFICIENTS * width) else {
                return;
            };
            let step = |bytes: &[u8]| bytes.iter().fold(0, |all, &byte| all << 8 | u16::from(byte));
            let mut table = [0; COEFFICIENTS];
            for (to, bytes) in table.iter_mut().zip(steps.chunks_exact(width)) {
                *to = step(bytes);
            }
            if let Some(known) = self.quantization.get_mut(usize::from(place & 15)) {
                *known = Some(table);
            }
            content = rest;
        }
    }

    pub(super) fn read_restart_interval(&mut self, content: &[u8]) {
        if let Some(&[high, low]) = content.first_chunk() {
            self.restart_interval = u16::from_be_bytes([high, low]).into();
        }
    }

    fn huffman(&self, class: usize, number: u8) -> Result<&Huffman, Fault> {
        let table = self.huffman[class].get(usize::from(number)).and_then(Option::as_ref);
        table.ok_or(Fault::Damaged("a scan uses a Huffman table that was not defined"))
    }
}

/// Most components of a scan.
const PARTS_MAX: usize = 4;

/// A scan's header.
pub(super) struct Scan {
    parts: Vec<Part>,
    /// Whether a component of a sequential file comes a second time.
    pub(super) repeats: bool,
    /// First and last coefficient.
    first: usize,
    last: usize,
    /// The lowest bit that was sent before, where this scan sends a further one.
    refines: bool,
}

/// A component in a scan, and the numbers of its tables.
struct Part {
    component: usize,
    tables: [u8; 2],
}

impl Scan {
    /// Reads a scan header and counts the scan; `None` for an invalid header.
    pub(super) fn read(header: &[u8], frame: &mut Frame) -> Option<Self> {
        let (&count, rest) = header.split_first()?;
        let (parts, rest) = rest.split_at_checked(usize::from(count) * 2)?;
        let &[first, last, bits] = rest.first_chunk()?;
        let part = |part: &[u8]| {
            let component = frame.component_with(part[0])?;
            Some(Part { component, tables: [part[1] >> 4, part[1] & 15] })
        };
        let parts: Vec<Part> = parts.chunks_exact(2).map(part).collect::<Option<_>>()?;
        let (first, last, bits) = match frame.is_progressive {
            true => (usize::from(first), usize::from(last), bits),
            false => (0, COEFFICIENTS - 1, 0),
        };
        // First coefficients have their own scans, and the others come one component at a time.
        let is_valid = match (frame.is_progressive, first) {
            (false, _) => true,
            (true, 0) => last == 0,
            (true, _) => parts.len() == 1,
        };
        if !(1..=PARTS_MAX).contains(&parts.len())
            || first > last
            || last >= COEFFICIENTS
            || !is_valid
        {
            return None;
        }
        let is_begun = |part: &Part| frame.is_begun(part.component);
        let repeats = !frame.is_progressive && parts.iter().any(is_begun);
        frame.count_scan(parts.iter().map(|part| part.component), [first, last], bits & 15)?;
        Some(Self { parts, repeats, first, last, refines: bits >> 4 != 0 })
    }

    /// Reads all blocks.
    pub(super) fn walk(
        &self,
        frame: &mut Frame,
        tables: &Tables,
        bits: &mut Bits,
    ) -> Result<(), Fault> {
        let predictors = [0; PARTS_MAX];
        let mut walk = Walk { scan: self, tables, bits, end_of_band_run: 0, predictors };
        let is_alone = self.parts.len() == 1;
        // A component that is alone in its scan has no blocks that pad units.
        let units = match is_alone {
            true => frame.components[self.parts[0].component].blocks,
            false => frame.units,
        };
        let mut until_restart = tables.restart_interval;
        for down in 0..units[1] {
            for across in 0..units[0] {
                if tables.restart_interval > 0 {
                    if until_restart == 0 {
                        walk.bits.restart()?;
                        walk.end_of_band_run = 0;
                        walk.predictors = [0; PARTS_MAX];
                        until_restart = tables.restart_interval;
                    }
                    until_restart -= 1;
                }
                for (number, part) in self.parts.iter().enumerate() {
                    let component = &mut frame.components[part.component];
                    let sampling = if is_alone { [1, 1] } else { component.sampling };
                    for row in 0..sampling[1] {
                        for column in 0..sampling[0] {
                            let place = [across * sampling[0] + column, down * sampling[1] + row];
                            let index = place[1] * component.stride + place[0];
                            match component.nonzero.get_mut(index) {
                                Some(nonzero) => walk.progressive_block(part, nonzero)?,
                                None => walk.sequential_block(number, component, place)?,
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

struct Walk<'a, 'b> {
    scan: &'a Scan,
    tables: &'a Tables,
    bits: &'a mut Bits<'b>,
    /// Blocks that have no further coefficients, this one included (T.81, G.1.2.2).
    end_of_band_run: u32,
    /// By part, the first coefficient of its last block.
    predictors: [i32; PARTS_MAX],
}

impl Walk<'_, '_> {
    fn sequential_block(
        &mut self,
        number: usize,
        component: &mut Component,
        [across, down]: [usize; 2],
    ) -> Result<(), Fault> {
        let shows = across < component.blocks[0] && down < component.blocks[1];
        let place = Place { across, down, index: down * component.stride + across, shows };
        let part = &self.scan.parts[number];
        let mut reader = BlockReader {
            first: self.tables.huffman(0, part.tables[0])?,
            others: self.tables.huffman(1, part.tables[1])?,
            predictor: &mut self.predictors[number],
            bits: self.bits,
        };
        let plane = &mut component.plane;
        match &plane.basis {
            Basis::None => reader.read(&[[]; BASIS_LEN]).map(|block| plane.count(place, &block)),
            Basis::One(basis) => reader.read(basis).map(|block| plane.keep(place, &block)),
            Basis::Two(basis) => reader.read(basis).map(|block| plane.keep(place, &block)),
            Basis::Four(basis) => reader.read(basis).map(|block| plane.keep(place, &block)),
            Basis::Eight(basis) => reader.read(basis).map(|block| plane.keep(place, &block)),
            Basis::Sixteen(basis) => reader.read(basis).map(|block| plane.keep(place, &block)),
            Basis::ThirtyTwo(basis) => reader.read(basis).map(|block| plane.keep(place, &block)),
            Basis::SixtyFour(basis) => reader.read(basis).map(|block| plane.keep(place, &block)),
        }
    }

    fn first_coefficient(&mut self, part: &Part) -> Result<(), Fault> {
        let size = first_size(self.tables.huffman(0, part.tables[0])?, self.bits)?;
        self.bits.take(size)?;
        Ok(())
    }

    fn progressive_block(&mut self, part: &Part, nonzero: &mut u64) -> Result<(), Fault> {
        match (self.scan.first, self.scan.refines) {
            (0, false) => self.first_coefficient(part),
            (0, true) => self.bits.take(1).map(drop),
            (_, false) => self.band(part, nonzero),
            (_, true) => self.refined_band(part, nonzero),
        }
    }

    /// T.81, G.1.2.2.
    fn band(&mut self, part: &Part, nonzero: &mut u64) -> Result<(), Fault> {
        if self.end_of_band_run > 0 {
            self.end_of_band_run -= 1;
            return Ok(());
        }
        let table = self.tables.huffman(1, part.tables[1])?;
        let mut at = self.scan.first;
        while at <= self.scan.last {
            let (run, size) = run_and_size(table.decode(self.bits)?);
            match (run, size) {
                (LONG_RUN, 0) => at += 16,
                (_, 0) => {
                    self.end_of_band_run = self.run_length(run)? - 1;
                    return Ok(());
                }
                _ => {
                    self.bits.take(size)?;
                    at += run;
                    set(nonzero, at);
                    at += 1;
                }
            }
        }
        Ok(())
    }

    /// T.81, G.1.2.3: coefficients that are already nonzero have one more bit each, wherever a run of zeros passes them.
    fn refined_band(&mut self, part: &Part, nonzero: &mut u64) -> Result<(), Fault> {
        let mut at = self.scan.first;
        if self.end_of_band_run == 0 {
            let table = self.tables.huffman(1, part.tables[1])?;
            while at <= self.scan.last {
                let (run, size) = run_and_size(table.decode(self.bits)?);
                if size == 0 && run != LONG_RUN {
                    self.end_of_band_run = self.run_length(run)?;
                    break;
                }
                self.bits.take(size)?;
                at = self.refine(at, run, *nonzero)?;
                if size > 0 {
                    set(nonzero, at);
                }
                at += 1;
            }
        }
        if self.end_of_band_run > 0 {
            self.refine(at, COEFFICIENTS, *nonzero)?;
            self.end_of_band_run -= 1;
        }
        Ok(())
    }

    /// Skips `zeros` zeros and the nonzero coefficients between them; returns the index of the next zero.
    fn refine(&mut self, mut at: usize, mut zeros: usize, nonzero: u64) -> Result<usize, Fault> {
        while at <= self.scan.last {
            if nonzero >> at & 1 == 1 {
                self.bits.take(1)?;
            } else if zeros == 0 {
                break;
            } else {
                zeros -= 1;
            }
            at += 1;
        }
        Ok(at)
    }

    /// The number of blocks without further coefficients: a power of two plus an offset.
    fn run_length(&mut self, power: usize) -> Result<u32, Fault> {
        Ok((1 << power) + self.bits.take(power as u32)?)
    }
}

/// Runs of damaged files may lead beyond the block, where decoders stop as well.
fn set(nonzero: &mut u64, at: usize) {
    if at < COEFFICIENTS {
        *nonzero |= 1 << at;
    }
}
