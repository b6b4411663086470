//! One attempt at a trial on a node of a cluster: what `burgeon trial` runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Launch;
use super::error::LaunchError;
use super::listener::LaunchListener;
use super::session::recorded_study;
use super::settings::Settings;
use crate::cluster::{Attempts, Claim, ClaimError, End, Part, Task, this_node};
use crate::data;
use crate::ledger::RunFolder;
use crate::study::Growth;
use crate::study::local_trainer::{LocalTrainer, RunningTrials};
use crate::study::node::NodeWork;
use crate::study::observer::Listener;
use crate::study::recorded_data::absolute;
use crate::sys::error_chain;
use crate::sys::fence::Fence;
use crate::sys::files::{FileError, real_files};
use crate::sys::heartbeat::Heartbeat;
use crate::sys::signals::StopFlag;
use crate::train::Profiling;

const END_TRIES: u32 = 60;
const END_PAUSE: Duration = Duration::from_secs(1);

/// What to work on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TrialWork {
    pub(crate) trial: u32,
    pub(crate) part: Part,
    /// The submission; the newest one if it is not named.
    pub(crate) submission: Option<u32>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TrialEnded {
    pub(crate) end: End,
    /// Its folder.
    pub(crate) folder: PathBuf,
}

/// Why an attempt could not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrialError {
    #[error(transparent)]
    Launch(#[from] LaunchError),
    #[error("the trial cannot be started")]
    Claim(#[from] ClaimError),
}

/// Makes an attempt at a part of a trial, as the newest submission in the run folder says.
///
/// # Errors
///
/// If it cannot begin. An attempt that has begun ends in one of the ways that its folder tells.
pub(crate) fn attempt(
    run: &Path,
    work: TrialWork,
    settings: Settings,
    stop: &StopFlag,
) -> Result<TrialEnded, TrialError> {
    let began = Instant::now();
    let files = real_files().map_err(LaunchError::from)?;
    let folder = RunFolder::open(files, absolute(run)).map_err(LaunchError::from)?;
    let attempts_folder = folder.trial(work.trial).path().join(work.part.folder());
    let attempts = Attempts::in_folder(folder.files(), attempts_folder);
    let claim = attempts.claim(work.submission, &this_node())?;
    let end = match Heartbeat::open(&claim.attempt.folder) {
        Ok(heartbeat) => {
            let node = Node { folder: &folder, attempts: &attempts, claim: &claim, stop };
            node.work(work.part, settings, Arc::new(heartbeat))
        }
        Err(error) => End::Unfit(error.to_string()),
    };
    let end = say_end(&claim, &end, began).map_err(LaunchError::from)?;
    Ok(TrialEnded { end, folder: claim.attempt.folder.clone() })
}

/// Says how the attempt ended; for a minute, if the folder cannot be listed or written, as what was trained would be lost.
fn say_end(claim: &Claim, end: &End, began: Instant) -> Result<End, FileError> {
    let mut tries = 1;
    loop {
        match claim.end(end.clone(), began.elapsed().as_secs_f64()) {
            Err(_) if tries < END_TRIES => tries += 1,
            ended => return ended,
        }
        std::thread::sleep(END_PAUSE);
    }
}

/// An attempt that has begun.
struct Node<'a> {
    folder: &'a RunFolder,
    attempts: &'a Attempts,
    claim: &'a Claim,
    stop: &'a StopFlag,
}

impl Node<'_> {
    fn work(&self, part: Part, settings: Settings, heartbeat: Arc<Heartbeat>) -> End {
        let _ = heartbeat.beat();
        let task = match self.attempts.task() {
            Ok(task) => task,
            Err(why) => return End::Unfit(why),
        };
        let trainer = match self.trainer(&task, settings, heartbeat) {
            Ok(trainer) => trainer,
            Err(_) if self.stop.requested().is_some() => return End::Interrupted,
            // What a trial needs before it trains is the same everywhere, unless a node lacks it.
            Err(error) => return End::Unfit(error_chain(&error)),
        };
        let work = NodeWork {
            trainer,
            claim: self.claim,
            part,
            task,
            run: self.folder.path(),
            attempts: self.attempts,
            stop: self.stop,
        };
        work.run()
    }

    /// A trainer that writes into the folder of the attempt alone.
    fn trainer(
        &self,
        task: &Task,
        settings: Settings,
        heartbeat: Arc<Heartbeat>,
    ) -> Result<LocalTrainer, LaunchError> {
        let study = recorded_study(self.folder)?.into();
        let mut loading = Loading(Arc::clone(&heartbeat));
        let mut launch = Launch {
            settings,
            listener: Some(&mut loading),
            stop: self.stop.clone(),
            ..Launch::default()
        };
        let (session, device) = launch.prepare(&study, Growth::On, Some(self.folder))?;
        let Launch { settings, .. } = launch;
        let images = session.images;
        Ok(LocalTrainer {
            data_name: images.origin.origin,
            data: images.dataset,
            data_hash: images.hash,
            device: match device {
                Some(device) => device,
                None => settings.device.open()?,
            },
            files: Arc::clone(self.folder.files()),
            // Nobody else writes into the folder of an attempt.
            fence: Fence::none(),
            run: self.claim.attempt.folder.clone(),
            start: session.inherited.map(|inherited| inherited.weights),
            profiling: if task.profile { Profiling::On } else { Profiling::Off },
            running_trials: RunningTrials::new(
                match session.workers {
                    Some(workers) => workers,
                    None => settings.workers()?,
                },
                heartbeat,
            ),
        })
    }
}

/// Gives signs of life while images are loaded.
struct Loading(Arc<Heartbeat>);

impl Listener for Loading {}

impl LaunchListener for Loading {
    fn data(&mut self, _progress: data::Progress) {
        let _ = self.0.beat();
    }
}
