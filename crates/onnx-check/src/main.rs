//! `onnx-check FOLDER…`: runs `model.onnx` of each folder in tract on the images of `case.json`, and prints the largest
//! difference of a logit from those that stand there. Exits with 1 when a file cannot be run.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use serde::Deserialize;
use tract_onnx::prelude::*;

/// Images and what the exporting program says of them.
#[derive(Deserialize)]
struct Case {
    /// `[batch, channels, height, width]`.
    shape: Vec<usize>,
    /// As many pixels, 0 to 1.
    pixels: Vec<f32>,
    /// `[batch, classes]`.
    logits: Vec<f32>,
}

fn main() -> ExitCode {
    let mut exit = ExitCode::SUCCESS;
    for folder in std::env::args_os().skip(1) {
        match largest_difference(Path::new(&folder)) {
            Ok(difference) => println!("{difference} {}", folder.display()),
            Err(error) => {
                eprintln!("{}: {error}", folder.display());
                exit = ExitCode::FAILURE;
            }
        }
    }
    exit
}

fn largest_difference(folder: &Path) -> Result<f32, Box<dyn Error>> {
    let case: Case = serde_json::from_slice(&std::fs::read(folder.join("case.json"))?)?;
    let model = onnx()
        .model_for_path(folder.join("model.onnx"))?
        .with_input_fact(0, f32::fact(&case.shape).into())?
        .into_optimized()?
        .into_runnable()?;
    let input = Tensor::from_shape(&case.shape, &case.pixels)?;
    let outputs = model.run(tvec!(input.into()))?;
    let output = outputs.first().ok_or("the model has no output")?;
    let logits = output.to_plain_array_view::<f32>()?;
    if logits.len() != case.logits.len() {
        return Err(format!("{} logits instead of {}", logits.len(), case.logits.len()).into());
    }
    let differences = logits.iter().zip(&case.logits).map(|(a, b)| (a - b).abs());
    // NaN is a difference too.
    Ok(differences.fold(0.0, |most, difference| if difference <= most { most } else { difference }))
}
