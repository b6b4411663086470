//! Tests of `registry::settings`.

use super::*;

#[test]
fn settings_are_what_they_were_written_as() {
    let settings = Settings::new("digits", 0.9);
    assert_eq!(Settings::parse(&settings.to_toml().unwrap()).unwrap(), settings);
    let all = "name = \"a\"\n[promotion]\naccuracy = 0.8\nrequire = \"better\"\nlevel = 0.01\nmargin = 0.02\n\
            least-recall = 0.5\nsize-max = \"1 MB\"\nlatency-ms-max = 3.5\nrecall = { \"7\" = 0.9 }\n\
            [keep]\nversions = 3\ndays = 7\nsize = \"1 GB\"\n";
    let settings = Settings::parse(all).unwrap();
    assert_eq!(settings.promotion.require, Requirement::Better);
    assert_eq!(settings.promotion.size_max, Some(Bytes(1_000_000)));
    assert_eq!(Settings::parse(&settings.to_toml().unwrap()).unwrap(), settings);
}

#[test]
fn what_makes_no_sense_is_refused_by_its_key() {
    for (text, key) in [
        ("accuracy = 80", "promotion.accuracy"),
        // Without a gate, every model would pass.
        ("level = 0.05", "promotion.accuracy"),
        ("accuracy = 0.8\nlevel = 0.0", "promotion.level"),
        ("accuracy = 0.8\nlevel = nan", "promotion.level"),
        ("accuracy = 0.8\nmargin = 1.0", "promotion.margin"),
        ("accuracy = 0.8\nrecall = { \"7\" = 2.0 }", "promotion.recall.7"),
        ("accuracy = 0.8\nlatency-ms-max = 0.0", "promotion.latency-ms-max"),
        ("accuracy = 0.8\njudged = [\"../x\"]", "promotion.judged"),
        ("gate = 0.5", "gate"),
    ] {
        let error = Settings::parse(&format!("name = \"a\"\n[promotion]\n{text}\n")).unwrap_err();
        assert!(error.contains(key), "{error}");
    }
    for name in ["../a", ".."] {
        let text = format!("name = \"{name}\"\n[promotion]\naccuracy = 0.8\n");
        assert!(Settings::parse(&text).unwrap_err().contains("name: "), "{name}");
    }
    assert!(Settings::parse("name = \"a\"\n").unwrap_err().contains("promotion.accuracy"));
}
