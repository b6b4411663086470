//! [`StudyFile`] → short TOML, without the keys that have their default value.

// In a circle with study: a study writes itself as text.

use serde::Serialize;
use toml::Value;

use super::gate::GateSpec;
use super::layer::{BatchNorm, Conv, Dense, Layer};
use super::render::inline;
use super::study::StudyFile;

/// The file without the keys that have their default value, except those that every study should show.
pub fn to_short_toml(file: &StudyFile) -> String {
    let default = StudyFile::new(&file.name, Vec::new());
    let mut text = format!("name = {}\n", inline(&file.name));
    short_section(&mut text, "data", &file.data, &default.data, &["source"]);
    text += "\n[model]\nlayers = [\n";
    for layer in &file.model.layers {
        text += &format!("  {},\n", inline(&short_layer(layer)));
    }
    text += "]\n";
    short_section(&mut text, "train", &file.train, &default.train, &["epochs", "learning-rate"]);
    let gate = if file.gate.is_accuracy_alone() { "accuracy" } else { "balanced-accuracy" };
    // Where another minimum is given, the default of `accuracy` is 0, so it is compared with itself.
    let default_gate = GateSpec { accuracy: file.gate.accuracy, ..default.gate };
    short_section(&mut text, "gate", &file.gate, &default_gate, &[gate]);
    text
}

/// The keys of a section that differ from the default study's, and those that are `always` written.
fn short_section<T: Serialize>(
    text: &mut String,
    name: &str,
    values: &T,
    default: &T,
    always: &[&str],
) {
    let (Ok(Value::Table(table)), Ok(Value::Table(default))) =
        (Value::try_from(values), Value::try_from(default))
    else {
        return;
    };
    let kept = table
        .iter()
        .filter(|(key, value)| always.contains(&key.as_str()) || default.get(*key) != Some(*value));
    *text += &format!("\n[{name}]\n");
    for (key, value) in kept {
        *text += &format!("{key} = {}\n", inline(&without(value, default.get(key))));
    }
}

/// A layer without the settings that have their default.
fn short_layer(layer: &Layer) -> Value {
    let default = match layer {
        Layer::Conv(conv) => Some(Layer::Conv(Conv::same(conv.filters, conv.kernel))),
        Layer::BatchNorm(_) => Some(Layer::BatchNorm(BatchNorm::default())),
        Layer::Dense(dense) => Some(Layer::Dense(Dense::of(dense.units))),
        _ => None,
    };
    let value = |layer: &Layer| Value::try_from(layer).unwrap_or(Value::Boolean(false));
    let (full, default) = (value(layer), default.as_ref().map(value));
    let (Value::Table(full), Some(Value::Table(default))) = (&full, default) else {
        return full;
    };
    let inside = full.iter().map(|(kind, settings)| {
        let mut short = without(settings, default.get(kind));
        // These have no default.
        if let (Value::Table(short), Value::Table(settings)) = (&mut short, settings) {
            let named: Vec<_> = settings
                .iter()
                .filter(|(key, _)| {
                    ["filters", "kernel", "units"].contains(&key.as_str())
                        || short.contains_key(*key)
                })
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            *short = named.into_iter().collect();
        }
        (kind.clone(), short)
    });
    Value::Table(inside.collect())
}

/// A table without the keys that `default` has with the same value; other values as they are.
fn without(value: &Value, default: Option<&Value>) -> Value {
    match (value, default) {
        (Value::Table(table), Some(Value::Table(default))) => Value::Table(
            table
                .iter()
                .filter(|(key, value)| default.get(*key) != Some(*value))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        ),
        _ => value.clone(),
    }
}
