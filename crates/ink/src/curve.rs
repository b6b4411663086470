//! Smooth curves through control points.

/// A point: x to the right, y downwards.
pub type Point = [f32; 2];

/// Points drawn for each span between two control points.
const SPAN_POINTS: usize = 8;

/// A Catmull–Rom spline through `controls`, as a polyline. A point given twice in a row is a corner.
pub fn flatten(controls: &[Point]) -> Vec<Point> {
    let mut line = Vec::with_capacity(controls.len() * SPAN_POINTS + 1);
    for smooth in controls.chunk_by(|a, b| a != b) {
        line.extend(smooth.first());
        for (index, ends) in smooth.windows(2).enumerate() {
            let [from, to] = [ends[0], ends[1]];
            // At its ends, the end point is its own neighbour.
            let before = if index > 0 { smooth[index - 1] } else { from };
            let after = smooth.get(index + 2).copied().unwrap_or(to);
            line.extend((1..=SPAN_POINTS).map(|step| {
                let t = step as f32 / SPAN_POINTS as f32;
                [0, 1].map(|axis| catmull_rom(before[axis], from[axis], to[axis], after[axis], t))
            }));
        }
    }
    line
}

/// Catmull and Rom, "A class of local interpolating splines" (1974), with the usual tension of one half.
fn catmull_rom(before: f32, from: f32, to: f32, after: f32, t: f32) -> f32 {
    let (a, b) = (to - before, 2.0 * before - 5.0 * from + 4.0 * to - after);
    let c = 3.0 * (from - to) + after - before;
    from + 0.5 * t * (a + t * (b + t * c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_passes_through_its_control_points() {
        let controls = [[0.0, 0.0], [1.0, 0.5], [0.5, 1.0]];
        let line = flatten(&controls);
        for (index, control) in controls.iter().enumerate() {
            let point = line[index * SPAN_POINTS];
            assert!((point[0] - control[0]).abs() + (point[1] - control[1]).abs() < 1e-5);
        }
    }

    #[test]
    fn a_doubled_point_is_a_corner() {
        let line = flatten(&[[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 1.0]]);
        assert!(line.iter().all(|[x, y]| (*y == 0.0 || *x == 1.0) && *x <= 1.0));
    }
}
