//! Tests of `chain::study`.

use super::*;

fn read_text(text: &str) -> Result<Built, RefusedStudy> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("studies")).unwrap();
    std::fs::write(folder.path().join("studies/a.toml"), text).unwrap();
    read(
        folder.path(),
        Path::new("studies/a.toml"),
        folder.path(),
        Demands { gate: Some(0.9), seconds: Some(60.0), has_data: true, ..Demands::default() },
    )
}

#[test]
fn a_study_reads_its_own_files_and_tells_nobody() {
    let Built { study, changes } = read_text(
            "[model]\nlayers = []\n[data]\nsource = \"folder\"\npath = \"../photos\"\ncache = \"/etc\"\n\
             [notify]\ncommand = [\"rm\", \"-rf\", \"/\"]\n\
             [run]\non = { command = { submit = \"rm\", state = \"rm\", cancel = \"rm\" } }\n",
        )
        .unwrap();
    assert!(study.data.path.unwrap().ends_with("photos"));
    assert_eq!((study.data.cache, study.notify), (None, Default::default()));
    assert_eq!(study.run, Default::default());
    assert_eq!((study.gate.accuracy, study.tune.seconds), (0.9, Some(60.0)));
    let keys = ["[notify]", "[run]", "data.cache", "gate.accuracy is 0.9", "tune.seconds is 60"];
    assert_eq!(changes.len(), keys.len(), "{changes:?}");
    for (change, key) in changes.iter().zip(keys) {
        assert!(change.starts_with(key), "{change}");
    }
}

#[test]
fn the_folder_of_mnist_is_the_services_where_it_names_one() {
    let built =
        read_text("[model]\nlayers = []\n[data]\nsource = \"mnist\"\npath = \"/home/ann/mnist\"\n");
    let Built { study, changes } = built.unwrap();
    assert_eq!(study.data.path, None);
    assert!(changes[0].starts_with("data.path of the study, /home/ann/mnist"), "{changes:?}");
}

#[test]
fn of_a_study_that_holds_as_it_is_nothing_is_said() {
    let built = read_text("[model]\nlayers = []\n[gate]\naccuracy = 0.9\n[tune]\nseconds = 5\n");
    let Built { study, changes } = built.unwrap();
    assert_eq!((study.tune.seconds, changes), (Some(5.0), vec![]));
}

#[test]
fn files_of_the_machine_are_refused_by_their_key() {
    for (text, key) in [
        ("[model]\nlayers = []\n[data]\nsource = \"folder\"\npath = \"/etc\"\n", "data.path"),
        ("[model]\nlayers = []\n[data]\nsource = \"folder\"\npath = \"../../x\"\n", "data.path"),
        ("[model]\nfrom = \"/srv/runs/a-0001\"\n", "model.from"),
    ] {
        let error = read_text(text).unwrap_err().to_string();
        assert!(error.contains(key) && error.contains("not in the repository"), "{error}");
    }
    assert!(matches!(read_text("[model]\nlayer = []\n"), Err(RefusedStudy::Spec(_))));
}

#[test]
fn trials_train_where_the_service_says() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("a.toml"),
        "[model]\nlayers = []\n[run]\npartition = \"theirs\"\n",
    )
    .unwrap();
    let run = RunSpec {
        on: crate::spec::On::Slurm,
        partition: Some("ours".into()),
        ..RunSpec::default()
    };
    let demands = Demands { run: run.clone(), ..Demands::default() };
    let built = read(folder.path(), Path::new("a.toml"), folder.path(), demands).unwrap();
    assert_eq!(built.study.run, run);
    assert!(built.changes[0].starts_with("[run] of the study is ignored"), "{:?}", built.changes);
    // What is written for the training reads the same.
    let again = StudyDocument::new("study.toml", built.study.to_toml()).parse().unwrap();
    assert_eq!(again.run, run);
}
