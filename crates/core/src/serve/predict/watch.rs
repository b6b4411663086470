//! Watches the aliases, and replaces the served version when one moves: the new version is loaded, every hash is checked,
//! and its self-test is run before it serves. If any of this fails, the error is logged, and the old version stays.

use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::metrics::Metrics;
use super::model::Engine;
use super::settings::Source;
use super::slots::{Served, Slots};
use crate::registry::{
    Alias, CALIBRATION_FILE, CANDIDATE, Calibration, PRODUCTION, Registry, SELF_TEST_FILE, SelfTest,
};
use crate::sys::error_chain;

/// How often aliases are checked.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);
/// How soon a version that failed is retried.
const RETRY: Duration = Duration::from_secs(10);
/// Larger than the calibration or the self-test of any version.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// What changes when a file is replaced.
type Stamp = Option<[i64; 4]>;

/// The watcher of a registry.
pub(super) struct Watch {
    registry: Registry,
    production: Seen,
    candidate: Seen,
}

struct Seen {
    name: &'static str,
    stamp: Stamp,
    failed: Option<Instant>,
}

impl Watch {
    /// Loads the first version. Returns the watcher, if the source is a registry.
    ///
    /// # Errors
    ///
    /// A sentence about why no version can be served.
    pub(super) fn begin(
        source: &Source,
        slots: &Slots,
        engine: &Arc<dyn Engine>,
        metrics: &Metrics,
    ) -> Result<Option<Self>, String> {
        match source {
            Source::Folder { folder, version } => {
                let served = guarded(engine, &mut || {
                    let model = engine.load(folder)?;
                    let (version, manifest) = (version.clone(), String::new());
                    let reference = engine.reference(folder)?;
                    let served = Served { version, manifest, model, calibration: None, reference };
                    served.test(None)?;
                    Ok(served)
                })?;
                slots.set_production(Arc::new(served));
                Ok(None)
            }
            Source::Registry(registry) => {
                let mut watch = Self {
                    registry: registry.clone(),
                    production: Seen::of(PRODUCTION),
                    candidate: Seen::of(CANDIDATE),
                };
                let stamp = stamp(&registry.alias_file(PRODUCTION));
                let alias = registry.alias(PRODUCTION).map_err(|error| error_chain(&error))?;
                let alias = alias.ok_or_else(|| {
                    format!(
                        "{} has no version in production; `burgeon registry promote production VERSION` sets it",
                        registry.path().display()
                    )
                })?;
                let served = guarded(engine, &mut || load(registry, &alias, slots, engine))?;
                slots.set_production(served);
                watch.production.stamp = stamp;
                guarded(engine, &mut || {
                    watch.look_at_candidate(slots, engine, metrics);
                    Ok(())
                })?;
                Ok(Some(watch))
            }
        }
    }

    /// Watches until the server has ended.
    pub(super) fn work(
        &mut self,
        slots: &Slots,
        engine: &Arc<dyn Engine>,
        metrics: &Metrics,
        ended: &AtomicBool,
    ) {
        while !ended.load(Ordering::SeqCst) {
            self.look_at_production(slots, engine, metrics);
            self.look_at_candidate(slots, engine, metrics);
            sleep(CHECK_INTERVAL);
        }
    }

    fn look_at_production(&mut self, slots: &Slots, engine: &Arc<dyn Engine>, metrics: &Metrics) {
        let Some(alias) = self.production.moved(&self.registry) else { return };
        let current = slots.production();
        match alias {
            // Without the alias, nothing better than the old version is known.
            Ok(None) => {
                let why = "the registry no longer has a version in production";
                slots.set_refused(PRODUCTION, Some(why.into()));
                tracing::error!("{why}; the old version stays in use");
            }
            Ok(Some(alias)) => {
                let is_current = current.as_ref().is_some_and(|current| {
                    current.version == alias.version.to_string()
                        && current.manifest == alias.manifest
                });
                if is_current {
                    slots.set_refused(PRODUCTION, None);
                    return;
                }
                match load(&self.registry, &alias, slots, engine) {
                    Ok(served) => {
                        slots.set_production(served);
                        slots.set_refused(PRODUCTION, None);
                        metrics.swapped(true);
                        tracing::info!(
                            version = alias.version,
                            "the version in production was replaced"
                        );
                    }
                    Err(why) => {
                        metrics.swapped(false);
                        self.production.fail(
                            slots,
                            &why,
                            alias.version,
                            "the old version stays in use",
                        );
                    }
                }
            }
            Err(why) => {
                metrics.swapped(false);
                self.production.fail(slots, &why, 0, "the old version stays in use");
            }
        }
    }

