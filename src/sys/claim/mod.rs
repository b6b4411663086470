//! Who may write to a folder, decided by files alone: for folders that no lock of the kernel reaches.
//!
//! A claim is a file `claim-7`, created exclusively, which file systems decide among all machines:
//! of two processes that want epoch 7, one gets it. Its holder's process signs it and from then on
//! counts in it, once a second, from a thread of its own, so that it counts on however long a
//! training step takes. Whoever wants the folder judges every claim that it finds: a process on
//! this machine by its id, any other by watching whether the counter changes. Only the watcher's own
//! monotonic clock is asked, so the machines' clocks may differ by hours.
//!
//! ```text
//! judge all claims, each must be of a process that is gone
//!   └─ create the claim of the next epoch, exclusively
//!        └─ look again: no claim that was not judged, no fence as high as ours
//!             └─ raise the fence to the epoch, which stops whoever was wrongly held to be gone
//!                  └─ look again: no claim above ours; then remove those that were judged
//! ```
//!
//! Invariant: who holds an epoch has seen, after its own claim was visible to all, no claim of a
//! process that may live. Of two that claim at once the later one to look sees the other, and
//! withdraws.

mod folder;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use self::folder::{is_gone, remove_if_there};
use super::fence::{EPOCH_MAX, Fence, FenceError};
use super::heartbeat::HEARTBEAT_FILE;
use super::holder::Holder;
use super::process::{Cause, Liveness, ProcessName};

pub(super) use self::folder::{ClaimFolder, RealFolder};

/// How often the holder of a claim counts.
pub(super) const BEAT_EVERY: Duration = Duration::from_secs(1);
/// Claims are looked at so often before a crowd of claimants is told that the folder is taken.
const ATTEMPTS: u32 = 8;
const PREFIX: &str = "claim-";
/// Every count is padded to at least this, so that writing it in place leaves nothing of the one
/// before.
const WIDTH_BYTES: usize = 1024;

/// A claim that this process holds until it is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    folder: Arc<dyn ClaimFolder>,
    name: String,
    holder: Holder,
    /// Dropped with the claim, which ends the thread that counts.
    counting: Option<Sender<()>>,
}

/// Who wants the folder.
#[derive(Debug, Clone)]
pub(super) struct Claimant {
    /// What will sign; its epoch is set here.
    pub(super) holder: Holder,
    /// How long a process that cannot be seen is watched before it is held to be gone.
    pub(super) patience: Duration,
    /// How often it will count: much more often than that.
    pub(super) beat_every: Duration,
    /// What the kernel's own lock says.
    pub(super) kernel: Kernel,
}

/// What the kernel said about its lock on the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kernel {
    /// Nobody else on this kernel holds it.
    Granted,
    /// Locks do not work there.
    CannotTell,
}

/// Why a claim was not had.
#[derive(Debug)]
pub(super) enum ClaimError {
    /// Somebody who lives, or may live, has it; `None` who has not signed yet.
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

/// A claim, the leave to write that goes with it, and the last holder if it went without a word.
#[derive(Debug)]
pub(super) struct Granted {
    pub(super) claim: Claim,
    pub(super) fence: Fence,
    pub(super) from: Option<(Holder, Option<Cause>)>,
}

/// What a claim's file holds.
#[derive(Debug, Serialize, Deserialize)]
struct Signed {
    #[serde(flatten)]
    holder: Holder,
    /// Grows for as long as the holder lives.
    beats: u64,
}

/// A claim as somebody else finds it.
#[derive(Debug, Clone)]
struct Found {
    name: String,
    epoch: u64,
    holder: Option<Holder>,
}

impl Claimant {
    /// Takes the folder, now or not at all. `unclaimed` is who else signed for it and left no
    /// claim, as version 0.1.0 did; `last_epoch` answers the highest epoch that is known to have
    /// been used, claims aside; `raise` raises the fence to an epoch.
    ///
    /// # Errors
    ///
    /// [`ClaimError::Held`] when anybody else holds it or is about to.
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
                // No run gets there; whoever wrote such a number was not burgeon.
                let problem = format!(
                    "epoch {used} of the lock or of a claim leaves no higher one: remove that file"
                );
                return Err(io::Error::other(problem).into());
            }
            let epoch = used + 1;
            let mut claim = match Claim::create(folder, self.holder.clone(), epoch) {
                Ok(claim) => claim,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error.into()),
            };
            // From here on an early return drops the claim, and with it its file.
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
                remove_if_there(&**folder, &old.name)?;
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
            // Its holder died before it signed.
            None => Ok(None),
        }
    }

    /// Whether a holder is gone, and if it is known, why. `look` answers with what changes for as
    /// long as it lives.
    ///
    /// # Errors
    ///
    /// [`ClaimError::Held`] when it lives.
    fn judge(
        &self,
        holder: &Holder,
        look: impl Fn() -> Option<Vec<u8>>,
    ) -> Result<Option<Cause>, ClaimError> {
        let this = &self.holder.process;
        match this.liveness_of(&holder.process) {
            Liveness::Dead(cause) => Ok(Some(cause)),
            // On one kernel its word is enough, whatever container the holder was in.
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

/// Whether what `look` sees changes, or goes, within `patience` of this process's monotonic clock.
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
                // It may be there, though nothing stands in it.
                let _ = folder.remove(&name);
                Err(error)
            }
        }
    }

    /// What stands in the claim.
    pub(super) fn holder(&self) -> &Holder {
        &self.holder
    }

    /// Counts from now on until the claim is dropped.
    fn count(&mut self, every: Duration) {
        let (sender, dropped) = channel::<()>();
        let (folder, name) = (Arc::clone(&self.folder), self.name.clone());
        let holder = self.holder.clone();
        let count = move || {
            let mut beats = 0;
            while dropped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                beats += 1;
                // A count that fails is made up for by the next. One that fails for long may cost
                // the claim, which the fence then tells.
                let _ = folder.overwrite(&name, &signed(&holder, beats));
            }
        };
        let thread = std::thread::Builder::new().name("claim".into()).spawn(count);
        // Without a thread to spare the claim still holds on this machine.
        self.counting = thread.ok().map(|_| sender);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.counting = None;
        // One that stays is judged by whoever comes next.
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
    // Written in no other way.
    (epoch.to_string() == digits && epoch <= EPOCH_MAX).then_some(epoch)
}

/// Whoever claims a folder now, as its claims tell; those of processes known to be gone are none.
pub(super) fn claimed_by(folder: &dyn ClaimFolder) -> io::Result<Option<Holder>> {
    let this = ProcessName::current();
    let holders = claims(folder)?.into_iter().rev().filter_map(|claim| claim.holder);
    let may_live =
        |holder: &Holder| !matches!(this.liveness_of(&holder.process), Liveness::Dead(_));
    Ok(holders.into_iter().find(may_live))
}
