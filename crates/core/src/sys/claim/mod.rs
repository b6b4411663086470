//! Decides by files alone which process may write to a folder, where the kernel's locks do not work, as
//! between machines that share a network folder.
//!
//! A claim is a file such as `claim-7`, created exclusively: of two processes that want epoch 7, on any
//! machines, the file system lets only one create it. Its holder writes its identity into the file, and
//! then a counter once a second, from its own thread, so that a long training step does not stop it. A
//! process that wants the folder checks every claim that it finds: that of a process on this machine by
//! its process id, any other by watching whether the counter changes. Times are measured only by the
//! watcher's own monotonic clock, so the clocks of the machines may differ.
//!
//! ```text
//! check all claims: each must be of a process that has ended
//!   └─ create the claim of the next epoch, exclusively
//!        └─ list again: there must be no unchecked claim, and no fence of this epoch
//!             └─ raise the fence to the epoch, which stops a holder that is alive after all
//!                  └─ list again: there must be no higher claim; then remove the checked ones
//! ```
//!
//! Invariant: after the claim of a holder was visible to all, the holder has seen no claim of a process that
//! may be alive. Of two that claim at once, the one that lists last sees the other's claim, and withdraws.

mod folder;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use self::folder::{is_gone, remove_if_present};
use super::fence::{EPOCH_MAX, Fence, FenceError};
use super::heartbeat::HEARTBEAT_FILE;
use super::holder::Holder;
use super::process::{Cause, Liveness, ProcessName};

pub(super) use self::folder::{ClaimFolder, RealFolder};

/// How often the holder of a claim writes the counter.
pub(super) const BEAT_EVERY: Duration = Duration::from_secs(1);
/// How often a claim is tried if several processes claim the folder at once.
const ATTEMPTS: u32 = 8;
const PREFIX: &str = "claim-";
/// The content is padded to at least this length, so that it overwrites all of the previous content.
const WIDTH_BYTES: usize = 1024;

/// A claim that this process holds until it is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    folder: Arc<dyn ClaimFolder>,
    name: String,
    holder: Holder,
    /// Dropped with the claim, which ends the thread that writes the counter.
    counting: Option<Sender<()>>,
}

/// A process that wants the folder.
#[derive(Debug, Clone)]
pub(super) struct Claimant {
    /// Its identity; the epoch is set by `take`.
    pub(super) holder: Holder,
    /// How long a process on another machine is watched before it counts as dead.
    pub(super) patience: Duration,
    /// How often this process will write its counter; must be much less than `patience`.
    pub(super) beat_every: Duration,
    /// What the kernel's lock tells.
    pub(super) kernel: Kernel,
}

/// What the kernel's lock tells about other holders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kernel {
    /// No other process on this kernel holds the folder.
    Granted,
    /// Nothing: locks do not work there.
    CannotTell,
}

/// Why a folder cannot be claimed.
#[derive(Debug)]
pub(super) enum ClaimError {
    /// A process that is, or may be, alive holds it; `None` if it has not written its identity yet.
    Held(Option<Box<Holder>>),
    /// The fence could not be raised.
    Fence(FenceError),
    /// The folder could not be read or written.
    Folder(io::Error),
}

impl From<io::Error> for ClaimError {
    fn from(error: io::Error) -> Self {
        Self::Folder(error)
    }
}

/// A claim, the permission to write, and the previous holder if it ended without releasing the folder.
#[derive(Debug)]
pub(super) struct Granted {
    pub(super) claim: Claim,
    pub(super) fence: Fence,
    pub(super) from: Option<(Holder, Option<Cause>)>,
}

/// The content of a claim's file.
#[derive(Debug, Serialize, Deserialize)]
struct Signed {
    #[serde(flatten)]
    holder: Holder,
    /// A counter that grows as long as the holder is alive.
    beats: u64,
}

/// A claim found in the folder.
#[derive(Debug, Clone)]
struct Found {
    name: String,
    epoch: u64,
    holder: Option<Holder>,
}

