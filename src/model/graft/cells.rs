//! A network whose every number says where it comes from.
//!
//! Grafting is done on these: an edit rearranges cells, and what comes out serves for the weights
//! and for the optimizer's moments alike.

use std::collections::BTreeMap;

use crate::model::weights::{WeightArray, Weights, expected_shapes, prefix};
use crate::spec::{Layer, Spec};

/// Where one number of the child comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell {
    /// A number of the parent, times a factor.
    Parent { array: u32, index: u32, factor: f32 },
    /// This very value.
    Value(f32),
    /// Drawn as for a new network.
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

/// What becomes of the factors that a child's numbers are multiplied by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Factors {
    /// They are multiplied by.
    Whole,
    /// Their sign is.
    Sign,
    /// Nothing is.
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

    /// Builds every cell from its place along the axis `axis` and the same array's cells. `lines`
    /// gives, for each new place along the axis, the old place and a factor, or the cell that
    /// fills the line; a place that there never was is filled afresh.
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

/// What stands at one place along an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Line {
    /// What stood at another place, times a factor.
    Old { at: usize, factor: f32 },
    /// The same cell throughout.
    New(Cell),
}

impl Line {
    pub(super) fn old(at: usize) -> Self {
        Self::Old { at, factor: 1.0 }
    }

    pub(super) const ZERO: Self = Self::New(Cell::Value(0.0));
    pub(super) const FRESH: Self = Self::New(Cell::Fresh);
}

/// The arrays of one layer by field; none for layers without numbers.
pub(super) type LayerCells = BTreeMap<&'static str, CellArray>;

/// A whole network of cells: a layer of the study at its index, and the head at the end.
#[derive(Debug, Clone)]
pub(super) struct CellNetwork {
    pub(super) layers: Vec<LayerCells>,
    /// The parent's arrays by name, in the order that [`Cell::Parent`] counts them.
    names: Vec<String>,
}

impl CellNetwork {
    /// The parent itself.
    pub(super) fn of(spec: &Spec) -> Self {
        let mut network = Self::fresh(spec);
        for (index, layer) in network.layers.iter_mut().enumerate() {
            for (field, array) in layer {
                let number = network.names.len() as u32;
                network.names.push(format!("{}.{field}", prefix(spec, index)));
                for (at, cell) in array.cells.iter_mut().enumerate() {
                    *cell = Cell::Parent { array: number, index: at as u32, factor: 1.0 };
                }
            }
        }
        network
    }

    /// A new network of the spec's shape.
    pub(super) fn fresh(spec: &Spec) -> Self {
        let mut layers = vec![LayerCells::new(); spec.layers().len() + 1];
        for (name, shape) in expected_shapes(spec) {
            let (layer, field) = place(spec, &name);
            layers[layer].insert(field, CellArray::filled(shape, Cell::Fresh));
        }
        Self { layers, names: Vec::new() }
    }

    /// The number in a cell; 0 for one that is yet to be drawn.
    pub(super) fn value(&self, cell: Cell, parent: &Weights) -> f32 {
        match cell {
            Cell::Parent { array, index, factor } => {
                let array = self.names.get(array as usize).and_then(|name| parent.get(name).ok());
                let value = array.and_then(|array| array.values.get(index as usize));
                factor * value.copied().unwrap_or_default()
            }
            Cell::Value(value) => value,
            Cell::Fresh => 0.0,
        }
    }

    /// Every array with its name in `spec`.
    pub(super) fn arrays<'a>(
        &'a self,
        spec: &'a Spec,
    ) -> impl Iterator<Item = (String, &'a CellArray)> + 'a {
        let layers = self.layers.iter().enumerate();
        layers.flat_map(move |(index, layer)| {
            layer
                .iter()
                .map(move |(field, array)| (format!("{}.{field}", prefix(spec, index)), array))
        })
    }

    /// Puts the numbers in. `fill` finds what no cell of the parent gives: it gets the array's
    /// name, the index, and the value that stands in the cell, if one does.
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

    /// The same for one array.
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

/// The layer and the field that an array's name speaks of.
fn place(spec: &Spec, name: &str) -> (usize, &'static str) {
    const FIELDS: [&str; 6] =
        ["weight", "bias", "gamma", "beta", "running-mean", "running-variance"];
    let (owner, field) = name.rsplit_once('.').unwrap_or(("head", name));
    let layer = owner.strip_prefix("layers.").and_then(|index| index.parse().ok());
    let field = FIELDS.into_iter().find(|known| *known == field).unwrap_or("weight");
    (layer.unwrap_or(spec.layers().len()), field)
}

/// Whether a layer holds weights that a following one's inputs must match.
pub(super) fn is_linear(layer: Option<&Layer>) -> bool {
    matches!(layer, Some(Layer::Conv(_) | Layer::Dense(_)) | None)
}
