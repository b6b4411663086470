//! Metrics by version, in the text format of Prometheus. Metrics that Triton has too have the same names.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Upper bounds of the histogram's buckets, in seconds.
const BUCKETS: [f64; 11] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Most versions with metrics; beyond that, those used longest ago are dropped.
const VERSIONS_MAX: usize = 32;

/// The counters.
#[derive(Debug, Default)]
pub(super) struct Metrics(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    versions: BTreeMap<String, Version>,
    clock: u64,
    /// Refused requests by status.
    refused: BTreeMap<u16, u64>,
    swaps: u64,
    failed_swaps: u64,
    log_dropped: u64,
    feedback: u64,
    feedback_right: u64,
}

#[derive(Debug, Default)]
struct Version {
    used: u64,
    success: u64,
    failure: u64,
    inferences: u64,
    executions: u64,
    request_us: u64,
    queue_us: u64,
    compute_us: u64,
    unsure: u64,
    buckets: [u64; BUCKETS.len()],
    shadow_compared: u64,
    shadow_differ: u64,
    shadow_dropped: u64,
}

/// The gauges.
pub(super) struct Gauges<'a> {
    pub(super) model: &'a str,
    pub(super) pending_requests: usize,
    pub(super) pending_images: usize,
    pub(super) production: Option<String>,
    pub(super) candidate: Option<String>,
}

