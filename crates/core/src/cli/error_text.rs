//! Errors as text for a terminal.

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode,
};

use crate::spec::{Problem, SpecError};

/// The problems of an invalid study, each with its line of the study file underlined.
pub fn study_error(error: &SpecError, color: bool) -> String {
    let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_links(false);
    let mut text = String::new();
    for problem in &error.problems {
        let report = Report::new(error, problem);
        if handler.render_report(&mut text, &report).is_err() {
            text += &format!("error: {error}\n");
        }
    }
    text
}

#[derive(Debug)]
struct Report<'a> {
    message: String,
    problem: &'a Problem,
    source: Option<NamedSource<String>>,
}

impl<'a> Report<'a> {
    fn new(error: &SpecError, problem: &'a Problem) -> Self {
        let place = match (&problem.location, error.origin.as_str()) {
            (_, "") => String::new(),
            (Some(at), origin) => format!("{origin}:{}:{}: ", at.line, at.column),
            (None, origin) => format!("{origin}: "),
        };
        let key = match problem.key.as_str() {
            "" => String::new(),
            key => format!("`{key}`: "),
        };
        let text = error.text.as_ref().filter(|_| problem.location.is_some());
        Self {
            message: format!("{place}{key}{}", problem.message),
            problem,
            source: text.map(|text| NamedSource::new(&error.origin, text.to_string())),
        }
    }
}

impl std::fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Report<'_> {}

impl Diagnostic for Report<'_> {
    fn help<'b>(&'b self) -> Option<Box<dyn std::fmt::Display + 'b>> {
        let help = &self.problem.help;
        (!help.is_empty()).then(|| Box::new(help) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let location = self.problem.location.as_ref()?;
        let label = LabeledSpan::new_primary_with_span(Some("here".into()), location.span.clone());
        Some(Box::new(std::iter::once(label)))
    }
}
