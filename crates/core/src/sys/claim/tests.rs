//! Claims on a folder that exists in memory alone.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use jiff::{Timestamp, ToSpan};

use super::*;
use crate::sys::files::Files;
use crate::sys::simulated_disk::SimulatedDisk;

const FENCE: &str = "/fence";
const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(20);

/// A folder that machines share and that no lock reaches: there is no call to lock anything.
#[derive(Debug, Default)]
struct SharedFolder(Mutex<BTreeMap<String, Vec<u8>>>);

impl ClaimFolder for SharedFolder {
    fn create_new(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut files = self.0.lock().unwrap();
        if files.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        files.insert(name.into(), bytes.into());
        Ok(())
    }

    fn overwrite(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut files = self.0.lock().unwrap();
        *files.get_mut(name).ok_or(io::ErrorKind::NotFound)? = bytes.into();
        Ok(())
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.0.lock().unwrap().get(name).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let removed = self.0.lock().unwrap().remove(name);
        removed.map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().unwrap().keys().cloned().collect())
    }
}

struct Site {
    folder: Arc<dyn ClaimFolder>,
    files: Arc<dyn Files>,
}

impl Site {
    fn new() -> Self {
        let files = SimulatedDisk::default().share();
        Self { folder: Arc::new(SharedFolder::default()), files }
    }

    fn last_epoch(&self) -> Result<u64, FenceError> {
        Fence::last(&*self.files, Path::new(FENCE))
    }

    fn take(&self, claimant: &Claimant) -> Result<Granted, ClaimError> {
        let raise = |epoch| self.raise(claimant, epoch);
        claimant.take(&self.folder, None, || self.last_epoch(), raise)
    }

    fn raise(&self, claimant: &Claimant, epoch: u64) -> Result<Fence, FenceError> {
        Fence::raise(&self.files, Path::new(FENCE), epoch - 1, &claimant.holder.process)
    }
}

fn claimant(process: ProcessName, patience: Duration) -> Claimant {
    Claimant {
        holder: Holder {
            process,
            since: Timestamp::now(),
            command: "burgeon tune".into(),
            fence: 0,
        },
        patience,
        beat_every: Duration::from_millis(2),
        // What a lock says that is always granted and means nothing.
        kernel: Kernel::Granted,
    }
}

/// A process on a machine of its own, though all have one name.
fn on_machine(number: u32, patience: Duration) -> Claimant {
    let process = ProcessName {
        pid: 1,
        started: Some(5),
        boot: format!("boot {number}"),
        pid_namespace: Some("pid:[1]".into()),
        host: "trainer".into(),
        machine: None,
    };
    claimant(process, patience)
}

#[test]
fn a_holder_that_counts_is_left_alone_however_far_the_clocks_are_apart() {
    for hours in [-1, 0, 1] {
        let site = Site::new();
        let mut first = on_machine(1, SHORT);
        first.holder.since = Timestamp::now() + hours.hours();
        let held = site.take(&first).unwrap();
        let refused = site.take(&on_machine(2, LONG)).unwrap_err();
        assert!(matches!(&refused, ClaimError::Held(Some(holder)) if holder.fence == 1));
        held.fence.check().unwrap();
    }
}

#[test]
fn a_holder_that_no_longer_counts_is_replaced_and_can_publish_nothing() {
    for hours in [-1, 0, 1] {
        let site = Site::new();
        let mut first = on_machine(1, SHORT);
        first.holder.since = Timestamp::now() + hours.hours();
        let mut old = site.take(&first).unwrap();
        old.claim.counting = None;
        // Time for a count under way to end.
        while changes(|| site.folder.read("claim-1").ok(), SHORT) {}
        let new = site.take(&on_machine(2, SHORT)).unwrap();
        assert_eq!((old.fence.number(), new.fence.number()), (1, 2));
        assert!(matches!(old.fence.check(), Err(FenceError::Replaced { ours: 1, .. })));
        assert!(matches!(&new.from, Some((from, None)) if from.fence == 1));
        // What the old one does when it wakes and leaves takes nothing from the new one.
        drop(old);
        new.fence.check().unwrap();
        assert_eq!(site.folder.list().unwrap(), ["claim-2"]);
    }
}

