//! One piece of work from its first submission to its result.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::attempts::{Attempts, End, Epoch, Listing, Over, Submission};
use super::decide::{AttemptView, Budget, Current, EndView, JobView, Step, View, Why, decide};
use super::known::{Known, KnownAttempts};
use super::seam::{JobName, JobState, Seen};
use super::shared::{Cluster, LOOK};
use super::snapshot::JobLine;
use super::submit::Order;
use super::tally::Cause;
use super::work::{Ask, Ended, News, Taken, Tell, Work, WorkError, pause};
use crate::ledger::parse_events;
use crate::sys::files::FileError;

/// How long a job may take to end in time.
const END_GRACE: Duration = Duration::from_secs(60);
const EVENTS_BYTES: usize = 1 << 20;

/// A piece of work under way.
pub(super) struct Course<'a, 't> {
    cluster: &'a Cluster,
    work: &'a Work<'a>,
    attempts: Attempts,
    tell: &'a mut Tell<'t>,
    submission: Option<Submitted>,
    /// What the scheduler last said, and since when.
    job_state: Option<(Option<JobState>, Instant)>,
    known: KnownAttempts,
    /// The newest attempt, when the files were last looked at.
    newest: Option<Epoch>,
    /// How much of which attempt's events was read.
    read: (Epoch, u64),
    asked_to_end: Option<Instant>,
}

/// The current submission.
struct Submitted {
    number: u32,
    name: String,
    job: Option<String>,
    at: Timestamp,
    queue_seconds: Option<f64>,
}

impl<'a, 't> Course<'a, 't> {
    pub(super) fn new(
        cluster: &'a Cluster,
        work: &'a Work<'a>,
        attempts: Attempts,
        tell: &'a mut Tell<'t>,
    ) -> Self {
        Self {
            cluster,
            work,
            attempts,
            tell,
            submission: None,
            job_state: None,
            known: KnownAttempts::default(),
            newest: None,
            read: (Epoch::default(), 0),
            asked_to_end: None,
        }
    }

    /// Watches the job no more.
    pub(super) fn leave(&self) {
        if let Some(current) = &self.submission {
            self.cluster.board.forget(&current.name);
        }
    }

    pub(super) fn run(&mut self) -> Result<Taken, WorkError> {
        self.cluster.fence.check()?;
        self.attempts.write_task(&self.work.task)?;
        if let Some(taken) = self.taken_before() {
            return Ok(taken);
        }
        loop {
            let listing = self.attempts.list()?;
            self.look_at(&listing);
            self.charge_for_requeue(&listing)?;
            let view = self.view(&listing);
            self.show(&view);
            let step = decide(&view, &self.cluster.limits);
            let is_unsubmitted =
                self.submission.as_ref().is_some_and(|current| current.job.is_none());
            let asked = match step {
                Step::Wait if is_unsubmitted => self.submit_again()?,
                Step::Accept(epoch) => {
                    if let Some(taken) = self.accept(epoch)? {
                        return Ok(taken);
                    }
                    self.pause(LOOK)?
                }
                Step::Submit => self.submit(&listing)?,
                Step::Replace { cause, why } => {
                    self.replace(&listing, cause, why)?;
                    Ask::Continue
                }
                Step::GiveUp(budget) => return Err(self.give_up(&listing, budget)?),
                Step::Wait => {
                    let asked = self.pause(self.cluster.pace())?;
                    self.pass_on_events(&view)?;
                    asked
                }
            };
            match asked {
                Ask::Continue => {}
                Ask::Leave => return Ok(Taken::Left),
                Ask::Cancel => {
                    self.cancel();
                    return Ok(Taken::Left);
                }
                Ask::EndInTime => {
                    if self.end_in_time(&view)? {
                        return Ok(Taken::OutOfTime);
                    }
                }
            }
        }
    }

    /// A result that an earlier process took.
    fn taken_before(&self) -> Option<Taken> {
        let attempt = self.attempts.attempt(self.attempts.accepted()?);
        match attempt.end()?.end {
            End::Published(outcome) => Some(Taken::Result(attempt, outcome)),
            _ => None,
        }
    }

    /// Brings what is known up to date.
    fn look_at(&mut self, listing: &Listing) {
        self.known.look_at(&*self.cluster.files, &self.attempts, listing);
        let last = listing.claims.last().copied();
        // The newest submission is the current one, unless it came to nothing already.
        let newest = listing.submissions.last().copied();
        let current = newest.filter(|newest| !listing.over.contains(newest));
        if self.submission.as_ref().map(|current| current.number) != current {
            self.submission = current.and_then(|number| self.find_again(number));
            self.job_state = None;
        }
        if let Some(current) = &mut self.submission
            && current.queue_seconds.is_none()
            && last.is_some_and(|last| last.submission == current.number)
        {
            current.queue_seconds = Some(seconds_since(current.at));
        }
    }

