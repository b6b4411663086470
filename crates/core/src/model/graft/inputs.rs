//! Adapts layers to rearranged inputs.

use super::cells::{Cell, CellArray, LayerCells, Line, Part};
use super::shortcut;
use crate::spec::{FeatureShape, Layer};

/// How the channels between two layers are rearranged.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rearrangement {
    /// For each new channel, where it comes from.
    pub(super) channels: Vec<Channel>,
}

/// One channel of the child.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Channel {
    /// Holds the old channel `at`; its consumers' weights are multiplied by the factor.
    Old { at: usize, factor: f32 },
    /// Is new; its consumers' weights are zero at first.
    New,
}

/// What happened to the consumer of rearranged channels: the next layer with weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consumer {
    /// Its weights were rearranged in the same way, so that its outputs are unchanged.
    Adapted,
    /// It is a grouped convolution, and some channels moved into another group, so that its outputs
    /// change.
    PartlyAdapted,
    /// There is none within this residual block, which therefore returns the rearranged channels.
    Outside,
}

impl Rearrangement {
    /// In each of `groups` groups, the old channels unchanged, followed by new ones; `old` and `new` are
    /// total numbers of channels.
    pub(super) fn appended(old: usize, new: usize, groups: usize) -> Self {
        let (old, new) = (old / groups, new / groups);
        let channels = (0..groups).flat_map(|group| {
            (0..new).map(move |at| match at < old {
                true => Channel::Old { at: group * old + at, factor: 1.0 },
                false => Channel::New,
            })
        });
        Self { channels: channels.collect() }
    }

    /// These old channels, in this order.
    pub(super) fn kept(channels: &[usize]) -> Self {
        let kept = channels.iter().map(|&at| Channel::Old { at, factor: 1.0 });
        Self { channels: kept.collect() }
    }

    /// Rearranges the inputs of the layer at `from` and those after it, up to the first layer with
    /// weights. `shape` is the input shape of `from` before the rearrangement.
    pub(super) fn adapt_consumer(
        &self,
        cells: &mut [LayerCells],
        part: Part,
        from: usize,
        shape: FeatureShape,
    ) -> Consumer {
        let mut plane = plane(shape);
        for index in from..cells.len() {
            let (layer, row, cells) =
                (part.layers.get(index), &part.rows[index], &mut cells[index]);
            if part.consumes(index) {
                let Some(weight) = cells.arrays.get_mut("weight") else {
                    return Consumer::Adapted;
                };
                if let Some(Layer::Conv(conv)) = layer {
                    return self.conv_inputs(weight, row.input.channels(), conv.groups);
                }
                *weight = self.dense_inputs(weight, plane);
                return Consumer::Adapted;
            }
            if let Some((block, row)) = part.block(index) {
                let inner = Part::of_block(block, row);
                match self.adapt_consumer(&mut cells.inner, inner, 0, row.input) {
                    Consumer::Outside => shortcut::pass_on(cells, self, row),
                    consumer => {
                        shortcut::rearrange_inputs(cells, self, block, row);
                        return consumer;
                    }
                }
            } else {
                // Batch-norm and depthwise convolution treat each channel separately.
                let lines = self.unscaled();
                for array in cells.arrays.values_mut() {
                    *array = array.rearranged(0, &lines);
                }
            }
            plane = self::plane(row.output);
        }
        Consumer::Outside
    }

    /// How the weights of a consumer are rearranged.
    pub(super) fn lines(&self) -> Vec<Line> {
        self.channels.iter().map(|channel| channel.line()).collect()
    }

    /// How arrays with one number per channel are rearranged: the numbers move with their channel.
    pub(super) fn unscaled(&self) -> Vec<Line> {
        let lines = self.channels.iter().map(|channel| match *channel {
            Channel::Old { at, .. } => Line::old(at),
            Channel::New => Line::FRESH,
        });
        lines.collect()
    }

    /// Rearranges the weight of a convolution; `channels` is its old number of input channels.
    fn conv_inputs(&self, weight: &mut CellArray, channels: usize, groups: usize) -> Consumer {
        if groups == 1 {
            *weight = weight.rearranged(1, &self.lines());
            return Consumer::Adapted;
        }
        if !self.channels.len().is_multiple_of(groups) {
            return Consumer::PartlyAdapted;
        }
        let (old, new) = (channels / groups, self.channels.len() / groups);
        let mut is_kept = true;
        let mut rearranged: Option<CellArray> = None;
        for (group, channels) in self.channels.chunks(new.max(1)).enumerate() {
            let own = group * old..(group + 1) * old;
            let lines: Vec<Line> = channels
                .iter()
                .map(|channel| match *channel {
                    Channel::Old { at, factor } if own.contains(&at) => {
                        Line::Old { at: at - own.start, factor }
                    }
                    Channel::Old { .. } => {
                        is_kept = false;
                        Line::FRESH
                    }
                    Channel::New => Line::ZERO,
                })
                .collect();
            let of_all = weight.rearranged(1, &lines);
            // The filters of the group, from a weight with all filters rearranged for this group.
            let filters = of_all.shape[0] / groups;
            let filter_len: usize = of_all.shape[1..].iter().product();
            let span = group * filters * filter_len..(group + 1) * filters * filter_len;
            let cells = rearranged
                .get_or_insert_with(|| CellArray::filled(of_all.shape.clone(), Cell::Fresh));
            cells.cells[span.clone()].copy_from_slice(&of_all.cells[span]);
            let received = own.filter(|at| {
                channels
                    .iter()
                    .any(|channel| matches!(channel, Channel::Old { at: here, .. } if here == at))
            });
            is_kept &= received.count() == old;
        }
        if let Some(rearranged) = rearranged {
            *weight = rearranged;
        }
        if is_kept { Consumer::Adapted } else { Consumer::PartlyAdapted }
    }

    /// Rearranges the weight of a dense layer. Flattening puts all pixels of a channel before those of the
    /// next one.
    fn dense_inputs(&self, weight: &CellArray, plane: usize) -> CellArray {
        let lines = self.channels.iter().flat_map(|channel| {
            (0..plane).map(move |pixel| match channel.line() {
                Line::Old { at, factor } => Line::Old { at: at * plane + pixel, factor },
                new => new,
            })
        });
        weight.rearranged(0, &lines.collect::<Vec<_>>())
    }
}

impl Channel {
    pub(super) fn line(self) -> Line {
        match self {
            Self::Old { at, factor } => Line::Old { at, factor },
            Self::New => Line::ZERO,
        }
    }
}

/// Number of pixels of a channel; 1 for flat features.
pub(super) fn plane(shape: FeatureShape) -> usize {
    match shape {
        FeatureShape::Image { height, width, .. } => height * width,
        FeatureShape::Flat { .. } => 1,
    }
}
