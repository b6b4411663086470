//! What mail and webhooks say of a run.

use super::{LineageTrial, Report, STYLE, STYLE_SHEET, words};

impl Report {
    /// The study's name; empty if the record does not begin with a study.
    pub(crate) fn study_name(&self) -> &str {
        &self.started.name
    }

    /// The accuracy that the gate requires, if that is recorded.
    pub(crate) fn threshold(&self) -> Option<f64> {
        self.started.threshold
    }

    /// Why training ended early in the last trial that a time limit ended.
    pub(crate) fn out_of_time(&self) -> Option<&str> {
        self.lineage.trials.iter().rev().find_map(|trial| trial.out_of_time.as_deref())
    }

    /// The figures, as names and values.
    pub(crate) fn figure_rows(&self) -> Vec<(String, String)> {
        let figures = &self.figures;
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".into());
        let mut rows = vec![
            ("required accuracy", self.gate_words()),
            match self.cross_validated().and_then(LineageTrial::cross_validation) {
                Some(folds) => ("cross-validated accuracy", folds.figure()),
                None => ("validation accuracy", figures.validation_words()),
            },
        ];
        if figures.test_accuracy.is_some() {
            rows.push(("test accuracy", words::percent(figures.test_accuracy)));
        }
        rows.extend([
            ("best trial", or_dash(figures.best_trial.map(|trial| trial.to_string()))),
            ("trials", words::grouped(figures.trials)),
            ("parameters", or_dash(figures.parameters.map(words::grouped))),
            ("time", words::duration(Some(figures.seconds))),
            ("device", self.started.device.clone()),
        ]);
        rows.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The page with its style sheet in it, for who has only the one file.
    pub(crate) fn to_single_page(&self) -> String {
        let link = format!("<link rel=\"stylesheet\" href=\"{STYLE_SHEET}\"/>");
        self.to_html().replacen(&link, &format!("<style>\n{STYLE}</style>"), 1)
    }
}

#[cfg(test)]
mod tests;
