//! Tests of `train::inherit`.

use super::*;
use crate::model::Weights;
use crate::spec::{Conv, Dense, InputShape, Layer, StudyFile};

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
    let other =
        Spec::new(StudyFile::new("other", vec![Layer::Dense(Dense::of(5))]), InputShape::MNIST)?;
    assert!(TrainState::start(learned).refreshed(&other, 2, &mut report).is_err());
    Ok(())
}
