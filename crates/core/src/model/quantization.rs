//! Post-training quantization: convolutions and dense layers in whole numbers of 8 bits.
//!
//! Weights are symmetric with a scale for each output channel, inputs are unsigned bytes with one scale and
//! zero point a layer (Krishnamoorthi, "Quantizing deep convolutional networks for efficient inference",
//! 2018). The range of an input is the one that it had on calibration images.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};

use super::network::Network;
use super::read::{ReadError, read_scalar};
use super::tap::Tap;
use super::weights::{WeightArray, Weights, WeightsError};
use crate::spec::Spec;

/// Weights take −64..=64 instead of −127..=127: the processors without VNNI add two products of a weight
/// and a byte in 16 bits, which 2 · 255 · 64 just fits, so that the file means the same on all of them.
const WEIGHT_MAX: f32 = 64.0;
/// The largest value of a byte.
const INPUT_MAX: f32 = 255.0;

/// How the whole numbers of an input become its values: `scale · (byte − zero_point)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InputScale {
    /// Distance of two neighbouring values.
    pub scale: f32,
    /// The byte that stands for 0.
    pub zero_point: u8,
}

/// A convolution or a dense layer in whole numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizedLayer {
    /// Its input.
    pub input: InputScale,
    /// Its weights in the order of `shape`.
    pub weight: Vec<i8>,
    /// Shape of its weights, as [`Weights`] has them.
    pub shape: Vec<usize>,
    /// Axis of `shape` that counts the output channels.
    pub axis: usize,
    /// Scale of the weights of each output channel.
    pub weight_scales: Vec<f32>,
    /// Its bias, in floats.
    pub bias: WeightArray,
}

/// A network whose convolutions and dense layers compute with whole numbers. Batch-norms, activations, pools
/// and sums stay as they are.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizedNetwork {
    layers: BTreeMap<String, QuantizedLayer>,
    images: usize,
}

/// The range of every layer's input over the images seen so far.
#[derive(Debug, Default)]
pub struct Calibration {
    /// By prefix of the layer's arrays; 0 is always within, as padding is 0.
    ranges: BTreeMap<String, [f32; 2]>,
    images: usize,
    failed: Option<ReadError>,
}

impl Calibration {
    /// Widens the ranges by those of more images, `[batch, channels, height, width]`, normalized.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn see(
        &mut self,
        spec: &Spec,
        network: &Network,
        images: Tensor<4>,
    ) -> Result<(), ReadError> {
        self.images += images.dims()[0];
        network.forward_tapped(spec, images, self);
        self.failed.take().map_or(Ok(()), Err)
    }

    fn widen<const D: usize>(&mut self, prefix: &str, input: &Tensor<D>) {
        let range = read_scalar(input.clone().min())
            .and_then(|least| Ok([least, read_scalar(input.clone().max())?]));
        match range {
            Ok([least, most]) => {
                let range = self.ranges.entry(prefix.to_owned()).or_default();
                *range = [range[0].min(least), range[1].max(most)];
            }
            Err(error) => self.failed = Some(error),
        }
    }
}

impl Tap for Calibration {
    fn image(&mut self, prefix: &str, input: Tensor<4>) -> Tensor<4> {
        self.widen(prefix, &input);
        input
    }

    fn flat(&mut self, prefix: &str, input: Tensor<2>) -> Tensor<2> {
        self.widen(prefix, &input);
        input
    }
}

impl InputScale {
    fn of([least, most]: [f32; 2]) -> Self {
        let scale = (most - least) / INPUT_MAX;
        // Neither an input that is always 0 nor one that is not finite has a range.
        if !(scale.is_finite() && scale >= f32::MIN_POSITIVE) {
            return Self { scale: 1.0, zero_point: 0 };
        }
        Self { scale, zero_point: (-least / scale).round_ties_even().clamp(0.0, INPUT_MAX) as u8 }
    }

    /// The nearest values that a byte can stand for.
    fn round<const D: usize>(self, input: Tensor<D>) -> Tensor<D> {
        let zero = f32::from(self.zero_point);
        let whole = (input / self.scale).round().clamp(-zero, INPUT_MAX - zero);
        whole * self.scale
    }
}

