//! What is said about the verdict of a build or an event of a registry, rather than the end of a run.

use std::path::Path;

use jiff::Timestamp;

use super::announcement::{Announcement, AnnouncementKind, one_line};
use crate::report::{Figures, Report};

/// The facts of a build's verdict, or of an event of a registry.
#[derive(Debug, Clone, Copy)]
pub struct BuildVerdict<'a> {
    /// Tells it from all others of the same origin.
    pub key: &'a str,
    /// What happened.
    pub what: AnnouncementKind,
    /// When.
    pub at: Timestamp,
    /// What tells the build or registry from all others.
    pub origin: &'a str,
    /// Repository, branch and commit, or the model, for the subject.
    pub name: &'a str,
    /// Why, in a sentence.
    pub why: &'a str,
    /// More facts, as names and values.
    pub rows: &'a [(&'a str, String)],
    /// The accuracy on held-out data, 0..=1.
    pub accuracy: Option<f64>,
    /// The accuracy that the gate demands, 0..=1.
    pub threshold: Option<f64>,
    /// Where its files lie.
    pub folder: &'a Path,
    /// The report of its run, if it has one.
    pub report: Option<&'a Report>,
    /// Lists, each under a heading.
    pub lists: &'a [(&'a str, &'a [String])],
    /// A program to attach, by file name.
    pub program: Option<&'a (&'a str, String)>,
}

/// Longer lists are cut.
const LINES_MAX: usize = 100;

impl Announcement {
    /// What is said about a build. All texts are made fit for headers, whatever a repository wrote.
    pub fn of_build(verdict: &BuildVerdict) -> Self {
        let BuildVerdict {
            key,
            what,
            at,
            origin,
            name,
            why,
            rows,
            accuracy,
            threshold,
            folder,
            report,
            lists,
            program,
        } = *verdict;
        let key = key.to_owned();
        let origin = origin.as_bytes().to_vec();
        let mut announcement = match report {
            Some(report) => Self::new(report, key, origin, at, folder),
            None => Self {
                key,
                origin,
                what,
                at,
                study: String::new(),
                run: one_line(&folder.display().to_string(), 1000),
                sentence: String::new(),
                rows: Vec::new(),
                figures: Figures {
                    best_trial: None,
                    validation_accuracy: accuracy,
                    test_accuracy: None,
                    parameters: None,
                    trials: 0,
                    seconds: 0.0,
                },
                measured: "on held-out data".into(),
                threshold,
                curves: Vec::new(),
                page: None,
                lists: Vec::new(),
                programs: Vec::new(),
            },
        };
        announcement.what = what;
        announcement.study = one_line(name, 200);
        announcement.sentence = one_line(why, 2000);
        let shown = lists.iter().filter(|(_, lines)| !lines.is_empty());
        announcement.lists = shown
            .map(|(heading, lines)| {
                let lines = lines.iter().take(LINES_MAX).map(|line| one_line(line, 500));
                ((*heading).to_owned(), lines.collect())
            })
            .collect();
        announcement.programs =
            program.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect();
        let facts = rows.iter().filter(|(_, value)| !value.is_empty());
        let facts = facts.map(|(name, value)| ((*name).to_owned(), one_line(value, 300)));
        announcement.rows = facts.chain(std::mem::take(&mut announcement.rows)).collect();
        announcement
    }
}
