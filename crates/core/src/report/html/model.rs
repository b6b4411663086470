//! What the best model gets right and wrong: its classes, what it takes for what, and its surest mistakes.

use super::super::markup::Markup;
use super::super::{Report, mistakes_picture, words};
use super::pictures;
use crate::record::figures::{Mistake, ModelFigures, SplitFigures};

/// With more classes, those with the lowest F1 are shown, and the pairs that are mistaken most instead of a matrix.
const CLASSES_MAX: usize = 20;
/// How many such pairs.
const PAIRS_MAX: usize = 20;

impl Report {
    pub(super) fn classes(&self, main: &mut Markup, model: &ModelFigures) {
        let figures = &model.validation;
        let [low, high] = figures.interval.map(|end| words::percent(Some(end)));
        let images = words::grouped(figures.images);
        let of = match model.trial {
            0 => "The imported model".to_owned(),
            trial => format!("Trial {trial} after epoch {}", model.epoch),
        };
        main.leaf(
            "p",
            &[("class", &"quiet")],
            format!(
                "{of}, on {images} validation images: {} (95 % interval {low} to {high}), expected calibration error \
                 {:.1} points.",
                words::percent(Some(figures.accuracy)),
                100.0 * figures.calibration_error
            ),
        );
        self.class_table(main, figures);
        if figures.classes <= CLASSES_MAX {
            self.confusion_matrix(main, figures);
        } else {
            self.confused_pairs(main, figures);
        }
    }

    /// The name of a class, or else its number.
    fn class(&self, label: usize) -> String {
        let names = self.data.as_ref().map(|data| &data.classes);
        names.and_then(|names| names.get(label).cloned()).unwrap_or_else(|| label.to_string())
    }

    fn class_table(&self, main: &mut Markup, figures: &SplitFigures) {
        let mut rows: Vec<_> = figures.by_class().into_iter().enumerate().collect();
        if rows.len() > CLASSES_MAX {
            rows.sort_by(|(_, a), (_, b)| a.f1.total_cmp(&b.f1));
            rows.truncate(CLASSES_MAX);
            let text =
                format!("The {CLASSES_MAX} of {} classes with the lowest F1.", figures.classes);
            main.leaf("p", &[("class", &"quiet")], text);
        }
        main.element("div", &[("class", &"scroll")], |scroll| {
            scroll.element("table", &[("class", &"classes")], |table| {
                table.element("tr", &[], |row| {
                    for name in ["class", "images", "precision", "recall", "F1"] {
                        row.leaf("th", &[("scope", &"col")], name);
                    }
                });
                for (label, class) in rows {
                    table.element("tr", &[], |row| {
                        row.leaf("th", &[("scope", &"row")], self.class(label));
                        row.leaf("td", &[], words::grouped(class.support));
                        for share in [class.precision, class.recall, class.f1] {
                            row.leaf("td", &[], words::percent(Some(share)));
                        }
                    });
                }
            });
        });
    }

    fn confusion_matrix(&self, main: &mut Markup, figures: &SplitFigures) {
        let classes = figures.classes;
        let mut counts = vec![vec![0_u64; classes]; classes];
        for &(label, predicted, images) in &figures.confusion {
            if let Some(count) = counts.get_mut(label).and_then(|row| row.get_mut(predicted)) {
                *count += images;
            }
        }
        main.element("div", &[("class", &"scroll")], |scroll| {
            scroll.element("table", &[("class", &"confusion")], |table| {
                table.leaf(
                    "caption",
                    &[],
                    "Confusion matrix: a row for each class, a column for each answer.",
                );
                table.element("tr", &[], |row| {
                    row.leaf("td", &[], "");
                    for answer in 0..classes {
                        row.leaf("th", &[("scope", &"col")], self.class(answer));
                    }
                });
                for (label, counts) in counts.iter().enumerate() {
                    let all = counts.iter().sum::<u64>().max(1);
                    table.element("tr", &[], |row| {
                        row.leaf("th", &[("scope", &"row")], self.class(label));
                        for (answer, &count) in counts.iter().enumerate() {
                            let kind = if label == answer { "right" } else { "wrong" };
                            let class = format!("{kind} {}", shade(count, all));
                            row.leaf("td", &[("class", &class)], words::grouped(count));
                        }
                    });
                }
            });
        });
    }

    fn confused_pairs(&self, main: &mut Markup, figures: &SplitFigures) {
        let mut pairs: Vec<_> =
            figures.confusion.iter().filter(|(label, predicted, _)| label != predicted).collect();
        pairs.sort_by_key(|(label, predicted, images)| (u64::MAX - images, *label, *predicted));
        if pairs.is_empty() {
            return;
        }
        main.leaf("p", &[("class", &"quiet")], "Taken for another class most often:");
        main.element("ul", &[], |list| {
            for &&(label, predicted, images) in pairs.iter().take(PAIRS_MAX) {
                let images = words::count(images, "image");
                let text =
                    format!("{images} of {} as {}", self.class(label), self.class(predicted));
                list.leaf("li", &[], text);
            }
        });
    }

    pub(super) fn mistakes(&self, main: &mut Markup, model: &ModelFigures) {
        let mistakes = &model.validation.mistakes;
        main.leaf(
            "p",
            &[("class", &"quiet")],
            "The validation images that the model is surest of and gets wrong. Look here for wrong labels.",
        );
        if let Some(size) = self.mistakes_picture {
            pictures::define(main, "mistakes", &mistakes_picture(model.trial), size);
        }
        main.element("ol", &[("class", &"mistakes")], |list| {
            for (rank, mistake) in mistakes.iter().enumerate() {
                list.element("li", &[], |item| {
                    let words = self.mistake_words(mistake);
                    if let Some(size) = self.mistakes_picture {
                        pictures::mistake(item, (rank, mistakes.len()), size, &words);
                    }
                    item.leaf("span", &[], &words);
                });
            }
        });
    }

    fn mistake_words(&self, mistake: &Mistake) -> String {
        format!(
            "{}, taken for {}, {:.1} %",
            self.class(mistake.label),
            self.class(mistake.predicted),
            100.0 * mistake.confidence
        )
    }
}

/// How dark a cell of the matrix is, by its share of the class.
fn shade(count: u64, all: u64) -> &'static str {
    match count as f64 / all as f64 {
        0.0 => "none",
        ..0.02 => "s1",
        ..0.05 => "s2",
        ..0.2 => "s3",
        ..0.5 => "s4",
        _ => "s5",
    }
}

#[cfg(test)]
mod tests;
