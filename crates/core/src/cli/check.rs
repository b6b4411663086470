//! `burgeon check`: validates a study and prints its layer table.

use std::fmt::Write;
use std::path::Path;

use super::args::Common;
use super::error::CliError;
use super::exit::Exit;
use super::output::Output;
use super::view::{View, grouped};
use super::{document, launch};
use crate::spec::{GateSpec, LayerPlan, LayerTable, Spec};
use crate::study::{Checked, ConstantAnswer, Growth};

/// Validates a study, prints its layer table, and compares its gate with always predicting the most
/// frequent class. Images are needed only if their shape is not known otherwise.
pub fn check(study: Option<&Path>, common: &Common, output: &Output) -> Result<Exit, CliError> {
    let study = document(study, common, output)?;
    let checked = launch(common, Growth::Off).check(&study, &mut View::new(*output))?;
    if let Some(few) = &checked.few_images {
        output.warn(few);
    }
    output.result(&if output.json { json(&checked) } else { table(&checked) })
}

fn json(checked: &Checked) -> String {
    let Checked { spec, constant_answer, few_images: _ } = checked;
    let layers: Vec<_> = spec.table().rows.iter().map(row_json).collect();
    let value = serde_json::json!({
        "name": spec.name(), "spec_hash": spec.hash(), "layers": layers,
        "parameters": spec.table().parameters(), "flops_per_image": spec.table().flops(),
        "constant_answer": constant_answer.as_ref().ok().map(|answer| serde_json::json!({
            "class": answer.class, "validation_accuracy": answer.accuracy,
        })),
    });
    format!("{value}\n")
}

/// A layer as JSON; a residual block with its inner layers and its projection.
fn row_json(row: &LayerPlan) -> serde_json::Value {
    let mut json = serde_json::json!({
        "layer": row.name, "output": row.output.to_string(),
        "parameters": row.parameters, "flops_per_image": row.flops,
    });
    if !row.inner.is_empty() {
        json["layers"] = row.inner.iter().map(row_json).collect();
    }
    if let Some(projection) = &row.projection {
        json["projection"] = row_json(projection);
    }
    json
}

fn table(checked: &Checked) -> String {
    let constant_answer = match &checked.constant_answer {
        Ok(ConstantAnswer { class, accuracy }) => format!(
            "a model that always predicts {class} is right on {:.1} % of the validation images",
            accuracy * 100.0
        ),
        Err(why) => {
            format!("the gate was not compared with always predicting one class: {why}")
        }
    };
    format!("{}{constant_answer}\n", layer_table(&checked.spec))
}

/// Shapes, parameters and FLOPs, one line per layer, with totals.
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
    let rows = table.numbered();
    let width = rows.iter().map(|(_, row)| row.name.chars().count()).max().unwrap_or(0).max(5);
    let digits = rows.iter().map(|(number, _)| number.len()).max().unwrap_or(0).max(3);
    let mut line = |cells: [&str; 5]| {
        let [number, layer, output, parameters, flops] = cells;
        let row = format!(
            "{number:>digits$}  {layer:<width$}  {output:>12}  {parameters:>12}  {flops:>14}"
        );
        let _ = writeln!(text, "{}", row.trim_end());
    };
    line(["", "layer", "output", "parameters", "FLOPs/image"]);
    for (number, row) in &rows {
        line([
            number,
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
        "\n{} epochs, batch size {}, {} with a learning rate of {} ({}); {} kB of weights; gate: {}\n",
        train.epochs,
        train.batch_size,
        train.optimizer.name(),
        train.learning_rate,
        train.schedule.name(),
        (table.parameters() * 4).div_ceil(1000),
        gate_words(spec.gate()),
    )
}

/// The minimums of the gate: `80.0 %`, `80.0 % and least recall 50.0 %`.
fn gate_words(gate: &GateSpec) -> String {
    let accuracy = (gate.accuracy > 0.0 || gate.is_accuracy_alone()).then_some(("", gate.accuracy));
    let balanced = gate.balanced_accuracy.map(|floor| ("balanced accuracy ", floor));
    let least = gate.least_recall.map(|floor| ("least recall ", floor));
    let floors = [accuracy, balanced, least].into_iter().flatten();
    let floors = floors.map(|(name, floor)| format!("{name}{:.1} %", floor * 100.0));
    let folds =
        gate.folds.map_or(String::new(), |folds| format!(", cross-validated over {folds} folds"));
    floors.collect::<Vec<_>>().join(" and ") + &folds
}
