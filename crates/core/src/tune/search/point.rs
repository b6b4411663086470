//! Points of the search space as edits of a study, and back.

use super::axis::Setting;
use super::domain::{Domain, OWN_WIDTHS, Point, with_default_parameters};
use crate::spec::{
    Activation, Augment, BatchNorm, Border, Conv, Dense, Dropout, Edit, Layer, Pool, Spec,
};
use crate::tune::family::{LARGE_SIDE, LAST_SIDE};
use crate::tune::recommended::round_to_digits;

/// Largest shift that a study may ask for.
const SHIFT_MOST: f64 = 64.0;

impl Domain {
    /// The edits that turn a study into that of the point.
    pub(super) fn edits(&self, point: &Point, base: &Spec) -> Vec<Edit> {
        let optimizer = self.chosen(Setting::Optimizer, point, &self.space.optimizer);
        let rate =
            self.place(Setting::Rate(self.place(Setting::Optimizer, &point.0) as usize), &point.0);
        let schedule = self.chosen(Setting::Schedule, point, &self.space.schedule);
        let batch = self.chosen(Setting::BatchSize, point, &self.space.batch_size);
        let epochs = self.chosen(Setting::Epochs, point, &self.space.epochs);
        let mut edits = vec![Edit::SetLayers { layers: self.layers(point) }];
        edits.extend(
            optimizer.map(|name| Edit::SetOptimizer { optimizer: with_default_parameters(name) }),
        );
        if !rate.is_nan() {
            edits.push(Edit::SetLearningRate { rate: round_to_digits(rate, 3) });
        }
        edits.extend(schedule.map(|schedule| Edit::SetSchedule { schedule, warm_up: 0.0 }));
        edits.extend(batch.map(|images| Edit::SetBatchSize { images }));
        let augment = self.augment(point, base.train().augment);
        if augment != base.train().augment {
            edits.push(Edit::SetAugment { augment });
        }
        edits.extend(epochs.map(|epochs| Edit::SetEpochs { epochs }));
        edits
    }

    fn chosen<T: Clone>(&self, setting: Setting, point: &Point, choices: &[T]) -> Option<T> {
        let place = self.place(setting, &point.0);
        if place.is_nan() { None } else { choices.get(place as usize).cloned() }
    }

    /// The point whose study this is; `None` if its network is not in the space. Other settings that are not are NaN.
    pub(super) fn point_of(&self, spec: &Spec) -> Option<Point> {
        let layers = spec.layers();
        let convs = layers.iter().filter(|layer| matches!(layer, Layer::Conv(_))).count();
        let forms = self.space.convs.iter().flat_map(|&stages| {
            let per_stage = self.space.convs_per_stage.iter();
            per_stage.map(move |&per_stage| (stages, per_stage))
        });
        // Without conv layers, the number in each stage does not matter.
        forms.filter(|(stages, per_stage)| stages * per_stage == convs).find_map(|form| {
            let read = self.point(|_, axis| self.read(axis.setting, form, spec));
            (self.layers(&read) == layers).then_some(read)
        })
    }

    /// The place that a study has on an axis, if its network has this many stages and conv layers in each.
    fn read(&self, setting: Setting, form: (usize, usize), spec: &Spec) -> f64 {
        let space = &self.space;
        let train = spec.train();
        let layers = spec.layers();
        let convs = || layers.iter().filter_map(as_conv);
        let mut denses = layers.iter().filter_map(as_dense);
        let filters = |stage: usize| convs().nth(stage * form.1).map(|conv| conv.filters);
        let units = |layer: usize| layers.iter().filter_map(as_dense).nth(layer);
        let side = self.input.height.min(self.input.width);
        match setting {
            Setting::Convs => index_of(&space.convs, &form.0),
            Setting::ConvsPerStage => index_of(&space.convs_per_stage, &form.1),
            Setting::Width => place_of(&space.width, filters(0)),
            Setting::Filters(stage) => place_of(&space.filters, filters(stage)),
            // The listed kernel, though it may not fit every feature map.
            Setting::Kernel => place_of(&space.kernel, convs().map(|conv| conv.kernel).max()),
            Setting::BatchNorm => {
                let has = layers.iter().any(|layer| matches!(layer, Layer::BatchNorm(_)));
                index_of(&space.batch_norm, &has)
            }
            Setting::DenseLayers => index_of(&space.dense_layers, &denses.count()),
            Setting::Units(layer) => place_of(&space.units, units(layer).map(|dense| dense.units)),
            Setting::Activation => {
                // Where batch-norm follows a conv layer, the layer itself has no activation.
                let mut activations = layers.iter().filter_map(Layer::activation);
                let found = activations.find(|&activation| activation != Activation::None);
                let found = found.or_else(|| denses.next().map(|dense| dense.activation));
                place_of(&space.activation, found.or(space.activation.first().copied()))
            }
            Setting::Dropout => {
                let rate = layers.iter().find_map(|layer| match layer {
                    Layer::Dropout(dropout) => Some(dropout.rate),
                    _ => None,
                });
                index_of(&space.dropout, &rate.unwrap_or(0.0))
            }
            Setting::Optimizer => space
                .optimizer
                .iter()
                .position(|&name| with_default_parameters(name) == train.optimizer)
                .map_or(f64::NAN, |at| at as f64),
            Setting::Rate(_) => {
                let [low, high] = space.learning_rate;
                let is_listed = (low..=high).contains(&train.learning_rate);
                if is_listed { train.learning_rate } else { train.learning_rate.clamp(low, high) }
            }
            Setting::Schedule => index_of(&space.schedule, &train.schedule),
            Setting::BatchSize => index_of(&space.batch_size, &train.batch_size),
            Setting::Shift => {
                let shift = train.augment.shift;
                let found = space.shift.iter().position(|&share| pixels(share, side) == shift);
                found.map_or(f64::NAN, |at| at as f64)
            }
            Setting::Flip => index_of(&space.flip, &train.augment.flip),
            Setting::Epochs => index_of(&space.epochs, &train.epochs),
        }
    }

