//! Curves as text, told apart by letters rather than colours.

/// Columns and rows of the drawing, without its frame.
const WIDTH: usize = 60;
const HEIGHT: usize = 12;

/// Two curves of fractions over epochs, drawn with the letters `a` and `b`, and `*` where both are. Values that are
/// not finite are left out; nothing is drawn of curves without any other.
pub fn plot(first: &[f64], second: &[f64]) -> String {
    let finite = || first.iter().chain(second).copied().filter(|value| value.is_finite());
    let (low, high) = (finite().fold(f64::NAN, f64::min), finite().fold(f64::NAN, f64::max));
    if !low.is_finite() {
        return String::new();
    }
    let epochs = first.len().max(second.len());
    let range = (high - low).max(1e-3);
    let (low, high) = (low - (range - (high - low)) / 2.0, high + (range - (high - low)) / 2.0);
    let mut grid = vec![vec![' '; WIDTH]; HEIGHT];
    for (letter, curve) in [('a', first), ('b', second)] {
        for (epoch, value) in curve.iter().enumerate().filter(|(_, value)| value.is_finite()) {
            let share = (value - low) / (high - low);
            let row = HEIGHT - 1 - (share * (HEIGHT - 1) as f64).round() as usize;
            let column = match epochs {
                1 => 0,
                epochs => epoch * (WIDTH - 1) / (epochs - 1),
            };
            let cell = &mut grid[row.min(HEIGHT - 1)][column];
            *cell = match *cell {
                ' ' => letter,
                there if there == letter => letter,
                _ => '*',
            };
        }
    }
    let mut text = String::new();
    for (row, cells) in grid.iter().enumerate() {
        let share = (HEIGHT - 1 - row) as f64 / (HEIGHT - 1) as f64;
        let label = match row == 0 || row == HEIGHT - 1 || row == HEIGHT / 2 {
            true => format!("{:>7.2} %", (low + share * (high - low)) * 100.0),
            false => String::new(),
        };
        let cells: String = cells.iter().collect();
        text += format!("{label:>9} │{cells}").trim_end();
        text.push('\n');
    }
    text += &format!("{:>9} └{}\n", "", "─".repeat(WIDTH));
    let last = epochs.to_string();
    text += &match epochs {
        1 => format!("{:>9}  epoch 1\n", ""),
        _ => format!("{:>9}  epoch 1{last:>width$}\n", "", width = WIDTH - "epoch 1".len()),
    };
    text
}

#[cfg(test)]
mod tests;
