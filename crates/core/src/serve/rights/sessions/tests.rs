//! Tests of `serve::rights::sessions`.

use super::*;

#[test]
fn sessions_end_when_they_are_not_used_or_old_and_are_bounded() {
    let sessions = Sessions::default();
    let start = Instant::now();
    let id = sessions.begin("token", start).unwrap();
    assert_eq!(sessions.find(&id, start).unwrap().token, hash("token"));
    assert_eq!(sessions.find("other", start), None);
    let mut now = start;
    while now < start + AGE_MAX - IDLE_MAX {
        now += IDLE_MAX - Duration::from_secs(1);
        assert!(sessions.find(&id, now).is_some());
    }
    assert!(sessions.find(&id, start + AGE_MAX).is_none());
    let idle = sessions.begin("token", now).unwrap();
    assert!(sessions.find(&idle, now + IDLE_MAX).is_none());
    for _ in 0..SESSIONS_MAX + 10 {
        sessions.begin("token", now).unwrap();
    }
    assert_eq!(sessions.0.lock().unwrap().len(), SESSIONS_MAX);
    sessions.end(&id);
}
