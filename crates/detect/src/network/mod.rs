//! A program's network and settings as a study of burgeon: the program is followed (`interpreter`) as far as its
//! layers and settings are constants, the chain of its layers found (`find`) and arranged as a study's layers
//! (`arrange`). Nothing of the program is executed.
//!
//! Invariant: what the study has otherwise than the program is told in [`ProgramStudy::lost`].

mod arrange;
mod call;
mod expression;
mod files;
mod find;
mod images;
mod interpreter;
mod keras_layers;
mod library;
mod read;
mod statement;
mod step;
mod torch_layers;
mod training;
mod value;

use std::path::Path;

use serde::Serialize;

use self::arrange::{Arranged, Arranger};
use self::files::Parsed;
use self::find::{Chain, Refused};
use self::images::Images;
use self::interpreter::{Interpreter, Said};
use self::step::Shape;
use self::training::Training;
use self::value::{Op, Place, Value};
use crate::error::DetectError;
use crate::folder::Folder;
use crate::limits::Limits;
use crate::meaning::Framework;
use crate::text::one_line;

/// The program is followed on a stack of this many bytes, which its bounds on depth leave room in.
const STACK: usize = 256 << 20;
/// Sides of images that are tried where a program does not say them, the usual ones first.
const USUAL_SIDES: [usize; 9] = [28, 32, 64, 224, 227, 96, 128, 48, 299];
/// The largest side that is tried.
const SIDE_MOST: usize = 320;

