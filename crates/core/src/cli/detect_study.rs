//! `burgeon detect --study`: a program of Keras or PyTorch as a study.

use super::args::DetectArguments;
use super::error::CliError;
use super::exit::Exit;
use super::output::Output;
use super::view::grouped;
use crate::detect::{
    CarriedOver, CarryError, DetectError, Limits, Lost, carry_over, carry_over_in,
};
use crate::spec::LayerTable;
use crate::study::LaunchError;
use crate::sys::files::{parent, real_files};

/// Prints or writes the study of a program, and says on stderr what was not carried over.
pub fn study(arguments: &DetectArguments, output: &Output) -> Result<Exit, CliError> {
    let carried = match &arguments.entry {
        Some(entry) => carry_over_in(&arguments.folder, entry, &Limits::default()),
        None => carry_over(&arguments.folder, &Limits::default()),
    };
    let carried = match carried {
        Ok(carried) => carried,
        Err(error) if output.json => {
            let lost: Vec<&Lost> = match &error {
                CarryError::Detect(DetectError::NoStudy(lost)) => vec![lost],
                _ => Vec::new(),
            };
            let why = crate::sys::error_chain(&error);
            let refused =
                serde_json::json!({ "v": 1, "verdict": "refused", "why": why, "lost": lost });
            output.result_json(&refused)?;
            return Ok(CliError::CarryOver(error).exit());
        }
        Err(error) => return Err(error.into()),
    };
    let text = format!("{}{}", heading(&carried), carried.spec.file().to_short_toml());
    if let Some(file) = &arguments.output {
        let files = real_files().map_err(LaunchError::from)?;
        files.create_folders(parent(file)).map_err(CliError::File)?;
        files.write_atomically(file, text.as_bytes()).map_err(CliError::File)?;
    }
    if output.json {
        return output.result_json(&json(&carried, &text));
    }
    for lost in &carried.program.lost {
        output.warn(&format!("not carried over: {lost}"));
    }
    match &arguments.output {
        None => output.result(&text),
        Some(file) => output.result(&format!("{}\n", file.display())),
    }
}

/// The comment at the top of a study.
fn heading(carried: &CarriedOver) -> String {
    let program = &carried.program;
    let cell = program.cell.map_or(String::new(), |cell| format!("[cell {cell}]"));
    let mut text = format!(
        "# The network that {}{cell}:{} builds with {}: {} parameters here.\n",
        program.file,
        program.line,
        program.framework.words(),
        grouped(carried.spec.table().parameters()),
    );
    if !program.lost.is_empty() {
        text += "# Not carried over as it stands there:\n";
    }
    for lost in &program.lost {
        text += &format!("# - {lost}\n");
    }
    text
}

fn json(carried: &CarriedOver, text: &str) -> serde_json::Value {
    let program = &carried.program;
    let LayerTable { rows } = carried.spec.table();
    let study_layers = rows.iter().zip(1..).map(|(row, number)| {
        serde_json::json!({
            "number": number, "name": row.name, "output": row.output.to_string(),
            "parameters": row.parameters,
        })
    });
    let study_layers: Vec<_> = study_layers.collect();
    let parameters: usize = program.layers.iter().map(|layer| layer.parameters).sum();
    serde_json::json!({
        "v": 1, "verdict": "study", "framework": program.framework, "file": program.file,
        "line": program.line, "cell": program.cell, "study": text, "input": program.input, "classes": program.classes,
        "layers": program.layers, "parameters": parameters, "study_layers": study_layers,
        "study_parameters": carried.spec.table().parameters(), "lost": program.lost,
    })
}
