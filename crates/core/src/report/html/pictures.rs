//! Pictures beside the page: training images, augmented ones, and parts of a picture.
//!
//! Parts are cut out by view boxes, which need no style.

use super::super::markup::Markup;
use super::super::{Examined, Report, SAMPLES_PICTURE, augmented_picture};
use crate::record::figures::{MISTAKES_COLUMNS, PICTURE_GAP, SAMPLES_ROWS};

const GAP: u32 = PICTURE_GAP as u32;

/// Defines a picture that parts are cut from. It is named once, so that a page with its pictures inside has it once.
pub(super) fn define(main: &mut Markup, id: &str, path: &str, [width, height]: [u32; 2]) {
    main.element("svg", &[("class", &"pictures"), ("width", &0), ("height", &0)], |svg| {
        svg.element("defs", &[], |defs| {
            let attributes: [(&str, &dyn std::fmt::Display); 4] =
                [("id", &id), ("href", &path), ("width", &width), ("height", &height)];
            defs.leaf("image", &attributes, "");
        });
    });
}

/// One of the mistakes.
pub(super) fn mistake(
    item: &mut Markup,
    (rank, count): (usize, usize),
    [width, height]: [u32; 2],
    words: &str,
) {
    let columns = MISTAKES_COLUMNS as u32;
    let rows = (count as u32).div_ceil(columns).max(1);
    let (wide, tall) = (side(width, columns), side(height, rows));
    let (column, row) = (rank as u32 % columns, rank as u32 / columns);
    let (left, top) = (GAP + column * (wide + GAP), GAP + row * (tall + GAP));
    part(item, "mistakes", [left, top, wide, tall], words);
}

/// The side of one of several images.
fn side(whole: u32, count: u32) -> u32 {
    (whole.saturating_sub(GAP) / count.max(1)).saturating_sub(GAP)
}

/// A part of a defined picture.
fn part(item: &mut Markup, id: &str, [left, top, wide, tall]: [u32; 4], words: &str) {
    let view = format!("{left} {top} {wide} {tall}");
    let attributes: [(&str, &dyn std::fmt::Display); 5] = [
        ("class", &"cell"),
        ("viewBox", &view),
        ("width", &wide),
        ("height", &tall),
        ("role", &"img"),
    ];
    item.element("svg", &attributes, |svg| {
        svg.leaf("title", &[], words);
        svg.leaf("use", &[("href", &format!("#{id}"))], "");
    });
}

impl Report {
    /// Training images of each class.
    pub(super) fn samples(&self, main: &mut Markup, data: &Examined) {
        let Some(size @ [width, height]) = self.samples_picture else { return };
        define(main, "samples", SAMPLES_PICTURE, size);
        let rows = data.classes.len().clamp(1, SAMPLES_ROWS) as u32;
        let tall = side(height, rows);
        main.element("figure", &[], |figure| {
            figure.leaf("figcaption", &[], "The first training images of each class.");
            figure.element("ol", &[("class", &"rows")], |list| {
                for (row, class) in data.classes.iter().take(SAMPLES_ROWS).enumerate() {
                    list.element("li", &[], |item| {
                        item.leaf("span", &[], class);
                        let wide = width.saturating_sub(2 * GAP);
                        let at = [GAP, GAP + row as u32 * (tall + GAP), wide, tall];
                        part(item, "samples", at, &format!("training images of {class}"));
                    });
                }
            });
            if let more @ 1.. = data.classes.len().saturating_sub(SAMPLES_ROWS) {
                figure.leaf("p", &[("class", &"quiet")], format!("… and {more} more classes"));
            }
        });
    }

    /// What trials make of training images.
    pub(super) fn augmented_pictures(&self, main: &mut Markup) {
        const SHOWN: usize = 3;
        main.leaf(
            "p",
            &[("class", &"quiet")],
            "The original image is on the left, followed by its augmented versions in the first epochs.",
        );
        // The latest ones: what the best model was trained on is among them.
        for &trial in &self.augmented[self.augmented.len().saturating_sub(SHOWN)..] {
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
}
