//! Labels that come in one by one: has the accuracy fallen below the gate?
//!
//! For an accuracy of `p₀` and a lower one `p₁`, the factor of a right answer is `p₁ / p₀` and that of a wrong one
//! `(1 − p₁) / (1 − p₀)`. As long as the accuracy is at least `p₀`, the factor's mean is at most 1, and so the statistic of
//! Shiryaev and Roberts, `R ← (1 + R) · factor`, less the number of answers is a supermartingale: the mean number of
//! answers until `R` first reaches `c` is at least `c` (Pollak, "Optimal detection of a change in distribution", 1985;
//! Shin, Ramdas and Rinaldo, "E-detectors", 2022). The mean of several such statistics has the same property, so
//! that small and large losses are both found soon.

use serde::{Deserialize, Serialize};

/// By how much the accuracy may have fallen, as fractions.
const LOSSES: [f64; 6] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.4];

/// No larger statistic is kept, so that none becomes infinite.
const STATISTIC_MAX: f64 = 1e200;

/// Watches the accuracy of labelled answers. What it holds does not grow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawSequential", into = "RawSequential")]
pub struct Sequential {
    accuracy: f64,
    run_time: f64,
    statistics: [f64; LOSSES.len()],
    right: u64,
    wrong: u64,
}

/// A state that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the state of the sequential test is invalid: expected an accuracy within 0 and 1 and finite statistics of at least 0"
)]
pub struct SequentialError;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSequential {
    accuracy: f64,
    run_time: f64,
    statistics: [f64; LOSSES.len()],
    right: u64,
    wrong: u64,
}

impl Sequential {
    /// A test that the accuracy is at least `accuracy`, which takes `run_time` answers on average to a false alarm, or
    /// more. `None` unless `accuracy` is above 0 and at most 1, and `run_time` at least 1.
    pub fn new(accuracy: f64, run_time: f64) -> Option<Self> {
        let is_valid = accuracy > 0.0 && accuracy <= 1.0 && run_time >= 1.0 && run_time.is_finite();
        let statistics = [0.0; LOSSES.len()];
        is_valid.then_some(Self { accuracy, run_time, statistics, right: 0, wrong: 0 })
    }

    /// Counts an answer; returns whether the alarm is raised now.
    pub fn observe(&mut self, is_right: bool) -> bool {
        // An accuracy of 1 would be disproved by a single wrong label.
        let kept = self.accuracy.min(1.0 - 1e-6);
        for (statistic, loss) in self.statistics.iter_mut().zip(LOSSES) {
            let lost = (kept - loss).max(kept / 2.0);
            let factor = if is_right { lost / kept } else { (1.0 - lost) / (1.0 - kept) };
            *statistic = ((1.0 + *statistic) * factor).min(STATISTIC_MAX);
        }
        *(if is_right { &mut self.right } else { &mut self.wrong }) += 1;
        self.is_alarm()
    }

    /// The statistic; an alarm from the run time on.
    pub fn statistic(&self) -> f64 {
        self.statistics.iter().sum::<f64>() / LOSSES.len() as f64
    }

    /// Whether the accuracy is taken to have fallen.
    pub fn is_alarm(&self) -> bool {
        self.statistic() >= self.run_time
    }

    /// Right and wrong answers so far.
    pub fn counts(&self) -> [u64; 2] {
        [self.right, self.wrong]
    }

    /// Starts anew, as after an alarm that was answered.
    pub fn reset(&mut self) {
        (self.statistics, self.right, self.wrong) = ([0.0; LOSSES.len()], 0, 0);
    }
}

impl From<Sequential> for RawSequential {
    fn from(test: Sequential) -> Self {
        let Sequential { accuracy, run_time, statistics, right, wrong } = test;
        Self { accuracy, run_time, statistics, right, wrong }
    }
}

impl TryFrom<RawSequential> for Sequential {
    type Error = SequentialError;

    fn try_from(raw: RawSequential) -> Result<Self, SequentialError> {
        let RawSequential { accuracy, run_time, statistics, right, wrong } = raw;
        let test = Self::new(accuracy, run_time).ok_or(SequentialError)?;
        match statistics.iter().all(|statistic| (0.0..=STATISTIC_MAX).contains(statistic)) {
            true => Ok(Self { statistics, right, wrong, ..test }),
            false => Err(SequentialError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt, SeedableRng};

    /// Answers until the alarm, up to a bound.
    fn run(accuracy: f64, gate: f64, run_time: f64, most: u64, seed: u64) -> u64 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut test = Sequential::new(gate, run_time).unwrap();
        (1..=most).find(|_| test.observe(random.random_bool(accuracy))).unwrap_or(most)
    }

    #[test]
    fn the_mean_time_to_a_false_alarm_is_at_least_the_one_asked_for() {
        for gate in [0.8, 0.97] {
            let runs = 400;
            // Runs are cut short at 20 times the mean, which only makes the mean smaller.
            let mean = (0..runs).map(|seed| run(gate, gate, 500.0, 10_000, seed)).sum::<u64>()
                as f64
                / runs as f64;
            assert!(mean > 500.0, "{gate}: {mean}");
        }
    }

    #[test]
    fn a_loss_is_found_within_a_small_part_of_that_time() {
        let mean = |accuracy| {
            (0..50).map(|seed| run(accuracy, 0.97, 1e5, 100_000, seed)).sum::<u64>() / 50
        };
        assert!(mean(0.77) < 60, "{}", mean(0.77));
        assert!(mean(0.92) < 400, "{}", mean(0.92));
    }

    #[test]
    fn the_state_survives_and_an_invalid_one_is_refused() {
        let mut test = Sequential::new(0.9, 1e4).unwrap();
        for index in 0..100 {
            test.observe(index % 7 != 0);
        }
        let text = serde_json::to_string(&test).unwrap();
        assert_eq!(serde_json::from_str::<Sequential>(&text).unwrap(), test);
        for (from, to) in [("0.9", "1.5"), ("10000.0", "0.0"), ("\"right\"", "\"left\"")] {
            assert!(serde_json::from_str::<Sequential>(&text.replace(from, to)).is_err(), "{to}");
        }
        assert_eq!(
            (Sequential::new(f64::NAN, 9.0), Sequential::new(0.5, f64::INFINITY)),
            (None, None)
        );
    }

    #[test]
    fn no_number_of_wrong_answers_makes_it_infinite() {
        let mut test = Sequential::new(1.0, 1e4).unwrap();
        (0..10_000).for_each(|_| _ = test.observe(false));
        assert!(test.statistic().is_finite() && test.is_alarm());
        test.reset();
        assert_eq!((test.statistic(), test.counts()), (0.0, [0, 0]));
    }
}
