//! Reads JPEG files: whether they hold their whole picture, which picture that is, and how it looks at a reduced size.
//!
//! ```text
//! read ── scan ── bits        every block of every scan, so that nothing that is missing goes unnoticed
//!           └── plane         what its coefficients come to: pixels, and a number that tells them from others
//!                 └── reduced the picture at a half, a quarter or an eighth of its size
//! ```
//!
//! Decoders fill up what is missing with grey, and say nothing. Here the segments are walked to the end-of-image marker,
//! and the entropy-coded data of every scan is read, in sequential and in progressive files (ITU-T T.81, annexes B, F and
//! G). An end-of-image marker that was put behind half of the data is found out so. What this comes to at a reduced size
//! takes little more; pictures in their own size are another decoder's business.

mod bits;
mod block;
mod fault;
mod frame;
mod plane;
mod reduced;
mod scan;

use self::bits::Bits;
pub(super) use self::fault::Fault;
use self::frame::Frame;
pub(super) use self::reduced::Reduced;
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

/// What a whole file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    /// A hash of the picture, as it is stored: of its size, its coefficients and what they mean. It does not depend on
    /// what is wanted, nor on how the file is coded or described. `None` for progressive files and unusual colours.
    pub(super) digest: Option<[u8; 32]>,
    /// The picture, where it is told by a digest, and one of a reduced size has at least the wanted rows and columns.
    pub(super) reduced: Option<Reduced>,
}

/// Reads a file, and checks that every segment, every block of every scan and the end-of-image marker are there.
///
/// Files of kinds that no common decoder takes, as those with arithmetic coding, and pictures that are wider or higher
/// than `side_max` are checked for their segments alone.
///
/// # Errors
/// The first thing that is missing or damaged.
pub(super) fn read(
    bytes: &[u8],
    side_max: u32,
    wanted: Option<[usize; 2]>,
) -> Result<Content, Fault> {
    let mut pixels = Pixels::NotBegun;
    let mut reading = Reading { wanted, colours: Colours::Usual, plan: None, is_begun: false };
    let mut tables = Tables::default();
    let mut at = 2;
    loop {
        // Bytes that belong to no segment are passed over, as decoders do.
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
                        reading.cannot_change();
                    }
                    ADOBE => {
                        reading.colours = Colours::of_segment(content).unwrap_or(reading.colours);
                        reading.cannot_change();
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

/// What is made of a file while it is read.
struct Reading {
    wanted: Option<[usize; 2]>,
    colours: Colours,
    plan: Option<Plan>,
    /// Whether a scan was read.
    is_begun: bool,
}

impl Reading {
    /// Once pixels came, what they mean is told no more, or the file is an unusual one.
    fn cannot_change(&mut self) {
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

/// What is known of the picture so far.
enum Pixels {
    NotBegun,
    Known(Box<Frame>),
    /// Of a kind that is not read here, or not to be understood: the decoder's to refuse.
    Unknown,
}

impl Pixels {
    fn begin(&mut self, frame: Option<Frame>) {
        *self = match (&self, frame) {
            (Self::NotBegun, Some(frame)) => Self::Known(frame.into()),
            _ => Self::Unknown,
        };
    }

    /// Reads a scan whose data `rest` begins with; returns how long that is.
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
