//! Where trials are dense: a mixture of a kernel around each of them and of the [habit](super::axis::Axis::habit).
//!
//! Kernels span all axes at once (the multivariate estimator of Falkner, Klein and Hutter 2018), so that settings which
//! do well only together are drawn together. A setting that a trial lacks, such as the units of a dense layer, is as the
//! habit has it.

use super::domain::{Domain, Point};
use crate::sys::CounterRng;

pub(super) struct Density<'a> {
    domain: &'a Domain,
    points: Vec<&'a Point>,
}

impl<'a> Density<'a> {
    pub(super) fn new(domain: &'a Domain, points: Vec<&'a Point>) -> Self {
        Self { domain, points }
    }

    pub(super) fn draw(&self, rng: &mut CounterRng) -> Point {
        let which = rng.below(self.points.len() as u32 + 1) as usize;
        let Some(trial) = self.points.get(which) else {
            return self.domain.by_habit(rng);
        };
        self.domain.point(|at, axis| match trial.0[at] {
            place if place.is_nan() => axis.draw_by_habit(rng),
            place => axis.draw_near(place, self.points.len(), rng),
        })
    }

    pub(super) fn at(&self, point: &Point) -> f64 {
        let kernels: f64 = self.points.iter().map(|trial| self.kernel(Some(trial), point)).sum();
        (kernels + self.kernel(None, point)) / (self.points.len() as f64 + 1.0)
    }

    /// The kernel of a trial, or else the habit.
    fn kernel(&self, trial: Option<&Point>, point: &Point) -> f64 {
        let axes = self.domain.axes.iter().zip(&point.0).enumerate();
        axes.filter(|(_, (_, place))| !place.is_nan())
            .map(|(at, (axis, &place))| match trial.map_or(f64::NAN, |trial| trial.0[at]) {
                center if center.is_nan() => axis.habit(place),
                center => axis.near(center, self.points.len(), place),
            })
            .product()
    }
}
