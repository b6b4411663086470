//! A chart of the accuracies of a repository's builds, with the gate.

use crate::chain::{Measured, Verdict};
use crate::report::chart::{Frame, Scale, dot, line, polylines, text};
use crate::report::markup::Markup;
use crate::report::words::{percent, short_percent};

const WIDE: Frame =
    Frame { width: 860.0, height: 260.0, left: 58.0, right: 800.0, top: 16.0, bottom: 226.0 };
const NARROW: Frame =
    Frame { width: 380.0, height: 240.0, left: 50.0, right: 322.0, top: 16.0, bottom: 206.0 };

/// A wide and a narrow chart, of which the style sheet shows the one that fits; nothing without an accuracy.
pub(super) fn history(main: &mut Markup, measured: &[Measured]) {
    if measured.is_empty() {
        main.leaf("p", &[("class", &"quiet")], "No build has an accuracy yet.");
        return;
    }
    main.element("figure", &[("class", &"card")], |figure| {
        for (frame, class) in [(WIDE, "history wide"), (NARROW, "history narrow")] {
            figure.append(chart(measured, &frame, class));
        }
        figure.leaf(
            "figcaption",
            &[],
            "Accuracy on held-out data, build by build. Filled dots are accepted builds; the dashed line is the gate.",
        );
    });
}

fn chart(measured: &[Measured], frame: &Frame, class: &str) -> Markup {
    let values = measured.iter().flat_map(|one| [Some(one.accuracy), one.threshold]).flatten();
    let scale = Scale::of_accuracies(values);
    let x = |place: usize| frame.x(place, measured.len());
    let y = |value: f64| frame.y(&scale, value);
    let step = (frame.right - frame.left) / measured.len() as f64;
    let title = "Accuracy by build, against the gate";
    frame.draw(class, title, &scale, short_percent, |svg| {
        if scale.is_of_errors() {
            text(svg, "tick", frame.left, frame.top - 5.0, "log scale of the error");
        }
        // A step for each build, since each may have another gate.
        for (place, one) in measured.iter().enumerate() {
            if let Some(threshold) = one.threshold {
                let (left, right) = (x(place) - step / 2.0, x(place) + step / 2.0);
                line(svg, "gate", (left, y(threshold)), (right, y(threshold)));
            }
        }
        if let Some(threshold) = measured.last().and_then(|last| last.threshold) {
            let (left, y) = (frame.right + 5.0, y(threshold));
            text(svg, "gate-label", left, y - 2.0, "gate");
            text(svg, "gate-label", left, y + 11.0, short_percent(threshold));
        }
        let point = |(place, one): (usize, &Measured)| (x(place), y(one.accuracy));
        polylines(svg, "curve main", measured.iter().enumerate().map(point).map(Some));
        for (place, one) in measured.iter().enumerate() {
            linked_dot(svg, one, point((place, one)));
        }
        for place in labelled(measured.len(), step) {
            let number = format!("#{}", measured[place].build);
            text(svg, "tick middle", x(place), frame.bottom + 18.0, number);
        }
    })
}

/// Evenly spaced builds whose numbers fit on the axis.
fn labelled(count: usize, step: f64) -> impl Iterator<Item = usize> {
    let every = (52.0 / step).ceil().max(1.0) as usize;
    // Starting with the newest, which is always labelled.
    (0..count).rev().step_by(every)
}

fn linked_dot(svg: &mut Markup, one: &Measured, point: (f64, f64)) {
    let class = if one.verdict == Some(Verdict::Accepted) { "main" } else { "missed" };
    let verdict = one.verdict.map_or("running", Verdict::word);
    let title = format!("#{}: {}, {verdict}", one.build, percent(Some(one.accuracy)));
    svg.element("a", &[("href", &format_args!("/builds/{}", one.build))], |link| {
        dot(link, class, point, 4.0, &title);
    });
}

#[cfg(test)]
mod tests;
