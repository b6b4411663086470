//! Collects the problems of a study: what is wrong, under which key, and what would be right.

use super::error::Problem;

#[derive(Default)]
pub(super) struct Check {
    pub(super) problems: Vec<Problem>,
}

impl Check {
    pub(super) fn problem(&mut self, key: &str, message: String, help: impl Into<String>) {
        self.problems.push(Problem::new(key, message, help));
    }

    pub(super) fn integer(&mut self, key: &str, value: usize, min: usize, max: usize) {
        if !(min..=max).contains(&value) {
            self.problem(
                key,
                format!("{value} is out of range"),
                format!("use a whole number from {min} to {max}"),
            );
        }
    }

    /// `unit` is what is counted, in the plural.
    pub(super) fn at_most(&mut self, key: &str, value: usize, unit: &str, max: usize) {
        if value > max {
            let problem = format!("{value} {unit} are too many");
            self.problem(key, problem, format!("use at most {max}"));
        }
    }

    /// `fits` is false for NaN, whatever the range, so NaN is always refused.
    pub(super) fn number(&mut self, key: &str, value: f64, fits: bool, range: &str) {
        if !fits {
            self.problem(key, format!("{value} is out of range"), format!("use a number {range}"));
        }
    }

    pub(super) fn share(&mut self, key: &str, value: f64) {
        self.number(key, value, (0.0..1.0).contains(&value), "of at least 0 and less than 1");
    }

    pub(super) fn fraction(&mut self, key: &str, value: f64) {
        self.number(key, value, (0.0..=1.0).contains(&value), "from 0 to 1");
    }

    pub(super) fn within(&mut self, key: &str, value: f64, min: f64, max: f64) {
        self.number(key, value, (min..=max).contains(&value), &format!("from {min} to {max}"));
    }

    pub(super) fn positive(&mut self, key: &str, value: f64, max: f64) {
        self.number(key, value, value > 0.0 && value <= max, &format!("above 0 and at most {max}"));
    }
}
