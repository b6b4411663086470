//! `/deliveries`: every webhook delivery, its outcome, and the reason.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;

use super::shell::{Page, older};
use super::words::{cut, link, now_ms, short, time};
use crate::chain::{Delivery, DeliveryOutcome};
use crate::report::markup::Markup;
use crate::serve::answer::Problem;
use crate::serve::app::App;
use crate::serve::form::Fields;
use crate::serve::rights::Visitor;

/// Most rows of a page.
const ROWS: u32 = 50;

/// The page.
pub(in crate::serve) async fn deliveries(
    State(app): State<Arc<App>>,
    Extension(visitor): Extension<Visitor>,
    uri: Uri,
) -> Result<Response, Problem> {
    let below = Fields::of_query(&uri).number("below");
    app.blocking(move |app| {
        let deliveries = app.service.store.deliveries(below, ROWS)?;
        let next =
            deliveries.last().filter(|_| deliveries.len() as u32 == ROWS).map(|last| last.id);
        let page = Page { title: "Deliveries", here: "/deliveries", live: "deliveries" };
        Ok(page.show(app, &visitor, |main| {
            main.leaf("h1", &[], "Deliveries");
            main.leaf(
                "p",
                &[("class", &"quiet")],
                "Webhook deliveries, newest first, and the outcome of each.",
            );
            main.element("div", &[("id", &"deliveries"), ("data-part", &"")], |part| {
                table(part, &deliveries);
                older(part, "/deliveries", next);
            });
        }))
    })
    .await
}

fn table(part: &mut Markup, deliveries: &[Delivery]) {
    if deliveries.is_empty() {
        part.leaf(
            "p",
            &[("class", &"quiet")],
            "No deliveries yet. The page of each repository says how to set its webhook up.",
        );
        return;
    }
    let now = now_ms();
    part.element("div", &[("class", &"scroll"), ("tabindex", &"0")], |scroll| {
        scroll.element("table", &[("class", &"deliveries")], |table| {
            table.leaf("caption", &[("class", &"unseen")], "Deliveries, newest first");
            table.element("thead", &[], |head| {
                head.element("tr", &[], |row| {
                    for name in ["when", "repository", "from", "event", "outcome", "why"] {
                        row.leaf("th", &[("scope", &"col")], name);
                    }
                });
            });
            table.element("tbody", &[], |body| {
                for delivery in deliveries {
                    body.element("tr", &[], |tr| row(tr, delivery, now));
                }
            });
        });
    });
}

fn row(row: &mut Markup, delivery: &Delivery, now: i64) {
    row.element("td", &[], |cell| time(cell, delivery.at, now));
    row.element("td", &[], |cell| {
        link(cell, &format_args!("/repositories/{}", delivery.repository), &delivery.repository);
    });
    row.element("td", &[], |cell| {
        cell.text(&delivery.source);
        if let Some(id) = &delivery.delivery {
            cell.leaf("small", &[("title", id)], cut(id, 24));
        }
    });
    row.element("td", &[], |cell| {
        cell.text(&delivery.event);
        if !delivery.branch.is_empty() {
            cell.leaf(
                "small",
                &[],
                format_args!("{} {}", cut(&delivery.branch, 30), short(&delivery.commit_id)),
            );
        }
    });
    row.element("td", &[], |cell| {
        let (word, class) = match delivery.outcome {
            DeliveryOutcome::Queued => ("queued", "accepted"),
            DeliveryOutcome::Known => ("known", "idle"),
            DeliveryOutcome::Ignored => ("ignored", "idle"),
            DeliveryOutcome::Refused => ("refused", "rejected"),
        };
        cell.leaf("span", &[("class", &format_args!("badge {class}"))], word);
    });
    row.element("td", &[("class", &"text")], |cell| match delivery.build {
        Some(build) => link(cell, &format_args!("/builds/{build}"), &delivery.why),
        None => cell.text(cut(&delivery.why, 200)),
    });
}
