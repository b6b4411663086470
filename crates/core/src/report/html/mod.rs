//! The report as an HTML page, without scripts, for large and small screens. It loads nothing but the
//! style sheet beside it.
//!
//! Invariant: the page has neither `style` elements nor `style` attributes, which servers that show
//! untrusted files, such as Jenkins, forbid.

mod course;
mod front;
mod model;
mod network;
mod pictures;
mod trials;

use super::chart::{Size, growth_chart};
use super::markup::Markup;
use super::{Examined, LineageTrial, Report, STYLE_SHEET, State, moment, words};

/// With more trials than this, a page shows a selection.
const TRIALS_MAX: usize = 250;

impl Report {
    /// The page. It is well-formed as XML too, but for its first line.
    pub fn to_html(&self) -> String {
        self.abridged(TRIALS_MAX).page()
    }

    /// The chart and the tree of trials, for a page that shows more than this run.
    #[cfg(feature = "serve")]
    pub(crate) fn growth(&self, main: &mut Markup) {
        let shown = self.abridged(TRIALS_MAX);
        shown.chart(main);
        if let Some(omission) = shown.omission() {
            main.leaf("p", &[("class", &"quiet")], omission);
        }
        shown.lineage_list(main);
    }

    fn page(&self) -> String {
        let mut page = Markup::default();
        page.raw("<!DOCTYPE html>\n");
        page.element("html", &[("lang", &"en")], |html| {
            html.element("head", &[], |head| {
                head.raw("<meta charset=\"utf-8\"/>\n");
                head.raw(
                    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n",
                );
                head.raw("<meta name=\"color-scheme\" content=\"light dark\"/>\n");
                head.leaf("title", &[], format!("{}: {}", self.started.name, self.state_word()));
                head.raw("<link rel=\"stylesheet\" href=\"");
                head.raw(STYLE_SHEET);
                head.raw("\"/>\n");
            });
            html.element("body", &[], |body| {
                body.element("main", &[], |main| self.body(main));
            });
        });
        page.finish()
    }

    fn body(&self, main: &mut Markup) {
        self.warning(main);
        self.header(main);
        self.tiles(main);
        self.chart(main);
        if let Some(omission) = self.omission() {
            main.leaf("p", &[("class", &"quiet")], omission);
        }
        section(main, "Lineage", |main| self.lineage_list(main));
        section(main, "Trials", |main| self.trial_table(main));
        let front = self.front();
        if !front.is_empty() {
            section(main, "Accuracy against size and speed", |main| {
                self.front_section(main, &front)
            });
        }
        if self.has_forecasts() {
            section(main, "Predicted and reached", |main| self.forecasts(main));
        }
        let parts = self.time.parts();
        if !parts.is_empty() {
            section(main, "Where the time went", |main| self.time_table(main, &parts));
        }
        if let Some(networks) = &self.networks {
            section(main, "The best network", |main| network::table(main, networks));
        }
        if let Some(data) = &self.data {
            section(main, "Data", |main| {
                data_summary(main, data);
                self.samples(main, data);
            });
        }
        if !self.augmented.is_empty() {
            section(main, "Augmented training images", |main| self.augmented_pictures(main));
        }
        if let Some(model) = &self.model {
            section(main, "The best model, class by class", |main| self.classes(main, model));
            if !model.validation.mistakes.is_empty() {
                section(main, "Its surest mistakes", |main| self.mistakes(main, model));
            }
        }
        section(main, "Trial by trial", |main| self.trial_details(main));
        let jobs = self.jobs.sentences();
        if !jobs.is_empty() {
            section(main, "Jobs", |main| {
                main.element("ul", &[], |list| {
                    for sentence in &jobs {
                        list.leaf("li", &[], sentence);
                    }
                });
            });
        }
        section(main, "Interruptions", |main| self.interruption_list(main));
        let commands = self.commands();
        if !commands.is_empty() {
            section(main, "Repeat it", |main| repeat_list(main, &commands));
        }
        section(main, "Provenance", |main| self.provenance_list(main));
        if let Some(study) = &self.study {
            main.element("details", &[], |details| {
                details.leaf("summary", &[], "The study, with every default written out");
                details.leaf("pre", &[("tabindex", &"0")], study);
            });
        }
        main.leaf("footer", &[], self.source_note());
    }

