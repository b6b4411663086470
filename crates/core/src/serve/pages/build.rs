//! `/builds/N`: one build, with its stages, figures, trials, files and log.

use std::io::Read;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;

use super::jobs;
use super::shell::{Page, button, may_change, section};
use super::stages::{Medians, elapsed_ms, progress, sign};
use super::waiting::waiting;
use super::words::{badge, cause, link, now_ms, short, span, state_word, time};
use crate::chain::{BuildRow, BuildState, Growth, StageName, StageRow, Verdict};
use crate::cluster::Overview;
use crate::ledger::{Recorded, parse_events};
use crate::report::Report;
use crate::report::markup::Markup;
use crate::report::words::{count, percent, short_percent};
use crate::serve::answer::Problem;
use crate::serve::app::App;
use crate::serve::artifacts::{self, Artifact};
use crate::serve::form::number;
use crate::serve::logs::{Piece, plain, tail};
use crate::serve::rights::Visitor;

/// Largest event log whose trials are shown; the report shows those of larger ones.
const EVENTS_BYTES_MAX: u64 = 16 << 20;

/// The content of the page.
struct Shown {
    build: BuildRow,
    stages: Vec<StageRow>,
    medians: Medians,
    why_it_waits: Option<String>,
    report: Option<Report>,
    /// The jobs, if the trials train on a cluster.
    jobs: Option<Overview>,
    files: Vec<(&'static Artifact, u64)>,
    /// What growth changed, if a program is grown.
    growth: Option<Growth>,
    log: Piece,
    now: i64,
}

/// The page.
pub(in crate::serve) async fn build(
    State(app): State<Arc<App>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id = number(&id)?;
    app.blocking(move |app| {
        let shown = Shown::read(app, id)?;
        let title = format!("{} #{id}", shown.build.repository);
        let live = id.to_string();
        let page = Page { title: &title, here: "", live: &live };
        Ok(page.show(app, &visitor, |main| shown.write(main, &visitor)))
    })
    .await
}

impl Shown {
    fn read(app: &App, id: i64) -> Result<Self, Problem> {
        let (store, places) = (&app.service.store, &app.service.places);
        let mut build = store.build(id)?.ok_or_else(|| Problem::not_found("build"))?;
        if build.threshold.is_none() {
            // That which it will be held to, where the configuration says so.
            let repository = app.service.config.repository(&build.repository);
            build.threshold = repository.and_then(|repository| repository.gate);
        }
        let mut why_it_waits = None;
        if build.state == BuildState::Queued {
            let waits = waiting(store, app.service.config.max, 0)?;
            why_it_waits = waits.into_iter().find(|one| one.build.id == id).map(|one| one.why);
        }
        let records = records(app, &build)?;
        let jobs = jobs::jobs(app, &build, &records)?;
        Ok(Self {
            stages: store.stages(id)?,
            medians: Medians::of(store, [build.repository.as_str()])?,
            why_it_waits,
            report: (!records.is_empty()).then(|| Report::from_records(&records)),
            jobs,
            files: artifacts::present(places, &build)?,
            growth: Growth::read(&places.build(id)),
            log: tail(&places.log(id))?,
            now: now_ms(),
            build,
        })
    }

    fn write(&self, main: &mut Markup, visitor: &Visitor) {
        let build = &self.build;
        main.element("div", &[("id", &"head"), ("data-part", &"")], |part| {
            self.head(part);
            if may_change(visitor) {
                buttons(part, build, visitor);
            }
        });
        section(main, "stages", "Stages", |section| self.stages(section));
        section(main, "files", "Files", |section| self.files(section));
        self.log(main);
    }

