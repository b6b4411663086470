//! Distinguishes strokes from areas. Strokes are thin for their length, and end within the picture; shadows, other sheets
//! and bands are wide, and the picture's border cuts through them.

use super::side::FRAME_BORDER;
use super::sums::Sums;
use crate::InkError;
use crate::drawing::Drawing;

/// Ink wider than this share of its length is not a stroke: thick felt-tip pens draw strokes of a quarter.
const STROKE_WIDTH_MAX: f32 = 0.3;
/// The share of the picture's border that such wide strokes may touch, in a picture that is cropped to its digit.
const WIDE_BORDER_MAX: f32 = 0.12;
/// The share of the border that ends of strokes may touch.
const STROKE_ENDS_MAX: f32 = 0.06;
/// A picture that is cropped to its digit has a margin of at most one part in this many of its longer side.
const CUT_MARGIN: usize = 16;
/// A digit is at most this many times as wide as high.
const ASPECT_MAX: usize = 2;

/// Whether ink that is too wide for strokes covers a part of the border.
pub(super) fn is_wide_at_border(drawing: &Drawing) -> bool {
    let mask = Mask::strong(drawing);
    let Some([across, down]) = mask.extent() else {
        return false;
    };
    let length = across.max(down).min(ASPECT_MAX * down);
    let side = (STROKE_WIDTH_MAX * length as f32) as usize;
    let wide = mask.opened(side.max(2));
    let border = wide.border().count() as f32;
    wide.border().filter(|&at| wide.marks[at]).count() as f32 > WIDE_BORDER_MAX * border
}

/// Whether ink reaches the border.
pub(super) fn touches_border(drawing: &Drawing) -> bool {
    let mask = Mask::strong(drawing);
    mask.border().any(|at| mask.marks[at])
}

/// Whether the ink may be a digit to which the picture is cropped.
pub(super) fn may_fill_picture(drawing: &Drawing) -> bool {
    let mask = Mask::strong(drawing);
    let near = mask.width.max(mask.height) / CUT_MARGIN;
    mask.bounds().is_some_and(|[left, top, right, bottom]| {
        left.max(top) <= near && right + near >= mask.width && bottom + near >= mask.height
    }) && !is_wide_at_border(drawing)
}

/// Whether ink that reaches the border may be a digit whose strokes end there.
pub(super) fn may_end_at_border(drawing: &Drawing) -> bool {
    let mask = Mask::strong(drawing);
    let border = mask.border().count() as f32;
    let inked = mask.border().filter(|&at| mask.marks[at]).count() as f32;
    inked <= STROKE_ENDS_MAX * border && !is_wide_at_border(drawing)
}

/// Removes a frame around the digit: ink that fills the border, and all ink that touches it.
pub(super) fn without_frame(mut drawing: Drawing) -> Result<Drawing, InkError> {
    let (width, height) = (drawing.width, drawing.height);
    let is_border = |at: usize| {
        let (x, y) = (at % width, at / width);
        x == 0 || y == 0 || x + 1 == width || y + 1 == height
    };
    let border: Vec<usize> = (0..drawing.ink.len()).filter(|&at| is_border(at)).collect();
    let inked = border.iter().filter(|&&at| drawing.ink[at] > 0.0).count();
    if (inked as f32) < FRAME_BORDER * border.len() as f32 {
        return Ok(drawing);
    }
    let mut open = border;
    while let Some(at) = open.pop() {
        if std::mem::take(&mut drawing.ink[at]) > 0.0 {
            let (x, y) = (at % width, at / width);
            open.extend((x > 0).then(|| at - 1));
            open.extend((x + 1 < width).then(|| at + 1));
            open.extend((y > 0).then(|| at - width));
            open.extend((y + 1 < height).then(|| at + width));
        }
    }
    if drawing.ink.iter().any(|&ink| ink > 0.0) { Ok(drawing) } else { Err(InkError::Undecided) }
}

/// A binary mask of pixels.
#[derive(Clone)]
pub(super) struct Mask {
    pub(super) marks: Vec<bool>,
    pub(super) width: usize,
    pub(super) height: usize,
}

