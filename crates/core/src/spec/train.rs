//! `[train]`: how a trial is trained.

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
    /// Images per step; the last batch of an epoch may be smaller.
    #[schemars(range(min = 1, max = 65_536))]
    pub batch_size: usize,
    /// The rule that turns gradients into weight updates.
    pub optimizer: Optimizer,
    /// The highest learning rate; the schedule scales it.
    pub learning_rate: f64,
    /// How the learning rate changes over the trial.
    pub schedule: Schedule,
    /// Share of all steps over which the learning rate first rises linearly from zero, in 0..1.
    pub warm_up: f64,
    /// Weight decay: `sgd` and `adam` add this times the weight to its gradient, `adamw` and `muon` shrink
    /// the weight itself.
    pub weight_decay: f64,
    /// Limit on the gradient before it reaches the optimizer. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gradient_clipping: Option<GradientClipping>,
    /// Label smoothing: probability mass of the target that is spread over all classes (Szegedy et al.
    /// 2016), in 0..1.
    pub label_smoothing: f64,
    /// Decay per step of a moving average of the weights, in 0..1, such as 0.999. The average is then
    /// what is evaluated, kept and published. Default: off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_average: Option<f64>,
    /// End the trial when validation accuracy no longer improves. Default: off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// Random changes to training images. Default: off.
    pub augment: Augment,
    /// Time limit of a trial in seconds. When it is reached, the network is evaluated as it is, and the
    /// best epoch is kept. Training ends early enough for the evaluation, as earlier epochs took;
    /// evaluating the first epoch, and writing the model, come on top. Default: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// How often the training state is saved within an epoch.
    pub checkpoint: CheckpointInterval,
    /// Seed of everything random: initial weights, order of images, augmentation, dropout.
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
            weight_average: None,
            early_stopping: None,
            augment: Augment::default(),
            seconds: None,
            checkpoint: CheckpointInterval::default(),
            seed: 42,
        }
    }
}

/// How the learning rate changes over a trial's steps.
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

/// What serde derives; [`Schedule`] also accepts a bare name.
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

    /// One cycle with its defaults: from 4 % of the rate up to its peak after 30 % of the steps, then
    /// down to zero.
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

/// Limit on the gradient before it reaches the optimizer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GradientClipping {
    /// Each element is limited to the range from −value to +value.
    Value(f64),
    /// The gradient of all parameters together is scaled down to at most this Euclidean norm.
    Norm(f64),
}

/// When a trial ends before its last epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EarlyStopping {
    /// Epochs without improvement that end the trial.
    #[schemars(range(min = 1))]
    pub patience: usize,
    /// Smallest rise in validation accuracy that counts as an improvement, as a fraction in 0..=1.
    #[serde(default)]
    pub min_improvement: f64,
}

/// Random changes to training images (data augmentation). `shift`, `rotate`, `scale`, `brightness`,
/// `contrast` and `saturation` give the largest change; each image's own is drawn at random up to it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Augment {
    /// Shift along each axis, in whole pixels.
    pub shift: u32,
    /// Rotation in degrees, in either direction.
    pub rotate: f64,
    /// Share by which the image is enlarged or shrunk, in 0..1.
    pub scale: f64,
    /// Standard deviation of the elastic displacement in pixels (Simard, Steinkraus, Platt 2003).
    pub elastic: f64,
    /// Mirrors half of the images, left to right.
    #[serde(skip_serializing_if = "is_default")]
    pub flip: bool,
    /// Mirrors half of the images, top to bottom.
    #[serde(skip_serializing_if = "is_default")]
    pub flip_vertical: bool,
    /// What fills the area outside a shifted, rotated or shrunk image.
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

/// What fills the area outside an image that is shifted, rotated or shrunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Border {
    /// Black pixels.
    #[default]
    Black,
    /// The image itself, mirrored at its edge.
    Reflect,
}

fn is_default<T: PartialEq + Default>(value: &T) -> bool {
    *value == T::default()
}

impl Augment {
    /// Whether any change is set.
    pub fn is_on(&self) -> bool {
        // The border alone changes nothing.
        *self != Self { border: self.border, ..Self::default() }
    }
}

/// How often the training state is saved within an epoch; it is always saved at the end of one.
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