impl Claimant {
    /// Claims the folder, without waiting for another holder to release it. `unclaimed` is the holder that
    /// the lock names, which may have no claim, as in version 0.1.0; `last_epoch` returns the highest epoch
    /// that is known to have been used, apart from claims; `raise` raises the fence to an epoch.
    ///
    /// # Errors
    ///
    /// [`ClaimError::Held`] if another process holds the folder or is claiming it.
    pub(super) fn take(
        &self,
        folder: &Arc<dyn ClaimFolder>,
        unclaimed: Option<&Holder>,
        last_epoch: impl Fn() -> Result<u64, FenceError>,
        raise: impl Fn(u64) -> Result<Fence, FenceError>,
    ) -> Result<Granted, ClaimError> {
        for _ in 0..ATTEMPTS {
            let found = claims(&**folder)?;
            let mut from = None;
            let has_claim =
                |holder: &Holder| found.iter().any(|claim| claim.holder.as_ref() == Some(holder));
            if let Some(holder) = unclaimed.filter(|holder| !has_claim(holder)) {
                let look = || folder.read(HEARTBEAT_FILE).ok();
                from = Some((holder.clone(), self.judge(holder, look)?));
            }
            for claim in &found {
                let cause = self.judge_claim(&**folder, claim)?;
                from = claim.holder.clone().map(|holder| (holder, cause)).or(from);
            }
            let highest = found.iter().map(|claim| claim.epoch).max().unwrap_or(0);
            let last = last_epoch().map_err(ClaimError::Fence)?;
            let used = highest.max(last);
            if used >= EPOCH_MAX {
                // No run reaches this number, so burgeon did not write it.
                let problem = format!(
                    "the lock or a claim has the epoch {used}, which is the highest possible; remove that file"
                );
                return Err(io::Error::other(problem).into());
            }
            let epoch = used + 1;
            let mut claim = match Claim::create(folder, self.holder.clone(), epoch) {
                Ok(claim) => claim,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error.into()),
            };
            // From here on, an early return drops the claim and removes its file.
            let judged = |name: &str| found.iter().any(|claim| claim.name == name);
            let is_new = |other: &Found| other.name != claim.name && !judged(&other.name);
            if claims(&**folder)?.iter().any(is_new)
                || last_epoch().map_err(ClaimError::Fence)? >= epoch
            {
                continue;
            }
            let fence = raise(epoch).map_err(ClaimError::Fence)?;
            let above = claims(&**folder)?.into_iter().find(|other| other.epoch > epoch);
            if let Some(other) = above {
                return Err(ClaimError::Held(other.holder.map(Box::new)));
            }
            for old in &found {
                remove_if_present(&**folder, &old.name)?;
            }
            claim.count(self.beat_every);
            return Ok(Granted { claim, fence, from });
        }
        Err(ClaimError::Held(claims(&**folder)?.pop().and_then(|other| other.holder.map(Box::new))))
    }

    fn judge_claim(
        &self,
        folder: &dyn ClaimFolder,
        claim: &Found,
    ) -> Result<Option<Cause>, ClaimError> {
        let look = || folder.read(&claim.name).ok();
        match &claim.holder {
            Some(holder) => self.judge(holder, look),
            None if changes(look, self.patience) => Err(ClaimError::Held(None)),
            // Its holder died before it wrote its identity.
            None => Ok(None),
        }
    }

    /// Checks that a holder has ended; returns how that is known, `None` if only its counter stopped. `look`
    /// reads something that changes as long as the holder is alive.
    ///
    /// # Errors
    ///
    /// [`ClaimError::Held`] if it is alive.
    fn judge(
        &self,
        holder: &Holder,
        look: impl Fn() -> Option<Vec<u8>>,
    ) -> Result<Option<Cause>, ClaimError> {
        let this = &self.holder.process;
        match this.liveness_of(&holder.process) {
            Liveness::Dead(cause) => Ok(Some(cause)),
            // On the same kernel, the lock is proof, whatever container the holder was in.
            Liveness::Unknown if self.kernel == Kernel::Granted && same_kernel(this, holder) => {
                Ok(Some(Cause::Exited))
            }
            Liveness::Unknown if !changes(look, self.patience) => Ok(None),
            Liveness::Alive | Liveness::Unknown => {
                Err(ClaimError::Held(Some(Box::new(holder.clone()))))
            }
        }
    }
}

