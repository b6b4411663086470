//! The detector on streams whose change is known, and on those without one.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use burgeon_drift::{
    Comparison, Detector, DetectorError, DetectorState, Fault, Floors, HISTORY_MAX, PixelStats,
    Reference, ReferenceBuilder, ReferenceError, SampleError, Settings, Status, window_level,
};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

const CLASSES: usize = 4;
const SHAPE: [usize; 3] = [1, 8, 8];

/// Images of a made-up camera with what a made-up model answers.
struct Stream {
    random: ChaCha8Rng,
    /// How sure the model is, from 0 to 1.
    confidence: f32,
    /// How much more probable the first class is than the others.
    prior: f64,
}

impl Stream {
    fn new(seed: u64) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed), confidence: 0.9, prior: 1.0 }
    }

    fn next(&mut self) -> (Vec<f32>, Vec<f32>, usize) {
        let random = &mut self.random;
        let first = random.random::<f64>() < self.prior / (self.prior + CLASSES as f64 - 1.0);
        let label = if first { 0 } else { random.random_range(1..CLASSES) };
        let mut answer: Vec<f32> = (0..CLASSES).map(|_| random.random::<f32>()).collect();
        let sum: f32 = answer.iter().sum();
        answer.iter_mut().for_each(|value| *value *= (1.0 - self.confidence) / sum);
        answer[label] += self.confidence;
        let side = SHAPE[1];
        let shade = random.random::<f32>() * 0.3;
        let pixels = (0..side * side).map(|at| {
            let is_drawn = (2..6).contains(&(at % side)) && (2..6).contains(&(at / side));
            let light = if is_drawn { 0.6 } else { 0.0 };
            light + shade + 0.1 * random.random::<f32>()
        });
        (answer, pixels.collect(), label)
    }

    fn reference(mut self, images: usize) -> Arc<Reference> {
        let mut builder = ReferenceBuilder::new(CLASSES).unwrap();
        for _ in 0..images {
            let (answer, pixels, label) = self.next();
            builder.add(&answer, stats(&pixels), Some(label)).unwrap();
        }
        Arc::new(builder.finish().unwrap())
    }
}

fn stats(pixels: &[f32]) -> PixelStats {
    PixelStats::of_values(pixels, SHAPE).unwrap()
}

fn settings(window: usize, run_time: f64) -> Settings {
    Settings { window, run_time, ..Settings::default() }
}

/// Feeds windows that are changed in some way, and returns the detector.
fn after(mut stream: Stream, windows: usize, change: impl Fn(&mut Vec<f32>)) -> Detector {
    let reference = Stream::new(1).reference(2_000);
    let mut detector = Detector::new(reference, settings(200, 1e4)).unwrap();
    for _ in 0..windows * 200 {
        let (answer, mut pixels, _) = stream.next();
        change(&mut pixels);
        detector.observe(&answer, &stats(&pixels)).unwrap();
    }
    detector
}

fn suspicious(detector: &Detector) -> Vec<Comparison> {
    let report = detector.history().last().unwrap();
    let found = report.findings.iter().filter(|finding| finding.is_suspicious);
    found.map(|finding| finding.comparison).collect()
}

fn faults(detector: &Detector) -> Vec<Fault> {
    detector.history().last().unwrap().faults.iter().map(|found| found.fault).collect()
}

#[test]
fn false_alarms_are_no_more_frequent_than_asked_for() {
    let (run_time, window, size) = (50.0, 50, 500);
    let (mut windows, mut alarms) = (0, 0);
    for seed in 0..40 {
        let reference = Stream::new(1_000 + seed).reference(size);
        // Without floors, and with the columns that hardly depend on each other, the level alone decides.
        let floors = Floors { distance: 0.0, classes: 0.0, unsure: 0.0, faults: 0.0 };
        let settings = Settings { window, run_time, floors };
        let mut detector = Detector::new(reference, settings).unwrap();
        let mut stream = Stream::new(9_000 + seed);
        for _ in 0..100 * window {
            let (answer, pixels, _) = stream.next();
            detector.observe(&answer, &stats(&pixels)).unwrap();
        }
        windows += detector.windows();
        alarms += detector.alarms();
    }
    // 80 are expected at most; three standard deviations more would be a defect of the level.
    assert_eq!(windows, 4_000);
    assert!(alarms <= 107, "{alarms} alarms in {windows} windows, and one in {run_time} asked for");
}

