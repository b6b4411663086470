//! Where a grown child begins: with its parent's weights and what its optimizer knows of them.

use std::collections::BTreeMap;

use burn_pack::{Bytes, DType, Reader, Scalar, Tensor, Writer};

use super::fit::TrainError;
use super::state::TrainState;
use crate::model::{Graft, GraftReport, Moment, WeightArray, Weights, WeightsError};
use crate::spec::{Edit, Layer, Optimizer, Spec};

impl TrainState {
    /// The state in which the child that `edits` make of `parent` begins, before its first step.
    /// The weights are those of the parent's best epoch; the optimizer's moments go along where the
    /// child has the same optimizer.
    ///
    /// # Errors
    ///
    /// When the saved state of the parent's optimizer cannot be read.
    pub fn grafted(
        self,
        parent: &Spec,
        child: &Spec,
        edits: &[Edit],
        trial: u32,
    ) -> Result<(Self, GraftReport), TrainError> {
        let weights = self.best.map_or(self.weights, |best| best.weights);
        let graft = Graft::plan(parent, edits, &weights);
        let mut report = graft.report(child);
        let mut state = Self::start(graft.weights(&weights, child, trial));
        if !self.optimizer.is_empty() && is_same_kind(parent, child) {
            let graft = OptimizerGraft { graft: &graft, parent, child };
            state.optimizer = graft.carry(self.optimizer)?;
            report.optimizer = true;
        }
        Ok((state, report))
    }

    /// A grafted state that is about to learn much more: every weight and bias shrinks to half of
    /// what it was, and half of a fresh one is added; the optimizer starts anew. `report`, that of the
    /// graft, is brought up to date.
    ///
    /// A network that names nearly every training image right sends so little gradient back that what
    /// was added to it hardly learns. Shrunk and perturbed (Ash and Adams 2020, "On warm-starting
    /// neural network training") it forgets some of its answers and keeps its features; whether that
    /// pays is measured by the example `inheritance`. Batch-norm's numbers stay.
    ///
    /// # Errors
    ///
    /// The weights are not those of `spec`.
    pub fn refreshed(
        self,
        spec: &Spec,
        trial: u32,
        report: &mut GraftReport,
    ) -> Result<Self, WeightsError> {
        const KEPT: f32 = 0.5;
        const FRESH: f32 = 0.5;
        let mut weights = self.weights;
        weights.check(spec)?;
        for (name, fresh) in Weights::initial(spec, trial).iter() {
            if name.ends_with(".weight") || name.ends_with(".bias") {
                let WeightArray { shape, values } = weights.get(name)?;
                let pairs = values.iter().zip(&fresh.values);
                let values = pairs.map(|(old, new)| KEPT * old + FRESH * new).collect();
                let mixed = WeightArray { shape: shape.clone(), values };
                weights.insert(name, mixed);
            }
        }
        report.preserved = false;
        report.optimizer = false;
        report.changed.push("every weight is half its parent's and half a fresh one".into());
        Ok(Self::start(weights))
    }
}

/// Whether the child's optimizer can use what the parent's has gathered.
fn is_same_kind(parent: &Spec, child: &Spec) -> bool {
    match (&parent.train().optimizer, &child.train().optimizer) {
        (Optimizer::Sgd(old), Optimizer::Sgd(new)) => old.momentum > 0.0 && new.momentum > 0.0,
        (Optimizer::Adam(_), Optimizer::Adam(_)) | (Optimizer::AdamW(_), Optimizer::AdamW(_)) => {
            true
        }
        _ => false,
    }
}

/// Carries burn's record of an optimizer over, array by array.
struct OptimizerGraft<'a> {
    graft: &'a Graft,
    parent: &'a Spec,
    child: &'a Spec,
}

/// Of each parameter, burn records tensors and scalars under `ID.FIELD`.
struct Entry<'a> {
    id: u64,
    field: &'a str,
}

impl<'a> Entry<'a> {
    fn of(name: &'a str) -> Option<Self> {
        let (id, field) = name.split_once('.')?;
        Some(Self { id: id.parse().ok()?, field })
    }
}

