//! A cheap fork-join: chunk numbers are handed out to a few threads, the calling one among them.
//!
//! Waiting spins for a bounded time and then sleeps, so that an operation every few microseconds finds the workers
//! awake, and a machine that is busy with something else is not kept from it.
//!
//! Invariant: a worker touches a job only between claiming one of its chunks and counting that chunk as done, and
//! [`Threads::run`] returns only after all chunks are counted; so no job outlives what it borrows.

use std::any::Any;
use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a thread looks out for work, or for the end of others' work, before it sleeps.
const SPIN: Duration = Duration::from_micros(40);

/// A pool of threads that share out chunks of work.
pub struct Threads {
    shared: Arc<Shared>,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    /// Held by whoever runs a job; those who find it held do their work alone.
    running: Mutex<()>,
    /// The calling thread and the workers that take part.
    count: AtomicUsize,
    /// What `count` is while one thread calls.
    most: AtomicUsize,
    job: UnsafeCell<Job>,
    /// Chunks of the job that nobody has claimed; claiming is taking one off.
    unclaimed: AtomicUsize,
    done: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    sleep: Mutex<()>,
    work_came: Condvar,
    workers_asleep: AtomicUsize,
    all_done: Condvar,
    caller_asleep: AtomicBool,
    shutting_down: AtomicBool,
}

#[derive(Clone, Copy)]
struct Job {
    chunks: usize,
    /// The caller's closure and the function that calls it with a chunk number.
    closure: *const (),
    call: unsafe fn(*const (), usize),
}

// SAFETY: `job` is the one field that is not `Sync`. It is written by the holder of `running` while no chunk is
// claimed or claimable, and read only after claiming a chunk; `unclaimed` orders the two. What the job points to is
// `Sync`, by the bound on `Threads::run`.
unsafe impl Sync for Shared {}
// SAFETY: as above.
unsafe impl Send for Shared {}

impl Threads {
    /// A pool of `count` threads (at least one), counting the thread that calls [`Threads::run`].
    pub fn new(count: usize) -> Self {
        let threads = Self { shared: Arc::new(Shared::new()), workers: Mutex::default() };
        threads.set_count(count);
        threads
    }

    /// Lets `count` threads (at least one) take part from now on.
    ///
    /// Where the operating system refuses a thread, fewer take part; results do not depend on it.
    pub fn set_count(&self, count: usize) {
        let _not_while_running = lock(&self.shared.running);
        let mut workers = lock(&self.workers);
        while workers.len() + 1 < count {
            let (shared, index) = (Arc::clone(&self.shared), workers.len());
            let builder = std::thread::Builder::new().name(format!("kernel-{}", index + 1));
            match builder.spawn(move || shared.work(index)) {
                Ok(worker) => workers.push(worker),
                Err(_) => break,
            }
        }
        let count = count.clamp(1, workers.len() + 1);
        self.shared.most.store(count, Ordering::Relaxed);
        self.shared.count.store(count, Ordering::Relaxed);
    }

    /// Leaves a processor to each of `callers` threads that will call at the same time: fewer
    /// workers take part, until it is called for one again.
    pub fn share_among(&self, callers: usize) {
        let _not_while_running = lock(&self.shared.running);
        let most = self.shared.most.load(Ordering::Relaxed);
        let count = (most + 1).saturating_sub(callers.max(1)).max(1);
        self.shared.count.store(count, Ordering::Relaxed);
    }

    /// How many threads take part.
    pub fn count(&self) -> usize {
        self.shared.count.load(Ordering::Relaxed)
    }

    /// Calls `work` once for each number in `0..chunks`, and returns when all calls have returned.
    ///
    /// The calls may run at the same time and in any order. A call from inside a chunk, or while another thread uses
    /// the pool, runs all of its chunks on the calling thread.
    ///
    /// # Panics
    /// A call panicked; the first panic is passed on when every chunk has ended.
    pub fn run<F: Fn(usize) + Sync>(&self, chunks: usize, work: F) {
        if chunks > 1
            && self.count() > 1
            && let Ok(guard) = self.shared.running.try_lock()
        {
            self.shared.fork_join(chunks, &work);
            let panic = lock(&self.shared.panic).take();
            drop(guard);
            if let Some(panic) = panic {
                resume_unwind(panic);
            }
        } else {
            (0..chunks).for_each(work);
        }
    }

    /// Cuts `data` into pieces of `piece_len` (the last may be shorter) and calls `work` with each and its number.
    ///
    /// # Panics
    /// `piece_len` is zero, or a call panicked.
    pub fn run_pieces<T: Send>(
        &self,
        data: &mut [T],
        piece_len: usize,
        work: impl Fn(usize, &mut [T]) + Sync,
    ) {
        let len = data.len();
        let data = DisjointMut::new(data);
        self.run(len.div_ceil(piece_len), |piece| {
            let start = piece * piece_len;
            // SAFETY: pieces do not overlap, and each number is handed out once.
            work(piece, unsafe { data.range(start..len.min(start + piece_len)) });
        });
    }
}