    fn head(&self, part: &mut Markup) {
        let build = &self.build;
        let (_, class) = state_word(build);
        part.element("header", &[("class", &format_args!("outcome {class}"))], |header| {
            header.element("h1", &[], |title| {
                link(title, &format_args!("/repositories/{}", build.repository), &build.repository);
                title.text(format_args!(" #{} ", build.id));
                badge(title, build);
            });
            if !build.message.is_empty() {
                header.leaf("p", &[("class", &"message")], &build.message);
            }
            if let Some(why) = &self.why_it_waits {
                header.leaf("p", &[], format_args!("Waiting: {why}."));
            }
            if !build.why.is_empty() {
                header.leaf("p", &[], &build.why);
            }
            if let Some(by) = build.superseded_by {
                header.element("p", &[], |p| {
                    link(p, &format_args!("/builds/{by}"), format_args!("See build {by}"));
                });
            }
        });
        self.tiles(part);
    }

    fn tiles(&self, part: &mut Markup) {
        let build = &self.build;
        let tile = |list: &mut Markup, name: &str, inside: &dyn Fn(&mut Markup)| {
            list.element("div", &[], |tile| {
                tile.leaf("dt", &[], name);
                tile.element("dd", &[], inside);
            });
        };
        part.element("dl", &[("class", &"tiles")], |list| {
            tile(list, "accuracy", &|dd| dd.text(percent(build.accuracy)));
            let gate = build.threshold.map_or("–".into(), short_percent);
            tile(list, "gate", &|dd| dd.text(&gate));
            tile(list, "commit", &|dd| match build.commit_id.as_str() {
                "" => dd.text("newest"),
                commit => dd.leaf("code", &[("title", &commit)], short(commit)),
            });
            tile(list, "author", &|dd| {
                let author = if build.author.is_empty() { "–" } else { &build.author };
                dd.leaf("span", &[("class", &"long")], author);
            });
            tile(list, "queued", &|dd| time(dd, build.created, self.now));
            let took = build.started.map(|from| span(build.ended.unwrap_or(self.now) - from));
            tile(list, "duration", &|dd| dd.text(took.as_deref().unwrap_or("–")));
        });
        part.element("p", &[("class", &"quiet")], |p| {
            p.text(format_args!("Branch {}, started by {}.", build.branch, cause(build.cause)));
            if build.starts > 1 {
                p.text(format_args!(
                    " Resumed {}.",
                    count(build.starts.unsigned_abs() - 1, "time")
                ));
            }
        });
    }

    fn stages(&self, section: &mut Markup) {
        section.element("ol", &[("class", &"stages")], |list| {
            for name in StageName::ALL {
                let stage = self.stages.iter().find(|stage| stage.name == *name);
                if stage.is_none() && name.is_of_growth() {
                    continue;
                }
                let class = stage.map_or("", |stage| sign(stage.state).1);
                list.element("li", &[("class", &class)], |item| self.stage(item, *name, stage));
            }
        });
    }

    fn stage(&self, item: &mut Markup, name: StageName, stage: Option<&StageRow>) {
        let median = self.medians.get(&self.build.repository, name);
        let (mark, word) = stage.map_or(("–", "not started"), |stage| sign(stage.state));
        item.leaf("span", &[("class", &"sign"), ("aria-hidden", &"true")], mark);
        item.leaf("strong", &[], name.word());
        item.leaf("span", &[("class", &"quiet")], word);
        item.element("span", &[("class", &"took")], |took| {
            if let Some(stage) = stage {
                took.text(span(elapsed_ms(stage, self.now)));
            }
            if let Some(median) = median {
                took.leaf("small", &[], format_args!(" median {}", span(median)));
            }
        });
        if let Some(stage) = stage {
            if let Some(median) = median {
                progress(item, stage, median, self.now);
            }
            if !stage.note.is_empty() {
                item.leaf("p", &[("class", &"note")], &stage.note);
            }
        }
        let grows = self.stages.iter().any(|stage| stage.name == StageName::Grow);
        if name == StageName::Check
            && let Some(growth) = &self.growth
        {
            item.element("div", &[("id", &"growth")], |part| lists(part, growth));
        }
        if name == (if grows { StageName::Grow } else { StageName::Train })
            && let Some(report) = &self.report
        {
            item.element("div", &[("id", &"trials"), ("class", &"trials")], |trials| {
                report.growth(trials);
                if let Some(overview) = &self.jobs {
                    jobs::table(trials, overview);
                }
            });
        }
    }

