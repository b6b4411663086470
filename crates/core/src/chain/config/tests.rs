//! Tests of `chain::config`.

use std::time::Duration;

use super::program::ProgramLimits;
use super::*;
use burgeon_container::{Gpus, HangLimits};

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("server.toml"), Path::new("/etc/burgeon"), text)
}

const DIGITS: &str = "[[repository]]\nname = \"digits\"\nurl = \"/srv/git/digits.git\"\n";

#[test]
fn a_short_file_is_enough_and_its_paths_start_at_its_folder() {
    let config = parse(&format!("{DIGITS}secret-files = [\"secret\"]\n")).unwrap();
    assert_eq!(config.folder, Path::new("/etc/burgeon/state"));
    let digits = config.repository("digits").unwrap();
    assert_eq!(digits.secret_files, [Path::new("/etc/burgeon/secret")]);
    assert_eq!((digits.branch.as_str(), config.max), ("main", 1));
    assert!(config.listen.ip().is_loopback());
    let config = parse("[[retrain]]\nregistry = \"r\"\ndata = \"mnist\"\n").unwrap();
    let [retrain] = &config.retrain[..] else { panic!("{config:?}") };
    assert_eq!(retrain.registry, Path::new("/etc/burgeon/r"));
    assert_eq!(
        (retrain.watch_seconds, retrain.data.as_deref()),
        (60, Some(Path::new("/etc/burgeon/mnist")))
    );
}

#[test]
fn what_cannot_be_is_refused_with_its_key_and_what_would_be_right() {
    let wrong = [
        ("listen = \"0.0.0.0:80\"\n", "change-token-file"),
        ("max = 0\n", "max"),
        ("[[retrain]]\nregistry = \"r\"\nwatch-seconds = 0\n", "retrain[0].watch-seconds"),
        ("trusted-proxies = [\"127.0.0.1\"]\n", "change-token-file"),
        ("trusted-proxies = [\"proxy.example.org\"]\n", "10.0.0.0/8"),
        (
            "trusted-proxies = [\"0.0.0.0/0\"]\n[access]\nchange-token-file = \"c\"\n",
            "which is every address",
        ),
        ("[access]\nread-token-file = \"r\"\n", "change-token-file"),
        ("[[repository]]\nname = \"../a\"\nurl = \"/a\"\n", "repository[0].name"),
        ("[[repository]]\nname = \"a\"\nurl = \"--upload-pack=x\"\n", "url"),
        ("[[repository]]\nname = \"a\"\nurl = \"file:///a\"\n", "url"),
        ("[[repository]]\nname = \"a\"\nurl = \"ext::sh -c x\"\n", "url"),
        ("[[repository]]\nname = \"a\"\nurl = \"/a\"\nbranch = \"-x\"\n", "repository[0].branch"),
        ("[[repository]]\nname = \"a\"\nurl = \"/a\"\nstudy = \"../x\"\n", "repository[0].study"),
        ("[[repository]]\nname = \"a\"\nurl = \"/a\"\ngate = 80\n", "repository[0].gate"),
        ("[[repository]]\nname = \"a\"\nurl = \"/a\"\ngates = 80\n", "gates"),
        (
            "[[repository]]\nname = \"a\"\nurl = \"/a\"\n[repository.status]\nkind = \"gitea\"\ntoken-file = \"t\"\n\
             api = \"http://127.0.0.1.example.org/api/v1/repos/a/a\"\n",
            "repository[0].status.api",
        ),
        (
            "[[repository]]\nname = \"a\"\nurl = \"/a\"\nrun = { on = \"slurm\", silence = 3 }\n",
            "repository[0] `run.silence`: 3",
        ),
        ("[keep]\ndays = 0\n", "keep.days"),
        ("[[rule]]\nframework = \"keras\"\nimage = \"k\"\ncommand = []\n", "command is empty"),
        (
            "[[rule]]\nframework = \"keras\"\nimage = \"k\"\ncommand = [\"a\"]\nscore = { file = \"/etc/x\" }\n",
            "rule[0].score",
        ),
        (
            "[notify.mail]\nto = [\"x\"]\nfrom = \"a@b.org\"\nserver = \"localhost\"\n",
            "notify.mail.to[0]",
        ),
    ];
    for (text, said) in wrong {
        let error = parse(text).unwrap_err();
        let shown = crate::sys::error_chain(&error);
        assert!(shown.contains(said), "{text}: {shown}");
    }
    let twice = parse(&format!("{DIGITS}{DIGITS}")).unwrap_err().to_string();
    assert!(twice.contains("twice"), "{twice}");
}

