//! The front of accuracy against size and speed: a picture for each cost, and a table.

use crate::report::Report;
use crate::report::chart::front_chart;
use crate::report::front::{Cost, FRONT_COLUMNS, OnFront};
use crate::report::markup::Markup;

impl Report {
    pub(super) fn front_section(&self, main: &mut Markup, front: &[OnFront<'_>]) {
        main.element("div", &[("class", &"pair")], |pair| {
            for cost in Cost::ALL {
                let Some(chart) = front_chart(self, cost) else { continue };
                pair.element("figure", &[], |figure| {
                    figure.element("figcaption", &[], |caption| {
                        caption.text(format!("accuracy by {}", cost.name()));
                    });
                    figure.append(chart);
                });
            }
        });
        main.element("p", &[("class", &"quiet")], |note| {
            note.text("Every dot is a trial; the line joins those that no other one beats, the ring is around the best. ");
            note.text(self.speed_note());
        });
        main.element("div", &[("class", &"scroll"), ("tabindex", &"0")], |scroll| {
            scroll.element("table", &[("class", &"front")], |table| {
                table.leaf("caption", &[], self.front_sentence());
                table.element("thead", &[], |head| {
                    head.element("tr", &[], |row| {
                        for name in FRONT_COLUMNS {
                            row.leaf("th", &[("scope", &"col")], name);
                        }
                    });
                });
                table.element("tbody", &[], |body| {
                    for on in front {
                        let is_best = self.figures.best_trial == Some(on.trial.trial);
                        let class = if is_best { "best" } else { "" };
                        body.element("tr", &[("class", &class)], |row| {
                            for cell in on.cells() {
                                row.leaf("td", &[], cell);
                            }
                        });
                    }
                });
            });
        });
    }
}
