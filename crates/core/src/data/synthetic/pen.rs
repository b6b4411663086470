//! Draws strokes with a round pen into MNIST's frame.

use burgeon_ink::{Drawing, Point, crop, place};

use super::SIDE;
use crate::sys::CounterRng;

/// The longer side of the ink, as MNIST scales it.
const BOX_SIDE: usize = 20;

/// Draws the strokes, `[28, 28]`, 255 for full ink.
pub(super) fn draw(strokes: &[Vec<Point>], rng: &mut CounterRng, out: &mut [u8]) {
    let pen = Pen::choose(rng);
    let mut ink =
        Drawing { ink: vec![0.0; BOX_SIDE * BOX_SIDE], width: BOX_SIDE, height: BOX_SIDE };
    for stroke in boxed(strokes, pen.reach()) {
        pen.stroke(&stroke, rng, &mut ink.ink);
    }
    roughen(&mut ink.ink, pen.roughness, rng);
    if let Some(ink) = crop(&ink, 0.0) {
        place(&ink, SIDE, SIDE, out);
    }
}

/// Moves and scales strokes so that the ink touches the left and top of the box and its longer side fills it.
fn boxed(strokes: &[Vec<Point>], reach: f32) -> Vec<Vec<Point>> {
    let (mut low, mut high) = ([f32::MAX; 2], [f32::MIN; 2]);
    for point in strokes.iter().flatten() {
        for axis in 0..2 {
            low[axis] = low[axis].min(point[axis]);
            high[axis] = high[axis].max(point[axis]);
        }
    }
    let extent = (high[0] - low[0]).max(high[1] - low[1]).max(1e-3);
    let scale = (BOX_SIDE as f32 - 2.0 * reach) / extent;
    let moved =
        |point: &Point| std::array::from_fn(|axis| (point[axis] - low[axis]) * scale + reach);
    strokes.iter().map(|stroke| stroke.iter().map(moved).collect()).collect()
}

/// Makes edges ragged, as paper and scanners do; full ink and bare paper are not changed.
fn roughen(ink: &mut [f32], roughness: f32, rng: &mut CounterRng) {
    let mut noise = [0; BOX_SIDE * BOX_SIDE];
    rng.fill_bytes(&mut noise);
    for (ink, byte) in ink.iter_mut().zip(noise) {
        let edge = 4.0 * *ink * (1.0 - *ink);
        *ink = (*ink + roughness * edge * (f32::from(byte) / 127.5 - 1.0)).clamp(0.0, 1.0);
    }
}

struct Pen {
    /// Half the width of a stroke in pixels.
    radius: f32,
    /// Pixels over which ink fades to paper.
    softness: f32,
    /// How much the radius varies along a stroke, as a fraction.
    pressure: f32,
    /// How much edges fray, as a share of full ink.
    roughness: f32,
}

impl Pen {
    fn choose(rng: &mut CounterRng) -> Self {
        let radius = 1.37 * libm::expf(0.26 * rng.approximate_normal());
        Self {
            radius: radius.clamp(0.6, 2.5),
            softness: rng.uniform(0.9, 1.5),
            pressure: rng.uniform(0.0, 0.25),
            roughness: rng.uniform(0.0, 0.35),
        }
    }

    /// How far ink spreads from the middle of a stroke.
    fn reach(&self) -> f32 {
        self.radius * (1.0 + 0.6 * self.pressure) + 0.5 * self.softness
    }

    fn stroke(&self, line: &[Point], rng: &mut CounterRng, ink: &mut [f32]) {
        let phase = rng.uniform(0.0, std::f32::consts::TAU);
        let swing = rng.uniform(0.05, 0.25);
        for (index, ends) in line.windows(2).enumerate() {
            let radius =
                self.radius * (1.0 + self.pressure * libm::sinf(phase + swing * index as f32));
            self.segment(ends[0], ends[1], radius, ink);
        }
    }

    fn segment(&self, a: Point, b: Point, radius: f32, ink: &mut [f32]) {
        let reach = radius + 0.5 * self.softness;
        let span = |axis: usize| {
            let low = (a[axis].min(b[axis]) - reach).max(0.0) as usize;
            let high = (a[axis].max(b[axis]) + reach).clamp(0.0, (BOX_SIDE - 1) as f32) as usize;
            low..=high
        };
        let along = [b[0] - a[0], b[1] - a[1]];
        let length_squared = (along[0] * along[0] + along[1] * along[1]).max(1e-9);
        for y in span(1) {
            for x in span(0) {
                // Pixel centres lie at halves.
                let to = [x as f32 + 0.5 - a[0], y as f32 + 0.5 - a[1]];
                let t = ((to[0] * along[0] + to[1] * along[1]) / length_squared).clamp(0.0, 1.0);
                let off = [to[0] - t * along[0], to[1] - t * along[1]];
                let distance = (off[0] * off[0] + off[1] * off[1]).sqrt();
                let coverage = (0.5 + (radius - distance) / self.softness).clamp(0.0, 1.0);
                let pixel = &mut ink[y * BOX_SIDE + x];
                *pixel = pixel.max(coverage);
            }
        }
    }
}
