//! The trials of a page: as a tree, as a table, and one by one.

use crate::record::FloorJudgement;
use crate::report::chart::{accuracy_curve, loss_curve};
use crate::report::markup::Markup;
use crate::report::{LineageTrial, Report, trial_words, words};

/// Up to this many trials, the curves of all are shown; with more, only those of the best.
const OPEN_TRIALS: usize = 4;

impl Report {
    /// The tree. The line that leads to the best trial runs straight down; branches are indented, so
    /// that thirty generations do not take thirty columns.
    pub(super) fn lineage_list(&self, main: &mut Markup) {
        let roots: Vec<&LineageTrial> = self.lineage.children(None).collect();
        if roots.is_empty() {
            main.leaf("p", &[("class", &"quiet")], "No trial has started yet.");
        }
        let ancestry = self.figures.best_trial.into_iter();
        let ancestry = ancestry.flat_map(|best| self.lineage.ancestry(best));
        let main_line: Vec<u32> = ancestry.map(|trial| trial.trial).collect();
        for root in roots {
            self.line_from(main, root, &main_line);
        }
    }

    /// A trial and, straight below it, one child of each in turn.
    fn line_from(&self, list: &mut Markup, first: &LineageTrial, main_line: &[u32]) {
        list.element("ol", &[("class", &"tree")], |list| {
            let mut next = Some(first);
            while let Some(trial) = next {
                let children: Vec<&LineageTrial> =
                    self.lineage.children(Some(trial.trial)).collect();
                let is_main = |child: &&LineageTrial| main_line.contains(&child.trial);
                next = children.iter().copied().find(is_main).or(children.last().copied());
                let class = match (self.figures.best_trial == Some(trial.trial), trial.opened) {
                    (true, true) => "best opened",
                    (true, false) => "best",
                    (false, _) if main_line.contains(&trial.trial) => "main",
                    (false, _) => "side",
                };
                list.element("li", &[("class", &class)], |item| {
                    card(item, trial);
                    let beside = children
                        .iter()
                        .filter(|child| next.map(|next| next.trial) != Some(child.trial));
                    for child in beside {
                        self.line_from(item, child, main_line);
                    }
                });
            }
        });
    }

    /// One row per trial.
    pub(super) fn trial_table(&self, main: &mut Markup) {
        main.element("div", &[("class", &"scroll"), ("tabindex", &"0")], |scroll| {
            scroll.element("table", &[], |table| {
                table.element("thead", &[], |head| {
                    head.element("tr", &[], |row| {
                        for name in [
                            "trial",
                            "from",
                            "edits",
                            "validation",
                            "parameters",
                            "FLOPs",
                            "epochs",
                            "seconds",
                            "images/s",
                            "gate",
                        ] {
                            row.leaf("th", &[("scope", &"col")], name);
                        }
                    });
                });
                table.element("tbody", &[], |body| {
                    for trial in &self.lineage.trials {
                        let is_best = self.figures.best_trial == Some(trial.trial);
                        let class = match (is_best, trial.opened) {
                            (true, true) => "best opened",
                            (true, false) => "best",
                            (false, _) => "",
                        };
                        row(body, trial, class);
                    }
                });
            });
        });
    }

    /// Each trial with its curves.
    pub(super) fn trial_details(&self, main: &mut Markup) {
        let all = self.lineage.trials.len() <= OPEN_TRIALS;
        for trial in &self.lineage.trials {
            let is_best = self.figures.best_trial == Some(trial.trial);
            let open: &[(&str, &dyn std::fmt::Display)] =
                if all || is_best { &[("open", &"")] } else { &[] };
            main.element("details", open, |details| {
                details.element("summary", &[], |summary| {
                    summary.leaf("strong", &[], format!("Trial {}", trial.trial));
                    summary.text(format!(
                        " {} · {}",
                        words::percent(trial.measured()),
                        trial_words::edits(trial)
                    ));
                });
                detail(details, trial);
            });
        }
    }
}

