//! The queued builds, and why they wait.

use crate::chain::{BuildRow, BuildState, Store, StoreError};

/// A queued build, and why it is not running yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Waiting {
    /// The build.
    pub(super) build: BuildRow,
    /// Why, in a clause.
    pub(super) why: String,
}

/// All queued builds in the order in which they will start. `most` builds and retrainings may run at the same time, and
/// `training` retrainings do.
pub(super) fn waiting(
    store: &Store,
    most: usize,
    training: usize,
) -> Result<Vec<Waiting>, StoreError> {
    let running = store.in_state(BuildState::Running)?;
    let mut taken: Vec<(String, i64)> =
        running.iter().map(|build| (build.repository.clone(), build.id)).collect();
    let mut waiting = Vec::new();
    for build in store.in_state(BuildState::Queued)? {
        let before = taken.iter().find(|(repository, _)| *repository == build.repository);
        let why = match before {
            Some((repository, id)) if running.iter().any(|build| build.id == *id) => {
                format!("build {id} of {repository} is running")
            }
            Some((repository, id)) => format!("build {id} of {repository} is ahead in the queue"),
            None if training > 0 && taken.len() + training >= most => {
                format!("{} of {most} builds and retrainings are running", taken.len() + training)
            }
            None if taken.len() >= most => match most {
                1 => "another build is running, and only one may run at a time".to_owned(),
                most => format!("{most} builds are running or starting, which is the maximum"),
            },
            None => "it is about to start".to_owned(),
        };
        if before.is_none() {
            taken.push((build.repository.clone(), build.id));
        }
        waiting.push(Waiting { build, why });
    }
    Ok(waiting)
}

#[cfg(test)]
mod tests;