    fn files(&self, section: &mut Markup) {
        if self.build.cleared {
            section.leaf(
                "p",
                &[("class", &"quiet")],
                "The files of this build were removed to make room.",
            );
            return;
        }
        if self.files.is_empty() {
            section.leaf("p", &[("class", &"quiet")], "No files yet.");
            return;
        }
        section.element("ul", &[("class", &"files")], |list| {
            for (artifact, bytes) in &self.files {
                list.element("li", &[], |item| {
                    let to = format!("/builds/{}/files/{}", self.build.id, artifact.name);
                    link(item, &to, artifact.name);
                    let what = artifact.what.unwrap_or_default();
                    item.leaf(
                        "span",
                        &[("class", &"quiet")],
                        format_args!(" {what}, {}", size(*bytes)),
                    );
                });
            }
        });
    }

    /// Not a part that the script replaces: it appends to it.
    fn log(&self, main: &mut Markup) {
        let (id, log) = (self.build.id, &self.log);
        main.element("section", &[], |section| {
            section.leaf("h2", &[], "Log");
            section.element("p", &[("class", &"quiet")], |p| {
                if log.from > 0 {
                    p.text(format_args!(
                        "The last {} of {}. ",
                        size(log.length - log.from),
                        size(log.length)
                    ));
                }
                link(p, &format_args!("/builds/{id}/log"), "Full log");
            });
            let next = log.next();
            section.leaf(
                "pre",
                &[
                    ("id", &"log"),
                    ("class", &"log"),
                    ("tabindex", &"0"),
                    ("aria-label", &"log"),
                    ("data-build", &id),
                    ("data-next", &next),
                ],
                plain(&log.bytes),
            );
        });
    }
}

/// What growing a program changed, and what could not be carried over.
fn lists(part: &mut Markup, growth: &Growth) {
    for (heading, lines) in growth.lists() {
        if lines.is_empty() {
            continue;
        }
        part.leaf("p", &[], format_args!("{heading}:"));
        part.element("ul", &[], |list| {
            for line in lines {
                list.leaf("li", &[], line);
            }
        });
    }
}

fn buttons(part: &mut Markup, build: &BuildRow, visitor: &Visitor) {
    let id = build.id;
    part.element("div", &[("class", &"buttons")], |row| match (build.state, build.verdict) {
        (BuildState::Ended, Some(Verdict::Superseded)) => {}
        (BuildState::Ended, verdict) => {
            if matches!(verdict, Some(Verdict::Failed | Verdict::Cancelled)) && !build.cleared {
                let to = format!("/builds/{id}/reopen");
                button(row, visitor, &to, "Resume where it stopped", "");
            }
            button(
                row,
                visitor,
                &format!("/builds/{id}/retry"),
                "Build this commit again",
                "plain",
            );
        }
        _ if build.stop_asked => {}
        _ => button(row, visitor, &format!("/builds/{id}/cancel"), "Cancel", "danger"),
    });
}

/// The event log of the build's run; empty if it has none, or if it is too long to be shown.
fn records(app: &App, build: &BuildRow) -> Result<Vec<Recorded>, Problem> {
    let Some(file) = artifacts::open(&app.service.places, build, "events.jsonl")? else {
        return Ok(Vec::new());
    };
    let mut bytes = Vec::new();
    let read = file.take(EVENTS_BYTES_MAX + 1).read_to_end(&mut bytes);
    if read.is_err() || bytes.len() as u64 > EVENTS_BYTES_MAX {
        return Ok(Vec::new());
    }
    // A damaged event log is reported by the process that writes it.
    Ok(parse_events(&bytes).map_or_else(|_| Vec::new(), |parsed| parsed.records))
}

/// `3.2 MB`.
fn size(bytes: u64) -> String {
    match bytes {
        0..1000 => format!("{bytes} bytes"),
        1000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
