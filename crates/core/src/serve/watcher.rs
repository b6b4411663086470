//! Detects which builds changed, for the streams of changes. One watcher serves all streams, so that many readers cause
//! no more queries than one.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::select;
use serde_json::Value;
use tokio::time::sleep;

use super::answer::Problem;
use super::app::App;
use super::news::News;
use crate::chain::{BuildRow, BuildState, Malfunction, Part, Places, Retrain, Store};
use crate::registry::Registry;
use crate::sys::files::RealFiles;

/// How many of the newest builds are watched besides those that wait and run.
const NEWEST: u32 = 100;
/// Changes within this time are sent together.
const GATHER: Duration = Duration::from_millis(250);
/// How often to check for new log lines and for changes by other processes.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// The last known state: a hash of each build, the newest delivery, and the failing threads of the service.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    builds: HashMap<i64, u64>,
    delivery: i64,
    /// The last check of each registry with retraining.
    retraining: Vec<Option<Value>>,
    ills: Vec<(Part, Malfunction)>,
}

/// Watches until the task is dropped.
pub(super) async fn watch(app: Arc<App>) {
    let mut changes = app.service.store.changes();
    let mut before: Option<Seen> = None;
    loop {
        {
            let changed = std::pin::pin!(changes.changed());
            select(changed, std::pin::pin!(sleep(CHECK_INTERVAL))).await;
        }
        sleep(GATHER).await;
        changes.mark_unchanged();
        if app.news.receiver_count() == 0 {
            before = None;
            continue;
        }
        let look = |app: &App| {
            let troubles = app.service.health.troubles(Instant::now());
            let ills = troubles.iter().map(|trouble| (trouble.part, trouble.malfunction)).collect();
            let state = |entry: &Retrain| {
                let registry = Registry::open(Arc::new(RealFiles), &entry.registry).ok()?;
                registry.retraining_state().ok()?
            };
            let retraining = app.service.config.retrain.iter().map(state).collect();
            Ok(Seen { ills, retraining, ..look(&app.service.store, &app.service.places)? })
        };
        let Ok(now) = app.blocking(look).await else { continue };
        let news = before.as_ref().map(|before| now.since(before));
        before = Some(now);
        if let Some(news) = news.filter(|news| *news != News::default()) {
            // There may be no listeners.
            let _ = app.news.send(news);
        }
    }
}

fn look(store: &Store, places: &Places) -> Result<Seen, Problem> {
    let mut builds = store.builds(None, None, NEWEST)?;
    builds.extend(store.in_state(BuildState::Running)?);
    let mut hashes: HashMap<i64, DefaultHasher> = HashMap::new();
    for build in &builds {
        let hasher = hashes.entry(build.id).or_default();
        format!("{build:?}").hash(hasher);
        if build.state == BuildState::Running {
            log_length(places, build).hash(hasher);
        }
    }
    let ids: Vec<i64> = hashes.keys().copied().collect();
    for (build, stage) in store.stages_of(&ids)? {
        if let Some(hasher) = hashes.get_mut(&build) {
            format!("{stage:?}").hash(hasher);
        }
    }
    let delivery = store.deliveries(None, 1)?.first().map_or(0, |newest| newest.id);
    let builds = hashes.into_iter().map(|(id, hasher)| (id, hasher.finish())).collect();
    Ok(Seen { builds, delivery, ..Seen::default() })
}

fn log_length(places: &Places, build: &BuildRow) -> u64 {
    std::fs::metadata(places.log(build.id)).map_or(0, |found| found.len())
}

impl Seen {
    fn since(&self, before: &Self) -> News {
        let changed = self.builds.iter().filter(|(id, hash)| before.builds.get(id) != Some(hash));
        let mut builds: Vec<i64> = changed.map(|(id, _)| *id).collect();
        builds.sort_unstable();
        News {
            builds,
            deliveries: self.delivery != before.delivery,
            retraining: self.retraining != before.retraining,
            health: self.ills != before.ills,
        }
    }
}

#[cfg(test)]
mod tests;
