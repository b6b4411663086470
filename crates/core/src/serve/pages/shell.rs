//! The frame of all pages.

use std::fmt::Display;

use axum::http::StatusCode;
use axum::response::Response;

use crate::report::markup::Markup;
use crate::serve::answer::{Problem, html};
use crate::serve::app::App;
use crate::serve::rights::{Authentication, Right, Visitor};
use crate::serve::{assets, health};

/// The form field that proves that a form comes from this service.
pub(in crate::serve) const FORM_TOKEN: &str = "form";

/// A page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page<'a> {
    /// Its title.
    pub(super) title: &'a str,
    /// The URL of its link in the navigation.
    pub(super) here: &'a str,
    /// What the script keeps up to date: `all`, `deliveries`, or the number of a build.
    pub(super) live: &'a str,
}

impl Page<'_> {
    /// The page for a visitor, with the content that `inside` writes.
    pub(super) fn show(
        self,
        app: &App,
        visitor: &Visitor,
        inside: impl FnOnce(&mut Markup),
    ) -> Response {
        let page = document(self.title, |body| {
            body.leaf("a", &[("class", &"skip"), ("href", &"#main")], "Skip to content");
            body.element("header", &[("class", &"top")], |top| self.top(top, app, visitor));
            let live = self.live;
            body.element("main", &[("id", &"main"), ("data-live", &live)], |main| {
                health::notice(app, main);
                inside(main);
            });
        });
        html(StatusCode::OK, page)
    }

    fn top(self, top: &mut Markup, app: &App, visitor: &Visitor) {
        let link = |nav: &mut Markup, to: &dyn Display, text: &str| {
            let here: &[(&str, &dyn Display)] = &[("href", to), ("aria-current", &"page")];
            let other: &[(&str, &dyn Display)] = &[("href", to)];
            nav.leaf("a", if to.to_string() == self.here { here } else { other }, text);
        };
        top.element("nav", &[("aria-label", &"pages")], |nav| {
            nav.leaf("a", &[("href", &"/"), ("class", &"brand")], "burgeon");
            link(nav, &"/", "Builds");
            link(nav, &"/deliveries", "Deliveries");
            if !app.service.config.retrain.is_empty() {
                link(nav, &"/retraining", "Retraining");
            }
            for repository in app.service.config.repositories.iter().take(12) {
                link(nav, &format_args!("/repositories/{}", repository.name), &repository.name);
            }
        });
        if visitor.authentication == Authentication::Session {
            button(top, visitor, "/logout", "Log out", "quiet");
        }
    }
}

/// A button that requests a change.
pub(super) fn button(markup: &mut Markup, visitor: &Visitor, to: &str, text: &str, class: &str) {
    markup.element("form", &[("method", &"post"), ("action", &to)], |form| {
        let token = &visitor.form_token;
        form.element(
            "input",
            &[("type", &"hidden"), ("name", &FORM_TOKEN), ("value", token)],
            |_| {},
        );
        form.leaf("button", &[("class", &class)], text);
    });
}

/// Whether buttons are shown to a visitor.
pub(super) fn may_change(visitor: &Visitor) -> bool {
    visitor.may(Right::Change)
}

/// A document; `inside` writes its body.
pub(super) fn document(title: &str, inside: impl FnOnce(&mut Markup)) -> String {
    let mut page = Markup::default();
    page.raw("<!DOCTYPE html>\n");
    page.element("html", &[("lang", &"en")], |html| {
        html.element("head", &[], |head| {
            head.raw("<meta charset=\"utf-8\"/>\n");
            head.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n");
            head.raw("<meta name=\"color-scheme\" content=\"light dark\"/>\n");
            head.raw("<link rel=\"icon\" href=\"data:,\"/>\n");
            head.leaf("title", &[], format_args!("{title} – burgeon"));
            head.raw("<link rel=\"stylesheet\" href=\"");
            head.text(assets::style_sheet());
            head.raw("\"/>\n");
            head.element("script", &[("src", &assets::script()), ("defer", &"")], |_| {});
        });
        html.element("body", &[], inside);
    });
    page.finish()
}

/// A section with a heading, which the script replaces when it changes.
pub(super) fn section(main: &mut Markup, id: &str, title: &str, inside: impl FnOnce(&mut Markup)) {
    main.element("section", &[("id", &id), ("data-part", &"")], |section| {
        section.leaf("h2", &[], title);
        inside(section);
    });
}

/// A link to older rows, if there are any.
pub(super) fn older(main: &mut Markup, path: &str, below: Option<i64>) {
    if let Some(below) = below {
        main.element("p", &[("class", &"paging")], |p| {
            let to = format!("{path}?below={below}");
            p.leaf("a", &[("href", &to), ("rel", &"next")], "Older");
        });
    }
}

/// A page that shows an error.
pub(in crate::serve) fn problem(problem: &Problem) -> String {
    let title = problem.status.canonical_reason().unwrap_or("Problem");
    document(title, |body| {
        body.element("main", &[("class", &"small")], |main| {
            main.leaf("h1", &[], title);
            main.leaf("p", &[], &problem.text);
            main.element("p", &[], |p| p.leaf("a", &[("href", &"/")], "Back to the builds"));
        });
    })
}
