//! Measures where the time of a training goes.

use std::time::Instant;

use crate::model::layer_rows;
use crate::record::{LayerProfile, Profile};
use crate::spec::Spec;
use burgeon_kernel::backend::Marks;
use burgeon_kernel::{Executor, peak_flops_per_second};

/// Whether a training measures where its time goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profiling {
    /// No.
    #[default]
    Off,
    /// Yes, part by part and layer by layer; see [`Watch::profile`](super::Watch::profile).
    On,
}

/// A part of a training that time is spent on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    Data,
    Forward(usize),
    Loss,
    Optimizer,
    Evaluation,
    Checkpoint,
    Rest,
}

/// Measures time. The time between two laps belongs to the part that the later one names.
#[derive(Debug)]
pub(super) struct Profiler {
    profile: Profile,
    /// Floating-point operations of a training step for one image, if no zeros are skipped.
    flops_per_image: f64,
    /// The marks of this training, separate from those of others in the process.
    marks: Marks,
    last: Instant,
}

impl Profiler {
    pub fn new(spec: &Spec) -> Self {
        let table = spec.table();
        let layers = layer_rows(spec)
            .into_iter()
            .map(|rows| {
                let names: Vec<&str> = table.rows[rows].iter().map(|row| &*row.name).collect();
                LayerProfile {
                    name: names.join(" + "),
                    forward_seconds: 0.0,
                    backward_seconds: 0.0,
                }
            })
            .collect();
        // A backward pass takes two products for each of the forward pass, but only one in the first
        // layer, which needs no gradient of the images.
        let first = table.rows.first().map_or(0, |row| row.flops);
        Self {
            profile: Profile {
                epochs: 0.0,
                steps: 0,
                images: 0,
                seconds: 0.0,
                data_seconds: 0.0,
                layers,
                loss_seconds: 0.0,
                optimizer_seconds: 0.0,
                evaluation_seconds: 0.0,
                checkpoint_seconds: 0.0,
                rest_seconds: 0.0,
                flops_per_second: 0.0,
                peak_flops_per_second: None,
            },
            marks: Marks::default(),
            flops_per_image: 3.0 * table.flops() as f64 - first as f64,
            last: Instant::now(),
        }
    }

    /// The marks that the backward pass sets for [`lap_backward`](Self::lap_backward).
    pub fn marks(&self) -> Marks {
        self.marks.clone()
    }

    /// Adds the time since the last lap to a part.
    pub fn lap(&mut self, part: Part) {
        let seconds = self.until(Instant::now());
        let profile = &mut self.profile;
        let total = match part {
            Part::Data => &mut profile.data_seconds,
            Part::Forward(layer) => &mut profile.layers[layer].forward_seconds,
            Part::Loss => &mut profile.loss_seconds,
            Part::Optimizer => &mut profile.optimizer_seconds,
            Part::Evaluation => &mut profile.evaluation_seconds,
            Part::Checkpoint => &mut profile.checkpoint_seconds,
            Part::Rest => &mut profile.rest_seconds,
        };
        *total += seconds;
    }

    /// Adds the time of the backward pass that just ended to the layers, by the marks at their outputs.
    pub fn lap_backward(&mut self) {
        // The time before the first mark belongs to the loss, that after a layer's mark to the layer.
        let mut layer = None;
        for passed in self.marks.take_passed() {
            let seconds = self.until(passed.at);
            self.add_backward(layer, seconds);
            layer = Some(passed.number);
        }
        let seconds = self.until(Instant::now());
        self.add_backward(layer, seconds);
    }

    fn add_backward(&mut self, layer: Option<usize>, seconds: f64) {
        match layer.and_then(|layer| self.profile.layers.get_mut(layer)) {
            Some(layer) => layer.backward_seconds += seconds,
            None => self.profile.loss_seconds += seconds,
        }
    }

    /// Counts a step of `images` images, in an epoch of `steps` steps.
    pub fn count_step(&mut self, images: usize, steps: usize) {
        self.profile.steps += 1;
        self.profile.images += images as u64;
        self.profile.epochs += 1.0 / steps as f64;
    }

    /// The profile. `executor` is the executor that trained, if the CPU did.
    pub fn finish(mut self, executor: Option<&Executor>) -> Profile {
        self.lap(Part::Rest);
        let profile = &mut self.profile;
        let layers: f64 =
            profile.layers.iter().map(|layer| layer.forward_seconds + layer.backward_seconds).sum();
        profile.seconds = layers
            + profile.data_seconds
            + profile.loss_seconds
            + profile.optimizer_seconds
            + profile.evaluation_seconds
            + profile.checkpoint_seconds
            + profile.rest_seconds;
        profile.flops_per_second =
            self.flops_per_image * profile.images as f64 / layers.max(f64::MIN_POSITIVE);
        profile.peak_flops_per_second = executor.map(peak_flops_per_second);
        self.profile
    }

    /// Seconds from the last lap to `now`, which becomes the last lap.
    fn until(&mut self, now: Instant) -> f64 {
        let seconds = now.saturating_duration_since(self.last).as_secs_f64();
        self.last = now;
        seconds
    }
}
