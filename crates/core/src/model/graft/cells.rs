//! A network of cells, each of which says where a number of the child comes from.
//!
//! Edits rearrange cells. The result is then applied to the parent's weights and to its optimizer's
//! moments alike.

use std::collections::BTreeMap;

use crate::model::arrays::{LayerPlace, fields, projection_fields};
use crate::model::weights::{WeightArray, Weights};
use crate::spec::{Layer, LayerPlan, Residual, Spec};

/// The edited spec lacks the layer that the edit should have added or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoLayer;

/// Where one number of the child comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell {
    /// A number of the parent, times a factor.
    Parent { array: u32, index: u32, factor: f32 },
    /// A fixed value.
    Value(f32),
    /// An initial value, as in a new network.
    Fresh,
}

impl Cell {
    pub(super) fn times(self, by: f32) -> Self {
        match self {
            Self::Parent { array, index, factor } => {
                Self::Parent { array, index, factor: factor * by }
            }
            Self::Value(value) => Self::Value(value * by),
            Self::Fresh => Self::Fresh,
        }
    }
}

/// How the factors of [`Cell::Parent`] are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Factors {
    /// Numbers are multiplied by the factor.
    Whole,
    /// Numbers are multiplied by the sign of the factor.
    Sign,
    /// Numbers are unchanged.
    Ignored,
}

/// One array of cells, in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CellArray {
    pub(super) shape: Vec<usize>,
    pub(super) cells: Vec<Cell>,
}

impl CellArray {
    pub(super) fn filled(shape: Vec<usize>, cell: Cell) -> Self {
        let len = shape.iter().product();
        Self { shape, cells: vec![cell; len] }
    }

    /// The array rearranged along an axis: `lines` tells for each new index along `axis` which old index
    /// it holds, and with which factor, or which cell fills it. An old index out of range is filled with
    /// [`Cell::Fresh`].
    pub(super) fn rearranged(&self, axis: usize, lines: &[Line]) -> Self {
        let outer: usize = self.shape[..axis].iter().product();
        let inner: usize = self.shape[axis + 1..].iter().product();
        let old = self.shape[axis];
        let mut shape = self.shape.clone();
        shape[axis] = lines.len();
        let mut cells = Vec::with_capacity(outer * lines.len() * inner);
        for block in 0..outer {
            for line in lines {
                match *line {
                    Line::Old { at, factor } if at < old => {
                        let from = (block * old + at) * inner;
                        cells.extend(
                            self.cells[from..from + inner].iter().map(|cell| cell.times(factor)),
                        );
                    }
                    Line::Old { .. } => cells.extend(std::iter::repeat_n(Cell::Fresh, inner)),
                    Line::New(cell) => cells.extend(std::iter::repeat_n(cell, inner)),
                }
            }
        }
        Self { shape, cells }
    }
}

/// The content of an array at one index along an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Line {
    /// The old content at index `at`, times a factor.
    Old { at: usize, factor: f32 },
    /// This cell everywhere.
    New(Cell),
}

impl Line {
    pub(super) fn old(at: usize) -> Self {
        Self::Old { at, factor: 1.0 }
    }

    pub(super) const ZERO: Self = Self::New(Cell::Value(0.0));
    pub(super) const FRESH: Self = Self::New(Cell::Fresh);
}

/// The arrays of one layer by field; none for layers without numbers. A residual block has the arrays of
/// its projection, such as `projection.weight`, and its layers in `inner`.
#[derive(Debug, Clone, Default)]
pub(super) struct LayerCells {
    pub(super) arrays: BTreeMap<&'static str, CellArray>,
    pub(super) inner: Vec<LayerCells>,
}