impl std::fmt::Debug for Threads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Threads").field("count", &self.count()).finish()
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.shared.shutting_down.store(true, Ordering::SeqCst);
        drop(lock(&self.shared.sleep));
        self.shared.work_came.notify_all();
        let workers = self.workers.get_mut().unwrap_or_else(PoisonError::into_inner);
        for worker in workers.drain(..) {
            // A worker passes panics on through the job, so that the result of joining it can be ignored.
            drop(worker.join());
        }
    }
}

impl Shared {
    fn new() -> Self {
        Self {
            running: Mutex::new(()),
            count: AtomicUsize::new(1),
            most: AtomicUsize::new(1),
            job: UnsafeCell::new(Job { chunks: 0, closure: std::ptr::null(), call: |_, _| {} }),
            unclaimed: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            panic: Mutex::new(None),
            sleep: Mutex::new(()),
            work_came: Condvar::new(),
            workers_asleep: AtomicUsize::new(0),
            all_done: Condvar::new(),
            caller_asleep: AtomicBool::new(false),
            shutting_down: AtomicBool::new(false),
        }
    }

    /// The caller's side; the caller holds `running`.
    fn fork_join<F: Fn(usize) + Sync>(&self, chunks: usize, work: &F) {
        /// # Safety
        /// `closure` points to a living `F`.
        unsafe fn call<F: Fn(usize)>(closure: *const (), chunk: usize) {
            // SAFETY: by this function's contract.
            unsafe { (*closure.cast::<F>())(chunk) }
        }
        self.done.store(0, Ordering::Relaxed);
        // SAFETY: `running` is held and the previous job's chunks are all done, so nobody reads the job.
        unsafe {
            *self.job.get() =
                Job { chunks, closure: std::ptr::from_ref(work).cast(), call: call::<F> }
        };
        self.unclaimed.store(chunks, Ordering::SeqCst);
        self.wake_workers();
        while self.run_one_chunk() {}
        self.wait_until_done(chunks);
    }

    fn wake_workers(&self) {
        if self.workers_asleep.load(Ordering::SeqCst) > 0 {
            drop(lock(&self.sleep));
            self.work_came.notify_all();
        }
    }

    fn wait_until_done(&self, chunks: usize) {
        let is_done = || self.done.load(Ordering::SeqCst) == chunks;
        if spin_until(is_done) {
            return;
        }
        let mut guard = lock(&self.sleep);
        self.caller_asleep.store(true, Ordering::SeqCst);
        while !is_done() {
            guard = self.all_done.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.caller_asleep.store(false, Ordering::SeqCst);
    }

    /// A worker's loop.
    fn work(&self, index: usize) {
        let takes_part = || index + 1 < self.count.load(Ordering::Relaxed);
        let has_work = || takes_part() && self.unclaimed.load(Ordering::SeqCst) > 0;
        let is_over = || self.shutting_down.load(Ordering::SeqCst);
        while !is_over() {
            while takes_part() && self.run_one_chunk() {}
            if spin_until(|| has_work() || is_over()) {
                continue;
            }
            let mut guard = lock(&self.sleep);
            self.workers_asleep.fetch_add(1, Ordering::SeqCst);
            while !has_work() && !is_over() {
                guard = self.work_came.wait(guard).unwrap_or_else(PoisonError::into_inner);
            }
            self.workers_asleep.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Claims a chunk and runs it; `false` if none was left.
    fn run_one_chunk(&self) -> bool {
        let take_one = |unclaimed: usize| unclaimed.checked_sub(1);
        let Ok(unclaimed) =
            self.unclaimed.fetch_update(Ordering::SeqCst, Ordering::Relaxed, take_one)
        else {
            return false;
        };
        // SAFETY: the claimed chunk is not counted as done before the end of this function, so the caller still waits
        // in `fork_join`: the job stays as it is, and the closure it points to is alive.
        let job = unsafe { *self.job.get() };
        // SAFETY: as above.
        let run = || unsafe { (job.call)(job.closure, job.chunks - unclaimed) };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
            lock(&self.panic).get_or_insert(panic);
        }
        let is_last = self.done.fetch_add(1, Ordering::SeqCst) + 1 == job.chunks;
        if is_last && self.caller_asleep.load(Ordering::SeqCst) {
            drop(lock(&self.sleep));
            self.all_done.notify_one();
        }
        true
    }
}

/// Waits for `condition`, for a bounded time; says whether it came true.
fn spin_until(condition: impl Fn() -> bool) -> bool {
    let mut start = None;
    loop {
        for _ in 0..16 {
            if condition() {
                return true;
            }
            std::hint::spin_loop();
        }
        if start.get_or_insert_with(Instant::now).elapsed() > SPIN {
            return condition();
        }
    }
}

/// A panic under any of the locks here leaves their data consistent, so poisoning is ignored.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A mutable slice whose parts are lent to different chunks at the same time.
pub struct DisjointMut<'a, T> {
    start: *mut T,
    len: usize,
    borrow: PhantomData<&'a mut [T]>,
}

impl<T> Clone for DisjointMut<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for DisjointMut<'_, T> {}

// SAFETY: it hands out `&mut T` on any thread, as sending the parts of a split slice would.
unsafe impl<T: Send> Send for DisjointMut<'_, T> {}
// SAFETY: as above; that parts do not overlap is promised by the callers of `range`.
unsafe impl<T: Send> Sync for DisjointMut<'_, T> {}

impl<'a, T> DisjointMut<'a, T> {
    /// Takes the slice for lending.
    pub fn new(slice: &'a mut [T]) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len(), borrow: PhantomData }
    }