    /// A submission of an earlier process.
    fn find_again(&self, number: u32) -> Option<Submitted> {
        let submission = self.attempts.submission(number)?;
        let job = self.attempts.job(number);
        if job.is_some() {
            let watched = JobName { name: submission.name.clone(), id: job.clone() };
            self.cluster.board.watch(watched);
        }
        let Submission { name, at } = submission;
        Some(Submitted { number, name, job, at, queue_seconds: None })
    }

    fn view(&mut self, listing: &Listing) -> View {
        let tally = self.known.tally(&self.attempts, listing);
        let Some(current) = &self.submission else {
            return View { tally, current: None };
        };
        let number = current.number;
        let seen = current.job.as_ref().and_then(|_| self.cluster.board.look(&current.name));
        let state = seen.as_ref().map(|seen| best_of(seen).map(|seen| seen.state));
        let job = self.job_view(state);
        let newest = listing.claims.iter().rev().find(|epoch| epoch.submission == number);
        let attempt = newest.and_then(|epoch| Some((epoch, self.known.get(*epoch)?)));
        let attempt = attempt.map(|(&epoch, known)| AttemptView {
            epoch,
            end: known.end.as_ref().map(|(end, _)| match end {
                End::Published(_) => EndView::Published,
                End::Failed(_) => EndView::Failed,
                End::Unfit(_) => EndView::Unfit,
                End::Interrupted => EndView::Interrupted,
                End::Lost => EndView::Lost,
            }),
            silent: known.beat.1.elapsed(),
            has_progress: self.known.has_progress(epoch),
        });
        View { tally, current: Some(Current { job, attempt }) }
    }

    /// What the scheduler says, and for how long it has said so; `None` if it does not answer.
    fn job_view(&mut self, state: Option<Option<JobState>>) -> JobView {
        let Some(state) = state else { return JobView::Unknown };
        let since = match self.job_state {
            Some((before, since)) if before == state => since,
            _ => Instant::now(),
        };
        self.job_state = Some((state, since));
        match state {
            None => JobView::Absent(since.elapsed()),
            Some(JobState::Pending) => JobView::Pending,
            Some(JobState::Running) => JobView::Running(since.elapsed()),
            Some(JobState::Ended(end)) => JobView::Ended(end, since.elapsed()),
        }
    }

    /// Takes the result of an attempt; `None` if it cannot be read yet.
    fn accept(&mut self, epoch: Epoch) -> Result<Option<Taken>, WorkError> {
        let attempt = self.attempts.attempt(epoch);
        let Some(End::Published(outcome)) = attempt.end().map(|end| end.end) else {
            return Ok(None);
        };
        self.pass_on(epoch)?;
        self.cluster.fence.check()?;
        self.attempts.accept(epoch)?;
        self.cancel_others(epoch);
        self.tell_end(None)?;
        Ok(Some(Taken::Result(attempt, outcome)))
    }

    /// Cancels jobs of the current submission besides that of an attempt, in case it was submitted twice.
    fn cancel_others(&self, epoch: Epoch) {
        let Some(current) = &self.submission else { return };
        let own = self.attempts.runs_on(epoch).and_then(|runs_on| runs_on.job);
        let (Some(own), Some(seen)) = (own, self.cluster.board.look(&current.name)) else { return };
        let others = seen.into_iter().filter(|seen| seen.state.is_alive() && seen.id != own);
        let name = |seen: Seen| JobName { name: current.name.clone(), id: Some(seen.id) };
        self.cluster.board.cancel(others.map(name).collect());
    }

    fn submit(&mut self, listing: &Listing) -> Result<Ask, WorkError> {
        self.cluster.fence.check()?;
        let number = listing.submissions.last().copied().unwrap_or(0) + 1;
        order(self.cluster, self.work, &self.attempts, number).begin()?;
        let Some(submission) = self.find_again(number) else { return Ok(Ask::Continue) };
        self.submit_once(submission, true)
    }

    /// Submits what an earlier process was about to submit, unless it did.
    fn submit_again(&mut self) -> Result<Ask, WorkError> {
        match self.submission.take() {
            Some(submission) => self.submit_once(submission, false),
            None => Ok(Ask::Continue),
        }
    }

    fn submit_once(&mut self, mut submission: Submitted, is_new: bool) -> Result<Ask, WorkError> {
        let Self { cluster, work, attempts, tell, .. } = self;
        let order = order(cluster, work, attempts, submission.number);
        let mut wait = |time| pause(tell, time);
        match order.submit(&submission.name, is_new, &mut wait)? {
            Ok(job) => {
                let news = News::Submitted { submission: submission.number, job: &job };
                let asked = tell(news).map_err(WorkError::Told)?;
                submission.job = Some(job);
                self.submission = Some(submission);
                self.job_state = None;
                Ok(asked)
            }
            Err(asked) => Ok(asked),
        }
    }

