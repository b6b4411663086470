//! The published drift state: as JSON and as metrics.

use std::fmt::Write;

use burgeon_drift::{AccuracyEstimate, FaultFound, Finding, Status};
use jiff::Timestamp;
use serde::Serialize;

use super::watched::{Judged, Labels, Watched};
use crate::serve::predict::metrics::escaped;
use crate::serve::predict::slots::Served;

/// A snapshot of the drift state.
#[derive(Debug, Serialize)]
pub(in crate::serve::predict) struct Published {
    watched: bool,
    /// Why drift is not monitored.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// Images and labels that were skipped since the server started, because too many arrived.
    skipped: u64,
    #[serde(flatten)]
    state: Option<PublishedState>,
}

#[derive(Debug, Serialize)]
struct PublishedState {
    since: Timestamp,
    status: Status,
    alarm: bool,
    alarms: u64,
    window: usize,
    run_time: f64,
    level: f64,
    reference_images: usize,
    reference_accuracy: Option<f64>,
    images: u64,
    pending: usize,
    windows: u64,
    suspicious_windows: u64,
    labels: Option<Labels>,
    history: Vec<PublishedWindow>,
}

#[derive(Debug, Serialize)]
struct PublishedWindow {
    number: u64,
    began: Timestamp,
    ended: Timestamp,
    status: Status,
    images: usize,
    level: f64,
    /// What makes it suspicious, and faults of its images, as phrases.
    words: Vec<String>,
    findings: Vec<Finding>,
    faults: Vec<FaultFound>,
    predicted: Vec<u64>,
    accuracy: Option<AccuracyEstimate>,
}

impl Published {
    /// Monitoring is switched off.
    pub(super) fn off() -> Self {
        let why = Some("switched off by --no-drift".into());
        Self { watched: false, why, version: None, skipped: 0, state: None }
    }

    /// This version cannot be monitored.
    pub(super) fn not_watched(served: &Served, why: &str, skipped: u64) -> Self {
        let version = Some(served.version.clone());
        Self { watched: false, why: Some(why.into()), version, skipped, state: None }
    }

    /// The state of a monitored version.
    pub(super) fn watched(served: &Served, watched: &Watched, skipped: u64) -> Self {
        let detector = watched.detector();
        let [images, suspicious_windows] = watched.counts();
        let classes = served.model.classes();
        let window = |judged: &Judged| {
            let Judged { number, began, ended, status, report } = judged.clone();
            let words = report.words(classes);
            let burgeon_drift::WindowReport { images, level, findings, faults, .. } = report;
            let (predicted, accuracy) = (report.predicted, report.accuracy);
            PublishedWindow {
                number,
                began,
                ended,
                status,
                images,
                level,
                words,
                findings,
                faults,
                predicted,
                accuracy,
            }
        };
        let labels = watched.label_accuracy();
        let state = PublishedState {
            since: watched.since(),
            status: detector.status(),
            alarm: watched.is_alarm(),
            alarms: detector.alarms(),
            window: detector.settings().window,
            run_time: detector.settings().run_time,
            level: detector.level(),
            reference_images: detector.reference().images(),
            reference_accuracy: detector.reference().accuracy(),
            images,
            pending: detector.pending(),
            windows: detector.windows(),
            suspicious_windows,
            labels,
            history: watched.judged().iter().map(window).collect(),
        };
        let version = Some(served.version.clone());
        Self { watched: true, why: None, version, skipped, state: Some(state) }
    }
}

/// The metrics in the text format of Prometheus.
pub(in crate::serve::predict) fn metrics_text(model: &str, published: &Published) -> String {
    let (Some(version), Some(state)) = (&published.version, &published.state) else {
        return String::new();
    };
    let of = format!("model=\"{}\",version=\"{}\"", escaped(model), escaped(version));
    let mut text = String::new();
    let mut family = |name: &str, help: &str, lines: &[(String, f64)]| {
        let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for (labels, value) in lines {
            let comma = if labels.is_empty() { "" } else { "," };
            let _ = writeln!(text, "{name}{{{of}{comma}{labels}}} {value}");
        }
    };
    let one = |value: f64| [(String::new(), value)];
    let labels = state.labels.as_ref();
    let kinds = |images: f64, of_labels: f64| {
        [("kind=\"images\"".to_owned(), images), ("kind=\"labels\"".to_owned(), of_labels)]
    };
    let flag = |is: bool| f64::from(u8::from(is));
    family(
        "burgeon_drift_images_total",
        "Images compared with the reference",
        &one(state.images as f64),
    );
    family(
        "burgeon_drift_skipped_total",
        "Images and labels skipped because too many arrived",
        &one(published.skipped as f64),
    );
    family("burgeon_drift_windows_total", "Windows judged", &one(state.windows as f64));
    family(
        "burgeon_drift_suspicious_windows_total",
        "Suspicious windows",
        &one(state.suspicious_windows as f64),
    );
    family(
        "burgeon_drift_alarms_total",
        "Alarms raised",
        &kinds(state.alarms as f64, labels.map_or(0, |labels| labels.alarms) as f64),
    );
    let label_alarm = labels.is_some_and(|labels| labels.alarm);
    family(
        "burgeon_drift_alarm",
        "1 during an alarm, otherwise 0",
        &kinds(flag(state.status == Status::Alarm), flag(label_alarm)),
    );
    if let Some(labels) = labels {
        family(
            "burgeon_drift_labelled",
            "Predictions with a true label",
            &one(labels.images as f64),
        );
        family(
            "burgeon_drift_labelled_right",
            "Correct predictions among those with a true label",
            &one(labels.right as f64),
        );
    }
    family(
        "burgeon_drift_level",
        "Significance level: windows with a smaller p-value are suspicious",
        &one(state.level),
    );
    let Some(last) = state.history.last() else { return text };
    let by_comparison = |value: fn(&Finding) -> f64| -> Vec<(String, f64)> {
        let line = |finding: &Finding| {
            (format!("comparison=\"{}\"", finding.comparison.name()), value(finding))
        };
        last.findings.iter().map(line).collect()
    };
    family("burgeon_drift_p", "p-value of the last window", &by_comparison(|finding| finding.p));
    family(
        "burgeon_drift_effect",
        "Effect size of the last window",
        &by_comparison(|finding| finding.effect),
    );
    family(
        "burgeon_drift_floor",
        "Smallest effect size that counts",
        &by_comparison(|finding| finding.floor),
    );
    let faults: Vec<(String, f64)> = last
        .faults
        .iter()
        .map(|found| (format!("fault=\"{}\"", found.fault.name()), found.images as f64))
        .collect();
    family("burgeon_drift_fault_images", "Images with a fault in the last window", &faults);
    if let Some(estimate) = &last.accuracy {
        let lines = [
            ("method=\"atc\"".to_owned(), estimate.thresholded_confidence),
            ("method=\"doc\"".to_owned(), estimate.difference_of_confidences),
        ];
        family(
            "burgeon_drift_accuracy_estimate",
            "Accuracy of the last window, estimated without labels",
            &lines,
        );
    }
    text
}
