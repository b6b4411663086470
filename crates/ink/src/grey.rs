//! A picture as brightness.

/// Brightness of each pixel, 0 to 1, `[height, width]`, and its opacity.
#[derive(Debug, Clone)]
pub struct Grey {
    /// The brightness of each pixel, row by row.
    pub values: Vec<f32>,
    /// The opacity of each pixel, if some pixel is transparent.
    pub alpha: Option<Vec<f32>>,
    /// The number of columns.
    pub width: usize,
    /// The number of rows.
    pub height: usize,
}

impl Grey {
    /// The picture on a background of one brightness.
    pub fn over(mut self, background: f32) -> Self {
        for (value, alpha) in self.values.iter_mut().zip(self.alpha.iter().flatten()) {
            *value = *value * alpha + background * (1.0 - alpha);
        }
        Self { alpha: None, ..self }
    }

    /// The values along its four sides.
    pub fn border(&self) -> Vec<f32> {
        border(&self.values, self.height, self.width)
    }
}

/// The values along the four sides, those of the corners twice, of an image `[height, width]`.
pub fn border(values: &[f32], height: usize, width: usize) -> Vec<f32> {
    let at = |x: usize, y: usize| values[y * width + x];
    let rows = (0..width).flat_map(|x| [at(x, 0), at(x, height - 1)]);
    rows.chain((0..height).flat_map(|y| [at(0, y), at(width - 1, y)])).collect()
}
