//! The container engine: connecting to it, and looking after burgeon's containers as a whole.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use bollard::errors::Error as EngineError;
use bollard::models::{
    ContainerInspectResponse, ContainerSummary, ContainerSummaryStateEnum, SystemInfo,
    SystemInfoCgroupDriverEnum,
};
use bollard::query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};
use bollard::{API_DEFAULT_VERSION, Docker};
use tokio::time::sleep;

use super::error::{ContainerError, answered, is_missing};
use super::job::{is_image, is_label};
use super::settings::{LABEL, Maker};
use super::socket::socket;

/// How long an engine may take to answer that it is there.
const FIRST_ANSWER: Duration = Duration::from_secs(15);

/// How long an engine may take to give a state that is one.
const SETTLED: Duration = Duration::from_secs(60);

/// Seconds that an engine may take to begin an answer: starting a container can take long on a slow disk.
const ANSWER_SECONDS: u64 = 120;

/// A container engine, Docker or Podman, on this machine. Copies share no state and may be used in parallel.
///
/// All calls wait until they are done.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(super) docker: Docker,
    pub(super) socket: PathBuf,
}

/// A container of burgeon, found by its label.
#[derive(Debug)]
pub(super) struct FoundContainer {
    pub id: String,
    pub label: String,
    pub state: Option<ContainerSummaryStateEnum>,
}

/// What removing does with a container that runs.
#[derive(Debug, Clone, Copy)]
pub(super) enum IfRunning {
    Kill,
    Leave,
}

