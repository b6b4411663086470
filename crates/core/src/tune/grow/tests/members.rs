//! Members of the plain family: how large the next one is, and what is expected of it.

use super::*;

/// A member of the family that reached this score.
fn member_trial(number: u32, parent: &TrialRecord, proposal: &Proposal, score: f64) -> TrialRecord {
    let epochs = proposal.spec.train().epochs;
    TrialRecord {
        trial: number,
        parent: Some(parent.trial),
        edits: proposal.edits.clone(),
        spec: proposal.spec.clone(),
        curve: (1..=epochs).map(|number| epoch(number, score - 0.01, score)).collect(),
        ..parent.clone()
    }
}

#[test]
fn compute_follows_from_the_errors_that_members_made() {
    let mut file = file();
    file.model.layers = vec![Layer::Conv(Conv::same(1, 3)), Layer::MaxPool(Pool::of(4))];
    file.gate.accuracy = 0.95;
    let first = failed(file, vec![epoch(1, 0.3, 0.3)]);
    let leap = Grow.propose(std::slice::from_ref(&first), &[]).unwrap();
    let next = |score: f64| {
        let member = member_trial(2, &first, &leap, score);
        let proposal = Grow.propose(&[first.clone(), member], &[]).unwrap();
        let forecast = proposal.forecast.clone().unwrap();
        assert!(forecast.low < forecast.accuracy && forecast.accuracy < forecast.high);
        assert!(forecast.accuracy > score, "{forecast:?}");
        (forecast.training_flops, proposal)
    };
    let (near, careful) = next(0.948);
    let (far, bold) = next(0.85);
    assert!(2.0 * near < far, "{near} and {far}");
    assert_eq!((careful.inherit, bold.inherit), (Inherit::Weights, Inherit::Nothing));
}

#[test]
fn what_is_near_its_gate_and_only_stalls_keeps_its_weights() {
    let mut file = file();
    file.train.epochs = 3;
    file.gate.accuracy = 0.85;
    for at in [2, 1] {
        let layer = file.model.layers.len() - at;
        file.model.layers.insert(layer, Layer::BatchNorm(BatchNorm::default()));
    }
    // Nothing is unusual that could be repaired.
    let flat = [(0.86, 0.824), (0.91, 0.829), (0.94, 0.833)];
    let curve = (1..).zip(flat).map(|(number, (train, seen))| epoch(number, train, seen));
    let mut trial = failed(file, curve.collect());
    for epoch in &mut trial.curve {
        epoch.probe.as_mut().unwrap().layers[0].dead = 0.6;
    }
    let (diagnosis, proposal) = treat(&trial);
    assert_eq!(diagnosis, Diagnosis::Stalled);
    assert_ne!(proposal.inherit, Inherit::Nothing, "{:?}", proposal.edits);
}

#[test]
fn a_member_is_no_larger_than_the_seconds_that_are_left_allow() {
    let mut file = file();
    file.model.layers = vec![Layer::Conv(Conv::same(1, 3)), Layer::MaxPool(Pool::of(4))];
    file.gate.accuracy = 0.99;
    let flops = |seconds: Option<f64>| {
        let mut file = file.clone();
        file.tune.seconds = seconds;
        let first = failed(file, vec![epoch(1, 0.3, 0.3)]);
        let leap = Grow.propose(std::slice::from_ref(&first), &[]).unwrap();
        let mut member = member_trial(2, &first, &leap, 0.95);
        member.train_seconds = 10.0;
        let proposal = Grow.propose(&[first, member], &[]).unwrap();
        let own = leap.forecast.unwrap().training_flops;
        proposal.forecast.unwrap().training_flops / own
    };
    let (free, roomy, tight) = (flops(None), flops(Some(3600.0)), flops(Some(60.0)));
    // 49 of the 60 seconds are left, 4.9 times what the first member took.
    assert_eq!(free, roomy);
    assert!(free > 8.0 && (2.0..6.0).contains(&tight), "{free} {tight}");
}

#[test]
fn the_first_member_is_bounded_by_the_seconds_and_the_recorded_throughput() {
    let mut file = file();
    file.model.layers = vec![Layer::Conv(Conv::same(1, 3)), Layer::MaxPool(Pool::of(4))];
    file.gate.accuracy = 0.99;
    let flops = |budget: Option<f64>, train_seconds: f64| {
        let mut file = file.clone();
        file.tune.seconds = budget;
        let first = TrialRecord { train_seconds, ..failed(file, vec![epoch(1, 0.3, 0.3)]) };
        Grow.propose(&[first], &[]).unwrap().forecast.unwrap().training_flops
    };
    let (free, hour) = (flops(None, 1.0), flops(Some(3600.0), 1.0));
    assert_eq!(free, hour);
    let (minute, slow) = (flops(Some(30.0), 1.0), flops(Some(30.0), 4.0));
    assert!(slow < minute && minute < free, "{slow} {minute} {free}");
}

