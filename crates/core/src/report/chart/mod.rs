//! Charts as SVG. Colours come from the page's style sheet, which has a light and a dark theme, or, without
//! it, from presentation attributes.

mod curves;
mod front;
mod growth;
mod paint;
mod scale;

pub(super) use self::curves::{accuracy_curve, loss_curve};
pub(super) use self::front::front_chart;
pub(super) use self::growth::{Size, growth_chart};

use std::fmt::Display;

use super::markup::{Attributes, Markup, Px};
use paint::presentation;
#[cfg(feature = "mail")]
pub(crate) use scale::Scale;
#[cfg(not(feature = "mail"))]
use scale::Scale;

/// The size of a chart, and the rectangle in it that values are drawn in, in SVG units.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) left: f64,
    pub(crate) right: f64,
    pub(crate) top: f64,
    pub(crate) bottom: f64,
}

impl Frame {
    /// Where the value at this place among `count` is drawn, with half a step of room on either side.
    pub(crate) fn x(&self, place: usize, count: usize) -> f64 {
        self.left + (self.right - self.left) * (place as f64 + 0.5) / count as f64
    }

    /// The height at which a value is drawn.
    pub(crate) fn y(&self, scale: &Scale, value: f64) -> f64 {
        self.bottom - scale.share(value) * (self.bottom - self.top)
    }

    /// The chart, with its grid lines and what `inside` draws.
    pub(crate) fn draw(
        &self,
        class: &str,
        title: &str,
        scale: &Scale,
        label: impl Fn(f64) -> String,
        inside: impl FnOnce(&mut Markup),
    ) -> Markup {
        let mut markup = Markup::default();
        let view_box = format!("0 0 {} {}", self.width, self.height);
        let attributes: [(&str, &dyn Display); 4] =
            [("viewBox", &view_box), ("class", &class), ("role", &"img"), ("aria-label", &title)];
        drawn(&mut markup, "svg", class, &attributes, |svg| {
            let gap = 18.0 / (self.bottom - self.top);
            for tick in scale.ticks(gap) {
                let y = self.y(scale, tick);
                line(svg, "grid", (self.left, y), (self.right, y));
                text(svg, "tick end", self.left - 7.0, y + 4.0, label(tick));
            }
            inside(svg);
        });
        markup
    }
}

/// Text that starts, ends or has its middle at a point, as its class says.
pub(crate) fn text(svg: &mut Markup, class: &str, x: f64, y: f64, text: impl Display) {
    let attributes: [(&str, &dyn Display); 3] = [("class", &class), ("x", &Px(x)), ("y", &Px(y))];
    drawn(svg, "text", class, &attributes, |inside| inside.text(text));
}

/// A straight line.
pub(crate) fn line(svg: &mut Markup, class: &str, from: (f64, f64), to: (f64, f64)) {
    let attributes: [(&str, &dyn Display); 5] = [
        ("class", &class),
        ("x1", &Px(from.0)),
        ("x2", &Px(to.0)),
        ("y1", &Px(from.1)),
        ("y2", &Px(to.1)),
    ];
    drawn(svg, "line", class, &attributes, |_| {});
}

/// An element with its presentation attributes.
fn drawn(
    svg: &mut Markup,
    element: &str,
    classes: &str,
    attributes: Attributes,
    inside: impl FnOnce(&mut Markup),
) {
    let looks = presentation(element, classes);
    let mut all = attributes.to_vec();
    all.extend(looks.iter().map(|(name, value)| (*name, value as &dyn Display)));
    svg.element(element, &all, inside);
}

/// A line through points, interrupted where a point is `None`.
pub(crate) fn polylines(
    svg: &mut Markup,
    class: &str,
    points: impl Iterator<Item = Option<(f64, f64)>>,
) {
    let mut run: Vec<String> = Vec::new();
    for point in points.chain([None]) {
        match point {
            Some((x, y)) => run.push(format!("{},{}", Px(x), Px(y))),
            None => {
                // A single point is drawn as a dot anyway.
                if run.len() > 1 {
                    let points = run.join(" ");
                    let attributes: [(&str, &dyn Display); 2] =
                        [("class", &class), ("points", &points)];
                    drawn(svg, "polyline", class, &attributes, |_| {});
                }
                run.clear();
            }
        }
    }
}

/// A dot with a tooltip.
pub(crate) fn dot(svg: &mut Markup, class: &str, (x, y): (f64, f64), radius: f64, title: &str) {
    let attributes: [(&str, &dyn Display); 4] =
        [("class", &class), ("cx", &Px(x)), ("cy", &Px(y)), ("r", &Px(radius))];
    drawn(svg, "circle", class, &attributes, |circle| circle.leaf("title", &[], title));
}
