//! Presentation attributes: how charts look without the style sheet, which overrides them. So a page
//! that was copied without its style sheet, or may not load it, is still readable on light and on dark.

/// Colours of the style sheet's light theme that are visible on black and on white.
const ACCENT: &str = "#0b63ce";
const SIDE: &str = "#8793a0";
const GOOD: &str = "#1a7f37";
const TRAINING: &str = "#c2620a";
const RULE: &str = "#808080";

/// An element, a class of it, and attributes with their values.
type Look = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// Attributes by element and class; where several set the same attribute, the last one counts.
const LOOKS: [Look; 26] = [
    ("svg", "", &[("font-size", "12"), ("font-family", "sans-serif")]),
    ("svg", "narrow", &[("display", "none")]),
    ("line", "grid", &[("stroke", RULE), ("stroke-opacity", "0.25")]),
    ("line", "border", &[("stroke", RULE), ("stroke-opacity", "0.5"), ("stroke-dasharray", "2 3")]),
    ("line", "gate", &[("stroke", GOOD), ("stroke-width", "1.6"), ("stroke-dasharray", "6 4")]),
    ("line", "main", &[("stroke", ACCENT), ("stroke-width", "2")]),
    ("line", "side", &[("stroke", SIDE), ("stroke-width", "1.5")]),
    ("line", "fresh", &[("stroke-dasharray", "1 5"), ("stroke-linecap", "round")]),
    ("polyline", "curve", &[("fill", "none"), ("stroke-linejoin", "round")]),
    ("polyline", "main", &[("stroke", ACCENT), ("stroke-width", "2")]),
    ("polyline", "side", &[("stroke", SIDE), ("stroke-width", "1.5")]),
    ("polyline", "training", &[("stroke", TRAINING), ("stroke-width", "2")]),
    ("polyline", "validation", &[("stroke", ACCENT), ("stroke-width", "2")]),
    ("rect", "band", &[("fill-opacity", "0")]),
    ("circle", "main", &[("fill", ACCENT)]),
    ("circle", "side", &[("fill", SIDE)]),
    ("circle", "training", &[("fill", TRAINING)]),
    ("circle", "validation", &[("fill", ACCENT)]),
    ("circle", "published", &[("fill", "none"), ("stroke", GOOD), ("stroke-width", "2")]),
    ("text", "", &[("fill", "currentColor")]),
    ("text", "end", &[("text-anchor", "end")]),
    ("text", "middle", &[("text-anchor", "middle")]),
    ("text", "label", &[("font-weight", "600")]),
    ("text", "value", &[("font-weight", "600")]),
    ("text", "gate-label", &[("font-weight", "600"), ("fill", GOOD)]),
    ("text", "main", &[("fill", ACCENT)]),
];

/// The presentation attributes of an element with these classes.
pub(super) fn presentation(element: &str, classes: &str) -> Vec<(&'static str, &'static str)> {
    let mut found: Vec<(&str, &str)> = Vec::new();
    let is_meant = |class: &str| class.is_empty() || classes.split(' ').any(|one| one == class);
    let looks = LOOKS.iter().filter(|(name, class, _)| *name == element && is_meant(class));
    for (attribute, value) in looks.flat_map(|(_, _, attributes)| *attributes) {
        found.retain(|(earlier, _)| earlier != attribute);
        found.push((attribute, value));
    }
    found
}

#[cfg(test)]
mod tests;
