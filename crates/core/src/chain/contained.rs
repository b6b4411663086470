//! Runs the programs of stages in containers, which the service finds again after a crash by the build's label.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Chain;
use super::build::{Build, End};
use super::config::ProgramRule;
use super::process::Finished;
use super::store::BuildState;
use crate::sys::error_chain;
use burgeon_container::{ContainerError, Ended, Engine, Job, Limits, Mount};

/// The path of the repository's data in a container.
pub(super) const DATA: &str = "/data";

/// The environment variable that tells a program where the data of its repository is.
pub(super) const DATA_VARIABLE: &str = "BURGEON_DATA";

/// A program to run in a container.
pub(super) struct Contained<'a> {
    /// The rule that names its image and limits.
    pub(super) rule: &'a ProgramRule,
    /// The command that is run.
    pub(super) command: Vec<String>,
    /// The folder that it starts in and may write to.
    pub(super) output: PathBuf,
    /// Files and folders that it may read, besides the checkout and the data.
    pub(super) mounts: Vec<(PathBuf, String)>,
    /// Longest time.
    pub(super) seconds: Option<u64>,
}

impl Contained<'_> {
    /// Runs the program to its end, or waits for the container that the service started before a crash.
    pub(super) fn run(
        self,
        build: &mut Build,
        print: &mut dyn FnMut(&[u8]),
    ) -> Result<Finished, End> {
        let Self { rule, command, output, mounts, seconds } = self;
        let label = label(build.chain, build.row.id);
        let engine = Engine::connect(build.chain.config.engine.as_deref());
        let engine = engine.map_err(|error| build.failed(error_chain(&error)))?;
        let rootless = engine.is_rootless().map_err(|error| build.failed(error_chain(&error)))?;
        let labels = engine.list().map_err(|error| build.failed(error_chain(&error)))?;
        let socket = rootless.then(|| engine.socket());
        // A program that already runs could replace a folder by a link to a file of this machine.
        let given = (!labels.contains(&label)).then_some(&*output);
        let user = container_user(given, socket).map_err(|error| {
            build.failed(format!(
                "cannot make {} writable for the program: {error}",
                output.display()
            ))
        })?;
        let data = build.repository.data.iter().map(|data| (data.clone(), DATA.to_owned()));
        let read_only = |(source, target)| Mount { source, target, read_only: true };
        let job = Job {
            label: label.clone(),
            image: rule.rule.image.clone(),
            command,
            environment: [("PYTHONUNBUFFERED", "1"), ("NO_COLOR", "1")]
                .into_iter()
                .chain(build.repository.data.as_ref().map(|_| (DATA_VARIABLE, DATA)))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            checkout: build.chain.places.checkout(build.row.id),
            output,
            more_mounts: mounts.into_iter().chain(data).map(read_only).collect(),
            user,
            limits: Limits {
                cpus: rule.limits.cpus,
                memory_bytes: u64::from(rule.limits.memory_megabytes) << 20,
                processes: rule.limits.processes,
                seconds,
                hang: rule.limits.hang(),
            },
            network: rule.network,
            gpus: rule.gpus,
        };
        let Build { log, stop, .. } = build;
        let mut output = |bytes: &[u8]| {
            log.print(bytes);
            print(bytes);
        };
        let ended = engine.run(&job, &mut output, &|| stop.is_asked()).and_then(|ended| {
            // Kept until its exit code has been read, by this process or by one after a crash.
            engine.remove(&label)?;
            Ok(ended)
        });
        match ended {
            // A shell reports a signal in this way.
            Ok(Ended::Exited(code @ 129..=159)) => Ok(Finished::Killed((code - 128) as i32)),
            Ok(Ended::Exited(code)) => Ok(Finished::Exited(code as i32)),
            Ok(Ended::Stopped) => Ok(Finished::Stopped),
            Ok(Ended::TimedOut) => Ok(Finished::OutOfTime),
            Ok(Ended::Hung(hang)) => Ok(Finished::Hung(hang)),
            Ok(Ended::OutOfMemory) => {
                let megabytes = rule.limits.memory_megabytes;
                Err(build.failed(format!("the program needs more memory than its {megabytes} MB")))
            }
            Err(error) => Err(build.failed(error_chain(&error))),
        }
    }
}

/// Whether the container of this build exists already.
pub(super) fn has_container(build: &Build) -> Result<bool, End> {
    let label = label(build.chain, build.row.id);
    Engine::connect(build.chain.config.engine.as_deref())
        .and_then(|engine| engine.list())
        .map(|labels| labels.contains(&label))
        .map_err(|error| build.failed(error_chain(&error)))
}

/// Removes the containers of ended builds of this service that a crash left behind.
pub(super) fn remove_left_over(chain: &Chain) -> Result<(), ContainerError> {
    let engine = Engine::connect(chain.config.engine.as_deref())?;
    for found in engine.list()? {
        let ended = found
            .rsplit_once(':')
            .and_then(|(_, id)| id.parse().ok())
            .filter(|id| label(chain, *id) == found)
            .and_then(|id| chain.store.build(id).ok().flatten())
            .is_some_and(|build| build.state == BuildState::Ended);
        if ended {
            engine.remove(&found)?;
        }
    }
    Ok(())
}

/// The label that distinguishes the container of a build from those of all other builds and services.
fn label(chain: &Chain, build: i64) -> String {
    let folder = hex::encode(&Sha256::digest(chain.config.folder.as_os_str().as_bytes())[..8]);
    format!("{folder}:{build}")
}

/// The user and group that the program has in its container, and to whom the folder, if one is given, then belongs:
/// those of the service, unless that is root; then an unprivileged user. `rootless` is the socket of an engine without
/// root: its containers' root is the engine's own user, and no other user of a container could write to a folder of
/// this machine.
fn container_user(folder: Option<&Path>, rootless: Option<&Path>) -> io::Result<(u32, u32)> {
    const UNPRIVILEGED: (u32, u32) = (65532, 65532);
    let own = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let (outside, inside) = match rootless {
        None if own.0 == 0 => (UNPRIVILEGED, UNPRIVILEGED),
        None => (own, own),
        Some(socket) => {
            let socket = std::fs::metadata(socket)?;
            ((socket.uid(), socket.gid()), (0, 0))
        }
    };
    if own.0 == 0 {
        folder.map_or(Ok(()), |folder| give(folder, outside))?;
    } else if own.0 != outside.0 {
        let why = format!("the engine runs as user {}, the service as user {}", outside.0, own.0);
        return Err(io::Error::other(why));
    }
    Ok(inside)
}

/// Changes the owner of a folder and its content.
fn give(folder: &Path, user: (u32, u32)) -> io::Result<()> {
    let mut open = vec![PathBuf::from(folder)];
    while let Some(path) = open.pop() {
        std::os::unix::fs::lchown(&path, Some(user.0), Some(user.1))?;
        if std::fs::symlink_metadata(&path)?.is_dir() {
            for entry in std::fs::read_dir(&path)? {
                open.push(entry?.path());
            }
        }
    }
    Ok(())
}
