//! Reads JPEG files: checks that the picture is complete, computes a digest of it, and decodes it at a reduced size.
//!
//! ```text
//! read ── scan ── bits        every block of every scan, so that nothing that is missing goes unnoticed
//!           └── plane         pixels from its coefficients, and a hash of them
//!                 └── reduced the picture at a half, a quarter or an eighth of its size
//! ```
//!
//! Decoders silently fill missing parts with grey. Here all segments up to the end-of-image marker are visited, and the
//! entropy-coded data of every scan is read, in sequential and in progressive files (ITU-T T.81, annexes B, F and G). This
//! detects an end-of-image marker that was appended to half of the data. Decoding at a reduced size costs little more;
//! pictures in full size are left to another decoder.

mod bits;
mod block;
mod fault;
mod frame;
mod plane;
mod reduced;
mod scan;

use self::bits::Bits;
pub use self::fault::Fault;
use self::frame::Frame;
pub use self::reduced::Reduced;
use self::reduced::{Colours, Plan};
use self::scan::{Scan, Tables};

const NO_END: Fault = Fault::Missing("its end-of-image marker is missing");

const START_OF_IMAGE: u8 = 0xd8;
const END_OF_IMAGE: u8 = 0xd9;
const START_OF_SCAN: u8 = 0xda;
const QUANTIZATION_TABLES: u8 = 0xdb;
const ADOBE: u8 = 0xee;
const HUFFMAN_TABLES: u8 = 0xc4;
const ARITHMETIC_CONDITIONING: u8 = 0xcc;
const RESTART_INTERVAL: u8 = 0xdd;

/// The content of a complete file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// A hash of the picture as it is stored: of its size, its coefficients and their quantization. It depends neither on
    /// the wanted size nor on the entropy coding or metadata. `None` for progressive files and unusual colour spaces.
    pub digest: Option<[u8; 32]>,
    /// The picture at a reduced size of at least the wanted rows and columns; `None` without a digest, or if no reduced
    /// size is large enough.
    pub reduced: Option<Reduced>,
}

/// Reads a file, and checks that every segment, every block of every scan and the end-of-image marker are there.
///
/// For kinds of files that common decoders do not support, such as arithmetic coding, and for pictures wider or higher than
/// `side_max`, only the segments are checked.
///
/// # Errors
/// The first thing that is missing or damaged.
pub fn read(bytes: &[u8], side_max: u32, wanted: Option<[usize; 2]>) -> Result<Content, Fault> {
    let mut pixels = Pixels::NotBegun;
    let mut reading = Reading { wanted, colours: Colours::YCbCr, plan: None, is_begun: false };
    let mut tables = Tables::default();
    let mut at = 2;
    loop {
        // Bytes that belong to no segment are skipped, as decoders do.
        at += bytes
            .get(at..)
            .and_then(|rest| rest.iter().position(|&byte| byte == 0xff))
            .ok_or(NO_END)?;
        let marker = *bytes.get(at + 1).ok_or(NO_END)?;
        match marker {
            END_OF_IMAGE => {
                pixels.check_all_sent()?;
                return Ok(reading.content(&pixels));
            }
            // Stuffing, fill bytes, restart markers and other markers without a segment.
            0x00 | 0x01 | 0xd0..=START_OF_IMAGE => at += 2,
            0xff => at += 1,
            _ => {
                let len = bytes.get(at + 2..at + 4).ok_or(NO_END)?;
                let end = at + 2 + usize::from(u16::from_be_bytes([len[0], len[1]]));
                let cut = match marker {
                    START_OF_SCAN => "the header of a scan lacks a part",
                    _ => "a segment lacks part of its content",
                };
                if end > bytes.len() {
                    return Err(Fault::Missing(cut));
                }
                let content = bytes.get(at + 4..end).unwrap_or_default();
                at = end.max(at + 2);
                match marker {
                    HUFFMAN_TABLES => tables.read(content),
                    QUANTIZATION_TABLES => {
                        tables.read_quantization(content);
                        reading.redefine();
                    }
                    ADOBE => {
                        reading.colours = Colours::of_segment(content).unwrap_or(reading.colours);
                        reading.redefine();
                    }
                    RESTART_INTERVAL => tables.read_restart_interval(content),
                    START_OF_SCAN => {
                        at += pixels.scan(content, &tables, &bytes[at..], &mut reading)?;
                    }
                    0xc0..=0xcf if marker != ARITHMETIC_CONDITIONING => {
                        pixels.begin(Frame::read(marker, content, side_max as usize));
                    }
                    _ => {}
                }
            }
        }
    }
}

/// The state of reading a file.
struct Reading {
    wanted: Option<[usize; 2]>,
    colours: Colours,
    plan: Option<Plan>,
    /// Whether a scan was read.
    is_begun: bool,
}

impl Reading {
    /// Called for segments that change the meaning of pixels. After the first scan, they make the file an unusual one.
    fn redefine(&mut self) {
        if self.is_begun {
            self.plan = None;
        }
    }

    fn content(&self, pixels: &Pixels) -> Content {
        match (&self.plan, pixels) {
            (Some(plan), Pixels::Known(frame)) => {
                Content { digest: Some(plan.digest(frame)), reduced: plan.reduced(frame) }
            }
            _ => Content { digest: None, reduced: None },
        }
    }
}

/// The picture so far.
enum Pixels {
    NotBegun,
    Known(Box<Frame>),
    /// A kind that is not read here, or invalid; refusing it is left to the decoder.
    Unknown,
}

impl Pixels {
    fn begin(&mut self, frame: Option<Frame>) {
        *self = match (&self, frame) {
            (Self::NotBegun, Some(frame)) => Self::Known(frame.into()),
            _ => Self::Unknown,
        };
    }

    /// Reads a scan whose data is at the start of `rest`; returns the length of the data.
    fn scan(
        &mut self,
        header: &[u8],
        tables: &Tables,
        rest: &[u8],
        reading: &mut Reading,
    ) -> Result<usize, Fault> {
        let Self::Known(frame) = self else {
            *self = Self::Unknown;
            return Ok(0);
        };
        let Some(scan) = Scan::read(header, frame) else {
            *self = Self::Unknown;
            return Ok(0);
        };
        if !reading.is_begun {
            reading.plan = Plan::new(frame, tables, reading.colours, reading.wanted);
            reading.is_begun = true;
        }
        if scan.repeats {
            reading.plan = None;
        }
        let mut bits = Bits::of(rest);
        scan.walk(frame, tables, &mut bits)?;
        Ok(bits.position())
    }

    fn check_all_sent(&self) -> Result<(), Fault> {
        match self {
            Self::Known(frame) if !frame.is_all_sent() => {
                Err(Fault::Missing("a scan of its pixels is missing"))
            }
            Self::NotBegun => Err(Fault::Missing("its pixels are missing")),
            Self::Known(_) | Self::Unknown => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
