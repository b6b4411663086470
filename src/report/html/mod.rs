//! The report as an HTML page, without scripts, for large and small screens. It loads nothing but the
//! style sheet beside it.
//!
//! Invariant: the page has neither `style` elements nor `style` attributes, which servers that show
//! untrusted files, such as Jenkins, forbid.

mod trials;

use super::chart::{Size, growth_chart};
use super::markup::Markup;
use super::{Examined, Report, STYLE_SHEET, State, augmented_picture, moment, words};

/// With more trials than this, a page shows a selection.
const TRIALS_MAX: usize = 250;

impl Report {
    /// The page. It is well-formed as XML too, but for its first line.
    pub fn to_html(&self) -> String {
        self.abridged(TRIALS_MAX).page()
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
        if let Some(data) = &self.data {
            section(main, "Data", |main| data_summary(main, data));
        }
        if !self.augmented.is_empty() {
            section(main, "Augmented training images", |main| self.augmented_pictures(main));
        }
        section(main, "Trial by trial", |main| self.trial_details(main));
        section(main, "Interruptions", |main| self.interruption_list(main));
        section(main, "Provenance", |main| self.provenance_list(main));
        if let Some(study) = &self.study {
            main.element("details", &[], |details| {
                details.leaf("summary", &[], "The study, with every default written out");
                details.leaf("pre", &[], study);
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
        let test = figures.test_accuracy.map(|test| words::percent(Some(test)));
        let tiles = [
            ("validation", figures.validation_words()),
            ("gate", gate),
            ("test", test.unwrap_or_else(|| "not read".into())),
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

    fn augmented_pictures(&self, main: &mut Markup) {
        const SHOWN: usize = 8;
        main.leaf(
            "p",
            &[("class", &"quiet")],
            "The original image is on the left, followed by its augmented versions in the first epochs.",
        );
        for &trial in self.augmented.iter().take(SHOWN) {
            main.element("figure", &[], |figure| {
                figure.leaf(
                    "figcaption",
                    &[],
                    format!("trial {trial}, and trials with the same augmentation"),
                );
                figure.raw("<img class=\"samples\" src=\"");
                figure.text(augmented_picture(trial));
                figure.raw("\" alt=\"training images and their augmented versions\"/>\n");
            });
        }
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
mod tests {
    use super::super::samples::{accepted, hostile, records};
    use super::*;

    fn page(events: Vec<crate::ledger::Event>) -> String {
        Report::from_records(&records(events)).with_study("name = \"</pre>\"").to_html()
    }

    /// The tags that are open at the end; panics where one closes that is not the last opened.
    fn open_tags(page: &str) -> Vec<String> {
        let mut open: Vec<String> = Vec::new();
        for tag in page.split('<').skip(1) {
            let (tag, _) = tag.split_once('>').unwrap();
            if let Some(closed) = tag.strip_prefix('/') {
                assert_eq!(open.pop().as_deref(), Some(closed));
            } else if !tag.starts_with('!') && !tag.ends_with('/') {
                open.push(tag.split_once(' ').map_or(tag, |(name, _)| name).to_owned());
            }
        }
        open
    }

    #[test]
    fn every_tag_closes_and_nothing_is_fetched() {
        for events in [accepted(), hostile(), Vec::new()] {
            let page = page(events);
            assert_eq!(open_tags(&page), Vec::<String>::new());
            for outside in ["<script", "src=", "url(", "@import", "<style", "style="] {
                assert!(!page.contains(outside), "{outside}");
            }
            let links: Vec<&str> = page.split("href=\"").skip(1).collect();
            assert!(matches!(links[..], [link] if link.starts_with("report/style.css\"")));
        }
    }

    #[test]
    fn pictures_of_augmented_images_stand_beside_the_page() {
        let report = Report::from_records(&records(accepted())).with_augmented(vec![1, 3]);
        let page = report.to_html();
        assert!(page.contains("src=\"report/augmented-001.png\""), "{page}");
        assert!(
            page.contains("trial 3, and trials with") && page.contains("alt=\"training images")
        );
        open_tags(&page);
    }

    #[test]
    fn hostile_text_is_shown_and_stays_text() {
        let page = page(hostile());
        let shown = page.matches("&lt;script&gt;alert(1)&lt;/script&gt;").count();
        // Name, run, device, hash, fallback, edit, reason, evidence, and so on.
        assert!(shown >= 12, "{shown}");
        assert!(page.contains("class=\"warning\" role=\"alert\""));
    }

    #[test]
    fn what_is_odd_about_the_data_and_what_the_gate_missed_is_shown() {
        let page = page(super::super::samples::imbalanced());
        assert!(
            page.contains("<li>99.00 % of the training images are of class cat</li>"),
            "{page}"
        );
        assert!(page.contains("least recall 0.00 % is below the gate of 50.00 %"), "{page}");
    }

    #[test]
    fn the_warning_is_there_only_where_the_data_fell_back() {
        assert!(!page(accepted()).contains("role=\"alert\""));
    }
}