    /// Closes a submission that came to nothing.
    fn replace(&mut self, listing: &Listing, cause: Cause, why: Why) -> Result<(), WorkError> {
        self.cluster.fence.check()?;
        self.cancel();
        let Some(number) = self.submission.as_ref().map(|current| current.number) else {
            return Ok(());
        };
        let newest = listing.claims.iter().rev().find(|epoch| epoch.submission == number);
        let known = newest.and_then(|epoch| self.known.get(*epoch));
        let node = known.and_then(|known| known.node.clone()).or_else(|| self.seen_node());
        let said = known.and_then(|known| known.end.as_ref()).and_then(|(end, _)| match end {
            End::Failed(why) | End::Unfit(why) => Some(why.clone()),
            _ => None,
        });
        let words = said.unwrap_or_else(|| why.words().into());
        let over = Over { cause, why: words.clone(), node: node.clone() };
        self.attempts.close(number, &over)?;
        self.tell_end(Some(&words))?;
        if let Some(current) = self.submission.take() {
            self.cluster.board.forget(&current.name);
        }
        if let (Cause::Node, Some(node)) = (cause, node)
            && !matches!(why, Why::Cancelled | Why::Vanished)
        {
            // When it happened, which may be long before it is certain.
            let at = self.job_state.map_or_else(Instant::now, |(_, since)| since);
            self.charge(&node, why.words(), at)?;
        }
        Ok(())
    }

    /// Charges the node of an attempt that the scheduler has followed by another one while this process watched.
    fn charge_for_requeue(&mut self, listing: &Listing) -> Result<(), WorkError> {
        let before = std::mem::replace(&mut self.newest, listing.claims.last().copied());
        let (Some(before), Some(now)) = (before, self.newest) else { return Ok(()) };
        if before == now || before.submission != now.submission {
            return Ok(());
        }
        let node = self.known.get(before).and_then(|known| known.node.clone());
        match node.filter(|_| self.known.cause_of(before) == Cause::Node) {
            Some(node) => self.charge(&node, Why::NodeFailed.words(), Instant::now()),
            None => Ok(()),
        }
    }

    fn seen_node(&self) -> Option<String> {
        let current = self.submission.as_ref()?;
        best_of(&self.cluster.board.look(&current.name)?)?.node.clone()
    }

    /// Counts a failure of a node, and tells if it gets no more jobs.
    fn charge(&mut self, node: &str, why: &'static str, at: Instant) -> Result<(), WorkError> {
        if self.cluster.nodes().failed(node, at) {
            (self.tell)(News::Excluded { node, why }).map_err(WorkError::Told)?;
        }
        Ok(())
    }

    fn cancel(&self) {
        let Some(current) = &self.submission else { return };
        let seen = self.cluster.board.look(&current.name).unwrap_or_default();
        let mut ids: BTreeSet<String> = seen.into_iter().map(|seen| seen.id).collect();
        ids.extend(current.job.clone());
        let name = |id| JobName { name: current.name.clone(), id: Some(id) };
        self.cluster.board.cancel(ids.into_iter().map(name).collect());
    }

    fn give_up(&self, listing: &Listing, budget: Budget) -> Result<WorkError, FileError> {
        let last = listing.submissions.last().copied().unwrap_or(0);
        self.cancel();
        self.attempts.give_up(last)?;
        let output = self.attempts.output(last);
        let tally = self.known.tally(&self.attempts, listing);
        let why = self.attempts.over(last).map_or_else(String::new, |over| over.why);
        Ok(match budget {
            Budget::Trial => WorkError::Trial(why),
            Budget::Nodes => {
                WorkError::Nodes { begun: listing.submissions.len(), last: why, output }
            }
            Budget::Interruptions | Budget::Fruitless => WorkError::Interrupted {
                times: if budget == Budget::Fruitless {
                    tally.fruitless
                } else {
                    tally.interruptions
                },
                is_fruitless: budget == Budget::Fruitless,
                output,
            },
        })
    }