/// The level of a single window is reached: the rate is what it is by the level, and not by a level that is far too
/// strict. One comparison of one column is simulated, whose probabilities are uniform.
#[test]
fn the_level_is_the_one_at_which_two_windows_in_a_row_are_as_rare_as_asked_for() {
    let (window, size, run_time) = (100, 400, 40.0);
    let level = window_level(run_time, window, size);
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut sorted = |count: usize| {
        let mut values: Vec<f32> = (0..count).map(|_| random.random()).collect();
        values.sort_by(f32::total_cmp);
        values
    };
    let (mut windows, mut alarms) = (0u32, 0u32);
    for _ in 0..200 {
        let reference = sorted(size);
        let mut streak = 0;
        for _ in 0..100 {
            let distance = burgeon_drift::two_sample::distance(&sorted(window), &reference);
            let p = burgeon_drift::two_sample::p_value(distance, window, size);
            streak = if p <= level { streak + 1 } else { 0 };
            windows += 1;
            if streak == 2 {
                (alarms, streak) = (alarms + 1, 0);
            }
        }
    }
    let found = f64::from(windows) / f64::from(alarms);
    assert!(
        (0.7 * run_time..2.0 * run_time).contains(&found),
        "one in {found}, {run_time} asked for"
    );
}

#[test]
fn a_quiet_stream_stays_quiet() {
    let detector = after(Stream::new(2), 20, |_| ());
    assert_eq!((detector.alarms(), detector.windows(), detector.pending()), (0, 20, 0));
    assert!(faults(&detector).is_empty());
}

#[test]
fn one_suspicious_window_is_no_alarm_and_two_are_one_however_long_it_lasts() {
    let unsure = || Stream { confidence: 0.6, ..Stream::new(3) };
    assert_eq!(after(unsure(), 1, |_| ()).status(), Status::Suspicious);
    let detector = after(unsure(), 7, |_| ());
    assert_eq!((detector.status(), detector.alarms()), (Status::Alarm, 1));
    assert!(suspicious(&detector).contains(&Comparison::Confidence));
    let estimate = detector.history().last().unwrap().accuracy.unwrap();
    assert!(estimate.difference_of_confidences < 0.85, "{estimate:?}");
}

#[test]
fn other_shares_of_classes_are_found() {
    let detector = after(Stream { prior: 3.0, ..Stream::new(4) }, 2, |_| ());
    assert_eq!(detector.status(), Status::Alarm);
    assert!(suspicious(&detector).contains(&Comparison::Classes));
}

#[test]
fn a_difference_below_the_floor_is_none_however_large_the_window() {
    let reference = Stream::new(1).reference(10_000);
    let floors = Floors { distance: 0.5, classes: 0.5, unsure: 0.5, faults: 0.5 };
    let of = |floors| {
        let settings = Settings { window: 5_000, floors, ..Settings::default() };
        let mut detector = Detector::new(reference.clone(), settings).unwrap();
        let mut stream = Stream { prior: 1.6, ..Stream::new(5) };
        for _ in 0..10_000 {
            let (answer, pixels, _) = stream.next();
            detector.observe(&answer, &stats(&pixels)).unwrap();
        }
        detector.status()
    };
    assert_eq!(of(Floors::default()), Status::Alarm);
    assert_eq!(of(floors), Status::Quiet);
}

#[test]
fn faults_of_the_input_are_told_by_name() {
    let named = |change: &dyn Fn(&mut Vec<f32>)| {
        let detector = after(Stream::new(6), 2, change);
        assert_eq!(detector.status(), Status::Alarm);
        faults(&detector)
    };
    let each = |change: fn(f32) -> f32| {
        named(&move |pixels: &mut Vec<f32>| {
            pixels.iter_mut().for_each(|pixel| *pixel = change(*pixel))
        })
    };
    assert_eq!(each(|pixel| 1.0 - pixel), [Fault::Inverted]);
    assert_eq!(each(|pixel| pixel * 255.0), [Fault::AboveRange]);
    assert_eq!(each(|pixel| pixel / 255.0), [Fault::DividedTwice]);
    assert_eq!(each(|pixel| pixel - 0.5), [Fault::BelowRange]);
    assert_eq!(each(|_| 0.25), [Fault::Blank]);
    assert_eq!(named(&|pixels| pixels[3] = f32::NAN), [Fault::NotFinite]);
}

