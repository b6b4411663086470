//! Findings in words.

use crate::faults::Fault;
use crate::pixels::PixelMeasure;
use crate::reference::Column;
use crate::window::{Comparison, Finding, WindowReport};

impl Comparison {
    /// Its name, as it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Outputs => "outputs",
            Self::Classes => "classes",
            Self::Confidence => "confidence",
            Self::Pixels => "pixels",
            Self::Faults => "faults",
        }
    }
}

impl Fault {
    /// Its name, as it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blank => "blank",
            Self::Inverted => "inverted",
            Self::AboveRange => "above_range",
            Self::BelowRange => "below_range",
            Self::DividedTwice => "divided_twice",
            Self::NotFinite => "not_finite",
            Self::OtherSize => "other_size",
        }
    }
}

impl WindowReport {
    /// What makes it suspicious, and its faults: a phrase for each. `classes` are the names of the model's classes.
    pub fn words(&self, classes: &[String]) -> Vec<String> {
        let faults = self.faults.iter();
        let faults =
            faults.map(|found| format!("{} images are {}", found.images, found.fault.words()));
        let findings = self.findings.iter().filter(|finding| finding.is_suspicious);
        faults.chain(findings.filter_map(|finding| finding.words(classes))).collect()
    }
}

impl Finding {
    /// The test with its figures, such as `pixels: Kolmogorov-Smirnov, p = 0.001, effect 0.20 (counts from 0.05)`.
    pub fn test(&self) -> String {
        let Self { comparison, p, effect, floor, is_suspicious, .. } = self;
        let test = match comparison {
            Comparison::Outputs | Comparison::Pixels => "Kolmogorov-Smirnov",
            Comparison::Classes => "chi-square",
            Comparison::Confidence | Comparison::Faults => "Fisher's exact test",
        };
        let suspicious = if *is_suspicious { ", suspicious" } else { "" };
        let (name, p) = (comparison.name(), probability(*p));
        format!("{name}: {test}, {p}, effect {effect:.2} (counts from {floor:.2}){suspicious}")
    }

    /// What differs, and by how much; `None` for faults, which have their own words.
    pub fn words(&self, classes: &[String]) -> Option<String> {
        let effect = format!("{:.2}, {}", self.effect, probability(self.p));
        let what = match (self.comparison, self.column) {
            (Comparison::Faults, _) => return None,
            (Comparison::Classes, _) => "the mix of predicted classes".into(),
            (Comparison::Confidence, _) => "the share of unsure answers".into(),
            (_, Some(Column::Output(label))) => {
                let class = classes.get(label).map_or("a class", String::as_str);
                format!("the probability of {class}")
            }
            (_, Some(Column::Confidence) | None) => "the confidence".into(),
            (_, Some(Column::Pixels(measure))) => match measure {
                PixelMeasure::Brightness => "the brightness".into(),
                PixelMeasure::Contrast => "the contrast".into(),
                PixelMeasure::Sharpness => "the sharpness".into(),
                PixelMeasure::CentreRow => "where the brightness is, from top to bottom,".into(),
                PixelMeasure::CentreColumn => "where the brightness is, from left to right,".into(),
            },
        };
        Some(format!("{what} differs by {effect}"))
    }
}

/// A probability as people read it: those too small to be told apart from zero as a bound.
pub fn probability(p: f64) -> String {
    match p {
        ..1e-300 => "p < 1e-300".into(),
        ..0.001 => format!("p = {p:.1e}"),
        _ => format!("p = {p:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_are_written() {
        for fault in Fault::ALL {
            assert_eq!(serde_json::to_value(fault).unwrap(), fault.name());
        }
        for comparison in [
            Comparison::Outputs,
            Comparison::Classes,
            Comparison::Confidence,
            Comparison::Pixels,
            Comparison::Faults,
        ] {
            assert_eq!(serde_json::to_value(comparison).unwrap(), comparison.name());
        }
    }
}
