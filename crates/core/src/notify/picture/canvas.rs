//! A picture that lines and text are drawn on.

use super::font;

/// Red, green and blue.
pub(super) type Colour = [u8; 3];

/// Size of the dots that letters consist of, in pixels.
const DOT: usize = 3;

pub(super) struct Canvas {
    width: usize,
    height: usize,
    /// Row by row from the top.
    pixels: Vec<Colour>,
}

impl Canvas {
    pub(super) fn new(width: usize, height: usize, paper: Colour) -> Self {
        Self { width, height, pixels: vec![paper; width * height] }
    }

    /// A line with round, smooth ends; a dot if it goes nowhere.
    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), thick: f64, colour: Colour) {
        let reach = thick / 2.0 + 1.0;
        let columns = span(from.0.min(to.0) - reach, from.0.max(to.0) + reach, self.width);
        let rows = span(from.1.min(to.1) - reach, from.1.max(to.1) + reach, self.height);
        for row in rows {
            for column in columns.clone() {
                let distance = distance((column as f64 + 0.5, row as f64 + 0.5), from, to);
                let share = (thick / 2.0 + 0.5 - distance).clamp(0.0, 1.0);
                self.blend(column, row, colour, share);
            }
        }
    }

    /// Text whose upper left corner is at a point.
    pub(super) fn text(&mut self, at: (f64, f64), text: &str, colour: Colour) {
        let (mut left, top) = (at.0.max(0.0) as usize, at.1.max(0.0) as usize);
        for letter in text.chars() {
            for (row, bits) in font::rows(letter).into_iter().enumerate() {
                for column in (0..5).filter(|column| bits >> (4 - column) & 1 == 1) {
                    for dot in 0..DOT * DOT {
                        let x = left + column * DOT + dot % DOT;
                        self.blend(x, top + row * DOT + dot / DOT, colour, 1.0);
                    }
                }
            }
            left += 6 * DOT;
        }
    }

    pub(super) fn text_width(text: &str) -> f64 {
        (text.chars().count() * 6 * DOT) as f64
    }

    fn blend(&mut self, column: usize, row: usize, colour: Colour, share: f64) {
        if column >= self.width || row >= self.height {
            return;
        }
        let pixel = &mut self.pixels[row * self.width + column];
        for (below, above) in pixel.iter_mut().zip(colour) {
            *below = (f64::from(*below) * (1.0 - share) + f64::from(above) * share).round() as u8;
        }
    }

    pub(super) fn to_png(&self) -> Result<Vec<u8>, png::EncodingError> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(self.pixels.as_flattened())?;
        writer.finish()?;
        Ok(bytes)
    }
}

/// The whole numbers from `low` to `high` that are below `end`.
fn span(low: f64, high: f64, end: usize) -> std::ops::Range<usize> {
    // A NaN becomes 0.
    (low.max(0.0) as usize).min(end)..(high.max(0.0).ceil() as usize).min(end)
}

/// From a point to a line between two others.
fn distance(point: (f64, f64), from: (f64, f64), to: (f64, f64)) -> f64 {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let squared = dx * dx + dy * dy;
    let along = match squared > 0.0 {
        true => (((point.0 - from.0) * dx + (point.1 - from.1) * dy) / squared).clamp(0.0, 1.0),
        false => 0.0,
    };
    (point.0 - from.0 - along * dx).hypot(point.1 - from.1 - along * dy)
}