impl OptimizerGraft<'_> {
    fn carry(&self, record: Vec<u8>) -> Result<Vec<u8>, TrainError> {
        let failed = |error: burn_pack::Error| TrainError::Optimizer(error.to_string());
        let reader = Reader::from_bytes(Bytes::from_bytes_vec(record)).map_err(failed)?;
        let scalars = reader.scalars().clone();
        let mut by_field: BTreeMap<String, Weights> = BTreeMap::new();
        for tensor in reader.into_tensors().map_err(failed)? {
            let Some(entry) = Entry::of(&tensor.name) else {
                continue;
            };
            if let Some(name) = parameter_name(self.parent, entry.id) {
                let (field, shape) = (entry.field.to_owned(), tensor.shape.to_vec());
                let bytes = tensor.into_bytes().map_err(failed)?;
                let values = bytes.chunks_exact(4);
                let values = values
                    .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
                let array = WeightArray { shape, values: values.collect() };
                by_field.entry(field).or_default().insert(name, array);
            }
        }
        let mut tensors = Vec::new();
        for (field, moments) in &by_field {
            tensors.extend(self.tensors(field, moments));
        }
        let mut writer = Writer::new(tensors);
        for (name, value) in self.scalars(&scalars) {
            writer = writer.with_scalar(&name, value);
        }
        Ok(writer.into_bytes().map_err(failed)?.to_vec())
    }

    /// One kind of moment for all of the child's parameters that have a parent's.
    fn tensors(&self, field: &str, moments: &Weights) -> Vec<Tensor> {
        // Of squared gradients the mean of the array is the better guess: zero would let new
        // weights take steps several times too long.
        let moment = match field.ends_with("moment_2") {
            true => Moment::OfSquares,
            false => Moment::OfGradients,
        };
        let carried = self.graft.moments(moments, self.child, moment, |name| {
            let source = self.graft.source(self.child, name);
            let source = source.and_then(|source| moments.get(source).ok());
            source.filter(|_| moment == Moment::OfSquares).map_or(0.0, mean)
        });
        let with_parent = carried.iter().filter_map(|(name, array)| {
            let source = self.graft.source(self.child, name)?;
            moments.get(source).ok()?;
            let id = parameter_id(self.child, name)?;
            let bytes: Vec<u8> =
                array.values.iter().flat_map(|value| value.to_le_bytes()).collect();
            let bytes = Bytes::from_bytes_vec(bytes);
            let name = format!("{id}.{field}");
            Some(Tensor::new(name, DType::F32, array.shape.clone(), Some(id), bytes))
        });
        with_parent.collect()
    }

    fn scalars(&self, scalars: &BTreeMap<String, Scalar>) -> Vec<(String, Scalar)> {
        let mut carried = Vec::new();
        for (name, _) in Weights::initial(self.child, 0).iter() {
            let source = self.graft.source(self.child, name);
            let ids = source
                .and_then(|source| parameter_id(self.parent, source))
                .zip(parameter_id(self.child, name));
            let Some((old, new)) = ids else {
                continue;
            };
            let of_old = scalars.iter().filter_map(|(key, value)| {
                let entry = Entry::of(key).filter(|entry| entry.id == old)?;
                Some((format!("{new}.{}", entry.field), *value))
            });
            // A bias that became a layer's weights would have another rank.
            carried.extend(of_old.filter(|(key, _)| !key.ends_with(RANK)));
            let rank = rank(self.child, name);
            carried.push((format!("{new}.{RANK}"), Scalar::from(rank)));
        }
        carried
    }
}

/// Where burn records how many axes a parameter has.
const RANK: &str = "__rank";

fn mean(array: &WeightArray) -> f32 {
    array.values.iter().sum::<f32>() / array.values.len().max(1) as f32
}

fn rank(spec: &Spec, name: &str) -> usize {
    match name.rsplit_once('.') {
        Some((owner, "weight")) => {
            match layer_index(spec, owner).and_then(|at| spec.layers().get(at)) {
                Some(Layer::Conv(_)) => 4,
                _ => 2,
            }
        }
        _ => 1,
    }
}

/// Trained fields of a layer, in the order of their parameters' numbers.
fn fields(spec: &Spec, layer: usize) -> &'static [&'static str] {
    match spec.layers().get(layer) {
        Some(Layer::BatchNorm(_)) => &["gamma", "beta"],
        _ => &["weight", "bias"],
    }
}

/// The name of a parameter by the number that [`Network`](crate::model::Network) gives it.
fn parameter_name(spec: &Spec, id: u64) -> Option<String> {
    let layer = usize::try_from(id / 16).ok()?.checked_sub(1)?;
    let field = fields(spec, layer).get((id % 16) as usize)?;
    let owner =
        if layer == spec.layers().len() { "head".to_owned() } else { format!("layers.{layer}") };
    (layer <= spec.layers().len()).then(|| format!("{owner}.{field}"))
}

/// The number of a parameter; `None` for what is not trained.
fn parameter_id(spec: &Spec, name: &str) -> Option<u64> {
    let (owner, field) = name.rsplit_once('.')?;
    let layer = layer_index(spec, owner)?;
    let slot = fields(spec, layer).iter().position(|known| *known == field)?;
    Some(16 * (layer as u64 + 1) + slot as u64)
}

fn layer_index(spec: &Spec, owner: &str) -> Option<usize> {
    match owner {
        "head" => Some(spec.layers().len()),
        _ => owner.strip_prefix("layers.")?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Conv, Dense, InputShape, StudyFile};

    #[test]
    fn refreshing_shrinks_and_perturbs_weights_and_leaves_batch_norm_alone()
    -> Result<(), Box<dyn std::error::Error>> {
        let layers = vec![
            Layer::Conv(Conv::same(4, 3)),
            Layer::BatchNorm(Default::default()),
            Layer::Dense(Dense::of(8)),
        ];
        let spec = Spec::new(StudyFile::new("refreshed", layers), InputShape::MNIST)?;
        let learned = Weights::initial(&spec, 1);
        let fresh = Weights::initial(&spec, 2);
        let state = TrainState { optimizer: vec![1], ..TrainState::start(learned.clone()) };
        let mut report = GraftReport {
            carried: Vec::new(),
            fresh: Vec::new(),
            preserved: true,
            changed: Vec::new(),
            optimizer: true,
        };
        let refreshed = state.refreshed(&spec, 2, &mut report)?;
        assert!(refreshed.optimizer.is_empty());
        assert!(!report.preserved && !report.optimizer && report.changed.len() == 1);
        refreshed.weights.check(&spec)?;
        for (name, array) in refreshed.weights.iter() {
            let (old, new) = (&learned.get(name)?.values, &fresh.get(name)?.values);
            let is_mixed = name.ends_with(".weight") || name.ends_with(".bias");
            for (at, value) in array.values.iter().enumerate() {
                let expected = if is_mixed { 0.5 * old[at] + 0.5 * new[at] } else { old[at] };
                assert!((value - expected).abs() < 1e-6, "{name}[{at}]");
            }
        }
        let other = Spec::new(
            StudyFile::new("other", vec![Layer::Dense(Dense::of(5))]),
            InputShape::MNIST,
        )?;
        assert!(TrainState::start(learned).refreshed(&other, 2, &mut report).is_err());
        Ok(())
    }
}