fn card(item: &mut Markup, trial: &LineageTrial) {
    item.element("p", &[("class", &"head")], |head| {
        head.leaf("strong", &[], format!("Trial {}", trial.trial));
        head.leaf("b", &[("class", &"figure")], words::percent(trial.measured()));
        let class = if trial.opened { "badge opened" } else { "badge" };
        head.leaf("span", &[("class", &class)], trial_words::verdict(trial));
    });
    item.element("ul", &[("class", &"edits")], |list| {
        for edit in &trial.edits {
            list.leaf("li", &[], edit);
        }
        if trial.edits.is_empty() {
            list.leaf("li", &[("class", &"none")], trial_words::edits(trial));
        }
    });
    let why = trial.parent.map(|_| trial.reason.as_str());
    let finding = trial.finding.as_ref();
    let finding = finding.map(|found| format!("{}: {}", found.diagnosis, found.evidence));
    item.element("dl", &[("class", &"facts")], |facts| {
        fact(facts, "why", why);
        fact(facts, "keeps", inherited_text(trial).as_deref());
        fact(facts, "cost", Some(&cost(trial)));
        fact(facts, "predicted", trial.forecast_text().as_deref());
        let folds = trial.cross_validation();
        let folds = folds.map(|folds| format!("{} over {}", folds.figure(), folds.extent()));
        fact(facts, "cross-validated", folds.as_deref());
        fact(facts, "given up", trial.given_up.as_deref());
        fact(facts, "out of time", trial.out_of_time.as_deref());
        fact(facts, "diagnosis", finding.as_deref());
    });
}

fn fact(facts: &mut Markup, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        facts.leaf("dt", &[], name);
        facts.leaf("dd", &[], value);
    }
}

fn inherited_text(trial: &LineageTrial) -> Option<String> {
    Some(format!("from trial {}: {}", trial.parent?, trial.inherited_text()?))
}

fn cost(trial: &LineageTrial) -> String {
    let rate = trial.images_per_second.filter(|rate| rate.is_finite());
    format!(
        "{}, {} FLOPs per image, {}, {}{}",
        words::count(trial.parameters, "parameter"),
        words::magnitude(trial.flops_per_image),
        words::count(trial.epochs.into(), "epoch"),
        words::duration(Some(trial.seconds())),
        rate.map_or(String::new(), |rate| format!(", {} images/s", words::grouped(rate as u64)))
    )
}

fn row(body: &mut Markup, trial: &LineageTrial, class: &str) {
    let rate = trial.images_per_second.filter(|rate| rate.is_finite());
    let cells = [
        ("number", trial.trial.to_string()),
        ("number", trial.parent.map_or(String::new(), |parent| parent.to_string())),
        ("text", trial_words::edits(trial)),
        ("number", words::percent(trial.measured())),
        ("number", words::grouped(trial.parameters)),
        ("number", words::magnitude(trial.flops_per_image)),
        ("number", trial.epochs.to_string()),
        ("number", format!("{:.1}", trial.seconds())),
        ("number", rate.map_or("–".into(), |rate| words::grouped(rate as u64))),
        ("text", trial_words::gate(trial).into()),
    ];
    body.element("tr", &[("class", &class)], |row| {
        for (class, cell) in cells {
            row.leaf("td", &[("class", &class)], cell);
        }
    });
}

fn detail(details: &mut Markup, trial: &LineageTrial) {
    if trial.curve.is_empty() {
        details.leaf("p", &[("class", &"quiet")], "It has not finished an epoch.");
        return;
    }
    details.element("div", &[("class", &"pair")], |pair| {
        for (name, curve) in
            [("accuracy", accuracy_curve(&trial.curve)), ("loss", loss_curve(&trial.curve))]
        {
            pair.element("figure", &[], |figure| {
                figure.element("figcaption", &[], |caption| {
                    caption.text(name);
                    caption.leaf("span", &[("class", &"key training")], "training");
                    caption.leaf("span", &[("class", &"key validation")], "validation");
                });
                figure.append(curve);
            });
        }
    });
    if !trial.floors.is_empty() {
        let floors: Vec<String> = trial.floors.iter().map(FloorJudgement::to_string).collect();
        details.leaf("p", &[], format!("Gate: {}.", floors.join(", ")));
    }
    if let Some(folds) = trial.cross_validation() {
        let each =
            trial.folds.iter().map(|fold| format!("{}, {:.1} s", fold.words(), fold.seconds));
        details.leaf("p", &[], format!("{}.", capitalized(&folds.words())));
        details.element("ul", &[], |list| each.for_each(|fold| list.leaf("li", &[], fold)));
    }
    if let Some(last) = trial.curve.last() {
        details.leaf(
            "p",
            &[("class", &"quiet")],
            format!(
                "Last epoch, {}: training loss {:.4}, accuracy {}; validation loss {:.4}, accuracy {}; {}.",
                last.epoch,
                last.train_loss,
                words::percent(Some(last.train_accuracy)),
                last.validation_loss,
                words::percent(Some(last.validation_accuracy)),
                words::duration(Some(last.seconds)),
            ),
        );
    }
}

fn capitalized(text: &str) -> String {
    let (first, rest) = text.split_at(text.chars().next().map_or(0, char::len_utf8));
    format!("{}{rest}", first.to_uppercase())
}

#[cfg(test)]
mod tests;
