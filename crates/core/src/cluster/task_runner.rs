//! Runs one task from its first submission to its result: observes its files and its job, asks `decide` what to do, and
//! does that.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::attempts::{AttemptId, Attempts, End, FailedSubmission, Listing, ReadError, Submission};
use super::client::Answer;
use super::decide::{
    AttemptView, Budget, EndView, FailureReason, JobView, Step, SubmissionView, TaskView, decide,
};
use super::observed::{ObservedAttempt, ObservedAttempts};
use super::request::{
    Control, OnUpdate, SubmissionEnd, TaskEnd, TaskError, TaskRequest, TaskUpdate, during, pause,
};
use super::retry::{RetryCause, RetryCounts};
use super::scheduler::{JobRef, JobState, JobStatus};
use super::shared::{Cluster, LOOK};
use super::snapshot::JobLine;
use super::submit::Submitter;
use crate::ledger::{LINE_LIMIT_BYTES, parse_events};

/// How long a job may take to end after it was asked to.
const END_GRACE: Duration = Duration::from_secs(60);
/// How much of an attempt's events is read at once; no event is longer.
const EVENTS_BYTES: usize = LINE_LIMIT_BYTES;

/// A task in progress.
pub(super) struct TaskRunner<'a, 't> {
    cluster: &'a Cluster,
    request: &'a TaskRequest<'a>,
    attempts: Attempts,
    on_update: &'a mut OnUpdate<'t>,
    submission: Option<Submitted>,
    /// The last answer of the scheduler, and since when it has been the same.
    job_state: Option<(Option<JobState>, Instant)>,
    observed: ObservedAttempts,
    /// The newest attempt when the files were last checked.
    newest: Option<AttemptId>,
    read: EventsRead,
    asked_to_end: Option<Instant>,
}

/// How far the events of an attempt were passed on.
#[derive(Default)]
struct EventsRead {
    attempt: AttemptId,
    offset: u64,
    /// Whether the position is inside a line that is longer than any event.
    is_in_long_line: bool,
}

/// The current submission.
struct Submitted {
    number: u32,
    name: String,
    job: Option<String>,
    at: Timestamp,
    queue_seconds: Option<f64>,
}

/// The outcome of a step.
enum StepOutcome {
    Ended(TaskEnd),
    /// The task has not ended; what the caller asked for meanwhile.
    Asked(Control),
}

impl<'a, 't> TaskRunner<'a, 't> {
    pub(super) fn new(
        cluster: &'a Cluster,
        request: &'a TaskRequest<'a>,
        attempts: Attempts,
        on_update: &'a mut OnUpdate<'t>,
    ) -> Self {
        Self {
            cluster,
            request,
            attempts,
            on_update,
            submission: None,
            job_state: None,
            observed: ObservedAttempts::default(),
            newest: None,
            read: EventsRead::default(),
            asked_to_end: None,
        }
    }

    /// Stops polling the job.
    pub(super) fn stop_watching(&self) {
        if let Some(current) = &self.submission {
            self.cluster.scheduler.forget(&current.name);
        }
    }

    pub(super) fn run(&mut self) -> Result<TaskEnd, TaskError> {
        self.cluster.fence.check()?;
        self.attempts.write_task(&self.request.task)?;
        match self.once_readable(|this| this.taken_before())? {
            Ok(Some(taken)) => return Ok(taken),
            Ok(None) | Err(Control::Continue) => {}
            Err(Control::OutOfTime) => return Ok(TaskEnd::OutOfTime),
            Err(Control::Detach | Control::Cancel) => return Ok(TaskEnd::Detached),
        }
        loop {
            let control = match self.once_readable(Self::look)? {
                Ok((listing, view)) => match self.follow(&listing, &view)? {
                    StepOutcome::Ended(end) => return Ok(end),
                    StepOutcome::Asked(Control::OutOfTime) if !self.end_in_time(&view)? => continue,
                    StepOutcome::Asked(control) => control,
                },
                // Nor can the job be asked to end in time.
                Err(control) => control,
            };
            match control {
                Control::Continue => {}
                Control::Detach => return Ok(TaskEnd::Detached),
                Control::Cancel => {
                    self.cancel()?;
                    return Ok(TaskEnd::Detached);
                }
                Control::OutOfTime => {
                    self.cancel()?;
                    return Ok(TaskEnd::OutOfTime);
                }
            }
        }
    }

