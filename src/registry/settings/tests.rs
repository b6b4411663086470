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
        ("[promotion]\naccuracy = 80\n", "promotion.accuracy"),
        ("[promotion]\nlevel = 0.0\n", "promotion.level"),
        ("[promotion]\nlevel = nan\n", "promotion.level"),
        ("[promotion]\nmargin = 1.0\n", "promotion.margin"),
        ("[promotion]\nrecall = { \"7\" = 2.0 }\n", "promotion.7"),
        ("[promotion]\nlatency-ms-max = 0.0\n", "promotion.latency-ms-max"),
        ("[promotion]\njudged = [\"../x\"]\n", "promotion.judged"),
        ("[promotion]\ngate = 0.5\n", "gate"),
    ] {
        let error = Settings::parse(&format!("name = \"a\"\n{text}")).unwrap_err();
        assert!(error.contains(key), "{error}");
    }
    assert!(Settings::parse("name = \"../a\"\n").unwrap_err().contains("name"));
    assert!(Settings::parse("name = \"..\"\n").unwrap_err().contains("name"));
}