impl<const N: usize> From<[(&'static str, CellArray); N]> for LayerCells {
    fn from(arrays: [(&'static str, CellArray); N]) -> Self {
        Self { arrays: arrays.into(), inner: Vec::new() }
    }
}

impl LayerCells {
    /// The cells of a new layer.
    pub(super) fn fresh(layer: Option<&Layer>, row: &LayerPlan) -> Self {
        let fresh = |(field, shape)| (field, CellArray::filled(shape, Cell::Fresh));
        let mut cells =
            Self { arrays: fields(layer, row).into_iter().map(fresh).collect(), inner: Vec::new() };
        if let Some(Layer::Residual(block)) = layer {
            let part = Part::of_block(block, row);
            cells.inner = part.fresh();
            if let Some(projection) = &row.projection {
                let fields = projection_fields(projection, block.norm().is_some());
                cells.arrays.extend(fields.into_iter().map(|(field, shape)| {
                    (projection_key(field), CellArray::filled(shape, Cell::Fresh))
                }));
            }
        }
        cells
    }

    /// Calls `visit` with the name and the cells of every array of this layer and those within it.
    fn each<'a>(&'a self, prefix: &str, visit: &mut dyn FnMut(String, &'a CellArray)) {
        for (field, array) in &self.arrays {
            visit(format!("{prefix}.{field}"), array);
        }
        for (index, layer) in self.inner.iter().enumerate() {
            layer.each(&inner_prefix(prefix, index), visit);
        }
    }

    fn each_mut(&mut self, prefix: &str, visit: &mut dyn FnMut(String, &mut CellArray)) {
        for (field, array) in &mut self.arrays {
            visit(format!("{prefix}.{field}"), array);
        }
        for (index, layer) in self.inner.iter_mut().enumerate() {
            layer.each_mut(&inner_prefix(prefix, index), visit);
        }
    }
}

fn inner_prefix(prefix: &str, index: usize) -> String {
    LayerPlace { prefix: prefix.into(), number: 0 }.inner(index).prefix
}

/// The key of a projection's field among the arrays of its block.
pub(super) fn projection_key(field: &str) -> &'static str {
    const KEYS: [&str; 6] = [
        "projection.weight",
        "projection.bias",
        "projection.gamma",
        "projection.beta",
        "projection.running-mean",
        "projection.running-variance",
    ];
    let key = KEYS.into_iter().find(|key| key.ends_with(&format!(".{field}")));
    key.unwrap_or("projection.weight")
}

/// Consecutive layers with their rows of the layer table: those of a whole network, with a further row for
/// the head, or those within a residual block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) layers: &'a [Layer],
    pub(super) rows: &'a [LayerPlan],
}

impl<'a> Part<'a> {
    pub(super) fn of(spec: &'a Spec) -> Self {
        Self { layers: spec.layers(), rows: &spec.table().rows }
    }

    pub(super) fn of_block(block: &'a Residual, row: &'a LayerPlan) -> Self {
        Self { layers: &block.layers, rows: &row.inner }
    }

    /// The residual block at an index, with its row; `None` for another layer.
    pub(super) fn block(self, index: usize) -> Option<(&'a Residual, &'a LayerPlan)> {
        match (self.layers.get(index), self.rows.get(index)) {
            (Some(Layer::Residual(block)), Some(row)) => Some((block, row)),
            _ => None,
        }
    }

    /// The cells of new layers of these shapes.
    pub(super) fn fresh(self) -> Vec<LayerCells> {
        let rows = self.rows.iter().enumerate();
        rows.map(|(index, row)| LayerCells::fresh(self.layers.get(index), row)).collect()
    }

    /// Whether the layer at an index has weights that mix its input channels, as the head has.
    pub(super) fn consumes(self, index: usize) -> bool {
        match self.layers.get(index) {
            Some(Layer::Conv(_)) => !self.is_depthwise(index),
            Some(Layer::Dense(_)) | None => true,
            Some(_) => false,
        }
    }

    /// Whether the layer at an index is a depthwise convolution with one filter per channel.
    pub(super) fn is_depthwise(self, index: usize) -> bool {
        let Some(Layer::Conv(conv)) = self.layers.get(index) else {
            return false;
        };
        let channels = self.rows[index].input.channels();
        conv.groups > 1 && conv.groups == channels && conv.filters == channels
    }
}

/// The cells of a whole network, layer by layer, the head last.
#[derive(Debug, Clone)]
pub(super) struct CellNetwork {
    pub(super) layers: Vec<LayerCells>,
    /// The parent's arrays by name, in the order that [`Cell::Parent`] counts them.
    pub(super) names: Vec<String>,
}

/// The parent's numbers, to look cells up in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers<'a> {
    pub(super) names: &'a [String],
    pub(super) parent: &'a Weights,
}