#[test]
fn programs_say_where_their_accuracy_stands() {
    let rule = "[[rule]]\nframework = \"keras\"\nimage = \"keras:cpu\"\ncommand = [\"python\", \"{entry}\"]\n";
    let config = parse(rule).unwrap();
    assert_eq!(config.rules[0].score, Score::File("accuracy.txt".into()));
    assert_eq!(config.rules[0].run, Runner::Container);
    let config = parse(&format!(
        "{rule}score = {{ json = {{ file = \"m.json\", key = \"val.acc\" }} }}\nrun = \"process\"\n"
    ))
    .unwrap();
    assert!(matches!(&config.rules[0].score, Score::Json { key, .. } if key == "val.acc"));
    assert_eq!(config.rules[0].run, Runner::Process);
}

#[test]
fn a_program_that_wants_a_gpu_gets_all_unless_its_rule_says_how_many() {
    let gpus = |more: &str| {
        let text = format!("[[rule]]\nimage = \"k\"\ncommand = [\"a\"]\n{more}");
        parse(&text).map(|config| config.rules[0].gpus)
    };
    assert_eq!(gpus("").unwrap(), Gpus::None);
    assert_eq!(gpus("gpu = false\n").unwrap(), Gpus::None);
    assert_eq!(gpus("gpu = true\n").unwrap(), Gpus::All);
    assert_eq!(gpus("gpu = true\ngpus = 2\n").unwrap(), Gpus::First(2));
    assert_eq!(gpus("gpu = true\ngpus = 0\n").unwrap(), Gpus::None);
    assert_eq!(gpus("gpus = \"all\"\n").unwrap(), Gpus::All);
    for wrong in ["gpus = -1\n", "gpus = \"two\"\n", "gpus = true\n", "gpus = 65\n"] {
        let said = crate::sys::error_chain(&gpus(wrong).unwrap_err());
        assert!(said.contains("from 0 to 64"), "{wrong}: {said}");
    }
}

#[test]
fn a_program_that_neither_prints_nor_computes_has_hung_unless_its_rule_says_otherwise() {
    let hang = |limits: &str| {
        let text = format!("[[rule]]\nimage = \"k\"\ncommand = [\"a\"]\nlimits = {{ {limits} }}\n");
        parse(&text).unwrap().rules[0].limits.hang()
    };
    let limits = |silent: Option<u64>, idle: Option<u64>| HangLimits {
        silent: silent.map(Duration::from_secs),
        idle: idle.map(Duration::from_secs),
    };
    assert_eq!(hang("cpus = 1"), limits(None, Some(600)));
    assert_eq!(hang("silent-seconds = 900, idle-seconds = 0"), limits(Some(900), None));
}

#[test]
fn what_the_documentation_shows_is_read() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    for example in ["server.toml", "compose.toml"] {
        Config::read(&root.join("examples/serve").join(example)).unwrap();
    }
    let page = std::fs::read_to_string(root.join("docs/serve.md")).unwrap();
    let shown = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let config = parse(shown).unwrap();
    assert_eq!((config.repositories.len(), config.rules.len()), (1, 2));
    assert_eq!(config.rules[0].limits, ProgramLimits::default(), "what is shown are the defaults");
}

#[test]
fn a_rule_for_a_process_needs_no_image() {
    let rule = "[[rule]]\nframework = \"keras\"\ncommand = [\"python3\", \"{entry}\"]\n";
    let error = parse(rule).unwrap_err().to_string();
    assert!(error.contains("image"), "{error}");
    assert_eq!(parse(&format!("{rule}run = \"process\"\n")).unwrap().rules[0].run, Runner::Process);
}

#[test]
fn passwords_that_have_no_place_in_the_file_are_not_repeated() {
    let repository = "[[repository]]\nname = \"digits\"\n";
    for (line, number) in [
        ("url = \"https://ann:hunter2@example.org/a.git\"", "line 3"),
        ("url = \"ssh://ann:hunter2@example.org/a.git\"", "line 3"),
        ("url = \"/srv/a.git\"\npassword = \"hunter2\"", "line 4"),
        ("url = \"/srv/a.git\"\npassword = \"hunter2", "line 4"),
        ("url = \"/srv/a.git\"\nsecret-files = [\n\"s\",\n7, # hunter2 = hunter2\n]", "line"),
    ] {
        let error = crate::sys::error_chain(&parse(&format!("{repository}{line}\n")).unwrap_err());
        assert!(error.contains(number) && !error.contains("hunter2"), "{line}: {error}");
    }
}