#[test]
fn the_last_trial_of_a_study_for_the_best_network_takes_the_seconds_that_are_left() {
    let mut file = file();
    file.model.layers = vec![Layer::Conv(Conv::same(1, 3)), Layer::MaxPool(Pool::of(4))];
    file.tune.goal = Goal::Best;
    let shares = [25.0, 40.0, 60.0].map(|seconds| {
        file.tune.seconds = Some(seconds);
        let first = failed(file.clone(), vec![epoch(1, 0.3, 0.3)]);
        let leap = Grow.propose(std::slice::from_ref(&first), &[]).unwrap();
        let mut member = member_trial(2, &first, &leap, 0.98);
        member.train_seconds = 10.0;
        let own = leap.forecast.unwrap().training_flops;
        let next = Grow.propose(&[first, member], &[]).unwrap().forecast.unwrap();
        // The member took its compute in 10 seconds.
        10.0 * next.training_flops / own / (seconds - 11.0)
    });
    // Epochs are whole, so that the fewest of them leave most.
    assert!(shares.iter().all(|share| (0.3..1.0).contains(share)), "{shares:?}");
}

#[test]
fn a_gate_that_members_cannot_reach_is_said_to_be_out_of_reach() {
    let mut file = file();
    file.gate.accuracy = 0.99;
    file.tune.trials = 5;
    let mut history = vec![failed(file, vec![epoch(1, 0.3, 0.3)])];
    let mut said = Vec::new();
    while history.len() < 5 {
        let proposal = Grow.propose(&history, &[]).unwrap();
        said.push(proposal.reason.contains("out of reach"));
        let parent = history[0].clone();
        let score = 0.70 + 0.002 * history.len() as f64;
        history.push(member_trial(history.len() as u32 + 1, &parent, &proposal, score));
    }
    assert!(!said[0] && *said.last().unwrap(), "{said:?}");
}

#[test]
fn wrong_labels_put_a_gate_out_of_reach_after_one_member() {
    let mut file = file();
    file.gate.accuracy = 0.95;
    let first = failed(file, vec![epoch(1, 0.3, 0.3)]);
    let leap = Grow.propose(std::slice::from_ref(&first), &[]).unwrap();
    let next = |wrong: [u64; 4]| {
        let mut member = member_trial(2, &first, &leap, 0.802);
        for epoch in &mut member.curve {
            let groups = wrong.map(|wrong| ConfidenceGroup { wrong, images: 1250 });
            epoch.probe.as_mut().unwrap().by_confidence = groups.to_vec();
        }
        Grow.propose(&[first.clone(), member], &[]).unwrap()
    };
    let (noisy, hard) = (next([225, 230, 235, 300]), next([10, 80, 300, 600]));
    assert!(noisy.reason.contains("out of reach"), "{}", noisy.reason);
    assert!(!hard.reason.contains("out of reach"), "{}", hard.reason);
    // What wrong labels leave is foretold, and little is staked on it.
    let (noisy, hard) = (noisy.forecast.unwrap(), hard.forecast.unwrap());
    assert!(noisy.high < 0.86 && hard.accuracy > 0.86, "{noisy:?} {hard:?}");
    assert!(noisy.passes < 1e-9 && noisy.training_flops < hard.training_flops);
}

/// A seedling that only guesses, after which a very small network got this share of 2,000 validation images right.
fn sampled(score: f64, gate: f64) -> TrialRecord {
    let mut sick = file();
    sick.gate.accuracy = gate;
    sick.model.layers = vec![Layer::Conv(Conv::same(1, 3)), Layer::MaxPool(Pool::of(4))];
    let mut trial = failed(sick, guessing());
    let sample = SampleTraining { flops: 1.7e10, steps: 300, images: 2000, score, seconds: 0.1 };
    trial.curve[0].probe.as_mut().unwrap().sample = Some(sample);
    trial
}

#[test]
fn what_a_very_small_network_reached_says_how_large_the_first_member_must_be() {
    let flops = |trial: &TrialRecord| {
        let proposal = Grow.propose(std::slice::from_ref(trial), &[]).unwrap();
        proposal.forecast.unwrap().training_flops
    };
    let (easy, middle, hard) = (sampled(0.97, 0.95), sampled(0.93, 0.95), sampled(0.85, 0.95));
    let [easy, middle, hard] = [&easy, &middle, &hard].map(flops);
    assert!(easy < middle && middle <= hard && 2.0 * easy < hard, "{easy:e} {middle:e} {hard:e}");
}

#[test]
fn the_first_member_is_trained_for_no_less_than_the_sample() {
    // Much better than the gate, and few images: a member of a third of the compute would be expected to pass.
    let mut trial = sampled(0.95, 0.8);
    trial.curve[0].images = 1000;
    let probe = trial.curve[0].probe.as_mut().unwrap();
    probe.training_images = 1000;
    let sample = probe.sample.unwrap().flops;
    let proposal = Grow.propose(std::slice::from_ref(&trial), &[]).unwrap();
    let first = proposal.forecast.unwrap().training_flops;
    assert!(first > 0.9 * sample, "{first:e} {sample:e}");
}

#[test]
fn a_sample_narrows_what_is_expected_of_the_first_member() {
    let width = |trial: &TrialRecord| {
        let proposal = Grow.propose(std::slice::from_ref(trial), &[]).unwrap();
        let forecast = proposal.forecast.unwrap();
        assert!(forecast.low < forecast.accuracy && forecast.accuracy < forecast.high);
        ((1.0 - forecast.low) / (1.0 - forecast.high)).ln()
    };
    let mut unknown = sampled(0.9, 0.98);
    unknown.curve[0].probe.as_mut().unwrap().sample = None;
    let (known, guessed) = (width(&sampled(0.9, 0.98)), width(&unknown));
    assert!(known < 0.7 * guessed, "{known} {guessed}");
    // A sample that only guesses says nothing.
    assert_eq!(width(&sampled(0.11, 0.98)), width(&unknown));
}