    fn state_word(&self) -> &'static str {
        match self.state {
            State::Accepted => "accepted",
            State::Rejected => "rejected",
            State::Stopped { .. } => "stopped",
            State::GaveUp { .. } => "given up",
            State::Unfinished => "not finished",
        }
    }

    fn warning(&self, main: &mut Markup) {
        if let Some(reason) = &self.fallback {
            main.element("div", &[("class", &"warning"), ("role", &"alert")], |warning| {
                warning.leaf("strong", &[], "Not the requested data");
                warning.leaf(
                    "p",
                    &[],
                    "This study was trained and judged on the built-in digits. The accuracies below are not those of MNIST.",
                );
                warning.leaf("p", &[], reason);
            });
        }
    }

    fn header(&self, main: &mut Markup) {
        let class = match self.state {
            State::Accepted => "outcome accepted",
            State::Rejected | State::GaveUp { .. } => "outcome rejected",
            State::Stopped { .. } | State::Unfinished => "outcome open",
        };
        main.element("header", &[("class", &class)], |header| {
            header.element("h1", &[], |title| {
                title.text(&self.started.name);
                title.raw(" ");
                title.leaf("span", &[("class", &"badge")], self.state_word());
            });
            header.leaf("p", &[], self.outcome());
            for sentence in self.continuation() {
                header.leaf("p", &[], sentence);
            }
        });
    }

    fn tiles(&self, main: &mut Markup) {
        let figures = &self.figures;
        let gate = self.gate_words();
        let validation = match self.cross_validated().and_then(LineageTrial::cross_validation) {
            Some(folds) => ("cross-validated", folds.figure()),
            None => ("validation", figures.validation_words()),
        };
        let tiles = [
            validation,
            ("gate", gate),
            ("test", self.test_words()),
            ("parameters", figures.parameters.map_or("–".into(), words::grouped)),
            ("trials", words::grouped(figures.trials)),
            ("time", words::duration(Some(figures.seconds))),
        ];
        main.element("dl", &[("class", &"tiles")], |list| {
            for (name, value) in tiles {
                list.element("div", &[], |tile| {
                    tile.leaf("dt", &[], name);
                    tile.leaf("dd", &[], value);
                });
            }
        });
    }

    fn chart(&self, main: &mut Markup) {
        if self.lineage.trials.is_empty() {
            return;
        }
        main.element("figure", &[], |figure| {
            // Both are in the page; the style sheet shows the one that fits.
            for size in [Size::Wide, Size::Narrow] {
                figure.append(growth_chart(self, size));
            }
            figure.leaf(
                "figcaption",
                &[],
                "Validation accuracy, epoch by epoch and trial after trial. The best trial and its ancestors are highlighted. A line joins each trial to its parent; it is dashed if the trial started from fresh weights.",
            );
        });
    }

    fn interruption_list(&self, main: &mut Markup) {
        if self.interruptions.is_empty() {
            main.leaf("p", &[("class", &"quiet")], "None: the study ran without interruption.");
            return;
        }
        main.element("ol", &[("class", &"events")], |list| {
            for interruption in &self.interruptions {
                list.element("li", &[], |item| {
                    item.leaf("time", &[], moment(interruption.at));
                    item.leaf("span", &[], &interruption.what);
                });
            }
        });
    }

    fn provenance_list(&self, main: &mut Markup) {
        main.element("dl", &[("class", &"origins")], |list| {
            for (name, value) in self.origins() {
                list.leaf("dt", &[], name);
                list.leaf("dd", &[], value);
            }
        });
    }
}

/// Each command below what it does.
fn repeat_list(main: &mut Markup, commands: &[(&str, String)]) {
    main.leaf(
        "p",
        &[("class", &"quiet")],
        "From the folder that the study was started in. On the CPU, the same data, version and instruction set give the same bits, unless a budget is in seconds.",
    );
    main.element("dl", &[("class", &"commands")], |list| {
        for (what, command) in commands {
            list.leaf("dt", &[], what);
            list.element("dd", &[], |item| item.leaf("code", &[], command));
        }
    });
}

/// Findings about the data, and the number of images of each class.
fn data_summary(main: &mut Markup, data: &Examined) {
    if data.findings.is_empty() {
        main.leaf("p", &[("class", &"quiet")], "No problems were found in the images and labels.");
    } else {
        main.element("ul", &[], |list| {
            for finding in &data.findings {
                list.leaf("li", &[], finding);
            }
        });
    }
    main.element("details", &[], |details| {
        details.leaf("summary", &[], "Images of each class");
        details.element("table", &[], |table| {
            table.element("tr", &[], |row| {
                for name in ["class", "training", "validation", "test"] {
                    row.leaf("th", &[], name);
                }
            });
            for cells in data.rows() {
                table.element("tr", &[], |row| {
                    for cell in cells {
                        row.leaf("td", &[], cell);
                    }
                });
            }
        });
    });
}

fn section(main: &mut Markup, title: &str, inside: impl FnOnce(&mut Markup)) {
    main.element("section", &[], |section| {
        section.leaf("h2", &[], title);
        inside(section);
    });
}

#[cfg(test)]
mod tests;