impl Engine {
    /// Connects to the engine at `socket`, or else to the one that `DOCKER_HOST` or `CONTAINER_HOST` names, or to the
    /// first one found in the usual places, those without root first.
    ///
    /// # Errors
    ///
    /// When there is none, or when it does not answer.
    pub fn connect(socket_path: Option<&Path>) -> Result<Self, ContainerError> {
        let socket = socket(socket_path)?;
        let away = |source: Box<dyn std::error::Error + Send + Sync>| ContainerError::Unreachable {
            socket: socket.clone(),
            source,
        };
        // The check of `usable` has made sure that nothing is lost.
        let path = socket.to_string_lossy();
        let docker = Docker::connect_with_unix(&path, ANSWER_SECONDS, API_DEFAULT_VERSION)
            .map_err(|error| away(error.into()))?;
        let docker = block_on(async {
            match tokio::time::timeout(FIRST_ANSWER, docker.ping()).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(away(error.into())),
                Err(error) => return Err(away(error.into())),
            }
            // Its answer tells the newest interface that both know. Podman asks several programs before it gives it.
            docker.negotiate_version().await.map_err(|error| away(error.into()))
        })?;
        Ok(Self { docker, socket })
    }

    /// The engine's socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Whether the engine runs without root. What is root in its containers is then the user that the engine runs as, and
    /// all other users there are none of this machine.
    ///
    /// # Errors
    ///
    /// When the engine cannot be asked.
    pub fn is_rootless(&self) -> Result<bool, ContainerError> {
        block_on(async { Ok(is_rootless(&self.info().await?)) })
    }

    /// Refuses an engine that cannot hold programs to limits. Without root, only systemd passes the controllers of
    /// cgroups on; with any other driver such an engine takes limits, lists them with the container, and applies none.
    pub(super) async fn check_cgroups(&self) -> Result<(), ContainerError> {
        let info = self.info().await?;
        match applies_limits(&info) {
            true => Ok(()),
            false => Err(ContainerError::NoCgroups {
                socket: self.socket.clone(),
                driver: info.cgroup_driver.map_or("none".to_owned(), |driver| driver.to_string()),
            }),
        }
    }

    async fn info(&self) -> Result<SystemInfo, ContainerError> {
        let info = self.docker.info().await;
        info.map_err(|error| self.failed("tell how it runs", error))
    }

    /// Whether the engine has the image.
    ///
    /// # Errors
    ///
    /// When the engine cannot be asked.
    pub fn image_exists(&self, image: &str) -> Result<bool, ContainerError> {
        if !is_image(image) {
            return Ok(false);
        }
        block_on(self.has_image(image))
    }

    pub(super) async fn has_image(&self, image: &str) -> Result<bool, ContainerError> {
        match self.docker.inspect_image(image).await {
            Ok(_) => Ok(true),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => Err(self.failed("look for an image", error)),
        }
    }

    /// Whose engine it is.
    pub(super) async fn maker(&self) -> Result<Maker, ContainerError> {
        let version = self.docker.version().await;
        let version = version.map_err(|error| self.failed("tell its version", error))?;
        let parts = version.components.unwrap_or_default();
        match parts.iter().any(|part| part.name.starts_with("Podman")) {
            true => Ok(Maker::Podman),
            false => Ok(Maker::Docker),
        }
    }

    /// The labels of all containers of burgeon, ended ones among them, sorted.
    ///
    /// # Errors
    ///
    /// When the engine cannot be asked.
    pub fn list(&self) -> Result<Vec<String>, ContainerError> {
        let found = block_on(self.find(None))?;
        let mut labels: Vec<String> = found.into_iter().map(|found| found.label).collect();
        labels.sort();
        labels.dedup();
        Ok(labels)
    }

    /// Removes the container of this label, if there is one, and kills it if it runs. Its output is lost with it, its
    /// mounted folders stay.
    ///
    /// # Errors
    ///
    /// When the engine cannot remove it.
    pub fn remove(&self, label: &str) -> Result<(), ContainerError> {
        block_on(async {
            for found in self.find(Some(label)).await? {
                self.remove_container(&found.id, IfRunning::Kill).await?;
            }
            Ok(())
        })
    }

    pub(super) async fn remove_container(
        &self,
        id: &str,
        if_running: IfRunning,
    ) -> Result<(), ContainerError> {
        // With the volumes that the image declares, which nobody else knows of.
        let force = matches!(if_running, IfRunning::Kill);
        let options = RemoveContainerOptionsBuilder::new().force(force).v(true).build();
        match self.docker.remove_container(id, Some(options)).await {
            Ok(()) => Ok(()),
            Err(error) => match answered(&error) {
                // It is gone, or somebody removes it, or it runs.
                Some((404 | 409, _)) => Ok(()),
                Some(_) if matches!(if_running, IfRunning::Leave) => Ok(()),
                _ => Err(self.failed("remove a container", error)),
            },
        }
    }

    /// The containers of this label, or of any.
    pub(super) async fn find(
        &self,
        label: Option<&str>,
    ) -> Result<Vec<FoundContainer>, ContainerError> {
        let filter = match label {
            // It would match more than itself, or nothing.
            Some(label) if !is_label(label) => return Ok(Vec::new()),
            Some(label) => format!("{LABEL}={label}"),
            None => LABEL.to_owned(),
        };
        let filters = HashMap::from([("label", vec![filter])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let found = settled(|| self.docker.list_containers(Some(options.clone()))).await;
        let found = found.map_err(|error| self.failed("list containers", error))?;
        // Whatever the engine made of the filter.
        Ok(found
            .into_iter()
            .filter_map(found_in)
            .filter(|found| label.is_none_or(|label| found.label == label))
            .collect())
    }

    pub(super) async fn inspect(&self, id: &str) -> Result<ContainerInspectResponse, EngineError> {
        settled(|| self.docker.inspect_container(id, None)).await
    }

    pub(super) fn failed(&self, doing: &'static str, error: EngineError) -> ContainerError {
        ContainerError::of_request(&self.socket, doing, error)
    }
}

/// Asks again while the answer cannot be understood: Podman calls containers `stopped` for a moment before they are
/// `exited`, which is no state of Docker's interface.
async fn settled<T, F>(ask: impl Fn() -> F) -> Result<T, EngineError>
where
    F: Future<Output = Result<T, EngineError>>,
{
    let began = Instant::now();
    loop {
        match ask().await {
            Err(EngineError::JsonDataError { .. }) if began.elapsed() < SETTLED => {
                sleep(Duration::from_millis(100)).await;
            }
            answer => return answer,
        }
    }
}

fn is_rootless(info: &SystemInfo) -> bool {
    info.security_options.iter().flatten().any(|option| option.contains("rootless"))
}

fn applies_limits(info: &SystemInfo) -> bool {
    !is_rootless(info) || info.cgroup_driver == Some(SystemInfoCgroupDriverEnum::SYSTEMD)
}

fn found_in(summary: ContainerSummary) -> Option<FoundContainer> {
    let label = summary.labels?.remove(LABEL)?;
    Some(FoundContainer { id: summary.id?, label, state: summary.state })
}

/// Waits for the engine on a thread of its own: one that drives asynchronous tasks must not wait itself. A runtime for
/// each call, as connections are not kept anyway.
pub(super) fn block_on<T: Send>(
    future: impl Future<Output = Result<T, ContainerError>> + Send,
) -> Result<T, ContainerError> {
    std::thread::scope(|scope| join(spawn(scope, future)?))
}

type Handle<'scope, T> = ScopedJoinHandle<'scope, Result<T, ContainerError>>;

/// Drives the future on a thread of its own.
pub(super) fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    future: impl Future<Output = Result<T, ContainerError>> + Send + 'scope,
) -> Result<Handle<'scope, T>, ContainerError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(ContainerError::Runtime)?;
    std::thread::Builder::new()
        .name("container engine".into())
        .spawn_scoped(scope, move || runtime.block_on(future))
        .map_err(ContainerError::Runtime)
}

/// What came of it.
pub(super) fn join<T>(thread: Handle<'_, T>) -> Result<T, ContainerError> {
    let failed = |_| ContainerError::Runtime(io::Error::other("the thread that waited failed"));
    thread.join().unwrap_or_else(|panic| Err(failed(panic)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_systemd_applies_the_limits_of_an_engine_without_root() {
        use SystemInfoCgroupDriverEnum::{CGROUPFS, NONE, SYSTEMD};
        let info = |options: &[&str], driver| SystemInfo {
            security_options: Some(options.iter().map(ToString::to_string).collect()),
            cgroup_driver: Some(driver),
            ..SystemInfo::default()
        };
        let (root, rootless) = (["name=seccomp,profile=builtin"], ["name=rootless"]);
        for driver in [CGROUPFS, NONE, SYSTEMD] {
            assert!(applies_limits(&info(&root, driver)));
        }
        assert!(applies_limits(&info(&rootless, SYSTEMD)));
        assert!(!applies_limits(&info(&rootless, CGROUPFS)));
        assert!(!applies_limits(&info(&rootless, NONE)));
    }
}
