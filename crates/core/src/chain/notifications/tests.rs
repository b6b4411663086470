//! Tests of `chain::notifications`.

use super::*;
use crate::chain::failed_builds_tests::chain_with_failed_builds;
use crate::chain::{BuildRequest, Cause, Config, Queued};

#[test]
fn a_build_that_cannot_be_told_of_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody listens there: messages wait.
    let text = "[notify.mail]\nto = [\"ann@example.org\"]\nfrom = \"b@example.org\"\nserver = \"127.0.0.1\"\n\
                    port = 1\nsecurity = \"none\"\n[[repository]]\nname = \"digits\"\nurl = \"/srv/git/digits.git\"\n";
    let chain = chain_with_failed_builds(folder.path(), text);
    std::fs::create_dir_all(chain.places.build(1)).unwrap();
    std::fs::write(chain.places.build(1).join("outbox"), "in the place of the folder").unwrap();
    assert!(notify_all(&chain, &mut StatusWaits::default()).is_err());
    let is_told = |id| chain.store.build(id).unwrap().unwrap().told;
    assert_eq!([is_told(1), is_told(2)], [false, true]);
    std::fs::remove_file(chain.places.build(1).join("outbox")).unwrap();
    notify_all(&chain, &mut StatusWaits::default()).unwrap();
    assert!(is_told(1));
}

#[test]
fn a_service_that_stops_does_not_tell_of_thousands_of_builds_first() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[[repository]]\nname = \"digits\"\nurl = \"/srv/git/digits.git\"\n";
    let chain = chain_with_failed_builds(folder.path(), text);
    chain.stop();
    notify_all(&chain, &mut StatusWaits::default()).unwrap();
    assert!(!chain.store.build(1).unwrap().unwrap().told);
}

#[test]
fn the_page_says_that_mail_waits_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[notify.mail]\nto = [\"ann@example.org\"]\nfrom = \"b@example.org\"\nserver = \"127.0.0.1\"\n\
                    port = 1\nsecurity = \"none\"\n[[repository]]\nname = \"digits\"\nurl = \"/srv/git/digits.git\"\n";
    let chain = chain_with_failed_builds(folder.path(), text);
    notify_all(&chain, &mut StatusWaits::default()).unwrap();
    let stages = chain.store.stages(1).unwrap();
    let told = stages.iter().find(|stage| stage.name == StageName::Notify).unwrap();
    assert!(
        told.note.contains("to ann@example.org") && told.note.contains("waits"),
        "{}",
        told.note
    );
    assert!(told.note.contains("refused"), "{}", told.note);
}

#[test]
fn a_record_that_cannot_be_read_is_told_with_the_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[[repository]]\nname = \"digits\"\nurl = \"/srv/git/digits.git\"\n";
    let config = Config::parse(Path::new("server.toml"), folder.path(), text).unwrap();
    let chain = Chain::open(config, "burgeon".into()).unwrap();
    let asked =
        BuildRequest { repository: "digits", branch: "main", commit: "a", cause: Cause::Push };
    let Queued::New(id) = chain.store.enqueue(asked).unwrap() else { panic!() };
    chain.store.start(id).unwrap();
    let run = chain.places.runs(id).join("digits-0001");
    std::fs::create_dir_all(&run).unwrap();
    std::fs::write(run.join("events.jsonl"), "this is no record\nnor this\n").unwrap();
    chain.store.set_run(id, "runs/digits-0001").unwrap();
    chain.store.end(id, Verdict::Failed, "broken").unwrap();
    let build = chain.store.build(id).unwrap().unwrap();
    let said = announcement(&chain, &build, None);
    let row = said.rows.iter().find(|(name, _)| name == "report");
    assert!(row.is_some_and(|(_, value)| value.contains("events.jsonl")), "{:?}", said.rows);
    let log = std::fs::read_to_string(chain.places.log(id)).unwrap();
    assert!(log.contains("no figures"), "{log}");
    // A program that is no study has none, and nothing is wrong with that.
    std::fs::remove_file(run.join("events.jsonl")).unwrap();
    let said = announcement(&chain, &build, None);
    assert!(said.rows.iter().all(|(name, _)| name != "report"), "{:?}", said.rows);
}
