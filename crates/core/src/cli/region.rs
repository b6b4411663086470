//! The last lines of a terminal, which are drawn again and again while lines above them are printed.
//!
//! Lines are never padded, and know how many rows they take in a terminal whose width has changed since: most
//! terminals break the lines anew that they show, and nothing of them may be left over.

use std::io::Write;
use std::time::{Duration, Instant};

/// No eye sees more.
const REDRAW_EVERY: Duration = Duration::from_millis(50);

/// The lines at the end of the terminal behind standard error.
#[derive(Debug, Default)]
pub struct Region {
    /// The width of each line that is drawn.
    drawn: Vec<usize>,
    last: Option<Instant>,
}

impl Region {
    /// Whether it is time to draw again.
    pub fn is_due(&self) -> bool {
        self.last.is_none_or(|last| last.elapsed() >= REDRAW_EVERY)
    }

    /// Draws these lines in place of those that are there, as many as the terminal has room for.
    pub fn draw(&mut self, text: &str, [rows, columns]: [usize; 2]) {
        let lines: Vec<&str> = text.lines().take(rows.saturating_sub(1)).collect();
        let mut all = self.clearing(columns);
        for line in &lines {
            all += line;
            all.push('\n');
        }
        self.drawn = lines.iter().map(|line| width(line)).collect();
        self.last = Some(Instant::now());
        write(&all);
    }

    /// Removes the lines, so that others can be printed.
    pub fn clear(&mut self, [_, columns]: [usize; 2]) {
        if !self.drawn.is_empty() {
            write(&self.clearing(columns));
            self.drawn.clear();
        }
        // What comes next is drawn at once.
        self.last = None;
    }

    /// Moves to the first of the lines and clears the terminal from there on.
    fn clearing(&self, columns: usize) -> String {
        let columns = columns.max(1);
        let rows: usize = self.drawn.iter().map(|width| width.div_ceil(columns).max(1)).sum();
        match rows {
            0 => String::new(),
            rows => format!("\r\u{1b}[{rows}A\u{1b}[J"),
        }
    }
}

/// Columns of a line, without the sequences that colour it.
fn width(line: &str) -> usize {
    let mut columns = 0;
    let mut is_sequence = false;
    for character in line.chars() {
        match (is_sequence, character) {
            (false, '\u{1b}') => is_sequence = true,
            (false, _) => columns += 1,
            (true, 'm') => is_sequence = false,
            (true, _) => {}
        }
    }
    columns
}

/// A failure is ignored: a closed terminal must not end the training.
fn write(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// Rows and columns of the terminal behind standard error; the usual ones where there is none.
pub fn size() -> [usize; 2] {
    match rustix::termios::tcgetwinsize(std::io::stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
            [size.ws_row, size.ws_col].map(usize::from)
        }
        _ => [24, 80],
    }
}

#[cfg(test)]
mod tests;
