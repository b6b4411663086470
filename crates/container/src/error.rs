//! Why a container could not be run or looked after.

use std::io;
use std::path::{Path, PathBuf};

use bollard::errors::Error as EngineError;

/// A failure of the engine or of what it was asked for; how the program in a container ended is no error.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// There is no socket of an engine.
    #[error(
        "found no container engine: there is no socket at {places}; start Docker or Podman (`systemctl --user start podman.socket`), or name its socket, as in DOCKER_HOST=unix:///run/user/1000/docker.sock"
    )]
    NoEngine {
        /// Where one was looked for.
        places: String,
    },
    /// The engine is not on this machine.
    #[error(
        "{variable} is `{value}`, but burgeon talks to container engines through Unix sockets only: give it as unix:///PATH"
    )]
    NotASocket {
        /// The environment variable, or what else named it.
        variable: &'static str,
        /// What it says.
        value: String,
    },
    /// The engine does not answer.
    #[error(
        "cannot reach the container engine at {}: check that it runs (`docker version`), and that this user may open the socket (`ls -l {}`)",
        socket.display(), socket.display()
    )]
    Unreachable {
        /// The engine's socket.
        socket: PathBuf,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The system gave no means to wait for the engine.
    #[error("cannot wait for the container engine")]
    Runtime(#[source] io::Error),
    /// The job cannot be run as it is; nothing was started.
    #[error("the container of `{label}` cannot be run: {wrong}")]
    BadJob {
        /// The job's label.
        label: String,
        /// What is wrong, and what would be right.
        wrong: String,
    },
    /// The engine does not have the image.
    #[error(
        "the container engine has no image `{image}`: build or pull it first (`docker pull {image}`), as burgeon does not pull images itself"
    )]
    ImageMissing {
        /// The image's name.
        image: String,
    },
    /// The engine refused to make or to start the container.
    #[error("the container engine refused to {doing} the container of `{label}`: {message}")]
    Refused {
        /// The job's label.
        label: String,
        /// `create` or `start`.
        doing: &'static str,
        /// What the engine said.
        message: String,
    },
    /// The engine made the container without one of its limits; it was removed before it started.
    #[error(
        "the container engine does not apply the limit of {limit} to the container of `{label}`, which was therefore not started: an engine without root needs cgroups of version 2 and a delegated `{controller}` controller"
    )]
    Unlimited {
        /// The job's label.
        label: String,
        /// Which limit.
        limit: &'static str,
        /// The controller of cgroups that applies it.
        controller: &'static str,
    },
    /// The engine runs without root and without systemd, so that no limit would hold.
    #[error(
        "the container engine at {} runs without root and with `{driver}` instead of systemd for its cgroups, so that it applies no limits: set its cgroup driver to systemd (Docker: `\"exec-opts\": [\"native.cgroupdriver=systemd\"]`, Podman: `cgroup_manager = \"systemd\"`) under a user session of systemd, or use an engine with root",
        socket.display()
    )]
    NoCgroups {
        /// The engine's socket.
        socket: PathBuf,
        /// What it uses for its cgroups.
        driver: String,
    },
    /// Somebody else removed the container while it was watched.
    #[error(
        "the container of `{label}` was removed from outside before its exit status could be read"
    )]
    Gone {
        /// The job's label.
        label: String,
    },
    /// The thread that waited for the container ended.
    #[error("no process waits for the container of `{label}` any more; it keeps running")]
    Abandoned {
        /// The job's label.
        label: String,
    },
    /// The container did not end although it was killed.
    #[error("the container of `{label}` was killed {seconds} s ago, and the engine still runs it")]
    DoesNotEnd {
        /// The job's label.
        label: String,
        /// Seconds since it was killed.
        seconds: u64,
    },
    /// The engine answered another request with an error.
    #[error("the container engine could not {doing}")]
    Failed {
        /// What was asked for.
        doing: &'static str,
        /// What the engine said.
        #[source]
        source: EngineError,
    },
}

impl ContainerError {
    /// What an error in answer to a request means: the engine is away, or it said no.
    pub(super) fn of_request(socket: &Path, doing: &'static str, source: EngineError) -> Self {
        match is_away(&source) {
            true => Self::Unreachable { socket: socket.to_owned(), source: source.into() },
            false => Self::Failed { doing, source },
        }
    }
}

/// Whether there was no whole answer from the engine, so that it may be restarting.
pub(super) fn is_away(error: &EngineError) -> bool {
    matches!(
        error,
        EngineError::IOError { .. }
            | EngineError::HyperResponseError { .. }
            | EngineError::HyperLegacyError { .. }
            | EngineError::RequestTimeoutError
            | EngineError::SocketNotFoundError { .. }
    )
}

/// Whether the engine has no such container or image.
pub(super) fn is_missing(error: &EngineError) -> bool {
    answered(error).is_some_and(|(status, _)| status == 404)
}

/// The status of the engine's answer, and its message, if it answered with an error.
pub(super) fn answered(error: &EngineError) -> Option<(u16, &str)> {
    match error {
        EngineError::DockerResponseServerError { status_code, message } => {
            Some((*status_code, message))
        }
        _ => None,
    }
}
