//! `/`: all builds as rows, with their stages as columns, and the queue.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;

use super::passes::Pass;
use super::shell::{Page, older, section};
use super::stages::{Medians, accuracy, cell};
use super::waiting::{Waiting, waiting};
use super::words::{badge, cut, link, now_ms, short, time};
use crate::chain::{BuildRow, StageName, StageRow, Store, StoreError};
use crate::report::markup::Markup;
use crate::serve::answer::Problem;
use crate::serve::app::App;
use crate::serve::form::Fields;
use crate::serve::rights::Visitor;

/// Most rows of a page.
const ROWS: u32 = 30;
/// Most waiting builds that are listed.
const WAITING_MAX: usize = 20;

/// The page.
pub(in crate::serve) async fn builds(
    State(app): State<Arc<App>>,
    Extension(visitor): Extension<Visitor>,
    uri: Uri,
) -> Result<Response, Problem> {
    let below = Fields::of_query(&uri).number("below");
    app.blocking(move |app| {
        let store = &app.service.store;
        let passes = Pass::all(&app.service.config);
        let training = passes.iter().filter(|pass| pass.is_running()).count();
        let listed = Listed::read(store, None, below)?.with(passes, store, below)?;
        let waits = waiting(store, app.service.config.max, training)?;
        let page = Page { title: "Builds", here: "/", live: "all" };
        Ok(page.show(app, &visitor, |main| {
            main.leaf("h1", &[], "Builds");
            if below.is_none() && !waits.is_empty() {
                section(main, "waiting", "Waiting", |section| queue(section, &waits));
            }
            main.element("div", &[("id", &"builds"), ("data-part", &"")], |part| {
                listed.table(part, WithRepository::Yes);
                older(part, "/", listed.older());
            });
        }))
    })
    .await
}

fn queue(section: &mut Markup, waits: &[Waiting]) {
    section.element("ol", &[("class", &"queue")], |list| {
        for Waiting { build, why } in waits.iter().take(WAITING_MAX) {
            list.element("li", &[], |item| {
                link(item, &format_args!("/builds/{}", build.id), format_args!("#{}", build.id));
                item.text(format_args!(" {} ", build.repository));
                item.leaf("code", &[], short(&build.commit_id));
                item.leaf("span", &[("class", &"quiet")], format_args!(" waiting: {why}"));
            });
        }
    });
    if let Some(more) = waits.len().checked_sub(WAITING_MAX).filter(|more| *more > 0) {
        section.leaf("p", &[("class", &"quiet")], format_args!("and {more} more"));
    }
}

/// Whether rows name their repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WithRepository {
    /// They do, as they are of several.
    Yes,
    /// They do not, as the page is about one repository.
    No,
}

/// Builds with the data of their rows.
#[derive(Debug)]
pub(super) struct Listed {
    builds: Vec<BuildRow>,
    stages: Vec<(i64, StageRow)>,
    medians: Medians,
    /// The retrainings among them, newest first.
    passes: Vec<Pass>,
    now: i64,
}

impl Listed {
    /// The newest builds below a number: of one repository, or of all.
    pub(super) fn read(
        store: &Store,
        repository: Option<&str>,
        below: Option<i64>,
    ) -> Result<Self, StoreError> {
        let builds = store.builds(repository, below, ROWS)?;
        let ids: Vec<i64> = builds.iter().map(|build| build.id).collect();
        let stages = store.stages_of(&ids)?;
        let medians = Medians::of(store, builds.iter().map(|build| build.repository.as_str()))?;
        Ok(Self { builds, stages, medians, passes: Vec::new(), now: now_ms() })
    }

    /// The same with the retrainings that began while these builds were the newest.
    fn with(
        mut self,
        mut passes: Vec<Pass>,
        store: &Store,
        below: Option<i64>,
    ) -> Result<Self, StoreError> {
        let later = below.map(|below| store.build(below)).transpose()?.flatten();
        let until = later.map_or(i64::MAX, |later| later.created);
        let from = match self.older() {
            Some(_) => self.builds.last().map_or(0, |oldest| oldest.created),
            None => i64::MIN,
        };
        passes.retain(|pass| (from..until).contains(&pass.created()));
        passes.truncate(ROWS as usize);
        self.passes = passes;
        Ok(self)
    }