impl Numbers<'_> {
    /// The value of a cell; 0 for [`Cell::Fresh`].
    pub(super) fn value(self, cell: Cell) -> f32 {
        match cell {
            Cell::Parent { array, index, factor } => {
                let name = self.names.get(array as usize);
                let array = name.and_then(|name| self.parent.get(name).ok());
                let value = array.and_then(|array| array.values.get(index as usize));
                factor * value.copied().unwrap_or_default()
            }
            Cell::Value(value) => value,
            Cell::Fresh => 0.0,
        }
    }
}

impl CellNetwork {
    /// The cells of the unchanged parent.
    pub(super) fn of(spec: &Spec) -> Self {
        let Self { mut layers, mut names } = Self::fresh(spec);
        for (index, layer) in layers.iter_mut().enumerate() {
            layer.each_mut(&LayerPlace::of(spec, index).prefix, &mut |name, array| {
                let number = names.len() as u32;
                names.push(name);
                for (at, cell) in array.cells.iter_mut().enumerate() {
                    *cell = Cell::Parent { array: number, index: at as u32, factor: 1.0 };
                }
            });
        }
        Self { layers, names }
    }

    /// The cells of a new network.
    pub(super) fn fresh(spec: &Spec) -> Self {
        Self { layers: Part::of(spec).fresh(), names: Vec::new() }
    }

    /// Every array with the name that it has in a network of `spec`.
    pub(super) fn arrays(&self, spec: &Spec) -> Vec<(String, &CellArray)> {
        let mut found = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let prefix = LayerPlace::of(spec, index).prefix;
            layer.each(&prefix, &mut |name, array| found.push((name, array)));
        }
        found
    }

    /// The numbers of the child. `fill` returns those that do not come from the parent; it receives the
    /// array's name, the index, and the cell's value if it is a [`Cell::Value`].
    pub(super) fn numbers(
        &self,
        child: &Spec,
        parent: &Weights,
        factors: Factors,
        fill: impl Fn(&str, usize, Option<f32>) -> f32,
    ) -> Weights {
        let mut weights = Weights::default();
        for (name, array) in self.arrays(child) {
            let numbers =
                self.array_numbers(array, parent, factors, |at, value| fill(&name, at, value));
            weights.insert(name, numbers);
        }
        weights
    }

    /// The numbers of one array.
    pub(super) fn array_numbers(
        &self,
        array: &CellArray,
        parent: &Weights,
        factors: Factors,
        fill: impl Fn(usize, Option<f32>) -> f32,
    ) -> WeightArray {
        let sources: Vec<Option<&WeightArray>> =
            self.names.iter().map(|name| parent.get(name).ok()).collect();
        let number = |array: u32, index: u32| {
            sources.get(array as usize).copied().flatten()?.values.get(index as usize).copied()
        };
        let values = array.cells.iter().enumerate().map(|(at, cell)| match *cell {
            Cell::Parent { array, index, factor } => match number(array, index) {
                Some(value) => {
                    let factor = match factors {
                        Factors::Whole => factor,
                        Factors::Sign => factor.signum(),
                        Factors::Ignored => 1.0,
                    };
                    factor * value
                }
                None => fill(at, None),
            },
            Cell::Value(value) => fill(at, Some(value)),
            Cell::Fresh => fill(at, None),
        });
        WeightArray { shape: array.shape.clone(), values: values.collect() }
    }

    /// The parent's arrays that a child's array takes numbers from.
    pub(super) fn sources(&self, array: &CellArray) -> Vec<&str> {
        let mut numbers: Vec<u32> = Vec::new();
        for cell in &array.cells {
            if let Cell::Parent { array, .. } = cell
                && numbers.last() != Some(array)
            {
                numbers.push(*array);
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        numbers
            .into_iter()
            .filter_map(|at| self.names.get(at as usize))
            .map(String::as_str)
            .collect()
    }
}

/// A batch-norm that returns its input unchanged when it uses its running statistics.
pub(super) fn identity_norm(channels: usize, epsilon: f64) -> LayerCells {
    let filled = |value: f64| CellArray::filled(vec![channels], Cell::Value(value as f32));
    LayerCells::from([
        ("gamma", filled((1.0 + epsilon).sqrt())),
        ("beta", filled(0.0)),
        ("running-mean", filled(0.0)),
        ("running-variance", filled(1.0)),
    ])
}