#[test]
fn of_many_machines_that_claim_at_once_at_most_one_may_publish() {
    for _ in 0..20 {
        let site = Site::new();
        let together = std::sync::Barrier::new(8);
        let results: Vec<_> = std::thread::scope(|scope| {
            let claim = |number| {
                let (site, together) = (&site, &together);
                scope.spawn(move || {
                    together.wait();
                    site.take(&on_machine(number, Duration::from_millis(300)))
                })
            };
            let threads: Vec<_> = (0..8).map(claim).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let may_publish =
            |result: &&Result<Granted, _>| result.as_ref().is_ok_and(|g| g.fence.check().is_ok());
        assert!(results.iter().filter(may_publish).count() <= 1);
        let refused = |result: &Result<Granted, _>| {
            result.is_ok() || matches!(result, Err(ClaimError::Held(_) | ClaimError::Fence(_)))
        };
        assert!(results.iter().all(refused), "{results:?}");
        drop(results);
        assert_eq!(site.folder.list().unwrap(), Vec::<String>::new(), "all gave back");
        site.take(&on_machine(9, SHORT)).unwrap();
    }
}

#[test]
fn a_claim_whose_machine_died_before_it_raised_the_fence_does_not_unseat_a_living_holder() {
    let site = Site::new();
    let held = site.take(&on_machine(1, SHORT)).unwrap();
    let died = Claim::create(&site.folder, on_machine(2, SHORT).holder, 2).unwrap();
    let patient = on_machine(3, Duration::from_millis(300));
    assert!(matches!(site.take(&patient), Err(ClaimError::Held(Some(h))) if h.fence == 1));
    held.fence.check().unwrap();
    drop(held);
    let next = site.take(&on_machine(3, SHORT)).unwrap();
    assert_eq!(next.fence.number(), 3);
    drop(died);
    next.fence.check().unwrap();
}

#[test]
fn an_epoch_that_was_used_meanwhile_is_not_used_again() {
    let site = Site::new();
    // Between our looking and our claiming, others came and went as far as epoch 6.
    let looks = Cell::new(0);
    let last = || {
        looks.set(looks.get() + 1);
        Ok(if looks.get() == 1 { 5 } else { 6 })
    };
    let claimant = on_machine(1, SHORT);
    let raise = |epoch| site.raise(&claimant, epoch);
    let granted = claimant.take(&site.folder, None, last, raise).unwrap();
    assert_eq!((granted.fence.number(), granted.claim.holder().fence), (7, 7));
}

#[test]
fn on_one_machine_the_dead_are_replaced_and_the_living_respected_at_once_and_without_locks() {
    for kernel in [Kernel::Granted, Kernel::CannotTell] {
        let this = ProcessName::current();
        let site = Site::new();
        let dead = claimant(ProcessName { pid: u32::MAX, ..this.clone() }, LONG).holder;
        std::mem::forget(Claim::create(&site.folder, dead, 4).unwrap());
        let living = Claimant { kernel, ..claimant(this, LONG) };
        let granted = site.take(&living).unwrap();
        assert_eq!(granted.fence.number(), 5);
        assert!(matches!(granted.from, Some((_, Some(Cause::Exited)))));
        assert!(matches!(site.take(&living), Err(ClaimError::Held(Some(_)))));
    }
}

#[test]
fn a_claim_without_a_signature_is_watched_and_then_nobodys() {
    let site = Site::new();
    site.folder.create_new("claim-8", b"{\"pid\":").unwrap();
    for name in ["claim-", "claim-x", "claim-09", "claim-99999999999999999999"] {
        site.folder.create_new(name, b"").unwrap();
    }
    assert_eq!(site.take(&on_machine(1, SHORT)).unwrap().fence.number(), 9);
}

#[test]
fn a_claim_is_given_back_where_the_fence_cannot_be_raised() {
    let site = Site::new();
    let damaged = |_| {
        let source = serde_json::from_str::<u64>("?").unwrap_err();
        Err(FenceError::Unreadable { path: FENCE.into(), source })
    };
    let refused = on_machine(1, SHORT).take(&site.folder, None, || site.last_epoch(), damaged);
    assert!(matches!(refused, Err(ClaimError::Fence(_))));
    assert_eq!(site.folder.list().unwrap(), Vec::<String>::new());
}
