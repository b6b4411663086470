//! [`StudyFile`] → TOML laid out as if written by hand: one layer per line.

// In a circle with study: a study writes itself as text.

use serde::Serialize;
use toml::Value;

use super::layer::Layer;
use super::model::ModelSpec;
use super::space::SearchSpace;
use super::study::StudyFile;
use super::tune::TuneSpec;

/// The complete file, with every default written out.
pub fn to_toml(file: &StudyFile) -> String {
    let mut text = format!("name = {}\n", inline(&file.name));
    section(&mut text, "data", &file.data);
    text += "\n[model]\n";
    // The layers are laid out by hand.
    let origin = ModelSpec { layers: Vec::new(), ..file.model.clone() };
    lines(&mut text, &origin, |key| key != "layers");
    if file.model.layers.is_empty() {
        text += "layers = []\n";
    } else {
        text += "layers = [\n";
        add_layers(&mut text, &file.model.layers, "  ");
        text += "]\n";
    }
    section(&mut text, "train", &file.train);
    section(&mut text, "gate", &file.gate);
    let TuneSpec { space, .. } = &file.tune;
    section(&mut text, "tune", &TuneSpec { space: SearchSpace::default(), ..file.tune.clone() });
    if !space.is_default_space() {
        section(&mut text, "tune.space", space);
    }
    section(&mut text, "notify", &file.notify);
    if !file.run.is_default() {
        section(&mut text, "run", &file.run);
    }
    text
}

/// One layer per line, those within residual blocks indented further.
fn add_layers(text: &mut String, layers: &[Layer], indent: &str) {
    for layer in layers {
        match layer {
            Layer::Residual(block) => {
                *text += &format!("{indent}{{ residual = {{ layers = [\n");
                add_layers(text, &block.layers, &format!("{indent}  "));
                *text += &format!("{indent}], activation = {} }} }},\n", inline(&block.activation));
            }
            layer => *text += &format!("{indent}{},\n", inline(layer)),
        }
    }
}

fn section(text: &mut String, name: &str, values: &impl Serialize) {
    let Ok(Value::Table(table)) = Value::try_from(values) else {
        return;
    };
    if table.is_empty() {
        return;
    }
    *text += &format!("\n[{name}]\n");
    lines(text, values, |_| true);
}

/// A line for each key that is `wanted`.
fn lines(text: &mut String, values: &impl Serialize, wanted: impl Fn(&str) -> bool) {
    let Ok(Value::Table(table)) = Value::try_from(values) else {
        return;
    };
    for (key, value) in table.iter().filter(|(key, _)| wanted(key)) {
        *text += &format!("{key} = {}\n", inline(value));
    }
}

pub(super) fn inline(value: &impl Serialize) -> String {
    let mut text = String::new();
    match value.serialize(toml::ser::ValueSerializer::new(&mut text)) {
        Ok(_) => text,
        Err(_) => String::new(),
    }
}
