//! The evaluation of an epoch, and its record.

use super::{EpochEnd, EpochEvaluation, Fit};
use crate::model::{Network, Weights};
use crate::record::EpochRecord;
use crate::spec::{GateSpec, learning_rate};
use crate::train::evaluate::{Evaluation, evaluate_on_device, evaluate_while};
use crate::train::probe::probe;
use crate::train::profile::Part;
use crate::train::resident::Resident;
use crate::train::sample::sample;
use crate::train::setup::TrainError;
use crate::train::state::{BestEpoch, RunningSums};
use crate::train::{Flow, Phase, Watch};

fn misses(gate: &GateSpec, validation: &Evaluation) -> bool {
    let judged = EpochRecord {
        validation_accuracy: validation.accuracy(),
        recalls: validation.recalls(),
        ..EpochRecord::default()
    };
    judged.score(gate) < gate.highest_floor()
}

impl Fit<'_> {
    /// Evaluates the epoch that ended, without changing the state; the inner error says why the evaluation
    /// was stopped.
    pub(super) fn evaluate_epoch(
        &mut self,
        end: &EpochEnd,
        watch: &mut dyn Watch,
    ) -> Result<Result<EpochEvaluation, Flow>, TrainError> {
        let setup = self.setup;
        let is_partial = !matches!(end, EpochEnd::Done);
        let has_time = !matches!(end, EpochEnd::OutOfTime);
        let samples_data = self.plan.is_none() && has_time && watch.samples_data();
        let mut flow = Flow::Continue;
        let mut keep_going = || {
            flow = watch.working(Phase::Evaluating);
            flow == Flow::Continue
        };
        let averaged = self.state.average.as_ref();
        let averaged = averaged.map(|weights| Network::new(setup.spec, weights, &self.device));
        let averaged = averaged.transpose()?;
        let weights = |fit: &mut Self| -> Result<Weights, TrainError> {
            match &averaged {
                Some(averaged) => Ok(averaged.weights(setup.spec)?),
                None => fit.current_weights(),
            }
        };
        let epoch = self.state.position.epoch + 1;
        if self.plan.is_some_and(|plan| plan.judged_epoch != epoch) {
            return Ok(Ok(EpochEvaluation {
                weights: weights(self)?,
                validation: None,
                seconds: 0.0,
                probe: None,
            }));
        }
        let began = std::time::Instant::now();
        let network = averaged.as_ref().unwrap_or(&self.network);
        let (split, classes) = (&setup.data.validation, setup.spec.input().classes);
        let validation = match &self.resident {
            Some(Resident { validation: images, .. }) => {
                evaluate_on_device(network, split, images, classes, &mut keep_going)?
            }
            None => {
                let normalization = setup.data.normalization;
                evaluate_while(
                    network,
                    split,
                    normalization,
                    classes,
                    &self.device,
                    &mut keep_going,
                )?
            }
        };
        let Some(validation) = validation else {
            return Ok(Err(flow));
        };
        let seconds = began.elapsed().as_secs_f64();
        let weights = weights(self)?;
        self.lap(Part::Evaluation);
        // Later probes rarely differ from earlier ones; so only a few are made, which cost little even if
        // epochs are short.
        let is_probed = epoch.is_power_of_two() || epoch == setup.spec.train().epochs || is_partial;
        let mut probed = None;
        if is_probed && self.plan.is_none() && validation.loss.is_finite() {
            probed = probe(setup, &weights, &validation, &mut keep_going)?;
            let mut is_cut = probed.is_none();
            if let (1, true, Some(probed)) = (epoch, samples_data, &mut probed)
                && misses(setup.spec.gate(), &validation)
            {
                probed.sample = sample(setup, &mut keep_going)?;
                is_cut = probed.sample.is_none();
            }
            // Without time for a probe, the evaluation still counts.
            if is_cut && flow == Flow::Stop {
                return Ok(Err(flow));
            }
        }
        Ok(Ok(EpochEvaluation { weights, validation: Some(validation), seconds, probe: probed }))
    }

    pub(super) fn finish_epoch(
        &mut self,
        evaluation: EpochEvaluation,
        given_up: Option<String>,
        watch: &mut dyn Watch,
    ) -> EpochRecord {
        let EpochEvaluation { weights, validation, seconds: evaluation_seconds, probe } =
            evaluation;
        let train = self.setup.spec.train();
        let data = self.setup.data;
        let steps = data.train.len().div_ceil(train.batch_size);
        let last_step = self.state.position.epoch * steps + self.state.position.step.max(1) - 1;
        let course = self.state.sums.course();
        let RunningSums { loss, correct, images, seconds, .. } =
            std::mem::take(&mut self.state.sums);
        self.state.position.epoch += 1;
        self.state.position.step = 0;
        self.state.weights = weights;
        let epoch = self.state.position.epoch;
        let mut record = EpochRecord {
            epoch,
            train_loss: loss / images.max(1) as f64,
            train_accuracy: correct as f64 / images.max(1) as f64,
            validation_loss: validation.as_ref().map_or(f64::NAN, |validation| validation.loss),
            validation_accuracy: validation.as_ref().map_or(f64::NAN, Evaluation::accuracy),
            learning_rate: learning_rate(train, last_step, train.epochs * steps),
            seconds,
            evaluation_seconds: validation.is_some().then_some(evaluation_seconds),
            images,
            course,
            probe,
            recalls: validation.as_ref().map_or_else(Vec::new, Evaluation::recalls),
            given_up,
        };
        if record.given_up.is_none() && epoch < train.epochs && self.plan.is_none() {
            self.state.curve.push(record.clone());
            record.given_up = watch.give_up(&self.so_far(&[], steps));
            self.state.curve.pop();
        }
        record
    }

    pub(super) fn keep_best(&mut self, record: EpochRecord) {
        self.state.curve.push(record.clone());
        let gate = self.setup.spec.gate();
        let is_best = match self.plan {
            Some(plan) => record.epoch == plan.judged_epoch,
            None => self.state.best.as_ref().is_none_or(|best| record.beats(&best.record, gate)),
        };
        if is_best {
            let weights = self.state.weights.clone();
            self.state.best = Some(BestEpoch { record, weights });
        }
    }
}
