//! Starts the container of a job, or finds the one that was started for it before, and stays with it to its end.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Instant;

use bollard::errors::Error as EngineError;
use bollard::models::{ContainerInspectResponse, ContainerSummaryStateEnum as State};
use bollard::query_parameters::CreateContainerOptionsBuilder;
use bytes::Bytes;
use tokio::time::sleep;

use super::ended::{Ended, started};
use super::engine::{Engine, FoundContainer, IfRunning, join, spawn};
use super::error::{ContainerError, answered, is_away, is_missing};
use super::job::{Gpus, Job};
use super::settings::{Maker, check_limits, name, settings};
use super::watch::{Caller, LeaveOnDrop, TICK, Watch};

/// Most pieces of output that wait for the caller.
const PIECES: usize = 64;

/// How many ticks an engine may take to list a container whose name is taken, or to know one that it lists.
const TRIES: u32 = 20;

impl Engine {
    /// Runs the job to its end. If its container was started before, by a process that died, this goes on to wait for it
    /// or tells how it ended; the container is never started a second time. It stays until [`Engine::remove`].
    ///
    /// `log` gets what the program writes to its standard output and error, in pieces as they come, always from the
    /// program's start; there may be any amount of it. The engine keeps the last 64 MiB or more. `stop` is asked a few times a second: once it says yes, the program gets SIGTERM, and
    /// SIGKILL 10 seconds later; so it does when its time is up.
    ///
    /// # Errors
    ///
    /// When the container cannot be started or watched. It goes on running if it does, and another call finds it.
    pub fn run(
        &self,
        job: &Job,
        log: &mut dyn FnMut(&[u8]),
        stop: &dyn Fn() -> bool,
    ) -> Result<Ended, ContainerError> {
        job.check()?;
        let caller = Caller::default();
        caller.stop.store(stop(), Ordering::Relaxed);
        // Bounded, so that a slow caller slows the reading down, and not the memory up.
        let (output, pieces) = sync_channel(PIECES);
        std::thread::scope(|scope| {
            // The caller's functions are called on this thread, and may do whatever they like; if they panic, the
            // other thread ends, too.
            let thread = spawn(scope, self.run_for(job, &caller, output))?;
            let _leaves = LeaveOnDrop(&caller);
            let mut asked = Instant::now();
            loop {
                match pieces.recv_timeout(TICK) {
                    Ok(piece) => log(&piece),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return join(thread),
                }
                if asked.elapsed() >= TICK {
                    caller.stop.fetch_or(stop(), Ordering::Relaxed);
                    asked = Instant::now();
                }
            }
        })
    }

    async fn run_for(
        &self,
        job: &Job,
        caller: &Caller,
        output: SyncSender<Bytes>,
    ) -> Result<Ended, ContainerError> {
        let id = match self.find(Some(&job.label)).await?.into_iter().max_by_key(progress) {
            Some(found) if progress(&found) > 0 => found.id,
            _ if caller.stop.load(Ordering::Relaxed) => return Ok(Ended::Stopped),
            Some(found) => self.start(job, found.id).await?,
            None => {
                let id = self.create(job).await?;
                self.start(job, id).await?
            }
        };
        Watch::new(self, job, &id, caller, output).await?.until_it_ends().await
    }

    async fn create(&self, job: &Job) -> Result<String, ContainerError> {
        self.check_cgroups().await?;
        if !self.has_image(&job.image).await? {
            return Err(ContainerError::ImageMissing { image: job.image.clone() });
        }
        let maker = match job.gpus {
            // The request is the same for all.
            Gpus::None => Maker::Docker,
            _ => self.maker().await?,
        };
        let options = CreateContainerOptionsBuilder::new().name(&name(&job.label)).build();
        let made = self.docker.create_container(Some(options), settings(job, maker)).await;
        let id = match made {
            Ok(made) => made.id,
            Err(error) if is_taken(&error) => {
                // Somebody was faster: a process that died after its request, most likely. The engine knows the name
                // before it lists the container.
                for _ in 0..TRIES {
                    if let Some(found) = self.find(Some(&job.label)).await?.pop() {
                        return Ok(found.id);
                    }
                    sleep(TICK).await;
                }
                return Err(self.refused(job, "create", error));
            }
            Err(error) => return Err(self.refused(job, "create", error)),
        };
        Ok(id)
    }

    /// Starts it, unless it lacks a limit; does nothing if it is started already.
    async fn start(&self, job: &Job, id: String) -> Result<String, ContainerError> {
        let made = self.listed(job, &id).await?;
        if is_started(&made) {
            // Somebody was faster. If it has ended since, the engine would run it a second time.
            return Ok(id);
        }
        if let Err(error) = check_limits(job, &made.host_config.unwrap_or_default()) {
            self.remove_container(&id, IfRunning::Leave).await?;
            return Err(error);
        }
        let Err(error) = self.docker.start_container(&id, None).await else { return Ok(id) };
        if is_away(&error) {
            // It may have been started, which a next call finds out.
            return Err(self.failed("start a container", error));
        }
        let has_run = async || self.inspect(&id).await.is_ok_and(|there| is_started(&there));
        // So that a next try begins with what the job says then; unless somebody else started it, whose end would be lost.
        if !has_run().await {
            self.remove_container(&id, IfRunning::Leave).await?;
        }
        match has_run().await {
            true => Ok(id),
            false => Err(self.refused(job, "start", error)),
        }
    }

    /// A container that the engine has listed, which it does a moment before it knows it by its identifier.
    async fn listed(
        &self,
        job: &Job,
        id: &str,
    ) -> Result<ContainerInspectResponse, ContainerError> {
        for _ in 0..TRIES {
            match self.inspect(id).await {
                Err(error) if is_missing(&error) => sleep(TICK).await,
                made => return made.map_err(|error| self.failed("inspect a container", error)),
            }
        }
        Err(ContainerError::Gone { label: job.label.clone() })
    }

    fn refused(&self, job: &Job, doing: &'static str, error: EngineError) -> ContainerError {
        match answered(&error) {
            Some((_, message)) => ContainerError::Refused {
                label: job.label.clone(),
                doing,
                message: message.to_owned(),
            },
            None => self.failed("make a container", error),
        }
    }
}

/// Whether the engine has a container of this name.
fn is_taken(error: &EngineError) -> bool {
    answered(error).is_some_and(|(status, said)| status == 409 || said.contains("already in use"))
}

fn is_started(container: &ContainerInspectResponse) -> bool {
    container.state.as_ref().is_some_and(|state| started(state).is_some())
}

/// How far a container has come: 0 if it was not started.
fn progress(found: &FoundContainer) -> u8 {
    match found.state {
        Some(State::CREATED) => 0,
        Some(State::EXITED | State::DEAD) => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests;
