//! One window of images, and how it differs from the reference.

use serde::{Deserialize, Serialize};

use crate::accuracy::{AccuracyEstimate, below};
use crate::counts::{Alternative, chi_square, fisher, pooled};
use crate::error::SampleError;
use crate::faults::{Distances, Fault, is_inverted};
use crate::pixels::{GRID, PixelStats};
use crate::reference::{Column, Reference, columns, row};
use crate::two_sample::{distance, p_value};

/// A kind of comparison. Together they are a family, in which each has an equal part of a window's level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// The distribution of each of the model's outputs and of its confidence, by Kolmogorov and Smirnov's test.
    Outputs,
    /// The shares of the predicted classes, by the chi-square test.
    Classes,
    /// The share of images of which the model is unsure, by Fisher's exact test.
    Confidence,
    /// The distributions of the pixels' measures, by Kolmogorov and Smirnov's test.
    Pixels,
    /// The shares of images with a fault, by Fisher's exact test.
    Faults,
}

/// Number of comparisons in the family.
const COMPARISONS: f64 = 5.0;

/// What a comparison found in a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The comparison.
    pub comparison: Comparison,
    /// The probability of such a difference, if nothing had changed: for all its columns (Bonferroni) and for the
    /// family, so that it is compared with the window's level.
    pub p: f64,
    /// How large the difference is: the largest distance of distributions for outputs and pixels, half the sum of the
    /// shares' differences for classes, the difference of shares for confidence and faults.
    pub effect: f64,
    /// The least effect that counts.
    pub floor: f64,
    /// The column that differs most, of outputs and pixels.
    pub column: Option<Column>,
    /// Whether it is improbable enough, and large enough.
    pub is_suspicious: bool,
}

/// Images of a window with a fault.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultFound {
    /// The fault.
    pub fault: Fault,
    /// Images that have it; all of them, if it is told of the window as a whole.
    pub images: u64,
}

/// A window, compared with the reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowReport {
    /// Number of images.
    pub images: usize,
    /// The probability at or below which a comparison is suspicious.
    pub level: f64,
    /// What each comparison found.
    pub findings: Vec<Finding>,
    /// Faults of the input, with names.
    pub faults: Vec<FaultFound>,
    /// Images by predicted class.
    pub predicted: Vec<u64>,
    /// What the accuracy may be, if the reference had labels.
    pub accuracy: Option<AccuracyEstimate>,
}

impl WindowReport {
    /// Whether one of the comparisons is suspicious.
    pub fn is_suspicious(&self) -> bool {
        self.findings.iter().any(|finding| finding.is_suspicious)
    }
}

/// The least effects that count, however improbable they are: fractions from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Floors {
    /// Of distances between distributions.
    pub distance: f64,
    /// Of half the sum of the differences of the predicted classes' shares.
    pub classes: f64,
    /// Of the share of unsure images, above the reference's.
    pub unsure: f64,
    /// Of the share of images with a fault, above the reference's.
    pub faults: f64,
}

impl Default for Floors {
    fn default() -> Self {
        Self { distance: 0.05, classes: 0.05, unsure: 0.02, faults: 0.02 }
    }
}

/// The images of a window so far: their values, and no image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Window {
    /// The values of each [`Column`], in the order of the images. NaN is written as `null`.
    #[serde(with = "columns_with_nan")]
    values: Vec<Vec<f32>>,
    predicted: Vec<u64>,
    faults: [u64; Fault::ALL.len()],
    /// Sums of the coarse grids of brightness.
    grid: Vec<f64>,
    images: usize,
}

