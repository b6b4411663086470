//! Random variations of handwriting: jitter, bends, slant, proportions and rotation of a skeleton.

use burgeon_ink::{Point, Skeleton, flatten};

use crate::sys::CounterRng;

/// Deviation of a control point, as a fraction of the digit's height.
const JITTER: f32 = 0.029;
/// Deviation of the slant: x moved per unit of height.
const SLANT: f32 = 0.26;
/// Slant of the average hand, to the right.
const SLANT_MEAN: f32 = 0.12;
/// Deviation of the logarithm of width over height.
const PROPORTION: f32 = 0.24;
/// Width over height of the average hand, against the skeletons: the logarithm.
const PROPORTION_MEAN: f32 = 0.1;
/// Deviation of the rotation in radians.
const ROTATION: f32 = 0.1;
/// Deviation of one bending wave, as a fraction of the digit's height.
const BEND: f32 = 0.026;

/// The strokes of one digit as written, as polylines.
pub(super) fn write(skeleton: &Skeleton, rng: &mut CounterRng) -> Vec<Vec<Point>> {
    let map = Map::draw(rng);
    let mut strokes = Vec::with_capacity(skeleton.strokes.len());
    for stroke in skeleton.strokes {
        let line = flatten(&jittered(stroke, rng));
        strokes.push(line.into_iter().map(|point| map.apply(point)).collect());
    }
    strokes
}

/// Corners stay corners: a doubled control point moves as one.
fn jittered(stroke: &[Point], rng: &mut CounterRng) -> Vec<Point> {
    let mut moved: Vec<Point> = Vec::with_capacity(stroke.len());
    for (index, &[x, y]) in stroke.iter().enumerate() {
        let twin = index.checked_sub(1).filter(|&last| stroke[last] == [x, y]);
        moved.push(match twin {
            Some(last) => moved[last],
            None => [x + JITTER * rng.approximate_normal(), y + JITTER * rng.approximate_normal()],
        });
    }
    moved
}

/// The deformation of the plane that a digit is written on.
struct Map {
    waves: [Wave; 4],
    matrix: [[f32; 2]; 2],
}

/// A bend: points move along `shift` by the sine of their place along `direction`.
struct Wave {
    direction: Point,
    phase: f32,
    shift: Point,
}

impl Map {
    fn draw(rng: &mut CounterRng) -> Self {
        let slant = SLANT_MEAN + SLANT * rng.approximate_normal();
        let proportion = libm::expf(PROPORTION_MEAN + PROPORTION * rng.approximate_normal());
        let (sin, cos) = libm::sincosf(ROTATION * rng.approximate_normal());
        // Proportion first, then slant, then rotation; y runs downwards, so leaning right takes from x as y grows.
        let matrix =
            [[cos * proportion, -cos * slant - sin], [sin * proportion, -sin * slant + cos]];
        Self { waves: std::array::from_fn(|_| Wave::draw(rng)), matrix }
    }

    fn apply(&self, point: Point) -> Point {
        let [mut x, mut y] = point;
        for wave in &self.waves {
            let swing = libm::sinf(
                wave.direction[0] * point[0] + wave.direction[1] * point[1] + wave.phase,
            );
            x += wave.shift[0] * swing;
            y += wave.shift[1] * swing;
        }
        self.matrix.map(|row| row[0] * x + row[1] * y)
    }
}

impl Wave {
    fn draw(rng: &mut CounterRng) -> Self {
        let turn = |rng: &mut CounterRng| rng.uniform(0.0, std::f32::consts::TAU);
        let (sin, cos) = libm::sincosf(turn(rng));
        let frequency = rng.uniform(3.0, 9.0);
        Self {
            direction: [cos * frequency, sin * frequency],
            phase: turn(rng),
            shift: [BEND * rng.approximate_normal(), BEND * rng.approximate_normal()],
        }
    }
}
