//! Tests of `notify::attempt`.

use super::*;

fn hold(held: &std::sync::mpsc::Receiver<()>) {
    let _ = held.recv();
}

const LONG: Duration = Duration::from_secs(600);

#[test]
fn what_the_work_says_counts_at_once_even_if_it_goes_on() {
    let (release, held) = channel::<()>();
    let threads = Threads::default();
    let tried = threads.run(LONG, &mut || true, move |tell| {
        tell(SendOutcome::Sent);
        hold(&held);
    });
    assert_eq!(tried, SendOutcome::Sent);
    drop(release);
}

#[test]
fn work_that_hangs_is_left_and_too_much_of_it_is_not_begun() {
    let threads = Threads::default();
    let mut releases = Vec::new();
    let mut hang = |limit| {
        let (release, held) = channel::<()>();
        releases.push(release);
        threads.run(limit, &mut || true, move |_| hold(&held))
    };
    for _ in 0..HANGING_MAX {
        let SendOutcome::Retry(why) = hang(Duration::from_millis(1)) else { panic!("it hung") };
        assert!(why.contains("no result within"), "{why}");
    }
    let SendOutcome::Retry(why) = hang(LONG) else { panic!("it was begun") };
    assert!(why.contains("earlier tries"), "{why}");
}

#[test]
fn who_stops_does_not_wait_and_a_panic_is_a_failure() {
    let threads = Threads::default();
    let (release, held) = channel::<()>();
    let mut asked = 0;
    let mut keep_going = || {
        asked += 1;
        asked < 3
    };
    let tried = threads.run(LONG, &mut keep_going, move |_| hold(&held));
    assert_eq!(tried, SendOutcome::Stopped);
    drop(release);
    let tried = threads.run(LONG, &mut || true, |_| {});
    assert!(matches!(tried, SendOutcome::Retry(why) if why.contains("without a result")));
}