impl QuantizedLayer {
    fn new(input: InputScale, weight: &WeightArray, bias: &WeightArray) -> Self {
        // Convolutions are `[filters, …]`, dense layers `[inputs, units]`.
        let axis = if weight.shape.len() == 2 { 1 } else { 0 };
        let channels = weight.shape.get(axis).copied().unwrap_or(1).max(1);
        let channel_of = |at: usize| match axis {
            0 => at / (weight.values.len() / channels).max(1),
            _ => at % channels,
        };
        let mut largest = vec![0.0_f32; channels];
        for (at, value) in weight.values.iter().enumerate() {
            let most = &mut largest[channel_of(at)];
            *most = most.max(value.abs());
        }
        let scale = |largest: &f32| {
            let scale = largest / WEIGHT_MAX;
            if scale >= f32::MIN_POSITIVE { scale } else { 1.0 }
        };
        let weight_scales: Vec<f32> = largest.iter().map(scale).collect();
        let whole = |at: usize, value: f32| {
            let scaled = value / weight_scales[channel_of(at)];
            scaled.round_ties_even().clamp(-WEIGHT_MAX, WEIGHT_MAX) as i8
        };
        let whole_weight: Vec<i8> =
            weight.values.iter().enumerate().map(|(at, &value)| whole(at, value)).collect();
        Self {
            input,
            weight: whole_weight,
            shape: weight.shape.clone(),
            axis,
            weight_scales,
            bias: bias.clone(),
        }
    }

    /// The weight that the whole numbers stand for.
    fn values(&self) -> WeightArray {
        let channels = self.weight_scales.len();
        let block = (self.weight.len() / channels.max(1)).max(1);
        let weight = self.weight.iter().enumerate().map(|(at, &value)| {
            let channel = if self.axis == 0 { at / block } else { at % channels };
            f32::from(value) * self.weight_scales[channel]
        });
        WeightArray { shape: self.shape.clone(), values: weight.collect() }
    }
}

impl QuantizedNetwork {
    /// The network of these weights, with the ranges of its inputs.
    ///
    /// # Errors
    ///
    /// If the weights do not fit the spec.
    pub fn new(
        spec: &Spec,
        weights: &Weights,
        calibration: &Calibration,
    ) -> Result<Self, WeightsError> {
        weights.check(spec)?;
        let mut layers = BTreeMap::new();
        for (prefix, range) in &calibration.ranges {
            let array = |field: &str| weights.get(&format!("{prefix}.{field}"));
            let layer =
                QuantizedLayer::new(InputScale::of(*range), array("weight")?, array("bias")?);
            layers.insert(prefix.clone(), layer);
        }
        Ok(Self { layers, images: calibration.images })
    }

    /// The layer whose arrays' names begin with `prefix`.
    pub(super) fn layer(&self, prefix: &str) -> Option<&QuantizedLayer> {
        self.layers.get(prefix)
    }

    /// How it was made, in words.
    pub fn words(&self) -> String {
        format!(
            "8 bits: {} layers with symmetric weights by output channel and unsigned inputs by layer, calibrated on {} training images",
            self.layers.len(),
            self.images
        )
    }

    /// The same network in floats that take only the values of the whole numbers, to measure what the
    /// rounding costs.
    ///
    /// # Errors
    ///
    /// If the weights do not fit the spec.
    pub fn emulated(
        &self,
        spec: &Spec,
        weights: &Weights,
        device: &Device,
    ) -> Result<EmulatedNetwork, WeightsError> {
        let mut rounded = weights.clone();
        for (prefix, layer) in &self.layers {
            rounded.insert(format!("{prefix}.weight"), layer.values());
        }
        let inputs = self.layers.iter().map(|(prefix, layer)| (prefix.clone(), layer.input));
        Ok(EmulatedNetwork {
            spec: spec.clone(),
            network: Network::new(spec, &rounded, device)?,
            inputs: inputs.collect(),
        })
    }
}

/// A quantized network, computed in floats.
#[derive(Debug)]
pub struct EmulatedNetwork {
    spec: Spec,
    network: Network,
    inputs: BTreeMap<String, InputScale>,
}

impl EmulatedNetwork {
    /// Normalized images `[batch, channels, height, width]` → logits `[batch, classes]`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.network.forward_tapped(&self.spec, images, &mut Rounding(&self.inputs))
    }
}

struct Rounding<'a>(&'a BTreeMap<String, InputScale>);

impl Tap for Rounding<'_> {
    fn image(&mut self, prefix: &str, input: Tensor<4>) -> Tensor<4> {
        match self.0.get(prefix) {
            Some(scale) => scale.round(input),
            None => input,
        }
    }

    fn flat(&mut self, prefix: &str, input: Tensor<2>) -> Tensor<2> {
        match self.0.get(prefix) {
            Some(scale) => scale.round(input),
            None => input,
        }
    }
}

#[cfg(test)]
mod tests;