    /// Asks the job to end in time; answers whether there is nothing to wait for.
    fn end_in_time(&mut self, view: &View) -> Result<bool, WorkError> {
        let attempt = view.current.and_then(|current| current.attempt);
        let works = attempt.is_some_and(|attempt| attempt.end.is_none());
        let has_result = attempt.is_some_and(|attempt| attempt.end == Some(EndView::Published));
        if has_result {
            return Ok(false);
        }
        let is_late = self
            .asked_to_end
            .is_some_and(|asked| asked.elapsed() > END_GRACE + self.cluster.limits.visibility);
        match &self.submission {
            Some(current) if works && !is_late => {
                if self.asked_to_end.is_none() {
                    self.attempts.ask_to_end(current.number)?;
                    self.asked_to_end = Some(Instant::now());
                }
                Ok(false)
            }
            _ => {
                self.cancel();
                Ok(true)
            }
        }
    }

    /// Passes on what the current attempt has recorded since.
    fn pass_on_events(&mut self, view: &View) -> Result<(), WorkError> {
        match view.current.and_then(|current| current.attempt) {
            Some(attempt) => self.pass_on(attempt.epoch),
            None => Ok(()),
        }
    }

    fn pass_on(&mut self, epoch: Epoch) -> Result<(), WorkError> {
        if self.read.0 != epoch {
            self.read = (epoch, 0);
        }
        let path = self.attempts.attempt(epoch).events();
        loop {
            let offset = self.read.1;
            let bytes = self.cluster.files.read_at(&path, offset, EVENTS_BYTES).unwrap_or_default();
            let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
            // A line that cannot be read is left for the result, which has all that counts.
            let Ok(parsed) = parse_events(&bytes[..whole]) else { return Ok(()) };
            if whole == 0 {
                return Ok(());
            }
            self.read.1 += whole as u64;
            let news = News::Events { events: &parsed.records };
            (self.tell)(news).map_err(WorkError::Told)?;
        }
    }

    fn tell_end(&mut self, why: Option<&str>) -> Result<(), WorkError> {
        let Some(current) = &self.submission else { return Ok(()) };
        let number = current.number;
        let held =
            |known: &Known| known.end.as_ref().map_or(known.seconds, |(_, seconds)| *seconds);
        let seconds = self.known.of(number).map(held).sum();
        let node = self.known.of(number).next_back().and_then(|known| known.node.clone());
        let ended = Ended {
            submission: number,
            job: current.job.clone(),
            node,
            why,
            queue_seconds: current.queue_seconds.unwrap_or_else(|| seconds_since(current.at)),
            seconds,
        };
        (self.tell)(News::Over(ended)).map_err(WorkError::Told)?;
        Ok(())
    }

    /// Shows the job to those who watch the study.
    fn show(&self, view: &View) {
        let (Some(current), Some(seen)) = (&self.submission, view.current) else { return };
        let jobs = self.cluster.board.look(&current.name).unwrap_or_default();
        let job = best_of(&jobs);
        let epoch = seen.attempt.map(|attempt| attempt.epoch);
        let known = epoch.and_then(|epoch| self.known.get(epoch));
        let node = known.and_then(|known| known.node.clone());
        self.cluster.snapshot.show(JobLine {
            trial: self.work.trial,
            part: self.work.part.to_string(),
            submission: current.number,
            attempt: epoch.map(|epoch| epoch.claim),
            job: current.job.clone(),
            state: match seen.job {
                JobView::Unknown => "unknown".into(),
                JobView::Absent(_) => "absent".into(),
                JobView::Pending => JobState::Pending.name().into(),
                JobView::Running(_) => JobState::Running.name().into(),
                JobView::Ended(end, _) => JobState::Ended(end).name().into(),
            },
            node: node.or_else(|| job.and_then(|job| job.node.clone())),
            reason: job.and_then(|job| job.reason.clone()),
            queue_seconds: current.queue_seconds.unwrap_or_else(|| seconds_since(current.at)),
            seconds: known.map_or(0.0, |known| known.seconds),
        });
    }

    fn pause(&mut self, time: Duration) -> Result<Ask, WorkError> {
        pause(self.tell, time)
    }
}

fn order<'a>(
    cluster: &'a Cluster,
    work: &'a Work,
    attempts: &'a Attempts,
    submission: u32,
) -> Order<'a> {
    Order {
        board: &cluster.board,
        program: &cluster.program,
        run: &cluster.run,
        attempts,
        trial: work.trial,
        part: work.part,
        submission,
        excluded: cluster.nodes().excluded(),
    }
}

/// The job that counts of those with one name: one that runs, or else one that waits, or else the last.
fn best_of(seen: &[Seen]) -> Option<&Seen> {
    seen.iter().max_by_key(|seen| match seen.state {
        JobState::Running => 2,
        JobState::Pending => 1,
        JobState::Ended(_) => 0,
    })
}

/// Seconds since a time by this machine's clock; not below 0, as the clock may be set.
fn seconds_since(at: Timestamp) -> f64 {
    Timestamp::now().duration_since(at).as_secs_f64().max(0.0)
}