fn same_kernel(this: &ProcessName, holder: &Holder) -> bool {
    !this.boot.is_empty() && this.boot == holder.process.boot
}

/// Whether the result of `look` changes within `patience`.
fn changes(look: impl Fn() -> Option<Vec<u8>>, patience: Duration) -> bool {
    let before = look();
    let started = Instant::now();
    while started.elapsed() < patience {
        std::thread::sleep((patience / 20).min(Duration::from_millis(250)));
        if look() != before {
            return true;
        }
    }
    false
}

impl Claim {
    fn create(folder: &Arc<dyn ClaimFolder>, mut holder: Holder, epoch: u64) -> io::Result<Self> {
        holder.fence = epoch;
        let name = format!("{PREFIX}{epoch}");
        match folder.create_new(&name, &signed(&holder, 0)) {
            Ok(()) => Ok(Self { folder: Arc::clone(folder), name, holder, counting: None }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
            Err(error) => {
                // The file may have been created without content.
                let _ = folder.remove(&name);
                Err(error)
            }
        }
    }

    /// The holder that is recorded in the claim.
    pub(super) fn holder(&self) -> &Holder {
        &self.holder
    }

    /// Writes the counter from now on, until the claim is dropped.
    fn count(&mut self, every: Duration) {
        let (sender, dropped) = channel::<()>();
        let (folder, name) = (Arc::clone(&self.folder), self.name.clone());
        let holder = self.holder.clone();
        let count = move || {
            let mut beats = 0;
            while dropped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                beats += 1;
                // A failed write is made up for by the next. If writes fail for long, another process may
                // take the folder over, and this one notices by the fence.
                let _ = folder.overwrite(&name, &signed(&holder, beats));
            }
        };
        let thread = std::thread::Builder::new().name("claim".into()).spawn(count);
        // Without a thread, the claim still holds on this machine.
        self.counting = thread.ok().map(|_| sender);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.counting = None;
        // If that fails, the next process checks the claim of this one, which is then dead.
        let _ = self.folder.remove(&self.name);
    }
}

fn signed(holder: &Holder, beats: u64) -> Vec<u8> {
    let signed = Signed { holder: holder.clone(), beats };
    // Plain structs of numbers and text: writing them into memory cannot fail.
    let mut bytes = serde_json::to_vec(&signed).unwrap_or_default();
    let width = bytes.len().max(WIDTH_BYTES - 1);
    bytes.resize(width, b' ');
    bytes.push(b'\n');
    bytes
}

/// The claims in a folder, by epoch.
fn claims(folder: &dyn ClaimFolder) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for name in folder.list()? {
        let Some(epoch) = epoch_of(&name) else { continue };
        let holder = match folder.read(&name) {
            Ok(bytes) => serde_json::from_slice::<Signed>(&bytes).ok().map(|signed| signed.holder),
            Err(error) if is_gone(&error) => continue,
            Err(error) => return Err(error),
        };
        found.push(Found { name, epoch, holder });
    }
    found.sort_by_key(|claim| claim.epoch);
    Ok(found)
}

fn epoch_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX)?;
    let epoch: u64 = digits.parse().ok()?;
    // Only numbers as `create` writes them.
    (epoch.to_string() == digits && epoch <= EPOCH_MAX).then_some(epoch)
}

/// The holder of the newest claim, leaving out processes that are known to have ended.
pub(super) fn claimed_by(folder: &dyn ClaimFolder) -> io::Result<Option<Holder>> {
    let this = ProcessName::current();
    let holders = claims(folder)?.into_iter().rev().filter_map(|claim| claim.holder);
    let may_live =
        |holder: &Holder| !matches!(this.liveness_of(&holder.process), Liveness::Dead(_));
    Ok(holders.into_iter().find(may_live))
}