    /// The number of elements of the whole slice.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the slice has no elements.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The slice from element `start` on.
    ///
    /// # Panics
    /// The slice is shorter than that.
    pub fn offset(&self, start: usize) -> Self {
        assert!(start <= self.len, "{start} of {}", self.len);
        // SAFETY: inside the slice, as checked.
        Self { start: unsafe { self.start.add(start) }, len: self.len - start, borrow: PhantomData }
    }

    /// Lends the elements of `range`.
    ///
    /// # Panics
    /// The range is not inside the slice.
    ///
    /// # Safety
    /// No element may be lent twice at the same time.
    pub unsafe fn range(&self, range: Range<usize>) -> &'a mut [T] {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} of {}", self.len);
        // SAFETY: inside the slice, as checked; unaliased, as the caller promises.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chunk_runs_exactly_once() {
        for count in [1, 2, 4] {
            let threads = Threads::new(count);
            for chunks in [0, 1, 2, 3, 17, 200] {
                let mut hits = vec![0_u32; chunks];
                threads.run_pieces(&mut hits, 1, |_, piece| piece[0] += 1);
                assert_eq!(hits, vec![1; chunks], "{count} threads, {chunks} chunks");
            }
        }
    }

    #[test]
    fn many_jobs_after_another_lose_no_chunk() {
        let threads = Threads::new(3);
        let rounds = if cfg!(miri) { 20 } else { 5000 };
        let sum = AtomicUsize::new(0);
        for round in 0..rounds {
            threads.run(round % 7, |chunk| {
                sum.fetch_add(chunk + 1, Ordering::Relaxed);
            });
        }
        let expected: usize = (0..rounds).map(|round| (1..=round % 7).sum::<usize>()).sum();
        assert_eq!(sum.into_inner(), expected);
    }

    #[test]
    fn sleeping_workers_are_woken() {
        let threads = Threads::new(2);
        for _ in 0..5 {
            std::thread::sleep(SPIN * 20);
            let both = std::sync::Barrier::new(2);
            // Neither chunk ends before the other has started, so this returns only if a worker takes part.
            threads.run(2, |_| {
                both.wait();
            });
        }
    }

    #[test]
    fn a_panic_is_passed_on_and_the_pool_goes_on() {
        let threads = Threads::new(2);
        let result =
            catch_unwind(AssertUnwindSafe(|| threads.run(8, |chunk| assert_ne!(chunk, 5))));
        assert!(result.is_err());
        let sum = AtomicUsize::new(0);
        threads.run(8, |chunk| {
            sum.fetch_add(chunk, Ordering::Relaxed);
        });
        assert_eq!(sum.into_inner(), 28);
    }

    #[test]
    fn nested_and_concurrent_use_runs_on_the_calling_thread() {
        let threads = Threads::new(2);
        let sum = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    threads.run(4, |_| {
                        threads.run(4, |chunk| {
                            sum.fetch_add(chunk, Ordering::Relaxed);
                        });
                    });
                });
            }
        });
        assert_eq!(sum.into_inner(), 3 * 4 * 6);
    }

    #[test]
    fn callers_share_the_processors() {
        let threads = Threads::new(4);
        for (callers, count) in [(2, 3), (4, 1), (9, 1), (0, 4), (1, 4)] {
            threads.share_among(callers);
            assert_eq!(threads.count(), count, "{callers} callers");
        }
    }

    #[test]
    fn the_thread_count_can_change() {
        let threads = Threads::new(1);
        for count in [3, 1, 2, 0] {
            threads.set_count(count);
            assert_eq!(threads.count(), count.max(1));
            let sum = AtomicUsize::new(0);
            threads.run(10, |chunk| {
                sum.fetch_add(chunk, Ordering::Relaxed);
            });
            assert_eq!(sum.into_inner(), 45);
        }
    }
}
