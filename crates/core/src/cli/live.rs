//! What is drawn, and drawn again, while a trial trains: how far it is, and its curve above its parent's.
//!
//! Lines are kept shorter than a terminal of usual width, even in a wider one: a terminal that is made narrower then
//! breaks none of them, and nothing of an earlier drawing is left over.

/// A terminal of usual width, without its last column, in which some terminals break the line already.
const WIDTH_MAX: usize = 79;

/// A training, as it is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Live<'a> {
    /// The trial.
    pub trial: u32,
    /// Which part of its steps is done, 0..=1.
    pub done: f64,
    /// Where it is and how it goes, the most important first; what does not fit is left out.
    pub figures: Vec<String>,
    /// Its validation accuracies so far.
    pub curve: &'a [f64],
    /// The trial that it was grown from, with its validation accuracies.
    pub parent: Option<(u32, &'a [f64])>,
    /// What would be tried next.
    pub next: Option<&'a str>,
}

impl Live<'_> {
    /// The lines, none longer than `columns − 1`. `green` is put before the bar, `plain` after it.
    pub fn lines(&self, columns: usize, [green, plain]: [&str; 2]) -> String {
        let width = columns.saturating_sub(1).clamp(10, WIDTH_MAX);
        let mut figures = self.figures.clone();
        let length = |figures: &[String]| figures.join("  ").chars().count();
        while figures.len() > 1 && length(&figures) + BAR_LEAST + 3 > width {
            figures.pop();
        }
        let bar = width.saturating_sub(length(&figures) + 3);
        let text = cut(&figures.join("  "), width.saturating_sub(3));
        let mut lines = vec![format!("  {green}{}{plain} {text}", progress(self.done, bar))];
        lines.extend(self.curves(width));
        if let Some(next) = self.next {
            lines.push(cut(&format!("  next, if the gate is not passed: {next}"), width));
        }
        lines.join("\n")
    }

    /// Both curves on the same scales, an epoch of one above the same epoch of the other.
    fn curves(&self, width: usize) -> Vec<String> {
        let own = (self.trial, self.curve);
        let all: Vec<(u32, &[f64])> = [Some(own), self.parent].into_iter().flatten().collect();
        let labels: Vec<String> = all.iter().map(|(trial, _)| format!("  trial {trial}")).collect();
        let label = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
        let room = width.saturating_sub(label + VALUE_WIDTH + 4).max(1);
        let values =
            || all.iter().flat_map(|(_, curve)| *curve).copied().filter(|value| value.is_finite());
        let low = values().fold(f64::INFINITY, f64::min);
        let high = values().fold(f64::NEG_INFINITY, f64::max);
        let epochs = all.iter().map(|(_, curve)| curve.len()).max().unwrap_or(0);
        if epochs == 0 {
            return Vec::new();
        }
        let shown = epochs.min(room);
        let line = |(text, (_, curve)): (&String, &(u32, &[f64]))| {
            let epoch = |column: usize| (column + 1) * epochs / shown - 1;
            let columns = (0..shown).map(|column| curve.get(epoch(column)).copied());
            let bars: String =
                columns.map(|value| value.map_or(' ', |value| bar(value, low, high))).collect();
            let last = match curve.last() {
                Some(last) => format!("{:.2} %", last * 100.0),
                None => String::new(),
            };
            let line = format!("{text:<label$}  {bars}  {last:>VALUE_WIDTH$}");
            cut(line.trim_end(), width)
        };
        labels.iter().zip(&all).map(line).collect()
    }
}

/// The shortest bar of progress.
const BAR_LEAST: usize = 6;
/// `100.00 %`.
const VALUE_WIDTH: usize = 8;

/// A bar of progress of this many columns.
fn progress(done: f64, columns: usize) -> String {
    let filled = (done.clamp(0.0, 1.0) * columns as f64) as usize;
    let head = usize::from(filled < columns);
    format!("{}{}{}", "━".repeat(filled), "╸".repeat(head), " ".repeat(columns - filled - head))
}

/// A value as a bar of one column, between the lowest and the highest that are drawn.
fn bar(value: f64, low: f64, high: f64) -> char {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    if !value.is_finite() {
        return '×';
    }
    // Where all are nearly equal, their differences are no more than noise.
    let share = (value - low) / (high - low).max(0.01);
    BARS[((share * 8.0) as usize).min(7)]
}

/// At most so many characters; an ellipsis shows that some are left out.
fn cut(text: &str, columns: usize) -> String {
    match text.chars().count() <= columns {
        true => text.to_owned(),
        false => text.chars().take(columns.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests;