    fn layers(&self, point: &Point) -> Vec<Layer> {
        let space = &self.space;
        let activation =
            self.chosen(Setting::Activation, point, &space.activation).unwrap_or_default();
        let mut layers = self.stages(point, activation);
        let denses = self.chosen(Setting::DenseLayers, point, &space.dense_layers).unwrap_or(0);
        for at in 0..denses {
            let units = Setting::Units(at.min(OWN_WIDTHS - 1));
            if let Some(units) = self.chosen(units, point, &space.units) {
                layers.push(Layer::Dense(Dense { activation, ..Dense::of(units) }));
            }
        }
        let dropout = self.chosen(Setting::Dropout, point, &space.dropout).unwrap_or(0.0);
        if dropout > 0.0 {
            layers.push(Layer::Dropout(Dropout { rate: dropout }));
        }
        layers
    }

    /// Stages of conv layers, as those of the [plain family](crate::tune::family), whose members are among them.
    fn stages(&self, point: &Point, activation: Activation) -> Vec<Layer> {
        let space = &self.space;
        let stages = self.chosen(Setting::Convs, point, &space.convs).unwrap_or(0);
        let per_stage =
            self.chosen(Setting::ConvsPerStage, point, &space.convs_per_stage).unwrap_or(1);
        let width = self.chosen(Setting::Width, point, &space.width);
        let kernel = self.chosen(Setting::Kernel, point, &space.kernel).unwrap_or(1);
        let has_norm =
            self.chosen(Setting::BatchNorm, point, &space.batch_norm).unwrap_or_default();
        let mut side = self.input.height.min(self.input.width);
        let mut layers = Vec::new();
        for stage in 0..stages {
            let own = Setting::Filters(stage.min(OWN_WIDTHS - 1));
            let own = self.chosen(own, point, &space.filters);
            let Some(filters) = own.or(width.map(|width| (stage + 1) * width)) else {
                break;
            };
            for _ in 0..per_stage {
                let mut conv = Conv::same(filters, kernel.min(side));
                if layers.is_empty() && side >= LARGE_SIDE {
                    conv.stride = 2;
                    side = side.div_ceil(2);
                }
                if has_norm {
                    conv.activation = Activation::None;
                    layers.push(Layer::Conv(conv));
                    layers.push(Layer::BatchNorm(BatchNorm { activation, ..BatchNorm::default() }));
                } else {
                    layers.push(Layer::Conv(Conv { activation, ..conv }));
                }
            }
            if side > LAST_SIDE {
                layers.push(Layer::MaxPool(Pool::of(2)));
                side /= 2;
            }
        }
        layers
    }

    /// The study's own augmentation with the point's shift and flip: its author knows which other changes preserve the class.
    fn augment(&self, point: &Point, base: Augment) -> Augment {
        let side = self.input.height.min(self.input.width);
        let shift = self.chosen(Setting::Shift, point, &self.space.shift);
        let shift = shift.map_or(base.shift, |share| pixels(share, side));
        let flip = self.chosen(Setting::Flip, point, &self.space.flip).unwrap_or(base.flip);
        let is_colour = self.input.channels > 1;
        let border = if is_colour && shift > 0 { Border::Reflect } else { base.border };
        Augment { shift, flip, border, ..base }
    }
}

/// A share of the image's side in whole pixels; at least one where it is not 0.
fn pixels(share: f64, side: usize) -> u32 {
    let least = f64::from(u8::from(share > 0.0));
    (share * side as f64).round().clamp(least, SHIFT_MOST) as u32
}

fn as_conv(layer: &Layer) -> Option<&Conv> {
    match layer {
        Layer::Conv(conv) => Some(conv),
        _ => None,
    }
}

fn as_dense(layer: &Layer) -> Option<&Dense> {
    match layer {
        Layer::Dense(dense) => Some(dense),
        _ => None,
    }
}

fn place_of<T: PartialEq>(choices: &[T], chosen: Option<T>) -> f64 {
    chosen.map_or(f64::NAN, |chosen| index_of(choices, &chosen))
}

/// The index of a choice; NaN if it is not among them.
fn index_of<T: PartialEq>(choices: &[T], chosen: &T) -> f64 {
    choices.iter().position(|choice| choice == chosen).map_or(f64::NAN, |at| at as f64)
}
