//! The whole study: [`StudyFile`] as it stands in a file, and [`Spec`] once it is validated.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::data::DataSpec;
use super::error::SpecError;
use super::gate::GateSpec;
use super::layer::Layer;
use super::model::ModelSpec;
use super::notify::NotifySpec;
use super::run::RunSpec;
use super::shape::{InputShape, LayerTable};
use super::train::TrainSpec;
use super::tune::TuneSpec;
use super::validate::validate;

/// A burgeon study: a model, its data, how to train it, and the accuracy it must reach.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StudyFile {
    /// The study's name: its runs are `runs/NAME-0001`, `runs/NAME-0002` and so on.
    #[serde(default = "default_name")]
    pub name: String,
    /// Where the images come from.
    #[serde(default)]
    pub data: DataSpec,
    /// The network.
    pub model: ModelSpec,
    /// How a trial is trained.
    #[serde(default)]
    pub train: TrainSpec,
    /// What a trial has to reach to be accepted.
    #[serde(default)]
    pub gate: GateSpec,
    /// How the study looks for a better network, and for how long.
    #[serde(default)]
    pub tune: TuneSpec,
    /// Who is told when the study is over, and how.
    #[serde(default)]
    pub notify: NotifySpec,
    /// Where the trials train.
    #[serde(default)]
    pub run: RunSpec,
}

fn default_name() -> String {
    "study".into()
}

impl StudyFile {
    /// A study with these layers and every default.
    pub fn new(name: impl Into<String>, layers: Vec<Layer>) -> Self {
        Self {
            name: name.into(),
            data: DataSpec::default(),
            model: ModelSpec { layers, ..ModelSpec::default() },
            train: TrainSpec::default(),
            gate: GateSpec::default(),
            tune: TuneSpec::default(),
            notify: NotifySpec::default(),
            run: RunSpec::default(),
        }
    }

    /// The file as TOML with every default written out; [`StudyDocument`](super::StudyDocument)
    /// reads it back to an equal value.
    pub fn to_toml(&self) -> String {
        super::render::to_toml(self)
    }

    /// The file as TOML without the keys that have their default, as one would write it by hand.
    #[cfg(feature = "cli")]
    pub(crate) fn to_short_toml(&self) -> String {
        super::short::to_short_toml(self)
    }
}

/// A study in which every number is in range and every shape fits.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    file: StudyFile,
    input: InputShape,
    table: LayerTable,
}

impl Spec {
    /// Validates a study against the shape of its data.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the study, each problem with its key and what would be right.
    pub fn new(file: StudyFile, input: InputShape) -> Result<Self, SpecError> {
        match validate(&file, input) {
            Ok(table) => Ok(Self { file, input, table }),
            Err(problems) => Err(SpecError::new("", problems)),
        }
    }

    /// Everything the study file says, defaults included.
    pub fn file(&self) -> &StudyFile {
        &self.file
    }

    /// The study's name.
    pub fn name(&self) -> &str {
        &self.file.name
    }

    /// The `[data]` section.
    pub fn data(&self) -> &DataSpec {
        &self.file.data
    }

    /// The layers in order, without the classifier head.
    pub fn layers(&self) -> &[Layer] {
        &self.file.model.layers
    }

    /// The `[train]` section.
    pub fn train(&self) -> &TrainSpec {
        &self.file.train
    }

    /// The `[gate]` section.
    pub fn gate(&self) -> &GateSpec {
        &self.file.gate
    }

    /// The `[tune]` section.
    pub fn tune(&self) -> &TuneSpec {
        &self.file.tune
    }

    /// Shape of one image and number of classes.
    pub fn input(&self) -> InputShape {
        self.input
    }

    /// Every layer, the head included, with its shapes, parameters and FLOPs.
    pub fn table(&self) -> &LayerTable {
        &self.table
    }

    /// SHA-256, in hex, of everything that determines the trained weights and the gate: all but the
    /// study's name, its `[notify]` and `[run]`, and the paths of its data and of the model that it starts
    /// from. (The data's content has its own hash; the model's is `from-sha256`.)
    pub fn hash(&self) -> String {
        let file = &self.file;
        let data = DataSpec { path: None, ..file.data.clone() };
        let model = ModelSpec { from: None, ..file.model.clone() };
        let decisive = (&data, &model, &file.train, &file.gate, &file.tune, &self.input);
        // Plain structs of numbers and names: serializing them into memory cannot fail.
        let text = serde_json::to_string(&decisive).unwrap_or_default();
        hex::encode(Sha256::digest(text))
    }
}

/// The JSON Schema of study files, pretty-printed and ending in a newline.
pub fn json_schema() -> String {
    let schema = schemars::schema_for!(StudyFile);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
