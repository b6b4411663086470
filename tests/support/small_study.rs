//! Study files of one dense layer and one trial, which are over within seconds.

/// What such studies differ in.
pub struct SmallStudy {
    pub name: &'static str,
    /// The lines of `[data]` that say where the images come from.
    pub data: &'static str,
    /// Training images.
    pub train: usize,
    /// Validation images.
    pub validation: usize,
    /// Units of the dense layer.
    pub units: usize,
    pub epochs: usize,
    /// The accuracy that the gate demands; it may be no more than guessing reaches.
    pub gate: f64,
}

impl SmallStudy {
    /// The text of the study file.
    pub fn text(&self) -> String {
        let Self { name, data, train, validation, units, epochs, gate } = self;
        format!(
            r#"
name = "{name}"
[data]
{data}
train = {train}
validation = {validation}
[model]
layers = [{{ dense = {{ units = {units} }} }}]
[train]
epochs = {epochs}
[gate]
accuracy = {gate:?}
allow-majority = true
[tune]
trials = 1
"#
        )
    }
}