    fn look_at_candidate(&mut self, slots: &Slots, engine: &Arc<dyn Engine>, metrics: &Metrics) {
        let Some(alias) = self.candidate.moved(&self.registry) else { return };
        let version = alias.as_ref().ok().and_then(Option::as_ref).map_or(0, |it| it.version);
        let loaded = alias.and_then(|alias| match alias {
            None => Ok(None),
            Some(alias) => load(&self.registry, &alias, slots, engine).map(Some),
        });
        match loaded {
            Ok(served) => {
                slots.set_candidate(served);
                slots.set_refused(CANDIDATE, None);
            }
            Err(why) => {
                metrics.swapped(false);
                slots.set_candidate(None);
                self.candidate.fail(slots, &why, version, "there is no candidate");
            }
        }
    }
}

impl Seen {
    fn of(name: &'static str) -> Self {
        Self { name, stamp: None, failed: None }
    }

    /// The alias, if its file has changed or a retry is due.
    fn moved(&mut self, registry: &Registry) -> Option<Result<Option<Alias>, String>> {
        let now = stamp(&registry.alias_file(self.name));
        let retries = self.failed.is_some_and(|failed| failed.elapsed() > RETRY);
        if now == self.stamp && !retries {
            return None;
        }
        self.stamp = now;
        self.failed = None;
        Some(registry.alias(self.name).map_err(|error| error_chain(&error)))
    }

    /// Tells what does not serve; `version` is 0 where the alias itself cannot be read.
    fn fail(&mut self, slots: &Slots, why: &str, version: u64, what_then: &str) {
        self.failed = Some(Instant::now());
        let of_version = if version > 0 { format!("version {version}: ") } else { String::new() };
        slots.set_refused(self.name, Some(format!("{of_version}{why}")));
        tracing::error!(alias = self.name, version, why, "a version cannot be served; {what_then}");
    }
}

/// Calls `work` on this thread, set up for computing.
fn guarded<T>(
    engine: &Arc<dyn Engine>,
    work: &mut dyn FnMut() -> Result<T, String>,
) -> Result<T, String> {
    let mut done = Err("the model was not loaded".into());
    engine.with_compute_thread(&mut || done = work())?;
    done
}

/// [`load_checked`], with panics turned into errors.
fn load(
    registry: &Registry,
    alias: &Alias,
    slots: &Slots,
    engine: &Arc<dyn Engine>,
) -> Result<Arc<Served>, String> {
    let work = AssertUnwindSafe(|| load_checked(registry, alias, slots, engine));
    catch_unwind(work).unwrap_or_else(|_| Err("loading the version panicked".into()))
}

/// Loads the version of an alias, checks all its hashes, and runs its self-test.
fn load_checked(
    registry: &Registry,
    alias: &Alias,
    slots: &Slots,
    engine: &Arc<dyn Engine>,
) -> Result<Arc<Served>, String> {
    let version = alias.version.to_string();
    if let Some(served) = slots.loaded(&version, &alias.manifest) {
        return Ok(served);
    }
    let told = |error: &dyn std::error::Error| error_chain(error);
    let manifest =
        registry.verified(alias.version, Some(&alias.manifest)).map_err(|error| told(&error))?;
    let set = registry.held_out_set().map_err(|error| told(&error))?;
    // A file that the manifest does not list has no hash, so it may be anything.
    for name in [engine.model_file(), SELF_TEST_FILE] {
        if !manifest.files.contains_key(name) {
            return Err(format!("its manifest lists no {name}"));
        }
    }
    let folder = registry.version_folder(alias.version);
    let model = engine.load(&folder)?;
    if model.shape() != manifest.shape || model.shape() != set.shape {
        return Err(format!(
            "its network has the input shape {:?}, not {:?}",
            model.shape(),
            set.shape
        ));
    }
    if model.classes() != manifest.classes || model.classes() != set.classes {
        return Err("its classes are not those of the registry".into());
    }
    let read = |name: &str| registry.files().read(&folder.join(name), FILE_BYTES_MAX);
    let self_test = read(SELF_TEST_FILE).map_err(|error| told(&error))?;
    let self_test: SelfTest =
        serde_json::from_slice(&self_test).map_err(|error| format!("{SELF_TEST_FILE}: {error}"))?;
    let calibration = match manifest.files.contains_key(CALIBRATION_FILE) {
        true => {
            let read = read(CALIBRATION_FILE).map_err(|error| told(&error))?;
            let unknown = || {
                format!("{CALIBRATION_FILE} is not in a format that this version of burgeon reads")
            };
            Some(Calibration::parse(&read).ok_or_else(unknown)?)
        }
        false => None,
    };
    let (manifest, reference) = (alias.manifest.clone(), engine.reference(&folder)?);
    let served = Served { version, manifest, model, calibration, reference };
    served.test(Some(&self_test)).map_err(|why| format!("its self-test failed: {why}"))?;
    Ok(Arc::new(served))
}

fn stamp(path: &Path) -> Stamp {
    let found = std::fs::metadata(path).ok()?;
    Some([found.ino() as i64, found.size() as i64, found.mtime(), found.mtime_nsec()])
}
