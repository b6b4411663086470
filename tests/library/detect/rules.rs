//! Rules that say which image and command a finding gets.

use std::path::Path;

use burgeon::unstable::detect::{Detection, Limits, Matched, Rules, detect};

const CNN: &str = "import keras\nm = keras.Sequential([keras.layers.Conv2D(3, 3)])\nm.fit(1, 2)\n";
const FOREST: &str =
    "from sklearn.ensemble import RandomForestClassifier as R\nR().fit([[1]], [1])\n";

fn look(files: &[(&str, &str)]) -> Detection {
    let folder = tempfile::tempdir().unwrap();
    for (file, text) in files {
        std::fs::write(folder.path().join(file), text).unwrap();
    }
    detect(folder.path(), &Limits::default()).unwrap()
}

fn matched(rules: &str, found: &Detection) -> Option<Matched> {
    Rules::parse("rules.toml", rules).unwrap().matched(&found.findings)
}

#[test]
fn the_first_rule_that_fits_the_first_finding_counts() {
    let found = look(&[("train.py", CNN)]);
    let rules = r#"
        [[rule]]
        framework = "keras"
        family = "recurrent"
        image = "no"
        command = ["python", "{entry}"]
        [[rule]]
        framework = "keras"
        gpu = true
        image = "no"
        command = ["python", "{entry}"]
        [[rule]]
        framework = "keras"
        family = "cnn"
        gpu = false
        image = "keras:cpu"
        command = ["python", "-u", "{entry}"]
        [[rule]]
        image = "late"
        command = ["sh"]
    "#;
    let matched = matched(rules, &found).unwrap();
    assert_eq!((matched.rule, matched.image.as_str()), (3, "keras:cpu"));
    assert_eq!(matched.command, ["python", "-u", "train.py"]);
}

#[test]
fn a_second_finding_is_taken_where_no_rule_fits_the_first() {
    let found = look(&[("train.py", CNN), ("baseline.py", FOREST)]);
    assert_eq!(found.findings.len(), 2);
    let rules = "[[rule]]\nframework = \"scikit-learn\"\nimage = \"s\"\ncommand = [\"python\", \"{entry}\"]";
    let matched = matched(rules, &found).unwrap();
    assert_eq!((matched.finding, matched.command[1].as_str()), (1, "baseline.py"));
}

#[test]
fn nothing_is_matched_where_nothing_was_found() {
    let found = look(&[("app.py", "print('keras')\n")]);
    assert_eq!(matched("[[rule]]\nimage = \"x\"\ncommand = [\"y\"]", &found), None);
}

#[test]
fn a_file_named_like_an_option_is_not_taken_for_one() {
    let found = look(&[("-c.py", CNN)]);
    let rules = "[[rule]]\nimage = \"k\"\ncommand = [\"python\", \"{entry}\"]";
    assert_eq!(matched(rules, &found).unwrap().command, ["python", "./-c.py"]);
}

#[test]
fn studies_are_matched_by_the_built_in_rules() {
    let lenet = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/lenet.toml");
    let found = look(&[("lenet.toml", &std::fs::read_to_string(lenet).unwrap())]);
    let matched = Rules::built_in().unwrap().matched(&found.findings).unwrap();
    assert_eq!(matched.command[..3], ["burgeon", "tune", "lenet.toml"]);
}

#[test]
fn wrong_rules_are_refused_with_their_place() {
    let refused = |text: &str| Rules::parse("rules.toml", text).unwrap_err().to_string();
    let typo = refused("[[rule]]\nframwork = \"keras\"\nimage = \"k\"\ncommand = [\"x\"]");
    assert!(typo.contains("framwork") && typo.contains("line 2"), "{typo}");
    let name = refused("[[rule]]\nframework = \"kears\"\nimage = \"k\"\ncommand = [\"x\"]");
    assert!(name.contains("kears") && name.contains("keras"), "{name}");
    let empty = refused("[[rule]]\nimage = \"k\"\ncommand = []");
    assert!(empty.contains("rule 1") && empty.contains("command"), "{empty}");
    let placeholder = refused("[[rule]]\nimage = \"k\"\ncommand = [\"x\", \"{file}\"]");
    assert!(placeholder.contains("{file}") && placeholder.contains("{entry}"), "{placeholder}");
}
