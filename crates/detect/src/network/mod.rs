//! A program's network and settings as a study of burgeon: the program is followed (`interpreter`) as far as its
//! layers and settings are constants, the chain of its layers found (`find`) and arranged as a study's layers
//! (`arrange`). Nothing of the program is executed.
//!
//! Invariant: what the study has otherwise than the program is told in [`ProgramStudy::lost`].

mod arrange;
mod augmentation;
mod call;
mod expression;
mod files;
mod find;
mod images;
mod input;
mod interpreter;
mod keras_layers;
mod library;
mod method;
mod operator;
mod part;
mod read;
mod residual;
mod statement;
mod step;
mod torch_layers;
mod training;
mod value;
mod write;

use std::path::Path;

use serde::{Deserialize, Serialize};

use self::files::Parsed;
use self::find::Chain;
use self::input::arranged;
use self::interpreter::{Interpreter, Said};
use self::step::Shape;
use self::value::Value;
use self::write::toml;
use crate::error::DetectError;
use crate::folder::Folder;
use crate::limits::Limits;
use crate::meaning::Framework;
use crate::text::one_line;

/// The program is followed on a stack of this many bytes, which its bounds on depth leave room in.
const STACK: usize = 256 << 20;
/// A study that was made of a program.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProgramStudy {
    /// The library that the program is written for.
    pub framework: Framework,
    /// The file.
    pub file: String,
    /// Where the model is made.
    pub line: u32,
    /// In a notebook, the cell, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cell: Option<u32>,
    /// The study, as TOML.
    #[serde(skip)]
    pub toml: String,
    /// Channels, height and width of the images.
    pub input: [usize; 3],
    /// Classes.
    pub classes: usize,
    /// The program's layers, in order.
    pub layers: Vec<ProgramLayer>,
    /// What the study has otherwise than the program, or not at all.
    pub lost: Vec<Lost>,
}

/// A layer of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProgramLayer {
    /// Its name in its library.
    pub name: String,
    /// The file.
    pub file: String,
    /// Where it is made.
    pub line: u32,
    /// In a notebook, the cell, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cell: Option<u32>,
    /// Shape of its output: channels, height and width, or features.
    pub output: String,
    /// Values that it trains.
    pub parameters: usize,
    /// Values that it keeps but does not train.
    pub fixed: usize,
    /// The row of the study's layer table that it is in, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub study_layer: Option<usize>,
}

/// Something that could not be carried over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// The file.
    pub file: String,
    /// The line, counted from 1; in a notebook, within the cell.
    pub line: u32,
    /// In a notebook, the cell, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell: Option<u32>,
    /// What stands there.
    pub what: String,
    /// Why it is not carried over, and what was taken instead.
    pub why: String,
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let cell = self.cell.map_or(String::new(), |cell| format!("[cell {cell}]"));
        write!(f, "{}{cell}:{}: {}: {}", self.file, self.line, self.what, self.why)
    }
}

/// The study of the program in `entry`, a path within the folder `root`, nothing outside of which is read.
///
/// # Errors
///
/// The folder or the file cannot be read, or the program is none that a study can be made of.
pub fn program_study(
    root: &Path,
    entry: &Path,
    limits: &Limits,
) -> Result<ProgramStudy, DetectError> {
    let top =
        Folder::open(root).map_err(|source| DetectError::Folder { folder: root.into(), source })?;
    let files = files::read(&top, entry, limits)?;
    on_own_stack(&files).map_err(|lost| DetectError::NoStudy(Box::new(lost)))
}

/// The study of a text, for fuzzing; `None` if none can be made of it.
#[doc(hidden)]
pub fn text_study(text: &str) -> Option<ProgramStudy> {
    let files = files::of_text("program.py", text, &Limits::default()).ok()?;
    on_own_stack(&files).ok()
}

fn on_own_stack(files: &[Parsed]) -> Result<ProgramStudy, Lost> {
    let failed = || Lost {
        file: files[0].name.clone(),
        line: 1,
        cell: None,
        what: "the program".into(),
        why: "it cannot be followed: no thread can be started".into(),
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK);
        let thread = thread.spawn_scoped(scope, || study(files)).map_err(|_| failed())?;
        thread.join().unwrap_or_else(|_| Err(failed()))
    })
}

fn study(files: &[Parsed]) -> Result<ProgramStudy, Lost> {
    let mut it = Interpreter::new(files);
    let told = |said: Said| lost(files, said);
    let chain = match it.network() {
        Ok(chain) => chain,
        Err(why) => return Err(told(it.not_of_images(None).unwrap_or(why))),
    };
    if let Some(why) = it.not_of_images(Some(&chain)) {
        return Err(told(why));
    }
    let images = it.images();
    let (mut arranged, image) = arranged(&mut it, &chain, &images).map_err(told)?;
    let training = it.training(&chain);
    it.augmentation(&chain, image, &mut arranged.augment);
    unused(&mut it, &chain);
    let toml = toml(&mut it, files, &arranged, image, &images, &training);
    let Shape::Image(channels, height, width) = image else {
        unreachable!("images have three axes")
    };
    let mut all: Vec<Said> = it.said.clone();
    all.extend(arranged.said.iter().cloned());
    all.sort_by_key(|said| said.place);
    all.dedup();
    let place = it.objects[chain.model].place;
    let (cell, line) = shown_line(&files[place.file], place.line);
    Ok(ProgramStudy {
        framework: if chain.is_keras { Framework::Keras } else { Framework::Pytorch },
        file: files[place.file].name.clone(),
        line,
        cell,
        toml,
        input: [channels, height, width],
        classes: arranged.classes,
        layers: arranged
            .rows
            .into_iter()
            .map(|row| {
                let file = &files[row.place.file];
                let (cell, line) = shown_line(file, row.place.line);
                ProgramLayer {
                    name: one_line(&row.name, 60),
                    file: file.name.clone(),
                    line,
                    cell,
                    output: row.output.to_string(),
                    parameters: row.parameters,
                    fixed: row.fixed,
                    study_layer: row.step.map(|step| step + 1),
                }
            })
            .collect(),
        lost: all.into_iter().map(told).collect(),
    })
}

fn shown_line(file: &Parsed, line: u32) -> (Option<u32>, u32) {
    match file.places.get((line as usize).wrapping_sub(1)) {
        Some((cell, line)) => (Some(*cell), *line),
        None => (None, line),
    }
}

fn lost(files: &[Parsed], said: Said) -> Lost {
    let file = &files[said.place.file];
    let (cell, line) = shown_line(file, said.place.line);
    Lost {
        file: file.name.clone(),
        line,
        cell,
        what: one_line(&said.what, 100),
        why: one_line(&said.why, 400),
    }
}

/// Modules of PyTorch that are made but not used count among its parameters.
fn unused(it: &mut Interpreter, chain: &Chain) {
    let used = chain.layers();
    let made = it.objects[chain.model].fields.clone();
    for (name, value) in made {
        let Value::Made(layer) = value else { continue };
        let kind = it.objects[layer].kind().to_owned();
        if matches!(
            kind.as_str(),
            "Conv2d" | "Linear" | "BatchNorm2d" | "BatchNorm1d" | "Conv2D" | "Dense"
        ) && !used.contains(&layer)
        {
            it.at = it.objects[layer].place;
            it.say(
                format!("self.{name}"),
                format!("this {kind} is made but not used; it was left out"),
            );
        }
    }
}