/// A study that was made of a program.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProgramStudy {
    /// The library that the program is written for.
    pub framework: Framework,
    /// The file.
    pub file: String,
    /// Where the model is made.
    pub line: u32,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// The file.
    pub file: String,
    /// The line, counted from 1; in a notebook, within the cell.
    pub line: u32,
    /// In a notebook, the cell, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
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
    let chain = it.network().map_err(told)?;
    let images = it.images();
    let (arranged, image) = arranged(&mut it, &chain, &images).map_err(told)?;
    let training = it.training(&chain);
    unused(&mut it, &chain);
    let toml = toml(&mut it, files, &arranged, image, &images, &training);
    let Shape::Image(channels, height, width) = image else {
        unreachable!("images have three axes")
    };
    let mut all: Vec<Said> = it.said.clone();
    all.extend(arranged.said.iter().cloned());
    all.sort_by(|one, other| one.place.cmp(&other.place));
    all.dedup();
    let place = it.objects[chain.model].place;
    Ok(ProgramStudy {
        framework: if chain.is_keras { Framework::Keras } else { Framework::Pytorch },
        file: files[place.file].name.clone(),
        line: shown_line(&files[place.file], place.line).1,
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
    let used: Vec<usize> = chain
        .links
        .iter()
        .filter_map(|link| match link.op {
            Op::Layer(layer) => Some(layer),
            _ => None,
        })
        .collect();
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

/// The chain as a study's layers, and the shape of the images.
fn arranged(
    it: &mut Interpreter,
    chain: &Chain,
    images: &Images,
) -> Result<(Arranged, Shape), Refused> {
    let place = it.objects[chain.model].place;
    let is_first = |value: Option<&Value>| matches!(value, Some(Value::Text(text)) if matches!(&**text, "channels_first" | "th"));
    let by_layer = chain.links.iter().any(|link| match link.op {
        Op::Layer(layer) => {
            is_first(it.objects[layer].args.named(&["data_format", "dim_ordering"]))
        }
        _ => false,
    });
    let first = !chain.is_keras || it.channels_first || by_layer;
    let is_old = chain.is_keras && is_old(it);
    let refuse = |why: String| Err(find::refused(place, "the input".to_owned(), why));
    let attempt =
        |image: Shape, flat: bool| Arranger::new(it, image, flat, first, is_old).arrange(chain);
    let side = |side: i64| usize::try_from(side).ok().filter(|side| (1..=8192).contains(side));
    let sides: Option<Vec<Option<usize>>> =
        chain.input.as_ref().map(|sides| sides.iter().map(|at| side(*at)).collect());
    match sides.as_deref() {
        Some([Some(one), Some(two), Some(three)]) => {
            let image = if first {
                Shape::Image(*one, *two, *three)
            } else {
                Shape::Image(*three, *one, *two)
            };
            attempt(image, false).map(|arranged| (arranged, image))
        }
        Some([Some(height), Some(width)]) => {
            let image = Shape::Image(1, *height, *width);
            attempt(image, false).map(|arranged| (arranged, image))
        }
        Some([Some(row)]) => match row_as_image(*row, images) {
            Some(image) => attempt(image, true).map(|arranged| (arranged, image)),
            None => refuse(format!("it is a row of {row} numbers, which are no square image")),
        },
        Some(_) if images.shape().is_none() => {
            refuse("its shape cannot be told without running the program".into())
        }
        _ => {
            let flat = starts_with_dense(it, chain) && chain.is_keras;
            let mut failure = None;
            if let Some(image) = images.shape() {
                match attempt(image, flat) {
                    Ok(arranged) => return Ok((arranged, image)),
                    Err(why) => failure = Some(why),
                }
            }
            if chain.is_keras {
                return failure.map_or_else(
                    || refuse("no layer, `build` or data says the shape of the images".into()),
                    Err,
                );
            }
            tried(it, chain, images, failure)
        }
    }
}

/// The images for which PyTorch's layers fit each other.
fn tried(
    it: &mut Interpreter,
    chain: &Chain,
    images: &Images,
    failure: Option<Refused>,
) -> Result<(Arranged, Shape), Refused> {
    let channels = match first_number(it, chain) {
        Some((true, channels)) => channels,
        Some((false, features)) => {
            let Some(image) = row_as_image(features, images) else {
                let why = format!("it is a row of {features} numbers, which are no square image");
                return Err(find::refused(
                    it.objects[chain.model].place,
                    "the input".to_owned(),
                    why,
                ));
            };
            let arranged = Arranger::new(it, image, true, true, false).arrange(chain)?;
            return Ok((arranged, image));
        }
        None => 3,
    };
    let dummy = it.data.iter().rev().filter_map(|data| match data.shape.as_deref() {
        Some([_, Some(c), Some(h), Some(w)])
            if usize::try_from(*c).ok() == Some(channels) && h == w =>
        {
            usize::try_from(*h).ok()
        }
        _ => None,
    });
    let dummy: Vec<usize> = dummy.filter(|side| (1..=8192).contains(side)).take(4).collect();
    let all = dummy.iter().copied().chain(USUAL_SIDES).chain(1..=SIDE_MOST);
    let mut first_failure = failure.clone();
    for side in all {
        let image = Shape::Image(channels, side, side);
        match Arranger::new(it, image, false, true, false).arrange(chain) {
            Ok(arranged) => {
                it.at = it.objects[chain.model].place;
                let why = if failure.is_some() {
                    format!(
                        "the images of its data do not fit its layers; {side}×{side} pixels do, and were taken"
                    )
                } else if dummy.contains(&side) {
                    String::new()
                } else {
                    format!(
                        "the program does not say the size of its images; {side}×{side} pixels fit its layers, and were taken"
                    )
                };
                if !why.is_empty() {
                    it.say("the input", why);
                }
                return Ok((arranged, image));
            }
            Err(why) => {
                first_failure.get_or_insert(why);
            }
        }
        if !it.step(chain.links.len()) {
            break;
        }
    }
    let place = it.objects[chain.model].place;
    Err(first_failure.unwrap_or_else(|| {
        find::refused(place, "the input".to_owned(), "its shape cannot be told")
    }))
}

/// What the first layer with weights expects: channels of a convolution (true), or features.
fn first_number(it: &Interpreter, chain: &Chain) -> Option<(bool, usize)> {
    chain.links.iter().find_map(|link| {
        let Op::Layer(layer) = link.op else { return None };
        let made = &it.objects[layer];
        let (is_conv, names) = match made.kind() {
            "Conv2d" => (true, ["in_channels"]),
            "Linear" => (false, ["in_features"]),
            _ => return None,
        };
        let number = made.args.get(0, &names)?.int()?;
        usize::try_from(number)
            .ok()
            .filter(|number| (1..=1 << 24).contains(number))
            .map(|number| (is_conv, number))
    })
}

fn starts_with_dense(it: &Interpreter, chain: &Chain) -> bool {
    matches!(chain.links.first().map(|link| &link.op), Some(Op::Layer(layer)) if it.objects[*layer].kind() == "Dense")
}

/// A row of numbers as the image that it was: one of the data set, or a square in grey or colour.
fn row_as_image(row: usize, images: &Images) -> Option<Shape> {
    if let Some(shape) = images.shape().filter(|shape| shape.len() == row) {
        return Some(shape);
    }
    [1, 3].into_iter().find_map(|channels| {
        let side = (row / channels).isqrt();
        (side * side * channels == row && side > 1).then_some(Shape::Image(channels, side, side))
    })
}

/// Whether a program has the words of Keras 1.
fn is_old(it: &Interpreter) -> bool {
    const WORDS: [&str; 7] = [
        "nb_epoch",
        "border_mode",
        "nb_filter",
        "subsample",
        "dim_ordering",
        "output_dim",
        "nb_row",
    ];
    let old =
        |args: &value::Args| args.named.iter().any(|(name, _)| WORDS.contains(&name.as_str()));
    it.events.iter().any(|event| old(&event.args))
        || it.objects.iter().any(|made| made.path.starts_with("keras") && old(&made.args))
}

fn toml(
    it: &mut Interpreter,
    files: &[Parsed],
    arranged: &Arranged,
    image: Shape,
    images: &Images,
    training: &Training,
) -> String {
    let Shape::Image(channels, height, width) = image else { return String::new() };
    let stem = files[0]
        .path
        .file_stem()
        .map_or(String::new(), |stem| stem.to_string_lossy().to_lowercase());
    let name: String = stem
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' })
        .take(60)
        .collect();
    let name = name.trim_start_matches(['-', '_']).trim_end_matches('-');
    let mut text =
        format!("name = \"{}\"\n\n[data]\n", if name.is_empty() { "study" } else { name });
    it.at = images.place.unwrap_or(Place { file: 0, line: 1 });
    let own = |set: &str| if set.starts_with("cifar") { (3, 32, 32) } else { (1, 28, 28) };
    let set =
        images.set.filter(|set| own(set) == (channels, height, width) || set.starts_with("cifar"));
    match set {
        Some("mnist") => text += "source = \"mnist\"\n",
        Some("fashion_mnist") => {
            text += "source = \"idx\"\npath = \"data/fashion-mnist\"\n";
            it.say(
                "Fashion-MNIST",
                "its IDX files are expected in `data/fashion-mnist`; [data] path says where",
            );
        }
        Some(set) => {
            let folder =
                if set == "cifar100" { "cifar-100-binary" } else { "cifar-10-batches-bin" };
            text += &format!("source = \"cifar\"\npath = \"data/{folder}\"\n");
            if own(set) != (channels, height, width) {
                text += &format!("size = [{height}, {width}]\nchannels = {channels}\n");
            }
            it.say(
                set,
                format!("its binary files are expected in `data/{folder}`; [data] path says where"),
            );
        }
        None => {
            let folder =
                images.folder.clone().filter(|folder| !folder.is_empty() && folder.len() < 400);
            let quoted = toml::Value::String(folder.clone().unwrap_or_else(|| "images".into()));
            text += &format!("source = \"folder\"\npath = {quoted}\nsize = [{height}, {width}]\n");
            if channels == 1 || channels == 3 {
                text += &format!("channels = {channels}\n");
            }
            if folder.is_none() {
                it.say("the data", "which images it trains on is not told in a way that can be followed; [data] path is to be set");
            }
        }
    }
    if let Some(share) = training.validation {
        text += &format!("validation = {share:?}\n");
    }
    text += "\n[model]\nlayers = [\n";
    for step in &arranged.steps {
        text += &format!("  {},\n", step.toml());
    }
    text += "]\n";
    let augment = &arranged.augment;
    if !training.keys.is_empty() || !augment.is_empty() {
        text += "\n[train]\n";
    }
    for (key, value) in &training.keys {
        text += &format!("{key} = {value}\n");
    }
    if !augment.is_empty() {
        let parts: Vec<String> =
            augment.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        text += &format!("augment = {{ {} }}\n", parts.join(", "));
    }
    text
}
