//! The best network, layer by layer, beside the one that it was grown from.

use super::super::markup::Markup;
use super::super::network::{Layer, Networks};
use super::super::words;

/// Width and height of the bar that shows a layer's parameters, in pixels.
const BAR: [f64; 2] = [80.0, 8.0];

/// A row for each layer; those that differ are marked.
pub(super) fn table(main: &mut Markup, networks: &Networks) {
    let both = networks.parent.iter().chain([&networks.best]);
    let most =
        both.flat_map(|network| &network.layers).map(|layer| layer.parameters).max().unwrap_or(0);
    main.element("div", &[("class", &"scroll"), ("tabindex", &"0")], |scroll| {
        scroll.element("table", &[("class", &"network")], |table| {
            table.element("thead", &[], |head| {
                head.element("tr", &[], |row| {
                    for network in networks.parent.iter().chain([&networks.best]) {
                        row.leaf("th", &[("scope", &"col")], format!("trial {}", network.trial));
                        row.leaf("th", &[("scope", &"col")], "output");
                        row.leaf("th", &[("scope", &"col"), ("colspan", &2)], "parameters");
                    }
                });
            });
            table.element("tbody", &[], |body| {
                for pair in networks.rows() {
                    let class = match networks.parent.is_some() && pair.is_changed() {
                        true => "changed",
                        false => "",
                    };
                    body.element("tr", &[("class", &class)], |row| {
                        if networks.parent.is_some() {
                            cells(row, pair.before, most);
                        }
                        cells(row, pair.after, most);
                    });
                }
            });
        });
    });
}

fn cells(row: &mut Markup, layer: Option<&Layer>, most: usize) {
    let Some(layer) = layer else {
        row.leaf("td", &[("colspan", &4), ("class", &"none")], "–");
        return;
    };
    let depth = layer.name.len() - layer.name.trim_start().len();
    let class = if depth > 0 { "layer part" } else { "layer" };
    row.leaf("td", &[("class", &class)], layer.name.trim_start());
    row.leaf("td", &[], &layer.output);
    row.leaf("td", &[], words::grouped(layer.parameters as u64));
    row.element("td", &[("class", &"share")], |cell| {
        let [width, height] = BAR;
        let drawn = width * layer.parameters as f64 / most.max(1) as f64;
        let attributes: [(&str, &dyn std::fmt::Display); 4] =
            [("class", &"share"), ("width", &width), ("height", &height), ("aria-hidden", &"true")];
        cell.element("svg", &attributes, |svg| {
            let drawn = format!("{drawn:.1}");
            svg.leaf("rect", &[("width", &drawn), ("height", &height)], "");
        });
    });
}

#[cfg(test)]
mod tests;