#[test]
fn another_size_is_told_where_all_images_had_one() {
    let reference = Stream::new(1).reference(500);
    let mut detector = Detector::new(reference, settings(50, 1e4)).unwrap();
    let mut stream = Stream::new(7);
    for _ in 0..100 {
        let (answer, pixels, _) = stream.next();
        detector.observe(&answer, &stats(&pixels).with_size(480, 640)).unwrap();
    }
    assert_eq!((detector.status(), faults(&detector)), (Status::Alarm, vec![Fault::OtherSize]));
}

#[test]
fn a_detector_goes_on_from_its_state_as_if_it_had_never_stopped() {
    let reference = Stream::new(1).reference(300);
    let mut whole = Detector::new(reference.clone(), settings(40, 1e3)).unwrap();
    let mut stopped = whole.clone();
    let mut stream = Stream::new(8);
    for _ in 0..333 {
        let (answer, pixels, _) = stream.next();
        whole.observe(&answer, &stats(&pixels)).unwrap();
        stopped.observe(&answer, &stats(&pixels)).unwrap();
        let text = serde_json::to_string(stopped.state()).unwrap();
        stopped =
            Detector::resume(reference.clone(), serde_json::from_str(&text).unwrap()).unwrap();
    }
    assert_eq!(whole.state(), stopped.state());
}

#[test]
fn answers_that_are_no_numbers_are_judged_alike_before_and_after_a_restart() {
    let reference = Stream::new(1).reference(300);
    let mut whole = Detector::new(reference.clone(), settings(40, 1e3)).unwrap();
    let mut stopped = whole.clone();
    let mut stream = Stream::new(8);
    for at in 0..200 {
        let (mut answer, pixels, _) = stream.next();
        if at % 3 == 0 {
            // What processors make of 0 / 0, and of 1 / 0.
            answer.fill([-f32::NAN, f32::NAN, f32::NEG_INFINITY, f32::INFINITY][at % 4]);
        }
        whole.observe(&answer, &stats(&pixels)).unwrap();
        stopped.observe(&answer, &stats(&pixels)).unwrap();
        let text = serde_json::to_string(stopped.state()).unwrap();
        stopped =
            Detector::resume(reference.clone(), serde_json::from_str(&text).unwrap()).unwrap();
    }
    assert_eq!(whole.status(), stopped.status());
    assert!(whole.history().eq(stopped.history()));
}

#[test]
fn what_a_detector_holds_does_not_grow() {
    let reference = Stream::new(1).reference(100);
    let mut detector = Detector::new(reference, settings(20, 1e3)).unwrap();
    let mut stream = Stream::new(9);
    let mut largest = [0; 2];
    for (at, largest) in largest.iter_mut().enumerate() {
        for _ in 0..20 * HISTORY_MAX * (at + 1) {
            let (answer, pixels, _) = stream.next();
            detector.observe(&answer, &stats(&pixels)).unwrap();
            *largest = serde_json::to_string(detector.state()).unwrap().len().max(*largest);
        }
    }
    assert_eq!(detector.history().len(), HISTORY_MAX);
    // Digits of numbers differ a little.
    assert!(largest[1] < largest[0] + largest[0] / 20, "{largest:?}");
}