    /// Reads files of the task. If they cannot be read, retries for as long as files may take to become visible, or
    /// until the caller asks for something else.
    fn once_readable<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, ReadError>,
    ) -> Result<Result<T, Control>, TaskError> {
        let since = Instant::now();
        loop {
            match read(self) {
                Ok(read) => return Ok(Ok(read)),
                Err(error) if since.elapsed() >= self.cluster.limits.visibility => {
                    return Err(error.into());
                }
                Err(_) => match self.pause(LOOK)? {
                    Control::Continue => {}
                    control => return Ok(Err(control)),
                },
            }
        }
    }

    /// A result that an earlier process accepted.
    fn taken_before(&self) -> Result<Option<TaskEnd>, ReadError> {
        let Some(id) = self.attempts.accepted()? else { return Ok(None) };
        let attempt = self.attempts.attempt(id);
        match attempt.end()?.map(|end| end.end) {
            Some(End::Published(outcome)) => Ok(Some(TaskEnd::Result(attempt, outcome))),
            _ => Err(ReadError::NoResult { path: attempt.folder }),
        }
    }

    /// The state of the task.
    fn look(&mut self) -> Result<(Listing, TaskView), ReadError> {
        let listing = self.attempts.list()?;
        self.observed.look_at(&*self.cluster.files, &self.attempts, &listing)?;
        let last = listing.claims.last().copied();
        // The newest submission is the current one, unless it has failed.
        let newest = listing.submissions.last().copied();
        let current = newest.filter(|newest| !listing.failed.contains(newest));
        if self.submission.as_ref().map(|current| current.number) != current {
            self.submission = match current {
                Some(number) => self.find_again(number)?,
                None => None,
            };
            self.job_state = None;
        }
        if let Some(current) = &mut self.submission
            && current.queue_seconds.is_none()
            && last.is_some_and(|last| last.submission == current.number)
        {
            current.queue_seconds = Some(seconds_since(current.at));
        }
        let retries = self.observed.retries(&self.attempts, &listing)?;
        let view = self.view(&listing, retries);
        Ok((listing, view))
    }

    /// A submission of an earlier process; `None` if that did not complete it.
    fn find_again(&self, number: u32) -> Result<Option<Submitted>, ReadError> {
        let Some(Submission { name, at }) = self.attempts.submission(number)? else {
            return Ok(None);
        };
        let job = self.attempts.job(number)?;
        if job.is_some() {
            self.cluster.scheduler.watch(JobRef { name: name.clone(), id: job.clone() });
        }
        Ok(Some(Submitted { number, name, job, at, queue_seconds: None }))
    }

    /// Does the next step for the state of the task.
    fn follow(&mut self, listing: &Listing, view: &TaskView) -> Result<StepOutcome, TaskError> {
        self.charge_for_requeue(listing)?;
        self.show(view);
        let is_unsubmitted = self.submission.as_ref().is_some_and(|current| current.job.is_none());
        Ok(StepOutcome::Asked(match decide(view, &self.cluster.limits) {
            Step::Wait if is_unsubmitted => self.submit_again()?,
            Step::Accept(id) => return self.accept(id),
            Step::Submit => self.submit(listing)?,
            Step::Replace { cause, why } => {
                self.replace(listing, cause, why)?;
                Control::Continue
            }
            Step::GiveUp(budget) => return Err(self.give_up(listing, view, budget)?),
            Step::Wait => {
                let control = self.pause(self.cluster.pace())?;
                self.pass_on_events(view)?;
                control
            }
        }))
    }

    fn view(&mut self, listing: &Listing, retries: RetryCounts) -> TaskView {
        let Some(current) = &self.submission else {
            return TaskView { retries, current: None };
        };
        let number = current.number;
        let answer = current.job.as_ref().and_then(|_| self.cluster.scheduler.look(&current.name));
        let job = self.job_view(answer);
        let newest = listing.claims.iter().rev().find(|id| id.submission == number);
        let attempt = newest.and_then(|id| Some((id, self.observed.get(*id)?)));
        let attempt = attempt.map(|(&id, known)| AttemptView {
            id,
            end: known.end.as_ref().map(|(end, _)| match end {
                End::Published(_) => EndView::Published,
                End::Failed(_) => EndView::Failed,
                End::Unfit(_) => EndView::Unfit,
                End::Interrupted => EndView::Interrupted,
                End::Superseded => EndView::Superseded,
            }),
            silent: known.beat.1.elapsed(),
            has_progress: self.observed.has_progress(id),
        });
        TaskView { retries, current: Some(SubmissionView { job, attempt }) }
    }

    /// The state of the job according to the scheduler, and for how long; `Unknown` if the scheduler does not respond.
    fn job_view(&mut self, answer: Option<Answer>) -> JobView {
        let Some(Answer { jobs, as_of }) = answer else { return JobView::Unknown };
        let state = best_of(&jobs).map(|job| job.state);
        let since = match self.job_state {
            Some((before, since)) if before == state => since,
            _ => as_of,
        };
        self.job_state = Some((state, since));
        let for_so_long = as_of.saturating_duration_since(since);
        match state {
            None => JobView::Absent(for_so_long),
            Some(JobState::Pending) => JobView::Pending,
            Some(JobState::Running) => JobView::Running(for_so_long),
            Some(JobState::Ended(end)) => JobView::Ended(end, for_so_long),
        }
    }

    /// Accepts the result of an attempt.
    fn accept(&mut self, id: AttemptId) -> Result<StepOutcome, TaskError> {
        let end = self.observed.get(id).and_then(|attempt| attempt.end.as_ref());
        let Some((End::Published(outcome), _)) = end else {
            return Ok(StepOutcome::Asked(Control::Continue));
        };
        let outcome = outcome.clone();
        self.pass_on(id)?;
        self.cluster.fence.check()?;
        self.attempts.accept(id)?;
        self.cancel_others(id)?;
        self.report_end(None)?;
        Ok(StepOutcome::Ended(TaskEnd::Result(self.attempts.attempt(id), outcome)))
    }

    /// Cancels other jobs of the current submission than that of an attempt, in case it was submitted twice.
    fn cancel_others(&mut self, id: AttemptId) -> Result<(), TaskError> {
        let Some(current) = &self.submission else { return Ok(()) };
        // Without the job in the claim, it is unknown which jobs are the others.
        let own = self.attempts.claimant(id).ok().and_then(|claimant| claimant.job);
        let Some(own) = own else { return Ok(()) };
        let scheduler = &self.cluster.scheduler;
        let jobs = match scheduler.look(&current.name) {
            Some(answer) => answer.jobs,
            // This process has not polled the job yet.
            None => during(self.on_update, || scheduler.find(&current.name))?.unwrap_or_default(),
        };
        let others = jobs.into_iter().filter(|job| job.state.is_alive() && job.id != own);
        let named = |job: JobStatus| JobRef { name: current.name.clone(), id: Some(job.id) };
        let others: Vec<JobRef> = others.map(named).collect();
        during(self.on_update, || scheduler.cancel(others))
    }

    fn submit(&mut self, listing: &Listing) -> Result<Control, TaskError> {
        self.cluster.fence.check()?;
        let number = listing.submissions.last().copied().unwrap_or(0) + 1;
        let submitter = submitter(self.cluster, self.request, &self.attempts, number);
        let Submission { name, at } = submitter.begin()?;
        self.submit_once(Submitted { number, name, job: None, at, queue_seconds: None }, true)
    }

    /// Submits a job that an earlier process recorded, unless it was submitted.
    fn submit_again(&mut self) -> Result<Control, TaskError> {
        match self.submission.take() {
            Some(submission) => self.submit_once(submission, false),
            None => Ok(Control::Continue),
        }
    }

    fn submit_once(
        &mut self,
        mut submission: Submitted,
        is_new: bool,
    ) -> Result<Control, TaskError> {
        let Self { cluster, request, attempts, on_update, .. } = self;
        let submitter = submitter(cluster, request, attempts, submission.number);
        match submitter.submit(&submission.name, is_new, on_update)? {
            Ok(job) => {
                let update = TaskUpdate::Submitted { submission: submission.number, job: &job };
                let asked = on_update(update).map_err(TaskError::Handler)?;
                submission.job = Some(job);
                self.submission = Some(submission);
                self.job_state = None;
                Ok(asked)
            }
            Err(asked) => Ok(asked),
        }
    }

    /// Closes a failed submission.
    fn replace(
        &mut self,
        listing: &Listing,
        cause: RetryCause,
        why: FailureReason,
    ) -> Result<(), TaskError> {
        self.cluster.fence.check()?;
        self.cancel()?;
        let Some(number) = self.submission.as_ref().map(|current| current.number) else {
            return Ok(());
        };
        let newest = listing.claims.iter().rev().find(|id| id.submission == number);
        let known = newest.and_then(|id| self.observed.get(*id));
        let node = known.and_then(|known| known.node.clone()).or_else(|| self.seen_node());
        let said = known.and_then(|known| known.end.as_ref()).and_then(|(end, _)| match end {
            End::Failed(why) | End::Unfit(why) => Some(why.clone()),
            _ => None,
        });
        let clause = said.unwrap_or_else(|| why.clause().into());
        let failure = FailedSubmission { cause, why: clause.clone(), node: node.clone() };
        self.attempts.write_failure(number, &failure)?;
        self.report_end(Some(&clause))?;
        if let Some(current) = self.submission.take() {
            self.cluster.scheduler.forget(&current.name);
        }
        if let (RetryCause::Node, Some(node)) = (cause, node)
            && !matches!(why, FailureReason::Cancelled | FailureReason::Vanished)
        {
            // When it happened, which may be long before it was certain.
            let at = self.job_state.map_or_else(Instant::now, |(_, since)| since);
            self.charge(&node, why.clause(), at)?;
        }
        Ok(())
    }

    /// Counts a failure of the node of an attempt that the scheduler requeued while this process watched.
    fn charge_for_requeue(&mut self, listing: &Listing) -> Result<(), TaskError> {
        let before = std::mem::replace(&mut self.newest, listing.claims.last().copied());
        let (Some(before), Some(now)) = (before, self.newest) else { return Ok(()) };
        if before == now || before.submission != now.submission {
            return Ok(());
        }
        let node = self.observed.get(before).and_then(|known| known.node.clone());
        match node.filter(|_| self.observed.cause_of(before) == RetryCause::Node) {
            Some(node) => self.charge(&node, FailureReason::NodeFailed.clause(), Instant::now()),
            None => Ok(()),
        }
    }

    fn seen_node(&self) -> Option<String> {
        let current = self.submission.as_ref()?;
        best_of(&self.cluster.scheduler.look(&current.name)?.jobs)?.node.clone()
    }

    /// Counts a failure of a node, and reports if it is excluded.
    fn charge(&mut self, node: &str, why: &'static str, at: Instant) -> Result<(), TaskError> {
        if self.cluster.nodes().failed(node, at) {
            (self.on_update)(TaskUpdate::Excluded { node, why }).map_err(TaskError::Handler)?;
        }
        Ok(())
    }

    fn cancel(&mut self) -> Result<(), TaskError> {
        let Some(current) = &self.submission else { return Ok(()) };
        let scheduler = &self.cluster.scheduler;
        let answer = scheduler.look(&current.name);
        let jobs = answer.into_iter().flat_map(|answer| answer.jobs);
        let mut ids: BTreeSet<String> = jobs.map(|job| job.id).collect();
        ids.extend(current.job.clone());
        let named = |id| JobRef { name: current.name.clone(), id: Some(id) };
        let jobs: Vec<JobRef> = ids.into_iter().map(named).collect();
        during(self.on_update, || scheduler.cancel(jobs))
    }

    fn give_up(
        &mut self,
        listing: &Listing,
        view: &TaskView,
        budget: Budget,
    ) -> Result<TaskError, TaskError> {
        let last = listing.submissions.last().copied().unwrap_or(0);
        self.cancel()?;
        self.attempts.give_up(last)?;
        let output = self.attempts.output(last);
        let retries = view.retries;
        let why = match listing.failed.contains(&last) {
            true => self.attempts.failure(last)?.why,
            false => String::new(),
        };
        Ok(match budget {
            Budget::Trial => TaskError::Trial(why),
            Budget::Nodes => {
                TaskError::Nodes { begun: listing.submissions.len(), last: why, output }
            }
            Budget::Interruptions | Budget::NoProgress => TaskError::Interrupted {
                times: if budget == Budget::NoProgress {
                    retries.without_progress
                } else {
                    retries.interruptions
                },
                is_without_progress: budget == Budget::NoProgress,
                output,
            },
        })
    }

    /// Asks the job to end in time; returns whether there is nothing to wait for, so that the job should be cancelled.
    fn end_in_time(&mut self, view: &TaskView) -> Result<bool, TaskError> {
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
            _ => Ok(true),
        }
    }

    /// Passes on new events of the current attempt.
    fn pass_on_events(&mut self, view: &TaskView) -> Result<(), TaskError> {
        match view.current.and_then(|current| current.attempt) {
            Some(attempt) => self.pass_on(attempt.id),
            None => Ok(()),
        }
    }

    fn pass_on(&mut self, id: AttemptId) -> Result<(), TaskError> {
        if self.read.attempt != id {
            self.read = EventsRead { attempt: id, ..EventsRead::default() };
        }
        let path = self.attempts.attempt(id).events();
        loop {
            // Events that cannot be read now are read the next time; the result does not depend on them.
            let read = self.cluster.files.read_at(&path, self.read.offset, EVENTS_BYTES);
            let bytes = read.unwrap_or_default();
            let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
            if whole == 0 && bytes.len() < EVENTS_BYTES {
                return Ok(());
            }
            let mut events = Vec::new();
            for line in bytes[..whole].split_inclusive(|&byte| byte == b'\n') {
                // A line that is not an event, or is too long for one, is skipped.
                if !std::mem::take(&mut self.read.is_in_long_line)
                    && let Ok(parsed) = parse_events(line)
                {
                    events.extend(parsed.records);
                }
            }
            let taken = if whole == 0 { bytes.len() } else { whole };
            self.read.is_in_long_line |= whole == 0;
            self.read.offset += taken as u64;
            let update = TaskUpdate::Events { events: &events };
            (self.on_update)(update).map_err(TaskError::Handler)?;
        }
    }

    fn report_end(&mut self, why: Option<&str>) -> Result<(), TaskError> {
        let Some(current) = &self.submission else { return Ok(()) };
        let number = current.number;
        let held = |known: &ObservedAttempt| {
            known.end.as_ref().map_or(known.seconds, |(_, seconds)| *seconds)
        };
        let seconds = self.observed.of(number).map(held).sum();
        let node = self.observed.of(number).next_back().and_then(|known| known.node.clone());
        let ended = SubmissionEnd {
            submission: number,
            job: current.job.clone(),
            node,
            why,
            queue_seconds: current.queue_seconds.unwrap_or_else(|| seconds_since(current.at)),
            seconds,
        };
        (self.on_update)(TaskUpdate::SubmissionEnded(ended)).map_err(TaskError::Handler)?;
        Ok(())
    }

    /// Shows the job to users who watch the study.
    fn show(&self, view: &TaskView) {
        let (Some(current), Some(seen)) = (&self.submission, view.current) else { return };
        let answer = self.cluster.scheduler.look(&current.name);
        let job = answer.as_ref().and_then(|answer| best_of(&answer.jobs));
        let id = seen.attempt.map(|attempt| attempt.id);
        let known = id.and_then(|id| self.observed.get(id));
        let node = known.and_then(|known| known.node.clone());
        self.cluster.snapshot.show(JobLine {
            trial: self.request.trial,
            part: self.request.part.to_string(),
            submission: current.number,
            attempt: id.map(|id| id.claim),
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

    fn pause(&mut self, time: Duration) -> Result<Control, TaskError> {
        pause(self.on_update, time)
    }
}

fn submitter<'a>(
    cluster: &'a Cluster,
    request: &'a TaskRequest,
    attempts: &'a Attempts,
    submission: u32,
) -> Submitter<'a> {
    Submitter {
        scheduler: &cluster.scheduler,
        program: &cluster.program,
        run: &cluster.run,
        attempts,
        trial: request.trial,
        part: request.part,
        submission,
        excluded: cluster.nodes().excluded(),
    }
}

/// The relevant job among those with the same name: a running one or, if there is none, a waiting one or the last.
fn best_of(jobs: &[JobStatus]) -> Option<&JobStatus> {
    jobs.iter().max_by_key(|job| match job.state {
        JobState::Running => 2,
        JobState::Pending => 1,
        JobState::Ended(_) => 0,
    })
}

/// Seconds since a time by this machine's clock; not below 0, as the clock may be set.
fn seconds_since(at: Timestamp) -> f64 {
    Timestamp::now().duration_since(at).as_secs_f64().max(0.0)
}

#[cfg(test)]
mod tests;
