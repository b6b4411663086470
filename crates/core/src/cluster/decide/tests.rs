//! Decisions, one by one and against a simulated cluster.

mod world;

use std::time::Duration;

use proptest::prelude::*;

use self::world::{Fault, QUEUE, WORK, World, fault};
use super::{
    AttemptView, Budget, EndView, FailureReason, JobView, Limits, Step, SubmissionView, TaskView,
    decide,
};
use crate::cluster::attempts::AttemptId;
use crate::cluster::retry::{RetryCause, RetryCounts};
use crate::cluster::scheduler::JobEnd;

const LIMITS: Limits = Limits {
    silence: Duration::from_secs(90),
    visibility: Duration::from_secs(70),
    requeue: Duration::from_secs(5),
    node_failures: 40,
    trial_failures: 2,
    interruptions: 40,
    without_progress: 1000,
};

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_befalls_its_jobs_a_trial_is_taken_once_from_the_newest_attempt(
        faults in prop::collection::vec(fault(), 0..12),
        delay in 0_u64..=60,
        silent_from in 0_u64..400,
        silent_for in 0_u64..200,
    ) {
        let most = (faults.len() as u64 + 2) * 250 + silent_for;
        let mut world = World {
            now: 0,
            delay,
            faults,
            silent: silent_from..silent_from + silent_for,
            time_limit: u64::MAX >> 1,
            submissions: Vec::new(),
            crashes: 0,
        };
        let end = loop {
            prop_assert!(world.now < most, "nothing was decided in {most} s");
            let step = decide(&world.view(), &LIMITS);
            if let Some(end) = world.act(step) {
                break end;
            }
            world.pass();
        };
        match end {
            Ok(id) => {
                let newest = world.submissions.len() as u32;
                prop_assert_eq!(id.submission, newest, "of a submission that was replaced");
                let executions = &world.submissions[newest as usize - 1].executions;
                let accepted = executions.iter().find(|execution| execution.id == id);
                let end = accepted.and_then(|accepted| accepted.end);
                prop_assert!(end.is_some_and(|(end, at)| end == EndView::Published && world.seen(at)));
                // No later attempt was to be seen.
                let later = executions.iter().any(|e| e.id > id && world.seen(e.began));
                prop_assert!(!later);
            }
            Err(budget) => {
                prop_assert_eq!(budget, Budget::Trial);
                prop_assert!(world.crashes > LIMITS.trial_failures, "{} crashes", world.crashes);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    /// What `docs/scale.md` promises to those who wait for a trial in the middle of the order.
    #[test]
    fn a_straggler_blocks_no_longer_than_its_jobs_may_wait_and_run(
        faults in prop::collection::vec(prop_oneof![1 => Just((Fault::Crawl, 3)), 2 => fault()], 0..12),
        delay in 0_u64..=60,
        silent_from in 0_u64..400,
        silent_for in 0_u64..200,
        time_limit in WORK + 1..200,
    ) {
        let limits = Limits { node_failures: 3, trial_failures: 1, interruptions: 4, ..LIMITS };
        let mut world = World {
            now: 0,
            delay,
            faults,
            silent: silent_from..silent_from + silent_for,
            time_limit,
            submissions: Vec::new(),
            crashes: 0,
        };
        let budgets = limits.node_failures + limits.interruptions + limits.trial_failures;
        while world.act(decide(&world.view(), &limits)).is_none() {
            world.pass();
            let begun: usize = world.submissions.iter().map(|one| one.executions.len().max(1)).sum();
            prop_assert!(begun <= budgets + 1 + world.submissions.len(), "{begun} jobs");
            let submitted = world.submissions.len();
            prop_assert!(submitted <= budgets + 1, "{submitted} submissions");
            let job = QUEUE + time_limit;
            let allowed = begun as u64 * job + submitted as u64 * (LIMITS.visibility.as_secs() + 1) + silent_for;
            prop_assert!(world.now <= allowed, "{} s, though {begun} jobs take {allowed} s at most", world.now);
        }
    }
}

fn view(job: JobView, attempt: Option<(Option<EndView>, u64)>) -> TaskView {
    let attempt = attempt.map(|(end, silent)| AttemptView {
        id: AttemptId { submission: 1, claim: 1 },
        end,
        silent: Duration::from_secs(silent),
        has_progress: true,
    });
    TaskView { retries: RetryCounts::default(), current: Some(SubmissionView { job, attempt }) }
}

#[test]
fn every_end_leads_where_the_table_says() {
    let s = Duration::from_secs;
    let replace = |cause, why| Step::Replace { cause, why };
    let interrupted = Some((Some(EndView::Interrupted), 0));
    let works = |silent| Some((None, silent));
    use JobEnd::{Completed, Failed, NodeFailed, TimedOut};
    for (job, attempt, step) in [
        (JobView::Pending, None, Step::Wait),
        (JobView::Unknown, works(10_000), Step::Wait),
        (JobView::Running(s(9999)), works(89), Step::Wait),
        (JobView::Running(s(9999)), works(90), replace(RetryCause::Node, FailureReason::Silent)),
        // Its requeued job has begun elsewhere a moment ago.
        (JobView::Running(s(3)), works(9999), Step::Wait),
        (JobView::Pending, interrupted, Step::Wait),
        (JobView::Ended(Failed, s(4)), interrupted, Step::Wait),
        (
            JobView::Ended(Failed, s(5)),
            interrupted,
            replace(RetryCause::Interrupted, FailureReason::Interrupted),
        ),
        (
            JobView::Ended(TimedOut, s(5)),
            works(0),
            replace(RetryCause::Interrupted, FailureReason::TimedOut),
        ),
        (
            JobView::Ended(NodeFailed, s(5)),
            works(0),
            replace(RetryCause::Node, FailureReason::NodeFailed),
        ),
        (JobView::Ended(Failed, s(69)), works(0), Step::Wait),
        (
            JobView::Ended(Failed, s(70)),
            works(0),
            replace(RetryCause::Trial, FailureReason::Crashed),
        ),
        (
            JobView::Ended(Completed, s(70)),
            None,
            replace(RetryCause::Node, FailureReason::NeverBegan),
        ),
        (JobView::Absent(s(70)), None, replace(RetryCause::Node, FailureReason::Vanished)),
        (
            JobView::Running(s(0)),
            Some((Some(EndView::Failed), 0)),
            replace(RetryCause::Trial, FailureReason::TrialFailed),
        ),
        (
            JobView::Ended(NodeFailed, s(500)),
            Some((Some(EndView::Published), 500)),
            Step::Accept(AttemptId { submission: 1, claim: 1 }),
        ),
    ] {
        assert_eq!(decide(&view(job, attempt), &LIMITS), step, "{job:?} {attempt:?}");
    }
}

#[test]
fn budgets_are_separate_and_a_trial_that_fails_by_itself_is_not_tried_again() {
    let limits = Limits { trial_failures: 0, node_failures: 2, without_progress: 3, ..LIMITS };
    let after = |causes: &[RetryCause]| {
        let mut retries = RetryCounts::default();
        causes.iter().for_each(|cause| retries.add(*cause));
        decide(&TaskView { retries, current: None }, &limits)
    };
    assert_eq!(after(&[]), Step::Submit);
    assert_eq!(after(&[RetryCause::Trial]), Step::GiveUp(Budget::Trial));
    assert_eq!(after(&[RetryCause::Node; 2]), Step::Submit);
    assert_eq!(after(&[RetryCause::Node; 3]), Step::GiveUp(Budget::Nodes));
    assert_eq!(after(&[RetryCause::Interrupted; 40]), Step::Submit);
    let [without_progress, interrupted] = [RetryCause::NoProgress, RetryCause::Interrupted];
    assert_eq!(
        after(&[without_progress, without_progress, interrupted, without_progress]),
        Step::Submit
    );
    assert_eq!(after(&[without_progress; 3]), Step::GiveUp(Budget::NoProgress));
}
