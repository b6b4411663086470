//! The report as text, short enough for a pull request.

use crate::record::FloorJudgement;
use std::fmt::Write;

use super::front::FRONT_COLUMNS;
use super::{LineageTrial, Report, State, moment, trial_words, words};

/// GitHub and GitLab cut or refuse comments longer than about 65,000 characters.
const TREE_LIMIT_BYTES: usize = 30_000;
/// With more trials, a selection is shown.
const TRIALS_MAX: usize = 120;

impl Report {
    /// Markdown as GitHub and GitLab read it.
    pub fn to_markdown(&self) -> String {
        self.abridged(TRIALS_MAX).markdown()
    }

    fn markdown(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "# {}\n", inline(&self.started.name));
        if let Some(reason) = &self.fallback {
            let _ = writeln!(
                text,
                "> **WARNING: trained on the built-in digits, not on the requested data.** {}\n",
                inline(reason)
            );
        }
        let mark = match self.state {
            State::Accepted => "✅",
            State::Rejected | State::GaveUp { .. } => "❌",
            State::Stopped { .. } | State::Unfinished => "⏳",
        };
        let _ = writeln!(text, "{mark} {}\n", inline(&self.outcome()));
        for sentence in self.continuation() {
            let _ = writeln!(text, "{}\n", inline(&sentence));
        }
        text += &self.table();
        text += &self.front_table();
        text += &self.spent();
        text += &self.folds();
        text += &self.floors();
        text += &self.data();
        text += &self.tree();
        text += &self.jobs();
        text += &self.interruptions();
        text += &self.provenance();
        let _ = writeln!(text, "{}", inline(&self.source_note()));
        text
    }

    fn table(&self) -> String {
        let mut text = String::from(
            "| trial | from | edits | validation | parameters | FLOPs | epochs | seconds | images/s | gate |\n\
             | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n",
        );
        for trial in &self.lineage.trials {
            let _ = writeln!(text, "{}", row(trial));
        }
        if let Some(omission) = self.omission() {
            let _ = writeln!(text, "\n{omission}");
        }
        text + "\n"
    }

    /// The trials that no other one beats in accuracy and in size or speed.
    fn front_table(&self) -> String {
        let front = self.front();
        if front.is_empty() {
            return String::new();
        }
        let mut text = String::from("## Accuracy against size and speed\n\n");
        let _ = writeln!(text, "{} {}\n", self.front_sentence(), inline(&self.speed_note()));
        let _ = writeln!(
            text,
            "| {} |\n| ---: | ---: | ---: | ---: | ---: | --- | --- |",
            FRONT_COLUMNS.join(" | ")
        );
        for on in &front {
            let _ = writeln!(text, "| {} |", on.cells().map(|cell| inline(&cell)).join(" | "));
        }
        text + "\n"
    }

    /// Where the time went, in a line.
    fn spent(&self) -> String {
        let parts = self.time.parts();
        if parts.is_empty() {
            return String::new();
        }
        let part =
            |(name, seconds): &(&str, f64)| format!("{name} {}", words::duration(Some(*seconds)));
        let rate = self.time.images_per_second();
        let rate = rate.map_or(String::new(), |rate| {
            format!("; {} training images/s", words::grouped(rate as u64))
        });
        format!("Time: {}{rate}.\n\n", parts.iter().map(part).collect::<Vec<_>>().join(", "))
    }

    /// The cross-validation of each trial, with its interval.
    fn folds(&self) -> String {
        let mut text = String::new();
        for trial in &self.lineage.trials {
            if let Some(folds) = trial.cross_validation() {
                let _ = writeln!(text, "- trial {}: {}", trial.trial, inline(&folds.words()));
            }
        }
        if text.is_empty() { text } else { text + "\n" }
    }

    /// The judgements on balanced accuracy and least recall.
    fn floors(&self) -> String {
        let mut text = String::new();
        for trial in self.lineage.trials.iter().filter(|trial| !trial.floors.is_empty()) {
            let floors: Vec<String> = trial.floors.iter().map(FloorJudgement::to_string).collect();
            let _ = writeln!(text, "- trial {}: {}", trial.trial, inline(&floors.join(", ")));
        }
        if text.is_empty() { text } else { text + "\n" }
    }

    /// The findings about the data.
    fn data(&self) -> String {
        let Some(data) = self.data.as_ref().filter(|data| !data.findings.is_empty()) else {
            return String::new();
        };
        let mut text = String::from("## Data\n\n");
        for finding in &data.findings {
            let _ = writeln!(text, "- ⚠️ {}", inline(finding));
        }
        text + "\n"
    }

    fn tree(&self) -> String {
        let mut tree = self.lineage.tree();
        if tree.len() > TREE_LIMIT_BYTES {
            let end = tree.floor_char_boundary(TREE_LIMIT_BYTES);
            let end = tree[..end].rfind('\n').map_or(end, |line| line + 1);
            tree.truncate(end);
            tree += "… the rest is in report.html\n";
        }
        // Longer than any fence in the tree, so that none of them can end it.
        let fence = "`".repeat(longest_run(&tree, '`').max(2) + 1);
        format!("## Lineage\n\n{fence}text\n{tree}{fence}\n\n")
    }

    fn jobs(&self) -> String {
        let sentences = self.jobs.sentences();
        if sentences.is_empty() {
            return String::new();
        }
        let line = |sentence: &String| format!("- {}\n", inline(sentence));
        format!("## Jobs\n\n{}\n", sentences.iter().map(line).collect::<String>())
    }

    fn interruptions(&self) -> String {
        let mut text = String::from("## Interruptions\n\n");
        if self.interruptions.is_empty() {
            text += "None.\n";
        }
        for interruption in &self.interruptions {
            let _ = writeln!(text, "- {}: {}", moment(interruption.at), inline(&interruption.what));
        }
        text + "\n"
    }

    fn provenance(&self) -> String {
        let mut text = String::from("## Provenance\n\n| | |\n| --- | --- |\n");
        for (name, value) in self.origins() {
            let _ = writeln!(text, "| {} | {} |", inline(&name), inline(&value));
        }
        text + "\n"
    }
}

fn row(trial: &LineageTrial) -> String {
    let cells = [
        trial.trial.to_string(),
        trial.parent.map_or(String::new(), |parent| parent.to_string()),
        trial_words::edits(trial),
        words::percent(trial.measured()),
        words::grouped(trial.parameters),
        words::magnitude(trial.flops_per_image),
        trial.epochs.to_string(),
        format!("{:.1}", trial.seconds()),
        trial.images_per_second.map_or(String::new(), |rate| words::grouped(rate as u64)),
        trial_words::gate(trial).into(),
    ];
    format!("| {} |", cells.map(|cell| inline(&cell)).join(" | "))
}

fn longest_run(text: &str, of: char) -> usize {
    text.split(|character| character != of).map(str::len).max().unwrap_or(0)
}

/// Text without meaning to Markdown, on a single line.
pub(crate) fn inline(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            control if control.is_control() => escaped.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '&' | '#' => {
                escaped.push('\\');
                escaped.push(character);
            }
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