#[test]
fn a_state_that_cannot_be_is_refused() {
    let reference = Stream::new(1).reference(100);
    let mut detector = Detector::new(reference.clone(), settings(20, 1e3)).unwrap();
    let mut stream = Stream::new(9);
    for _ in 0..30 {
        let (answer, pixels, _) = stream.next();
        detector.observe(&answer, &stats(&pixels)).unwrap();
    }
    let text = serde_json::to_string(detector.state()).unwrap();
    let changes = [
        ("\"window\":20", "\"window\":5"),
        ("\"images\":10}", "\"images\":11}"),
        ("\"alarms\":0", "\"alarms\":7"),
        ("\"run_time\":1000.0", "\"run_time\":-1.0"),
    ];
    for (from, to) in changes {
        assert!(text.contains(from), "{from} in {text}");
        let resumed = serde_json::from_str::<DetectorState>(&text.replacen(from, to, 1))
            .map_err(|error| error.to_string())
            .and_then(|state| {
                Detector::resume(reference.clone(), state).map_err(|error| error.to_string())
            });
        assert!(resumed.is_err(), "{to}");
    }
}

#[test]
fn a_reference_survives_being_written_and_an_invalid_one_is_refused() {
    let reference = Stream::new(1).reference(60);
    let text = serde_json::to_string(&*reference).unwrap();
    assert_eq!(serde_json::from_str::<Reference>(&text).unwrap(), *reference);
    let changes = [
        ("\"version\":1", "\"version\":2"),
        ("\"images\":60", "\"images\":59"),
        ("\"right\":60", "\"right\":61"),
        ("\"classes\":4", "\"classes\":5"),
        ("\"predicted\":[", "\"predicted\":[18446744073709551615,"),
        ("\"columns\":[[", "\"columns\":[[9.0,"),
        ("\"grid\":[", "\"grid\":[null,"),
    ];
    for (from, to) in changes {
        assert!(text.contains(from), "{from} in {text}");
        assert!(serde_json::from_str::<Reference>(&text.replacen(from, to, 1)).is_err(), "{to}");
    }
}

#[test]
fn what_does_not_fit_is_told() {
    assert_eq!(ReferenceBuilder::new(1).unwrap_err(), ReferenceError::Classes { found: 1 });
    assert!(ReferenceBuilder::new(1_000_000).is_err());
    let builder = ReferenceBuilder::new(CLASSES).unwrap();
    assert_eq!(builder.finish().unwrap_err(), ReferenceError::TooFew { found: 0 });
    let reference = Stream::new(1).reference(100);
    let pixels = stats(&[0.0; 64]);
    let mut detector = Detector::new(reference.clone(), settings(20, 1e3)).unwrap();
    let error = detector.observe(&[0.5; 3], &pixels).unwrap_err();
    assert_eq!(error, SampleError::Classes { found: 3, expected: CLASSES });
    assert_eq!(detector.pending(), 0);
    // An answer that is no number is an image all the same, and no panic.
    for _ in 0..40 {
        detector.observe(&[f32::NAN; CLASSES], &pixels).unwrap();
    }
    assert_eq!(detector.status(), Status::Alarm);
    for window in [0, 19, 10_001] {
        let error = Detector::new(reference.clone(), settings(window, 1e3)).unwrap_err();
        assert!(matches!(error, DetectorError::Window { found, .. } if found == window));
    }
    assert!(Detector::new(reference.clone(), settings(20, f64::NAN)).is_err());
    let floors = Floors { distance: f64::NAN, ..Floors::default() };
    assert!(Detector::new(reference, Settings { floors, ..Settings::default() }).is_err());
    assert_eq!(Settings::for_images(39), None);
    assert_eq!(Settings::for_images(100).unwrap().window, 50);
    assert_eq!(Settings::for_images(70_000).unwrap(), Settings::default());
}

#[test]
fn a_reference_of_many_images_keeps_a_part_of_them_always_the_same() {
    let of = || {
        let mut stream = Stream::new(3);
        let mut builder = ReferenceBuilder::new(CLASSES).unwrap();
        for index in 0..25_000 {
            // Sorted by class, so that the first ones alone would be another distribution.
            stream.prior = if index < 12_500 { 1e9 } else { 0.0 };
            let (answer, pixels, label) = stream.next();
            builder.add(&answer, stats(&pixels), Some(label)).unwrap();
        }
        builder.finish().unwrap()
    };
    let reference = of();
    assert_eq!(reference.images(), burgeon_drift::REFERENCE_MAX);
    assert!((4_700..5_300).contains(&reference.predicted()[0]), "{:?}", reference.predicted());
    assert_eq!(reference, of());
}