impl Window {
    pub(crate) fn new(classes: usize) -> Self {
        Self {
            values: vec![Vec::new(); columns(classes)],
            predicted: vec![0; classes],
            faults: [0; Fault::ALL.len()],
            grid: vec![0.0; GRID * GRID],
            images: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.images
    }

    /// Whether it may be a window of a model of so many classes, with fewer than `most` images.
    pub(crate) fn is_valid(&self, classes: usize, most: usize) -> bool {
        let count = self.images as u64;
        self.images < most
            && self.values.len() == columns(classes)
            && self.values.iter().all(|column| column.len() == self.images)
            && self.predicted.len() == classes
            && self.predicted.iter().try_fold(0u64, |sum, count| sum.checked_add(*count))
                == Some(count)
            && self.faults.iter().all(|faults| *faults <= count)
            && self.grid.len() == GRID * GRID
            && self.grid.iter().all(|value| value.is_finite())
    }

    pub(crate) fn add(
        &mut self,
        reference: &Reference,
        probabilities: &[f32],
        pixels: &PixelStats,
    ) -> Result<(), SampleError> {
        let (values, predicted) = row(reference.classes(), probabilities, pixels)?;
        // All that is no number as the one that it is read back as: the state goes on as if it had not been written.
        let kept = values.into_iter().map(|value| if value.is_finite() { value } else { f32::NAN });
        self.values.iter_mut().zip(kept).for_each(|(column, value)| column.push(value));
        self.predicted[predicted] += 1;
        for fault in Fault::ALL {
            self.faults[fault.index()] += u64::from(fault.is_in(pixels, reference.size()));
        }
        self.grid.iter_mut().zip(pixels.grid).for_each(|(sum, value)| *sum += f64::from(value));
        self.images += 1;
        Ok(())
    }

    /// Compares it with the reference.
    pub(crate) fn report(
        mut self,
        reference: &Reference,
        level: f64,
        floors: &Floors,
    ) -> WindowReport {
        for column in &mut self.values {
            column.sort_unstable_by(f32::total_cmp);
        }
        let classes = reference.classes();
        let faults = self.faults_found(reference, level, floors);
        let all: Vec<Column> = Column::all(classes).collect();
        let (outputs, pixels) = (0..classes + 1, classes + 1..all.len());
        let findings = vec![
            self.distributions(Comparison::Outputs, reference, &all, outputs, floors, level),
            self.class_shares(reference, floors, level),
            self.unsure(reference, floors, level),
            self.distributions(Comparison::Pixels, reference, &all, pixels, floors, level),
            self.fault_shares(reference, &faults, floors, level),
        ];
        let confidences = &self.values[classes];
        let accuracy = reference
            .right()
            .and_then(|right| AccuracyEstimate::of(reference.confidences(), right, confidences));
        WindowReport {
            images: self.images,
            level,
            findings,
            faults,
            predicted: self.predicted,
            accuracy,
        }
    }

    fn distributions(
        &self,
        comparison: Comparison,
        reference: &Reference,
        columns: &[Column],
        range: std::ops::Range<usize>,
        floors: &Floors,
        level: f64,
    ) -> Finding {
        let count = range.len();
        let distances =
            range.map(|at| (columns[at], distance(&self.values[at], &reference.values()[at])));
        let largest = distances.max_by(|(_, one), (_, other)| one.total_cmp(other));
        let (column, effect) =
            largest.map_or((None, 0.0), |(column, effect)| (Some(column), effect));
        // All columns have the same sizes, so the largest distance is the least probable.
        let p = p_value(effect, self.images, reference.images()) * count as f64;
        Finding { column, ..finding(level, comparison, p, effect, floors.distance) }
    }

    fn class_shares(&self, reference: &Reference, floors: &Floors, level: f64) -> Finding {
        let [before, now] = pooled(reference.predicted(), &self.predicted);
        let share = |count: u64, of: usize| count as f64 / of.max(1) as f64;
        let differences = before.iter().zip(&now).map(|(&before, &now)| {
            (share(before, reference.images()) - share(now, self.images)).abs()
        });
        let effect = differences.sum::<f64>() / 2.0;
        finding(level, Comparison::Classes, chi_square(&before, &now).p, effect, floors.classes)
    }

    fn unsure(&self, reference: &Reference, floors: &Floors, level: f64) -> Finding {
        let (threshold, before) = reference.unsure();
        let now = below(&self.values[reference.classes()], threshold) as u64;
        let (p, effect) = more_than_before(now, self.images, before, reference);
        finding(level, Comparison::Confidence, p, effect, floors.unsure)
    }

    fn fault_shares(
        &self,
        reference: &Reference,
        found: &[FaultFound],
        floors: &Floors,
        level: f64,
    ) -> Finding {
        let of = |found: &FaultFound| {
            let before = reference.faults()[found.fault.index()];
            more_than_before(found.images, self.images, before, reference)
        };
        let most = found.iter().map(of).max_by(|(_, one), (_, other)| one.total_cmp(other));
        let (p, effect) = most.unwrap_or((1.0, 0.0));
        let p = p * Fault::ALL.len() as f64;
        finding(level, Comparison::Faults, p, effect, floors.faults)
    }

    /// The faults that more images have than chance and the floor allow.
    fn faults_found(&self, reference: &Reference, level: f64, floors: &Floors) -> Vec<FaultFound> {
        let level = level / COMPARISONS / Fault::ALL.len() as f64;
        let inverted = self.is_inverted(reference);
        let of = |fault: Fault| {
            if fault == Fault::Inverted {
                return inverted.then_some(FaultFound { fault, images: self.images as u64 });
            }
            let images = self.faults[fault.index()];
            let before = reference.faults()[fault.index()];
            let (p, effect) = more_than_before(images, self.images, before, reference);
            (p <= level && effect >= floors.faults).then_some(FaultFound { fault, images })
        };
        Fault::ALL.into_iter().filter_map(of).collect()
    }

    fn is_inverted(&self, reference: &Reference) -> bool {
        // The columns of brightness, contrast and sharpness come after those of the answers.
        let first = reference.classes() + 1;
        let compared = reference.values().iter().zip(&self.values).skip(first);
        let found: Vec<f64> = compared.map(|(before, now)| distance(before, now)).collect();
        let [brightness, contrast, sharpness, ..] = found[..] else {
            return false;
        };
        let inverse: Vec<f32> = self.values[first].iter().rev().map(|value| 1.0 - value).collect();
        let distances = Distances {
            brightness,
            inverse_brightness: distance(&reference.values()[first], &inverse),
            others: [contrast, sharpness],
        };
        let grid: Vec<f32> =
            self.grid.iter().map(|sum| (sum / self.images.max(1) as f64) as f32).collect();
        is_inverted(reference.grid(), &grid, distances)
    }
}

/// How improbable it is that so many of a window's images are of a kind, and the share above the reference's.
fn more_than_before(now: u64, images: usize, before: u64, reference: &Reference) -> (f64, f64) {
    let rest = |count: u64, of: usize| (of as u64).saturating_sub(count);
    let table = [[now, rest(now, images)], [before, rest(before, reference.images())]];
    let share = |count: u64, of: usize| count as f64 / of.max(1) as f64;
    let effect = share(now, images) - share(before, reference.images());
    (fisher(table, Alternative::Greater), effect.max(0.0))
}

/// A finding of a probability for one comparison alone.
fn finding(level: f64, comparison: Comparison, p: f64, effect: f64, floor: f64) -> Finding {
    let p = (p * COMPARISONS).min(1.0);
    let is_suspicious = p <= level && effect >= floor;
    Finding { comparison, p, effect, floor, column: None, is_suspicious }
}

/// Numbers that may be NaN or infinite, which JSON lacks: both are written as `null`, and read as NaN.
mod columns_with_nan {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(
        columns: &[Vec<f32>],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let finite = |column: &Vec<f32>| -> Vec<Option<f32>> {
            column.iter().map(|value| value.is_finite().then_some(*value)).collect()
        };
        serializer.collect_seq(columns.iter().map(finite))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Vec<f32>>, D::Error> {
        let columns = Vec::<Vec<Option<f32>>>::deserialize(deserializer)?;
        let read = |column: Vec<Option<f32>>| {
            column.into_iter().map(|value| value.unwrap_or(f32::NAN)).collect()
        };
        Ok(columns.into_iter().map(read).collect())
    }
}
