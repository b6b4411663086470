//! Telling a layer that its inputs have been rearranged.

use super::cells::{CellArray, CellNetwork, Line, is_linear};
use crate::spec::{FeatureShape, Layer, Spec};

/// What became of the channels that used to flow into the layers from some place on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rearrangement {
    /// For each new channel: the old one that it holds, and what its consumer has to multiply by.
    pub(super) channels: Vec<Channel>,
}

/// One channel of the child.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Channel {
    /// Holds an old channel; consumers multiply by the factor.
    Old { at: usize, factor: f32 },
    /// Is new; consumers do not listen to it yet.
    New,
}

impl Rearrangement {
    /// The first `old` channels as they are, then new ones.
    pub(super) fn appended(old: usize, new: usize) -> Self {
        let kept = (0..old.min(new)).map(|at| Channel::Old { at, factor: 1.0 });
        Self { channels: kept.chain((old..new).map(|_| Channel::New)).collect() }
    }

    /// These old channels, in this order.
    pub(super) fn kept(channels: &[usize]) -> Self {
        let kept = channels.iter().map(|&at| Channel::Old { at, factor: 1.0 });
        Self { channels: kept.collect() }
    }

    /// Rearranges the inputs of what stands at `from` and behind it, up to the first layer of
    /// weights. `shape` is what flows into `from`, with the channels as they were.
    pub(super) fn tell(
        &self,
        network: &mut CellNetwork,
        spec: &Spec,
        from: usize,
        shape: FeatureShape,
    ) {
        let mut plane = plane(shape);
        for index in from..network.layers.len() {
            let layer = spec.layers().get(index);
            let row = &spec.table().rows[index];
            let cells = &mut network.layers[index];
            if is_linear(layer) {
                if let Some(weight) = cells.get_mut("weight") {
                    *weight = match layer {
                        Some(Layer::Conv(_)) => self.conv_inputs(weight),
                        _ => self.dense_inputs(weight, plane),
                    };
                }
                return;
            }
            for array in cells.values_mut() {
                *array = self.norm_channels(array);
            }
            plane = self::plane(row.output);
        }
    }

    fn conv_inputs(&self, weight: &CellArray) -> CellArray {
        let lines: Vec<Line> = self.channels.iter().map(|channel| channel.line()).collect();
        weight.rearranged(1, &lines)
    }

    /// Flattening puts a channel's whole plane before the next channel's.
    fn dense_inputs(&self, weight: &CellArray, plane: usize) -> CellArray {
        let lines = self.channels.iter().flat_map(|channel| {
            (0..plane).map(move |pixel| match channel.line() {
                Line::Old { at, factor } => Line::Old { at: at * plane + pixel, factor },
                new => new,
            })
        });
        weight.rearranged(0, &lines.collect::<Vec<_>>())
    }

    /// Batch-norm treats every channel for itself, so its numbers go along unchanged.
    fn norm_channels(&self, array: &CellArray) -> CellArray {
        let lines = self.channels.iter().map(|channel| match *channel {
            Channel::Old { at, .. } => Line::old(at),
            Channel::New => Line::FRESH,
        });
        array.rearranged(0, &lines.collect::<Vec<_>>())
    }
}

impl Channel {
    fn line(self) -> Line {
        match self {
            Self::Old { at, factor } => Line::Old { at, factor },
            Self::New => Line::ZERO,
        }
    }
}

/// Pixels of a channel; 1 for flat features.
pub(super) fn plane(shape: FeatureShape) -> usize {
    match shape {
        FeatureShape::Image { height, width, .. } => height * width,
        FeatureShape::Flat { .. } => 1,
    }
}
