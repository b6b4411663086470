//! The report as text, short enough for a pull request.

use crate::record::FloorJudgement;
use std::fmt::Write;

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
        text += &self.floors();
        text += &self.data();
        text += &self.tree();
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
mod tests {
    use super::super::samples::{accepted, hostile, records};
    use super::*;

    #[test]
    fn an_accepted_study_fits_a_pull_request() {
        let text = Report::from_records(&records(accepted())).to_markdown();
        assert!(text.starts_with("# seedling\n\n✅ Accepted: trial 2, 87.18 %"), "{text}");
        assert!(text.contains("| 2 | 1 | train for 2 more epochs | 87.18 % | 1,370 | 20.0 k |"));
        assert!(text.contains("```text\ntrial 1  40.00 %"), "{text}");
        assert!(text.contains("└─ trial 2") && text.contains("None."), "{text}");
    }

    #[test]
    fn what_was_inherited_and_forgotten_is_said() {
        let text = Report::from_records(&records(super::super::samples::continued())).to_markdown();
        let inherited = "Trial 1 started with the weights of runs/old-0001: 1 class kept, 1 new (dog), no dropped ones.";
        assert!(text.contains(inherited), "{text}");
        assert!(text.contains("Old validation images: 97.00 % correct before, 93.00 % now (100 images of 1 shared classes)."), "{text}");
        assert!(text.contains("| started with | runs/old-0001 |"), "{text}");
    }

    #[test]
    fn what_is_odd_about_the_data_and_what_the_gate_missed_is_said() {
        let text =
            Report::from_records(&records(super::super::samples::imbalanced())).to_markdown();
        assert!(text.contains("- ⚠️ 99.00 % of the training images are of class cat"), "{text}");
        assert!(
            text.contains("- trial 1: least recall 0.00 % is below the gate of 50.00 %"),
            "{text}"
        );
        assert!(
            text.contains("Rejected: least recall 0.00 % is below the gate of 50.00 %"),
            "{text}"
        );
    }

    #[test]
    fn hostile_text_stays_on_its_line_and_in_its_cell() {
        let text = Report::from_records(&records(hostile())).to_markdown();
        let (before, after) = text.split_once("```text\n").unwrap();
        let (tree, after) = after.split_once("\n```\n").unwrap();
        assert!(tree.contains("<script>") && tree.contains("`x`"), "{tree}");
        for text in [before, after] {
            assert!(!text.replace("\\<", "").contains('<'), "{text}");
        }
        let headings = text.lines().filter(|line| line.starts_with('#')).count();
        assert_eq!(headings, 5, "{text}");
        let unescaped = |line: &str| line.replace("\\|", "").matches('|').count();
        let rows: Vec<_> = before.lines().filter(|line| line.starts_with('|')).collect();
        assert!(rows.len() == 4 && rows.iter().all(|row| unescaped(row) == 11), "{rows:?}");
    }

    #[test]
    fn a_tree_too_long_for_a_comment_is_cut_at_a_line() {
        use super::super::samples::started;
        let chain = (1..=100).map(|trial| {
            let mut event = started(trial, (trial > 1).then(|| trial - 1));
            if let crate::ledger::Event::TrialStarted { reason, .. } = &mut event {
                *reason = "because ".repeat(60);
            }
            event
        });
        let text = Report::from_records(&records(chain)).to_markdown();
        assert!(text.len() < 60_000 && text.contains("… the rest is in report.html\n```\n"));
    }
}
