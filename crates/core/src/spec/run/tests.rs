//! Tests of `spec::run`.

use super::*;
use crate::spec::{StudyDocument, StudyFile};

fn study(run: &str) -> StudyDocument {
    StudyDocument::new("s.toml", format!("[model]\nlayers = []\n[run]\n{run}\n"))
}

#[test]
fn where_trials_train_is_read_and_written_back() {
    for run in [
        "on = \"slurm\"\npartition = \"low\"\ntime-limit = 3600\nsbatch = [\"--qos=long\"]",
        "on = { command = { submit = \"a\", state = \"b\", cancel = \"c\" } }\nmemory = \"8G\"",
        "on = \"local\"",
    ] {
        study(run).check().unwrap();
        let file = study(run).parse().unwrap();
        let again = StudyDocument::new("s.toml", file.to_toml()).parse().unwrap();
        assert_eq!(again, file);
    }
    let plain = StudyFile::new("study", Vec::new());
    assert!(!plain.to_toml().contains("[run]"), "{}", plain.to_toml());
}

#[test]
fn what_is_wrong_is_named_with_its_key() {
    for (run, key) in [
        ("partition = \"a\\n#SBATCH b\"", "run.partition"),
        ("memory = \"much\"", "run.memory"),
        ("time-limit = 60", "run.warning"),
        ("cpus = 0", "run.cpus"),
        ("sbatch = [\"-x\"]", "run.sbatch[0]"),
        ("sbatch = [\"--a=b\", \"--job-name=x\"]", "run.sbatch[1]"),
        (
            "on = { command = { submit = \" \", state = \"b\", cancel = \"c\" } }",
            "run.on.command.submit",
        ),
    ] {
        let said = study(run).check().unwrap_err().to_string();
        assert!(said.contains(key), "{run}: {said}");
    }
    assert!(study("on = \"cloud\"").parse().is_err());
}

#[test]
fn where_a_study_trains_is_no_part_of_its_hash() {
    use crate::spec::{InputShape, Spec};
    let file = StudyFile::new("study", Vec::new());
    let mut elsewhere = file.clone();
    elsewhere.run.on = On::Slurm;
    let hash = |file| Spec::new(file, InputShape::MNIST).unwrap().hash();
    assert_eq!(hash(file), hash(elsewhere));
}
