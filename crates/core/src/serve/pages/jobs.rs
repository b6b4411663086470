//! The jobs of a study whose trials train on a cluster: a table in the training stage.

use std::io::Read;

use super::words::cut;
use crate::chain::BuildRow;
use crate::cluster::{Overview, SNAPSHOT_FILE, TrialLine, parse_snapshot};
use crate::ledger::Recorded;
use crate::report::markup::Markup;
use crate::serve::answer::Problem;
use crate::serve::app::App;
use crate::serve::artifacts;

/// There are at most 256 jobs, with less than a kilobyte each.
const SNAPSHOT_BYTES_MAX: u64 = 1 << 20;
/// Most trials that are shown, the last ones.
const ROWS_MAX: usize = 250;
/// Longest name that is shown; an untrusted program may have written it.
const NAME_CHARACTERS_MAX: usize = 80;

/// The jobs of a build's run; `None` if it has none.
pub(super) fn jobs(
    app: &App,
    build: &BuildRow,
    records: &[Recorded],
) -> Result<Option<Overview>, Problem> {
    let mut bytes = Vec::new();
    if let Some(file) = artifacts::open(&app.service.places, build, SNAPSHOT_FILE)? {
        // Only for information: an unreadable file is not shown.
        let _ = file.take(SNAPSHOT_BYTES_MAX).read_to_end(&mut bytes);
    }
    let overview = Overview::of(records, parse_snapshot(&bytes));
    Ok(overview.has_jobs().then_some(overview))
}

/// The table.
pub(super) fn table(part: &mut Markup, overview: &Overview) {
    let hidden = overview.trials.len().saturating_sub(ROWS_MAX);
    part.element("div", &[("class", &"scroll"), ("tabindex", &"0")], |scroll| {
        scroll.element("table", &[("class", &"jobs")], |table| {
            table.leaf("caption", &[], "Jobs on the cluster");
            table.element("thead", &[], |head| {
                head.element("tr", &[], |row| {
                    for name in ["trial", "state", "node", "job", "jobs", "queued", "node time"] {
                        row.leaf("th", &[("scope", &"col")], name);
                    }
                });
            });
            table.element("tbody", &[], |body| {
                for line in &overview.trials[hidden..] {
                    body.element("tr", &[], |tr| row(tr, line));
                }
            });
        });
    });
    let mut notes = Vec::new();
    if hidden > 0 {
        notes.push(format!("The first {hidden} trials are not shown."));
    }
    let seconds: f64 = overview.trials.iter().map(|line| line.node_seconds).sum();
    notes.push(format!("Total node time: {seconds:.1} s."));
    for node in overview.excluded_nodes.iter().take(ROWS_MAX) {
        notes.push(format!(
            "Node {} is excluded from further jobs.",
            cut(node, NAME_CHARACTERS_MAX)
        ));
    }
    part.leaf("p", &[("class", &"quiet")], notes.join(" "));
}

fn row(row: &mut Markup, line: &TrialLine) {
    let name = |text: Option<&str>| cut(text.unwrap_or("–"), NAME_CHARACTERS_MAX).to_string();
    row.leaf("th", &[("scope", &"row")], line.trial);
    row.element("td", &[], |cell| {
        let part = line.part.as_ref().map_or(String::new(), |part| format!(" ({part})"));
        cell.text(name(Some(&format!("{}{part}", line.state))));
        if let Some(reason) = &line.reason {
            cell.leaf("small", &[], name(Some(reason)));
        }
    });
    row.leaf("td", &[], name(line.node.as_deref()));
    row.leaf("td", &[], name(line.job.as_deref()));
    row.leaf("td", &[], line.submissions);
    row.leaf("td", &[], format_args!("{:.1} s", line.queue_seconds));
    row.leaf("td", &[], format_args!("{:.1} s", line.node_seconds));
}
