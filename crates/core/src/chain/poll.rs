//! Polls branches, for pushes that no webhook announced.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Chain;
use super::config::Repository;
use super::git::{Git, GitError};
use super::health::Part;
use super::store::{BuildRequest, Cause, Queued, StoreError};

/// Polls each branch at the start and whenever its interval has passed.
///
/// # Errors
///
/// If the record cannot be read or written.
pub(super) fn work(chain: &Chain) -> Result<(), StoreError> {
    let mut next: BTreeMap<&str, Instant> = BTreeMap::new();
    let mut seen = 0;
    while !chain.is_stopping() {
        for repository in &chain.config.repositories {
            let is_due = next.get(&*repository.name).is_none_or(|at| *at <= Instant::now());
            if repository.poll_seconds == 0 || !is_due || chain.is_stopping() {
                continue;
            }
            let polled = poll(chain, repository);
            let failure = polled.as_ref().err().map(|error| crate::sys::error_chain(error));
            chain.health.report_branch(&repository.name, failure);
            match polled {
                Ok(Some(build)) => {
                    tracing::info!(
                        repository = repository.name,
                        build,
                        "polling found a new commit"
                    )
                }
                Ok(None) => {}
                Err(PollError::Store(error)) => return Err(error),
                // A repository that cannot be reached keeps none of the others waiting.
                Err(error) => {
                    let error = crate::sys::error_chain(&error);
                    tracing::warn!(repository = repository.name, error, "cannot poll the branch");
                }
            }
            let wait = Duration::from_secs(u64::from(repository.poll_seconds));
            next.insert(&repository.name, Instant::now() + wait);
        }
        chain.health.report_success(Part::Poll);
        seen = chain.wait(seen, Duration::from_secs(1));
    }
    Ok(())
}

#[derive(Debug, thiserror::Error)]
enum PollError {
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Queues a build of the branch's newest commit, unless it already has one.
fn poll(chain: &Chain, repository: &Repository) -> Result<Option<i64>, PollError> {
    let kept = chain.places.repository(&repository.name);
    let git = Git {
        url: &repository.url,
        branch: &repository.branch,
        kept: &kept,
        megabytes: repository.checkout_megabytes,
        submodules: repository.submodules,
        stop: &|| {
            chain.health.report_alive(Part::Poll);
            chain.is_stopping()
        },
    };
    let commit = git.newest()?;
    let Repository { name, branch, .. } = repository;
    if chain.store.is_known(name, branch, &commit)? {
        return Ok(None);
    }
    let request = BuildRequest { repository: name, branch, commit: &commit, cause: Cause::Poll };
    match chain.store.enqueue(request)? {
        Queued::New(build) => {
            chain.wake();
            Ok(Some(build))
        }
        Queued::Known(_) => Ok(None),
    }
}
