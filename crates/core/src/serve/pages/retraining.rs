//! `/retraining`: the state of each registry with retraining, and its decisions.

use std::path::Path;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::passes::{outcome, why};
use super::shell::Page;
use super::words::{cut, now_ms, time};
use crate::registry::{Record, Registry, RegistryError};
use crate::report::markup::Markup;
use crate::retrain::Retraining;
use crate::serve::answer::{self, Problem};
use crate::serve::app::App;
use crate::serve::rights::Visitor;
use crate::sys::error_chain;
use crate::sys::files::RealFiles;

/// Most decisions of a registry that are shown, the newest ones.
const ROWS: usize = 50;

/// A registry's state, and its decisions, the newest first.
type Found = (Option<Value>, Vec<(Record, Retraining)>);

fn find(path: &Path) -> Result<Found, RegistryError> {
    let registry = Registry::open(Arc::new(RealFiles), path)?;
    let mut decided = registry.retrainings()?;
    decided.reverse();
    decided.truncate(ROWS);
    Ok((registry.retraining_state()?, decided))
}

/// The page.
pub(in crate::serve) async fn retraining(
    State(app): State<Arc<App>>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Response, Problem> {
    app.blocking(move |app| {
        let page = Page { title: "Retraining", here: "/retraining", live: "retraining" };
        Ok(page.show(app, &visitor, |main| {
            main.leaf("h1", &[], "Retraining");
            main.element("div", &[("id", &"retrainings"), ("data-part", &"")], |main| {
                for entry in &app.service.config.retrain {
                    main.leaf("h2", &[], entry.registry.display());
                    match find(&entry.registry) {
                        Err(error) => main.leaf("p", &[], error_chain(&error)),
                        Ok(found) => show(main, &found),
                    }
                }
            });
        }))
    })
    .await
}

/// The same as JSON.
pub(in crate::serve) async fn retraining_json(
    State(app): State<Arc<App>>,
) -> Result<Response, Problem> {
    app.blocking(move |app| {
        let told = app.service.config.retrain.iter().map(|entry| match find(&entry.registry) {
            Err(error) => json!({ "registry": entry.registry, "error": error_chain(&error) }),
            Ok((state, decided)) => {
                let records: Vec<Record> = decided.into_iter().map(|(record, _)| record).collect();
                json!({ "registry": entry.registry, "state": state, "decisions": records })
            }
        });
        Ok(answer::json(StatusCode::OK, &json!({ "retraining": told.collect::<Vec<Value>>() })))
    })
    .await
}

fn show(main: &mut Markup, (state, decided): &Found) {
    let state = state.as_ref().and_then(|state| state["state"].as_object()?.iter().next());
    let words = match state {
        Some((_, Value::String(text))) => cut(text, 500),
        Some(_) => "The last check led to the decision in the first row.".into(),
        None => "No check has been made yet.".into(),
    };
    main.leaf("p", &[("class", &"quiet")], words);
    main.element("div", &[("class", &"scroll"), ("tabindex", &"0")], |scroll| {
        scroll.element("table", &[("class", &"deliveries")], |table| {
            table.leaf("caption", &[("class", &"unseen")], "Retrainings, newest first");
            table.element("thead", &[], |head| {
                head.element("tr", &[], |row| {
                    for name in ["when", "cause", "outcome", "version", "why"] {
                        row.leaf("th", &[("scope", &"col")], name);
                    }
                });
            });
            table.element("tbody", &[], |body| {
                decided.iter().for_each(|decision| body.element("tr", &[], |tr| row(tr, decision)));
            });
        });
    });
}

fn row(row: &mut Markup, (record, retraining): &(Record, Retraining)) {
    row.element("td", &[], |cell| time(cell, record.at.as_millisecond(), now_ms()));
    row.leaf("td", &[], retraining.cause.words());
    row.element("td", &[], |cell| {
        let (word, class) = outcome(record);
        cell.leaf("span", &[("class", &format_args!("badge {class}"))], word);
    });
    row.leaf("td", &[], record.to.map_or(String::new(), |version| version.to_string()));
    row.leaf("td", &[("class", &"text")], cut(&why(record), 500));
}
