//! `/repositories/NAME`: the history of a repository, and how its webhook is set up.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;

use super::builds::{Listed, WithRepository};
use super::history::history;
use super::shell::{Page, button, may_change, older, section};
use crate::chain::Repository;
use crate::report::markup::Markup;
use crate::report::words::short_percent;
use crate::serve::answer::Problem;
use crate::serve::app::App;
use crate::serve::form::Fields;
use crate::serve::rights::Visitor;

/// Most builds in the chart.
const CHART_MAX: u32 = 120;

/// The page.
pub(in crate::serve) async fn repository(
    State(app): State<Arc<App>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    let below = Fields::of_query(&uri).number("below");
    app.blocking(move |app| {
        let config = &app.service.config;
        let repository =
            config.repository(&name).ok_or_else(|| Problem::not_found("repository"))?;
        let store = &app.service.store;
        let listed = Listed::read(store, Some(&name), below)?;
        let measured = store.measured(&name, CHART_MAX)?;
        let path = format!("/repositories/{name}");
        let page = Page { title: &name, here: &path, live: "all" };
        Ok(page.show(app, &visitor, |main| {
            head(main, repository, &visitor, app.service.health.branch_failure(&name));
            section(main, "history", "Accuracy", |section| history(section, &measured));
            section(main, "builds", "Builds", |section| {
                listed.table(section, WithRepository::No);
                older(section, &path, listed.older());
            });
            main.element("section", &[], |section| webhook(section, app, repository));
        }))
    })
    .await
}

fn head(main: &mut Markup, repository: &Repository, visitor: &Visitor, failure: Option<String>) {
    main.leaf("h1", &[], &repository.name);
    main.element("div", &[("id", &"polled"), ("data-part", &"")], |part| {
        if let Some(why) = failure {
            part.element("div", &[("class", &"warning"), ("role", &"alert")], |warning| {
                warning.leaf("strong", &[], "The branch cannot be polled");
                warning.leaf("p", &[], why);
            });
        }
    });
    main.element("dl", &[("class", &"origins")], |list| {
        let mut fact = |name: &str, value: String| {
            list.leaf("dt", &[], name);
            list.leaf("dd", &[], value);
        };
        fact("url", repository.url.to_string());
        fact("branch", repository.branch.clone());
        if let Some(gate) = repository.gate {
            fact("gate", short_percent(gate));
        }
        fact(
            "polled",
            match repository.poll_seconds {
                0 => "never; pushes are announced by webhooks only".into(),
                seconds => format!("every {seconds} s, for pushes that no webhook announced"),
            },
        );
    });
    if may_change(visitor) {
        main.element("div", &[("class", &"buttons")], |row| {
            let to = format!("/repositories/{}/build", repository.name);
            button(row, visitor, &to, "Build the newest commit now", "");
        });
    }
}

fn webhook(section: &mut Markup, app: &App, repository: &Repository) {
    section.leaf("h2", &[], "Webhook");
    if repository.secret_files.is_empty() {
        section.leaf(
            "p",
            &[],
            "Webhooks are refused: the configuration lists no secret file for this repository \
             (`secret-files`).",
        );
        return;
    }
    let base = match app.front.public_url.as_deref() {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => {
            let scheme = if app.service.config.tls.is_some() { "https" } else { "http" };
            format!("{scheme}://{}", app.service.config.listen)
        }
    };
    section.element("p", &[], |p| {
        p.text("Address: ");
        p.leaf("code", &[], format_args!("{base}/hooks/{}", repository.name));
    });
    section.element("ul", &[], |list| {
        for (who, what) in [
            ("GitHub", "Settings, Webhooks: content type application/json, the secret, and “Just the push event”."),
            ("Gitea and Forgejo", "Settings, Webhooks: HTTP method POST, content type application/json, the secret, and push events."),
            ("GitLab", "Settings, Webhooks: the secret as the secret token, and push events."),
            (
                "Anything else",
                "POST {\"branch\": \"…\", \"commit\": \"…\"}, both of which may be left out, with X-Burgeon-Timestamp (seconds \
                 since 1970), X-Burgeon-Delivery (any identifier) and X-Burgeon-Signature: sha256= and the HMAC-SHA256 of the \
                 timestamp, a dot and the body.",
            ),
        ] {
            list.element("li", &[], |item| {
                item.leaf("strong", &[], format_args!("{who}:"));
                item.text(what);
            });
        }
    });
}