impl Metrics {
    fn version(&self, name: &str, change: impl FnOnce(&mut Version)) {
        let mut counts = self.lock();
        counts.clock += 1;
        let clock = counts.clock;
        if counts.versions.len() >= VERSIONS_MAX && !counts.versions.contains_key(name) {
            let oldest = counts.versions.iter().min_by_key(|(_, version)| version.used);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                counts.versions.remove(&oldest);
            }
        }
        if !counts.versions.contains_key(name) {
            counts.versions.insert(name.into(), Version::default());
        }
        if let Some(version) = counts.versions.get_mut(name) {
            version.used = clock;
            change(version);
        }
    }

    pub(super) fn executed(&self, version: &str, images: usize, computed: Duration) {
        self.version(version, |counts| {
            counts.executions += 1;
            counts.inferences += images as u64;
            counts.compute_us += computed.as_micros() as u64;
        });
    }

    pub(super) fn answered(&self, version: &str, took: Duration, queued: Duration, unsure: usize) {
        self.version(version, |counts| {
            counts.success += 1;
            counts.unsure += unsure as u64;
            counts.request_us += took.as_micros() as u64;
            counts.queue_us += queued.as_micros() as u64;
            let seconds = took.as_secs_f64();
            if let Some(bucket) = BUCKETS.iter().position(|end| seconds <= *end) {
                counts.buckets[bucket] += 1;
            }
        });
    }

    /// Counts a prediction request that was refused.
    pub(super) fn refused(&self, version: &str, status: u16) {
        self.version(version, |counts| counts.failure += 1);
        *self.lock().refused.entry(status).or_default() += 1;
    }

    pub(super) fn shadow_compared(&self, version: &str, images: usize, differ: usize) {
        self.version(version, |counts| {
            counts.shadow_compared += images as u64;
            counts.shadow_differ += differ as u64;
        });
    }

    pub(super) fn shadow_dropped(&self, version: &str, images: usize) {
        self.version(version, |counts| counts.shadow_dropped += images as u64);
    }

    pub(super) fn swapped(&self, done: bool) {
        let mut counts = self.lock();
        match done {
            true => counts.swaps += 1,
            false => counts.failed_swaps += 1,
        }
    }

    pub(super) fn log_dropped(&self) {
        self.lock().log_dropped += 1;
    }

    pub(super) fn feedback(&self, right: bool) {
        let mut counts = self.lock();
        counts.feedback += 1;
        counts.feedback_right += u64::from(right);
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All metrics in Prometheus' text format, version 0.0.4.
    pub(super) fn text(&self, gauges: &Gauges) -> String {
        let counts = self.lock();
        let mut text = String::new();
        let model = escaped(gauges.model);
        type Counter = (&'static str, &'static str, fn(&Version) -> u64);
        let counters: [Counter; 11] = [
            ("nv_inference_request_success", "Successful prediction requests", |v| v.success),
            ("nv_inference_request_failure", "Failed prediction requests", |v| v.failure),
            ("nv_inference_count", "Images classified", |v| v.inferences),
            ("nv_inference_exec_count", "Batches classified", |v| v.executions),
            ("nv_inference_request_duration_us", "Total time of requests in microseconds", |v| {
                v.request_us
            }),
            ("nv_inference_queue_duration_us", "Total time in the queue in microseconds", |v| {
                v.queue_us
            }),
            (
                "nv_inference_compute_infer_duration_us",
                "Total computing time in microseconds",
                |v| v.compute_us,
            ),
            ("burgeon_unsure_total", "Images classified as \"unsure\"", |v| v.unsure),
            ("burgeon_shadow_compared_total", "Images also classified by the candidate", |v| {
                v.shadow_compared
            }),
            (
                "burgeon_shadow_differ_total",
                "Images for which the candidate predicted another class",
                |v| v.shadow_differ,
            ),
            (
                "burgeon_shadow_dropped_total",
                "Images that the candidate skipped for lack of time",
                |v| v.shadow_dropped,
            ),
        ];
        for (name, help, value) in counters {
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} counter\n");
            for (version, counted) in &counts.versions {
                let version = escaped(version);
                let value = value(counted);
                let _ = writeln!(text, "{name}{{model=\"{model}\",version=\"{version}\"}} {value}");
            }
        }
        let name = "burgeon_request_duration_seconds";
        let _ = write!(
            text,
            "# HELP {name} Duration of requests in seconds\n# TYPE {name} histogram\n"
        );
        for (version, counted) in &counts.versions {
            let labels = format!("model=\"{model}\",version=\"{}\"", escaped(version));
            let mut below = 0;
            for (end, bucket) in BUCKETS.iter().zip(counted.buckets) {
                below += bucket;
                let _ = writeln!(text, "{name}_bucket{{{labels},le=\"{end}\"}} {below}");
            }
            let _ = writeln!(text, "{name}_bucket{{{labels},le=\"+Inf\"}} {}", counted.success);
            let seconds = counted.request_us as f64 / 1e6;
            let _ = writeln!(text, "{name}_sum{{{labels}}} {seconds}");
            let _ = writeln!(text, "{name}_count{{{labels}}} {}", counted.success);
        }
        let name = "burgeon_requests_refused_total";
        let _ = write!(text, "# HELP {name} Refused requests by status\n# TYPE {name} counter\n");
        for (status, refused) in &counts.refused {
            let _ = writeln!(text, "{name}{{status=\"{status}\"}} {refused}");
        }
        for (name, help, value) in [
            ("burgeon_version_swaps_total", "Changes of the version in production", counts.swaps),
            (
                "burgeon_version_swaps_failed_total",
                "Versions that failed to load",
                counts.failed_swaps,
            ),
            ("burgeon_log_dropped_total", "Requests missing from the log", counts.log_dropped),
            ("burgeon_feedback_total", "Images with feedback", counts.feedback),
            (
                "burgeon_feedback_right_total",
                "Images with feedback that were classified correctly",
                counts.feedback_right,
            ),
        ] {
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}\n");
        }
        for (name, help, value) in [
            (
                "nv_inference_pending_request_count",
                "Requests in the queue",
                gauges.pending_requests,
            ),
            ("burgeon_pending_images", "Images in the queue", gauges.pending_images),
        ] {
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n");
            let _ = writeln!(text, "{name}{{model=\"{model}\"}} {value}");
        }
        let name = "burgeon_version_info";
        let _ = write!(text, "# HELP {name} Loaded versions\n# TYPE {name} gauge\n");
        for (alias, version) in
            [("production", &gauges.production), ("candidate", &gauges.candidate)]
        {
            if let Some(version) = version {
                let version = escaped(version);
                let _ = writeln!(
                    text,
                    "{name}{{model=\"{model}\",alias=\"{alias}\",version=\"{version}\"}} 1"
                );
            }
        }
        text
    }
}

/// Escapes the value of a label.
pub(super) fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