impl Mask {
    /// Strokes up to their edges.
    pub(super) fn strong(drawing: &Drawing) -> Self {
        let edge = drawing.edge();
        let marks = drawing.ink.iter().map(|&ink| ink > edge).collect();
        Self { marks, width: drawing.width, height: drawing.height }
    }

    pub(super) fn count(&self) -> usize {
        self.marks.iter().filter(|&&mark| mark).count()
    }

    /// Left, top, right and bottom of what is marked, the last two exclusive.
    pub(super) fn bounds(&self) -> Option<[usize; 4]> {
        let marked = || (0..self.marks.len()).filter(|&at| self.marks[at]);
        let columns = || marked().map(|at| at % self.width);
        let rows = || marked().map(|at| at / self.width);
        Some([columns().min()?, rows().min()?, columns().max()? + 1, rows().max()? + 1])
    }

    /// Width and height of what is marked.
    pub(super) fn extent(&self) -> Option<[usize; 2]> {
        self.bounds().map(|[left, top, right, bottom]| [right - left, bottom - top])
    }

    /// The morphological opening with a square of this side (Serra, "Image analysis and mathematical morphology", 1982).
    pub(super) fn opened(&self, side: usize) -> Self {
        let whole = side * side;
        let marks = Sums::of(self.width, self.height, |at| f64::from(u8::from(self.marks[at])));
        let (before, after) = ((side - 1) / 2, side / 2);
        let centres =
            Sums::of(self.width, self.height, |at| match marks.between(at, before, after) {
                sum if sum + 0.5 >= whole as f64 => 1.0,
                _ => 0.0,
            });
        let covered = |at| centres.between(at, after, before) > 0.5;
        let marks = (0..self.marks.len()).map(covered).collect();
        Self { marks, width: self.width, height: self.height }
    }

    /// Thickness of the strokes relative to their length: twice the area, divided by the length of the outline and by the
    /// longer side of the bounds. The outline is about four fifths as long as the pixel sides along it, on average over
    /// all directions.
    pub(super) fn thickness(&self) -> f32 {
        let is_marked = |x: usize, y: usize| {
            x < self.width && y < self.height && self.marks[y * self.width + x]
        };
        let mut outline = 0;
        for y in 0..self.height {
            for x in (0..self.width).filter(|&x| is_marked(x, y)) {
                let beside =
                    [(x.wrapping_sub(1), y), (x + 1, y), (x, y.wrapping_sub(1)), (x, y + 1)];
                outline += beside.into_iter().filter(|&(x, y)| !is_marked(x, y)).count();
            }
        }
        let length = self.extent().map_or(1, |[across, down]| across.max(down));
        2.0 * self.count() as f32 / (0.8 * outline.max(1) as f32) / length as f32
    }

    pub(super) fn border(&self) -> impl Iterator<Item = usize> + use<> {
        let (width, height) = (self.width, self.height);
        (0..width * height).filter(move |at| {
            let (x, y) = (at % width, at / width);
            x == 0 || y == 0 || x + 1 == width || y + 1 == height
        })
    }

    /// Only the largest connected part.
    pub(super) fn largest_part(&self) -> Self {
        let mut marks = vec![false; self.marks.len()];
        let largest = self.parts().into_iter().max_by_key(Vec::len);
        largest.into_iter().flatten().for_each(|at| marks[at] = true);
        Self { marks, width: self.width, height: self.height }
    }

    /// The pixels of each connected part, corners included.
    pub(super) fn parts(&self) -> Vec<Vec<usize>> {
        let mut left = self.marks.clone();
        let mut parts = Vec::new();
        for first in 0..left.len() {
            if !std::mem::take(&mut left[first]) {
                continue;
            }
            let mut part = vec![first];
            let mut next = 0;
            while let Some(&at) = part.get(next) {
                next += 1;
                let (x, y) = (at % self.width, at / self.width);
                for row in y.saturating_sub(1)..(y + 2).min(self.height) {
                    for column in x.saturating_sub(1)..(x + 2).min(self.width) {
                        let beside = row * self.width + column;
                        if std::mem::take(&mut left[beside]) {
                            part.push(beside);
                        }
                    }
                }
            }
            parts.push(part);
        }
        parts
    }
}
