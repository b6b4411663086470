//! `[train]`: how one trial learns.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::optimizer::Optimizer;
use super::tagged::name_or_table;

/// `[train]` of a study file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct TrainSpec {
    /// Passes over the training images.
    #[schemars(range(min = 1, max = 100_000))]
    pub epochs: usize,
    /// Images a step; a last, smaller batch is trained on too.
    #[schemars(range(min = 1, max = 65_536))]
    pub batch_size: usize,
    /// What turns gradients into updates.
    pub optimizer: Optimizer,
    /// The schedule's highest rate.
    pub learning_rate: f64,
    /// How the rate moves over the trial.
    pub schedule: Schedule,
    /// Share of all steps over which the rate first rises linearly from zero, in 0..1.
    pub warm_up: f64,
    /// Pull of the weights towards zero; how it acts depends on the optimizer.
    pub weight_decay: f64,
    /// Bound on the gradient before the optimizer sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gradient_clipping: Option<GradientClipping>,
    /// Probability mass spread over all classes (Szegedy et al. 2016), in 0..1.
    pub label_smoothing: f64,
    /// End the trial when validation accuracy no longer improves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// Random distortions of training images; off unless said.
    pub augment: Augment,
    /// Most seconds that a trial may take, evaluation included; what was trained by then is evaluated
    /// and the best epoch kept. No limit unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// How often the state of training is saved.
    pub checkpoint: CheckpointInterval,
    /// Decides everything random: initial weights, order, augmentation, dropout.
    pub seed: u64,
}

impl Default for TrainSpec {
    fn default() -> Self {
        Self {
            epochs: 10,
            batch_size: 64,
            optimizer: Optimizer::default(),
            learning_rate: 0.001,
            schedule: Schedule::Constant {},
            warm_up: 0.0,
            weight_decay: 0.0,
            gradient_clipping: None,
            label_smoothing: 0.0,
            early_stopping: None,
            augment: Augment::default(),
            seconds: None,
            checkpoint: CheckpointInterval::default(),
            seed: 42,
        }
    }
}

/// Course of the learning rate over a trial's steps.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// The same rate throughout.
    Constant {},
    /// Half a cosine from the rate down to `floor` times it (Loshchilov and Hutter 2017).
    #[serde(rename_all = "kebab-case")]
    Cosine {
        /// Where the rate ends, as a share of the highest rate, in 0..=1.
        floor: f64,
    },
    /// Up from `start` times the rate to its peak and down to `floor` times it, both as half
    /// cosines (Smith and Topin 2018).
    #[serde(rename_all = "kebab-case")]
    OneCycle {
        /// Where the peak lies, as a share of all steps, in 0..1.
        peak_at: f64,
        /// Where the rate begins, as a share of the highest rate, in 0..=1.
        start: f64,
        /// Where the rate ends, as a share of the highest rate, in 0..=1.
        floor: f64,
    },
}

/// The derived form; [`Schedule`] also accepts a bare name.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum ScheduleTable {
    Constant {},
    #[serde(rename_all = "kebab-case")]
    Cosine {
        #[serde(default)]
        floor: f64,
    },
    #[serde(rename_all = "kebab-case")]
    OneCycle {
        #[serde(default = "one_cycle_peak")]
        peak_at: f64,
        #[serde(default = "one_cycle_start")]
        start: f64,
        #[serde(default)]
        floor: f64,
    },
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match name_or_table(deserializer)? {
            ScheduleTable::Constant {} => Self::Constant {},
            ScheduleTable::Cosine { floor } => Self::Cosine { floor },
            ScheduleTable::OneCycle { peak_at, start, floor } => {
                Self::OneCycle { peak_at, start, floor }
            }
        })
    }
}

impl Schedule {
    /// The name as study files spell it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Constant {} => "constant",
            Self::Cosine { .. } => "cosine",
            Self::OneCycle { .. } => "one-cycle",
        }
    }

    /// One cycle with its usual course: peak after 30 % of the steps, from 4 % down to zero.
    pub fn one_cycle() -> Self {
        Self::OneCycle { peak_at: one_cycle_peak(), start: one_cycle_start(), floor: 0.0 }
    }
}

fn one_cycle_peak() -> f64 {
    0.3
}
fn one_cycle_start() -> f64 {
    0.04
}

/// Bound on the gradient before the optimizer sees it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GradientClipping {
    /// Every element is held within ± this.
    Value(f64),
    /// The gradient of all parameters together is scaled down to this Euclidean norm.
    Norm(f64),
}

/// When a trial ends before its epochs are over.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EarlyStopping {
    /// Epochs without improvement that end the trial.
    #[schemars(range(min = 1))]
    pub patience: usize,
    /// How much the validation accuracy has to rise to count as improvement.
    #[serde(default)]
    pub min_improvement: f64,
}

/// Random distortions of training images. Every figure is the largest one drawn.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Augment {
    /// Whole pixels along each axis.
    pub shift: u32,
    /// Degrees either way.
    pub rotate: f64,
    /// Share by which the image grows or shrinks, in 0..1.
    pub scale: f64,
    /// Standard deviation of the elastic displacement in pixels (Simard, Steinkraus, Platt 2003).
    pub elastic: f64,
    /// Mirrors half of the images, left to right.
    #[serde(skip_serializing_if = "is_default")]
    pub flip: bool,
    /// Mirrors half of the images, top to bottom.
    #[serde(skip_serializing_if = "is_default")]
    pub flip_vertical: bool,
    /// What comes in from outside the image.
    #[serde(skip_serializing_if = "is_default")]
    pub border: Border,
    /// Share by which brightness is changed, in 0..=1.
    #[serde(skip_serializing_if = "is_default")]
    pub brightness: f64,
    /// Share by which contrast is changed, in 0..=1.
    #[serde(skip_serializing_if = "is_default")]
    pub contrast: f64,
    /// Share by which the saturation of colours is changed, in 0..=1.
    #[serde(skip_serializing_if = "is_default")]
    pub saturation: f64,
    /// Side in pixels of a square that is blanked out at a random place (DeVries and Taylor 2017).
    #[serde(skip_serializing_if = "is_default")]
    pub cutout: u32,
}

/// What comes in from outside an image that is moved, turned or shrunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Border {
    /// Black.
    #[default]
    Black,
    /// The image, mirrored at its edge.
    Reflect,
}

fn is_default<T: PartialEq + Default>(value: &T) -> bool {
    *value == T::default()
}

impl Augment {
    /// Whether any distortion is asked for.
    pub fn is_on(&self) -> bool {
        // The border alone changes nothing.
        *self != Self { border: self.border, ..Self::default() }
    }
}

/// How often the state of training is saved within an epoch; the end of an epoch always is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CheckpointInterval {
    /// Seconds between checkpoints.
    EverySeconds(u64),
    /// Steps between checkpoints.
    EverySteps(u64),
}

impl Default for CheckpointInterval {
    fn default() -> Self {
        Self::EverySeconds(30)
    }
}
