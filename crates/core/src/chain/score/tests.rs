//! Tests of `chain::score`.

use super::*;

fn read_from(score: &Score, name: &str, content: &str, output: &str) -> Result<f64, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), content).unwrap();
    read(score, folder.path(), output)
}

#[test]
fn numbers_are_shares_or_per_cent() {
    let file = Score::default();
    for (text, share) in [("0.97\n", 0.97), ("97", 0.97), ("97.0 %", 0.97), ("1", 1.0), ("0", 0.0)]
    {
        assert!(
            (read_from(&file, "accuracy.txt", text, "").unwrap() - share).abs() < 1e-12,
            "{text}"
        );
    }
    for text in ["", "good", "nan", "-1", "101", "inf", "0.9 0.8"] {
        let why = read_from(&file, "accuracy.txt", text, "").unwrap_err();
        assert!(why.contains("not an accuracy"), "{why}");
    }
    assert!(read_from(&file, "other.txt", "1", "").unwrap_err().contains("did not write"));
}

#[test]
fn json_and_output_are_read_as_the_rule_says() {
    let json = Score::Json { file: "m.json".into(), key: "val.acc".into() };
    assert!(
        (read_from(&json, "m.json", "{\"val\": {\"acc\": 0.5}}", "").unwrap() - 0.5).abs() < 1e-12
    );
    assert!(read_from(&json, "m.json", "{}", "").unwrap_err().contains("no val.acc"));
    assert!(
        read_from(&json, "m.json", "{\"val\": {\"acc\": \"1\"}}", "")
            .unwrap_err()
            .contains("not a number")
    );
    let output = Score::Output { after: "val_accuracy:".into() };
    let printed = "val_accuracy: 0.1\nval_accuracy: 0.75, loss 2\n";
    assert!((read_from(&output, "x", "", printed).unwrap() - 0.75).abs() < 1e-12);
    assert!(read_from(&output, "x", "", "loss 2").unwrap_err().contains("did not print"));
}
