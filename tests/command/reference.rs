//! The guide's references of the study file and of the command line, which are generated from the types: by what the real
//! binary says of them. `BURGEON_WRITE_REFERENCE=1` writes them anew.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn burgeon(arguments: &[&str]) -> String {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("burgeon"));
    for (name, _) in std::env::vars_os() {
        // Help tells the values that variables set.
        if name.to_string_lossy().starts_with("BURGEON_") {
            command.env_remove(name);
        }
    }
    let output = command.args(arguments).env("COLUMNS", "100").output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Compares a page with what is generated now, or writes it.
fn check(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference").join(name);
    if std::env::var_os("BURGEON_WRITE_REFERENCE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let at = found.lines().zip(page.lines()).position(|(found, page)| found != page);
    assert!(
        found == page,
        "{} is stale from line {} on; BURGEON_WRITE_REFERENCE=1 cargo test --test command reference:: writes it",
        PathBuf::from(name).display(),
        at.unwrap_or(found.lines().count().min(page.lines().count())) + 1
    );
}

/// The commands in the help of one.
fn subcommands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| line.starts_with(' '));
    let named =
        lines.filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')));
    let names = named.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

fn add_command(page: &mut String, words: &[&str]) {
    let help = burgeon(&[words, &["--help"]].concat());
    let own = match words {
        [] => help.as_str(),
        _ => help.split("\nCommon options:\n").next().unwrap(),
    };
    let level = "#".repeat(words.len().clamp(1, 2) + 1);
    let name = ["burgeon"].iter().chain(words).copied().collect::<Vec<_>>().join(" ");
    let _ = writeln!(page, "{level} `{name}`\n\n```text\n{}\n```\n", own.trim_end());
    for sub in subcommands(&help) {
        add_command(page, &[words, &[sub.as_str()]].concat());
    }
}

#[test]
fn the_command_line_is_told_as_it_is() {
    let mut page = String::from(
        "# The command line\n\nGenerated from the program: `burgeon help COMMAND` says the same. Every command takes the common options, which are \
         listed once. Most options can also be set by the environment variable that is named beside them.\n\n",
    );
    add_command(&mut page, &[]);
    for known in ["### `burgeon registry promote`", "## `burgeon tune`", "BURGEON_THREADS"] {
        assert!(page.contains(known), "{known} is missing");
    }
    check("command-line.md", &page);
}

/// The study file's schema.
struct Schema(Value);

impl Schema {
    fn find(&self, name: &str) -> &Value {
        &self.0["$defs"][name]
    }

    /// The name of the type that a schema refers to.
    fn reference(schema: &Value) -> Option<&str> {
        let direct = schema["$ref"].as_str();
        let inner = || schema["anyOf"].as_array()?.iter().find_map(|one| one["$ref"].as_str());
        direct.or_else(inner)?.strip_prefix("#/$defs/")
    }

    /// What values a schema takes, in a few words. Types with a section of their own are added to `linked`.
    fn kind(&self, schema: &Value, linked: &mut Vec<String>) -> String {
        if let Some(name) = Self::reference(schema) {
            linked.push(name.to_owned());
            return format!("[{}](#{})", words(name), anchor(name));
        }
        if let Some(value) = schema.get("const") {
            return format!("`{value}`");
        }
        if let Some(choices) = schema["enum"].as_array() {
            let choices: Vec<String> = choices.iter().map(|one| format!("`{one}`")).collect();
            return choices.join(", ");
        }
        if let Some(options) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
            let options = options.iter().map(|one| self.kind(one, linked));
            let options: Vec<String> = options.filter(|one| one != "nothing").collect();
            return options.join(" or ");
        }
        let types: Vec<&str> = match &schema["type"] {
            Value::String(one) => vec![one],
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let types = types.into_iter().filter(|kind| *kind != "null");
        let types: Vec<String> = types
            .map(|kind| match kind {
                "array" => {
                    let of = schema["prefixItems"].as_array().and_then(|all| all.first());
                    format!("list of {}", self.kind(of.unwrap_or(&schema["items"]), linked))
                }
                "integer" => format!("whole number{}", range(schema)),
                "number" => format!("number{}", range(schema)),
                "string" => "text".into(),
                "boolean" => "true or false".into(),
                "object" => "table".into(),
                other => other.into(),
            })
            .collect();
        if types.is_empty() { "nothing".into() } else { types.join(" or ") }
    }

    /// The keys of a table.
    fn add_keys(&self, page: &mut String, table: &Value, linked: &mut Vec<String>) {
        let Some(keys) = table["properties"].as_object().filter(|keys| !keys.is_empty()) else {
            return;
        };
        let required = table["required"].as_array().cloned().unwrap_or_default();
        page.push_str("| key | value | default | |\n| --- | --- | --- | --- |\n");
        for (key, schema) in keys {
            let default = match &schema["default"] {
                _ if required.iter().any(|name| name == key) => "must be given".into(),
                Value::Null => "–".into(),
                // Its own section tells the defaults of its keys.
                Value::Object(_) if self.has_section(schema) => "see there".into(),
                value => format!("`{}`", toml(value)),
            };
            let kind = self.kind(schema, linked);
            let _ = writeln!(page, "| `{key}` | {kind} | {default} | {} |", text(schema));
        }
        page.push('\n');
    }

