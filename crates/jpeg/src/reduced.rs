//! Pictures at a half, a quarter or an eighth of their size, if they are then still as large as wanted.

use sha2::{Digest, Sha256};

use super::frame::{Component, Frame};
use super::plane::{Plane, to_byte};
use super::scan::Tables;

/// A picture whose pixels are means of the pixels of a larger one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reduced {
    /// `[height, width, channels]`; grey or red, green and blue.
    pub bytes: Vec<u8>,
    /// 1 or 3.
    pub channels: usize,
    /// Rows of pixels.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
    /// Pixels of the full-size picture along the side of each pixel; at the right and lower edge there may be fewer.
    pub step: usize,
}

/// The largest step, of those that divide a block, that leaves `[height, width]` at least as large as wanted; libjpeg and
/// Pillow's `draft` choose the same.
pub(super) fn step_for([height, width]: [usize; 2], wanted: [usize; 2]) -> usize {
    let fits = |step: &usize| height / step >= wanted[0] && width / step >= wanted[1];
    [8, 4, 2].into_iter().find(fits).unwrap_or(1)
}

/// How a file is decoded and hashed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    step: usize,
}

impl Plan {
    /// The plan for a file whose first scan comes next; `None` for a kind of file that is only checked. `wanted` are the
    /// wanted rows and columns.
    pub(super) fn new(
        frame: &mut Frame,
        tables: &Tables,
        colours: Colours,
        wanted: Option<[usize; 2]>,
    ) -> Option<Self> {
        if frame.is_progressive || !is_supported(frame, colours) {
            return None;
        }
        let [width, height] = frame.size;
        let step = wanted.map_or(1, |wanted| step_for([height, width], wanted));
        let most = frame.most();
        let units = frame.units;
        for component in &mut frame.components {
            let steps = tables.quantization.get(usize::from(component.quantization))?.as_ref()?;
            component.steps = *steps;
            if step > 1 {
                let block = [0, 1].map(|axis| component.zoom(most, axis, step).0);
                let blocks = [0, 1].map(|axis| units[axis] * component.sampling[axis]);
                component.plane = Plane::new(blocks, block, steps);
            }
        }
        Some(Self { step })
    }

    /// A hash of the picture, from its coefficients and their meaning.
    pub(super) fn digest(&self, frame: &Frame) -> [u8; 32] {
        let mut hash = Sha256::new_with_prefix("JPEG coefficients");
        let number = |hash: &mut Sha256, value: u64| hash.update(value.to_le_bytes());
        frame.size.iter().for_each(|side| number(&mut hash, *side as u64));
        for component in &frame.components {
            component.sampling.iter().for_each(|count| number(&mut hash, *count as u64));
            component.steps.iter().for_each(|step| number(&mut hash, u64::from(*step)));
            number(&mut hash, component.plane.number);
        }
        hash.finalize().into()
    }

    /// The picture at the reduced size; `None` if the wanted size needs the full size.
    pub(super) fn reduced(&self, frame: &Frame) -> Option<Reduced> {
        let step = self.step;
        if step == 1 {
            return None;
        }
        let [width, height] = frame.size.map(|side| side.div_ceil(step));
        let channels = frame.components.len();
        let most = frame.most();
        let shifts: Vec<[u32; 2]> = frame
            .components
            .iter()
            .map(|component| [0, 1].map(|axis| component.zoom(most, axis, step).1))
            .collect();
        let mut bytes = vec![0; width * height * channels];
        let mut rows = [(); 3].map(|()| vec![0; width]);
        for (y, out) in bytes.chunks_exact_mut((width * channels).max(1)).enumerate() {
            for ((row, component), shift) in rows.iter_mut().zip(&frame.components).zip(&shifts) {
                spread(component.plane.row(y >> shift[1]), shift[0], row);
            }
            match channels {
                1 => out.copy_from_slice(&rows[0]),
                _ => to_rgb(&mut rows, out),
            }
        }
        Some(Reduced { bytes, channels, height, width, step })
    }
}

/// Repeats each pixel of a row 2 to the power of `shift` times.
fn spread(row: &[u8], shift: u32, out: &mut [u8]) {
    match shift {
        0 => out.copy_from_slice(&row[..out.len()]),
        _ => out.iter_mut().enumerate().for_each(|(x, to)| *to = row[x >> shift]),
    }
}

/// Converts to RGB as JFIF defines. Each channel is computed for the whole row before they are interleaved, which is faster.
fn to_rgb(rows: &mut [Vec<u8>; 3], out: &mut [u8]) {
    let [luma, blue, red] = rows;
    for ((first, second), third) in luma.iter_mut().zip(&mut *blue).zip(&mut *red) {
        let [y, b, r] = [f32::from(*first), f32::from(*second) - 128.0, f32::from(*third) - 128.0];
        *first = to_byte(y + 1.402 * r);
        *second = to_byte(y - 0.344_136_3 * b - 0.714_136_3 * r);
        *third = to_byte(y + 1.772 * b);
    }
    for (((pixel, first), second), third) in out.chunks_exact_mut(3).zip(luma).zip(blue).zip(red) {
        pixel.copy_from_slice(&[*first, *second, *third]);
    }
}

/// The colour space of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Colours {
    /// Brightness and two colour differences, as in most files.
    #[default]
    YCbCr,
    /// Another one, according to an Adobe segment.
    Other,
}

impl Colours {
    /// Reads an APP14 segment.
    pub(super) fn of_segment(content: &[u8]) -> Option<Self> {
        let transform = content.strip_prefix(b"Adobe")?.get(6);
        Some(if transform == Some(&1) { Self::YCbCr } else { Self::Other })
    }
}

/// Whether the pixels are grey, or brightness and colours whose sampling differs by powers of two.
fn is_supported(frame: &Frame, colours: Colours) -> bool {
    let ids: Vec<u8> = frame.components.iter().map(|component| component.id).collect();
    let most = frame.most();
    let is_plain = |component: &Component| {
        let ratio =
            |axis| (most[axis] / component.sampling[axis], most[axis] % component.sampling[axis]);
        [ratio(0), ratio(1)].iter().all(|ratio| matches!(ratio, (1 | 2 | 4, 0)))
    };
    let has_known_colours = match ids.len() {
        1 => true,
        3 => colours == Colours::YCbCr && ids != *b"RGB",
        _ => false,
    };
    has_known_colours && frame.components.iter().all(is_plain)
}

impl Component {
    /// Pixels of a block along an axis in a picture reduced by `step`, and how many times they are doubled if a block has
    /// too few.
    fn zoom(&self, most: [usize; 2], axis: usize, step: usize) -> (usize, u32) {
        let pixels = 8 * (most[axis] / self.sampling[axis]) / step;
        (pixels.min(8), (pixels / 8).checked_ilog2().unwrap_or(0))
    }
}
