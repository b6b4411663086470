//! Which engine: the one that is named, or the first whose socket is there.

use std::path::{Path, PathBuf};

use super::error::ContainerError;

/// Environment variables that name an engine: Docker's and Podman's.
const VARIABLES: [&str; 2] = ["DOCKER_HOST", "CONTAINER_HOST"];

/// The engine's socket.
pub(super) fn socket(named: Option<&Path>) -> Result<PathBuf, ContainerError> {
    find(named, |variable| std::env::var(variable).ok(), Path::exists)
}

fn find(
    named: Option<&Path>,
    variable: impl Fn(&str) -> Option<String>,
    exists: impl Fn(&Path) -> bool,
) -> Result<PathBuf, ContainerError> {
    if let Some(path) = named {
        return usable("the given socket", path.to_owned(), path.display().to_string());
    }
    for name in VARIABLES {
        let Some(value) = variable(name).filter(|value| !value.is_empty()) else { continue };
        let path = value.strip_prefix("unix://").unwrap_or(&value);
        return usable(name, path.into(), value.clone());
    }
    let places = places(variable("XDG_RUNTIME_DIR"));
    match places.iter().find(|path| exists(path)) {
        Some(path) => Ok(path.clone()),
        None => {
            let places: Vec<_> = places.iter().map(|path| path.display().to_string()).collect();
            Err(ContainerError::NoEngine { places: places.join(", ") })
        }
    }
}

/// An absolute path that a request can carry.
fn usable(variable: &'static str, path: PathBuf, value: String) -> Result<PathBuf, ContainerError> {
    match path.is_absolute() && path.to_str().is_some() {
        true => Ok(path),
        false => Err(ContainerError::NotASocket { variable, value }),
    }
}

/// Where engines put their sockets; those without root first, as they are safer.
fn places(runtime_folder: Option<String>) -> Vec<PathBuf> {
    let own = runtime_folder.filter(|folder| folder.starts_with('/')).map(PathBuf::from);
    let own_docker = own.as_ref().map(|folder| folder.join("docker.sock"));
    let own_podman = own.as_ref().map(|folder| folder.join("podman/podman.sock"));
    let shared = ["/var/run/docker.sock", "/run/podman/podman.sock"].map(PathBuf::from);
    own_docker.into_iter().chain(own_podman).chain(shared).collect()
}

#[cfg(test)]
mod tests;
