//! Tells people of drift alarms. Messages are in the registry's outbox before the state says so, and are sent on a thread
//! of their own.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use burgeon_drift::{Finding, probability};
use jiff::{SignedDuration, Timestamp};

use super::watched::{By, Tell, Told, Watched};
use crate::notify::{AnnouncementKind, Flush, Messages, OutboxError};
use crate::registry::{News, Registry};
use crate::serve::predict::slots::Served;
use crate::sys::error_chain;

/// At most so many events are told in an hour; further ones are only logged.
const HOURLY: usize = 10;
const HOUR: Duration = Duration::from_secs(3600);
/// Pause after messages could not be queued.
const PAUSE: Duration = Duration::from_secs(10);
/// How often to check for messages that are due.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);
/// The longest try of a message.
const EACH: Duration = Duration::from_secs(60);
/// How long entries of sent messages are kept.
const KEPT: SignedDuration = SignedDuration::from_hours(60 * 24);

/// Puts messages into the outbox.
#[derive(Debug)]
pub(super) struct Teller {
    registry: Option<Registry>,
    waiting: Vec<News>,
    recent: VecDeque<Instant>,
    failed: Option<Instant>,
}

impl Teller {
    pub(super) fn new(registry: Option<Registry>) -> Self {
        Self { registry, waiting: Vec::new(), recent: VecDeque::new(), failed: None }
    }

    pub(super) fn tell(&mut self, news: News) {
        self.recent.retain(|at| at.elapsed() < HOUR);
        if self.registry.is_none() {
        } else if self.recent.len() == HOURLY {
            tracing::warn!(
                what = news.why,
                "not sent: {HOURLY} messages within an hour are enough"
            );
        } else {
            self.recent.push_back(Instant::now());
            self.waiting.push(news);
            self.failed = None;
        }
    }

    /// Queues what waits; returns whether nothing is left.
    pub(super) fn queue(&mut self) -> bool {
        let Some(registry) = &self.registry else { return true };
        if self.failed.is_some_and(|at| at.elapsed() < PAUSE) {
            return false;
        }
        while let Some(news) = self.waiting.first() {
            if let Err(error) = registry.tell(news) {
                tracing::error!(
                    error = error_chain(&error),
                    "cannot queue the messages about drift"
                );
                self.failed = Some(Instant::now());
                return false;
            }
            self.waiting.remove(0);
        }
        true
    }
}

/// Sends the messages of a registry's outbox until `ended`.
pub(crate) fn send(registry: &Registry, ended: &AtomicBool) {
    let is_on = || !ended.load(Ordering::SeqCst);
    let outbox = registry.outbox();
    let flush = Flush::new(Messages::Due).within(EACH, EACH);
    let before = Timestamp::now().saturating_sub(KEPT);
    let mut failed = before.ok().and_then(|before| outbox.forget_sent(before).err());
    let mut told = String::new();
    while is_on() {
        let why = match failed.take().map_or_else(|| flush.run(&outbox, &mut || is_on()), Err) {
            Ok(flushed) => {
                let parked = flushed.parked.iter().map(|message| message.to_string());
                parked.collect::<Vec<_>>().join("; ")
            }
            // `burgeon retrain` sends them.
            Err(OutboxError::Lock(_)) => String::new(),
            Err(error) => error_chain(&error),
        };
        if !why.is_empty() && why != told {
            tracing::warn!(why, "messages are not sent");
        }
        told = why;
        let began = Instant::now();
        while is_on() && began.elapsed() < CHECK_INTERVAL {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// What people are told of an alarm or its end.
pub(super) fn news(served: &Served, watched: &Watched, tell: Tell, at: Timestamp) -> News {
    match tell {
        Tell::Alarm(by) => alarm(served, watched, by, at),
        Tell::Over(by, told) => {
            let why = match by {
                By::Images => "its images resemble those that it was accepted on",
                By::Labels => "its labelled answers are accurate enough",
            };
            over(&served.version, by, told, at, why)
        }
    }
}

/// What people are told of the end of an alarm.
pub(super) fn over(version: &str, by: By, told: Told, at: Timestamp, why: &str) -> News {
    News {
        key: format!("drift-{}-over", key(version, by, told.at)),
        what: AnnouncementKind::DriftOver,
        at,
        why: format!("The drift alarm of version {version} is over: {why}."),
        rows: vec![
            ("version", version.to_owned()),
            ("alarm", by.words().into()),
            ("began", format!("{:.0}", told.at)),
        ],
        lists: Vec::new(),
        accuracy: None,
    }
}

fn key(version: &str, by: By, at: Timestamp) -> String {
    format!("{version}-{}-{}", by.words(), at.as_millisecond())
}

fn alarm(served: &Served, watched: &Watched, by: By, at: Timestamp) -> News {
    let version = &served.version;
    let share = |share: f64| format!("{:.2} %", share * 100.0);
    let mut rows = vec![("version", version.clone()), ("alarm", by.words().to_owned())];
    let mut lists = Vec::new();
    let mut actions = Vec::new();
    let mut why = String::new();
    match (by, watched.judged().back(), watched.label_accuracy()) {
        (By::Images, Some(judged), _) => {
            let report = &judged.report;
            let words = report.words(served.model.classes());
            why = format!(
                "The images that version {version} is asked about no longer resemble those that it was accepted on: {}.",
                words.join("; ")
            );
            let (began, ended) = (judged.began, judged.ended);
            rows.push((
                "window",
                format!("{}: {} images, {began:.0} to {ended:.0}", judged.number, report.images),
            ));
            rows.push(("level", format!("{:.2e}", report.level)));
            if let Some(estimate) = &report.accuracy {
                rows.push((
                    "estimated accuracy",
                    format!(
                        "{} (ATC), {} (DoC), {} when accepted",
                        share(estimate.thresholded_confidence),
                        share(estimate.difference_of_confidences),
                        share(estimate.reference)
                    ),
                ));
            }
            if !report.faults.is_empty() {
                actions.push(
                    "Look for the fault where the images come from; retraining does not repair it."
                        .into(),
                );
            }
            lists.push(("What differs", words));
            lists.push(("Tests", report.findings.iter().map(Finding::test).collect()));
        }
        (By::Labels, _, Some(labels)) => {
            let (right, images) = (labels.right, labels.images);
            why = format!(
                "The answers of version {version} are less accurate: {right} of {images} labelled ones are right, {}.",
                share(labels.accuracy)
            );
            if let Some((gate, p)) = labels.gate.zip(labels.p_gate) {
                let test = format!("{}; exact binomial test, {}", share(gate), probability(p));
                rows.push(("required accuracy", test));
            }
            if let Some(p) = labels.p_reference {
                rows.push((
                    "against the reference",
                    format!("Fisher's exact test, {}", probability(p)),
                ));
            }
            if let Some(statistic) = labels.statistic {
                let test = format!("Shiryaev-Roberts, {statistic:.0} of {:.0}", labels.run_time);
                rows.push(("sequential test", test));
            }
        }
        _ => {}
    }
    let usual = [
        "Look at the server's page or GET /api/drift for the last windows.",
        "Label some of the images with POST /feedback; burgeon retrain then trains on them.",
        "If an earlier version does better: burgeon registry rollback production.",
    ];
    actions.extend(usual.map(str::to_owned));
    lists.push(("What to do", actions));
    News {
        key: format!("drift-{}", key(version, by, at)),
        what: AnnouncementKind::DriftAlarm,
        at,
        why,
        rows,
        lists,
        accuracy: None,
    }
}