    fn has_section(&self, schema: &Value) -> bool {
        Self::reference(schema).is_some()
    }

    fn add_type(&self, page: &mut String, title: &str, level: usize, name: &str) -> Vec<String> {
        let schema = self.find(name);
        let mut linked = Vec::new();
        let _ = writeln!(page, "{} {title}\n", "#".repeat(level));
        let _ = writeln!(page, "{}\n", text(schema));
        self.add_keys(page, schema, &mut linked);
        if let Some(choices) = schema["oneOf"].as_array() {
            for choice in choices {
                let what = text(choice);
                match choice["properties"].as_object() {
                    // One of several tables with a single key.
                    Some(keys)
                        if choice["required"].as_array().is_some_and(|all| all.len() == 1) =>
                    {
                        for (key, inner) in keys {
                            let kind = self.kind(inner, &mut linked);
                            let _ = writeln!(page, "- `{key}`: {kind}. {what}");
                        }
                    }
                    _ => {
                        let kind =
                            self.kind(choice, &mut linked).replace("`\"", "`").replace("\"`", "`");
                        let _ = writeln!(page, "- {kind}: {what}");
                    }
                }
            }
            page.push('\n');
        } else if schema["properties"].is_null() {
            let _ = writeln!(page, "Value: {}.\n", self.kind(schema, &mut linked));
        }
        linked
    }
}

/// `{"every-seconds":30}` → `{ every-seconds = 30 }`.
fn toml(value: &Value) -> String {
    match value {
        Value::Object(keys) => {
            let keys: Vec<String> =
                keys.iter().map(|(key, value)| format!("{key} = {}", toml(value))).collect();
            if keys.is_empty() { "{}".into() } else { format!("{{ {} }}", keys.join(", ")) }
        }
        Value::Array(all) => format!("[{}]", all.iter().map(toml).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

fn range(schema: &Value) -> String {
    let bound = |key: &str| schema[key].as_f64();
    match (bound("minimum"), bound("maximum"), bound("exclusiveMinimum"), bound("exclusiveMaximum"))
    {
        (Some(least), Some(most), ..) => format!(" from {least} to {most}"),
        (Some(least), None, ..) if least != 0.0 => format!(" of at least {least}"),
        (_, _, Some(above), Some(below)) => format!(" between {above} and {below}"),
        _ => String::new(),
    }
}

fn text(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    text.replace('\n', " ").replace('|', "\\|")
}

/// `SgdParameters` → `sgd parameters`.
fn words(name: &str) -> String {
    let mut words = String::new();
    for character in name.strip_suffix("Spec").unwrap_or(name).chars() {
        if character.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(character.to_lowercase());
    }
    words
}

fn anchor(name: &str) -> String {
    match section(name) {
        Some(section) => section.into(),
        None => words(name).replace(' ', "-"),
    }
}

/// The section of a study file that a type is.
fn section(name: &str) -> Option<&'static str> {
    Some(match name {
        "DataSpec" => "data",
        "GateSpec" => "gate",
        "ModelSpec" => "model",
        "NotifySpec" => "notify",
        "RunSpec" => "run",
        "TrainSpec" => "train",
        "TuneSpec" => "tune",
        _ => return None,
    })
}

#[test]
fn the_study_file_is_told_as_it_is() {
    let schema = Schema(serde_json::from_str(&burgeon(&["schema"])).unwrap());
    let mut page = String::from(
        "# The study file\n\nGenerated from the types that read it; `burgeon schema` prints them as a JSON Schema, for editors, and `burgeon check` \
         says what is wrong with a file. A study file is TOML. `study.toml` in a run folder has every default written out.\n\n",
    );
    let mut linked = Vec::new();
    schema.add_keys(&mut page, &schema.0, &mut linked);
    let mut told = BTreeSet::new();
    let sections = std::mem::take(&mut linked);
    let mut rest: Vec<String> = Vec::new();
    for name in sections {
        let title = format!("`[{}]`", section(&name).unwrap());
        rest.extend(schema.add_type(&mut page, &title, 2, &name));
        told.insert(name);
    }
    page.push_str("## Values\n\n");
    rest.reverse();
    while let Some(name) = rest.pop() {
        if told.insert(name.clone()) {
            let title = words(&name);
            rest.extend(schema.add_type(&mut page, &title, 3, &name).into_iter().rev());
        }
    }
    let all = schema.0["$defs"].as_object().unwrap();
    let missing: Vec<&String> = all.keys().filter(|name| !told.contains(*name)).collect();
    assert!(missing.is_empty(), "no page tells of {missing:?}");
    check("study-file.md", &page);
}
