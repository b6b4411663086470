//! `burgeon check`: the layer table.

use std::fmt::Write;
use std::path::Path;

use super::args::Common;
use super::error::CliError;
use super::exit::Exit;
use super::output::Output;
use super::view::{View, grouped};
use super::{document, launch};
use crate::spec::{GateSpec, InputShape, LayerTable, Source, Spec};
use crate::study::Growth;

/// Validates a study and prints its layer table. Images are read only where their shape is not
/// known without.
pub fn check(study: Option<&Path>, common: &Common, output: &Output) -> Result<Exit, CliError> {
    let study = document(study, common, output)?;
    let spec = match study.parse()?.data.source {
        Source::Mnist | Source::Synthetic => study.validate(InputShape::MNIST)?,
        _ => launch(common, Growth::Off).prepare(&study, &mut View::new(*output))?.0,
    };
    output.result(&if output.json { json(&spec) } else { layer_table(&spec) })
}

fn json(spec: &Spec) -> String {
    let layers: Vec<_> = spec
        .table()
        .rows
        .iter()
        .map(|row| {
            serde_json::json!({
                "layer": row.name, "output": row.output.to_string(),
                "parameters": row.parameters, "flops_per_image": row.flops,
            })
        })
        .collect();
    let value = serde_json::json!({
        "name": spec.name(), "spec_hash": spec.hash(), "layers": layers,
        "parameters": spec.table().parameters(), "flops_per_image": spec.table().flops(),
    });
    format!("{value}\n")
}

/// Shapes, parameters and FLOPs, a line a layer, with totals.
fn layer_table(spec: &Spec) -> String {
    let table = spec.table();
    let input = spec.input();
    let mut text = format!(
        "{}: {}×{}×{} images, {} classes\n\n",
        spec.name(),
        input.channels,
        input.height,
        input.width,
        input.classes
    );
    let width = table.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).max(5);
    let mut line = |cells: [&str; 5]| {
        let [number, layer, output, parameters, flops] = cells;
        let row =
            format!("{number:>3}  {layer:<width$}  {output:>12}  {parameters:>12}  {flops:>14}");
        let _ = writeln!(text, "{}", row.trim_end());
    };
    line(["", "layer", "output", "parameters", "FLOPs/image"]);
    for (index, row) in table.rows.iter().enumerate() {
        line([
            &(index + 1).to_string(),
            &row.name,
            &row.output.to_string(),
            &grouped(row.parameters),
            &grouped(row.flops),
        ]);
    }
    line(["", "total", "", &grouped(table.parameters()), &grouped(table.flops())]);
    text + &training_line(spec, table)
}

fn training_line(spec: &Spec, table: &LayerTable) -> String {
    let train = spec.train();
    format!(
        "\n{} epochs of batches of {}, {} at {} ({}); {} kB of weights; gate: {}\n",
        train.epochs,
        train.batch_size,
        train.optimizer.name(),
        train.learning_rate,
        train.schedule.name(),
        (table.parameters() * 4).div_ceil(1000),
        gate_words(spec.gate()),
    )
}

/// What has to be reached: `80.0 %`, `80.0 % and least recall 50.0 %`.
fn gate_words(gate: &GateSpec) -> String {
    let accuracy = (gate.accuracy > 0.0 || gate.is_accuracy_alone()).then_some(("", gate.accuracy));
    let balanced = gate.balanced_accuracy.map(|floor| ("balanced accuracy ", floor));
    let least = gate.least_recall.map(|floor| ("least recall ", floor));
    let floors = [accuracy, balanced, least].into_iter().flatten();
    let floors = floors.map(|(name, floor)| format!("{name}{:.1} %", floor * 100.0));
    floors.collect::<Vec<_>>().join(" and ")
}