    /// The number that the builds of the next page are below, if there may be one.
    pub(super) fn older(&self) -> Option<i64> {
        let last = self.builds.last()?;
        (self.builds.len() as u32 == ROWS && last.id > 1).then_some(last.id)
    }

    /// The table.
    pub(super) fn table(&self, part: &mut Markup, with: WithRepository) {
        if self.builds.is_empty() && self.passes.is_empty() {
            part.leaf("p", &[("class", &"quiet")], "There are no builds yet.");
            return;
        }
        let scroll: [(&str, &dyn std::fmt::Display); 2] =
            [("class", &"scroll builds"), ("tabindex", &"0")];
        part.element("div", &scroll, |scroll| {
            scroll.element("table", &[("class", &"builds")], |table| {
                table.leaf("caption", &[("class", &"unseen")], "Builds, newest first");
                table.element("thead", &[], |head| {
                    head.element("tr", &[], |row| {
                        let stages = self.columns().map(StageName::word);
                        for name in ["build", "what"].into_iter().chain(stages).chain(["accuracy"])
                        {
                            row.leaf("th", &[("scope", &"col")], name);
                        }
                    });
                });
                table.element("tbody", &[], |body| {
                    let mut passes = self.passes.iter().peekable();
                    for build in &self.builds {
                        while let Some(pass) =
                            passes.next_if(|pass| pass.created() >= build.created)
                        {
                            pass.row(body, self.columns(), self.now);
                        }
                        self.row(body, build, with);
                    }
                    passes.for_each(|pass| pass.row(body, self.columns(), self.now));
                });
            });
        });
    }

    /// The stages that are shown: those of growth only if a build has them.
    fn columns(&self) -> impl Iterator<Item = StageName> {
        let is_there = |name| self.stages.iter().any(|(_, stage)| stage.name == name);
        let all = StageName::ALL.iter().copied();
        all.filter(move |name| !name.is_of_growth() || is_there(*name))
    }

    fn row(&self, body: &mut Markup, build: &BuildRow, with: WithRepository) {
        body.element("tr", &[("id", &format_args!("build-{}", build.id))], |row| {
            row.element("th", &[("scope", &"row")], |head| {
                let to = format!("/builds/{}", build.id);
                head.leaf(
                    "a",
                    &[("href", &to), ("class", &"number")],
                    format_args!("#{}", build.id),
                );
                badge(head, build);
                time(head, build.created, self.now);
            });
            row.element("td", &[("class", &"what")], |cell| what(cell, build, with));
            for name in self.columns() {
                let stage =
                    self.stages.iter().find(|(of, stage)| *of == build.id && stage.name == name);
                let stage = stage.map(|(_, stage)| stage);
                cell(row, name, stage, self.medians.get(&build.repository, name), self.now);
            }
            row.element("td", &[("class", &"accuracy")], |cell| {
                accuracy(cell, build.accuracy, build.threshold);
            });
        });
    }
}

fn what(cell: &mut Markup, build: &BuildRow, with: WithRepository) {
    cell.element("p", &[], |line| {
        if with == WithRepository::Yes {
            link(line, &format_args!("/repositories/{}", build.repository), &build.repository);
            line.text(" ");
        }
        match build.commit_id.as_str() {
            "" => line.leaf("span", &[("class", &"quiet")], "newest commit"),
            commit => line.leaf("code", &[("title", &commit)], short(commit)),
        }
        if !build.author.is_empty() {
            line.leaf("span", &[("class", &"quiet")], format_args!(" {}", cut(&build.author, 40)));
        }
    });
    if !build.message.is_empty() {
        cell.leaf("p", &[("class", &"message")], cut(&build.message, 90));
    }
    if !build.why.is_empty() {
        cell.leaf("p", &[("class", &"quiet why")], cut(&build.why, 140));
    }
}
