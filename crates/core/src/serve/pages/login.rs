//! `/login`: starts a session with a token.

use axum::http::{StatusCode, Uri};
use axum::response::Response;

use super::shell::document;
use crate::serve::answer::{Problem, html};
use crate::serve::form::Fields;

/// The page.
pub(in crate::serve) async fn login(uri: Uri) -> Response {
    let query = Fields::of_query(&uri);
    html(StatusCode::OK, page(None, safe_target(query.get("to").unwrap_or_default())))
}

/// The page again, after an invalid token.
pub(in crate::serve) fn login_again(problem: &Problem, to: &str) -> Response {
    let mut answer = html(problem.status, page(Some(&problem.text), to));
    problem.headers(&mut answer);
    answer
}

/// The URL of the login page that leads back to a page.
pub(in crate::serve) fn login_address(from: &Uri) -> String {
    match from.path() {
        "/" => "/login".to_owned(),
        path => format!("/login?to={}", safe_target(path)),
    }
}

/// Where a login leads to: always a page of this service.
pub(in crate::serve) fn safe_target(to: &str) -> &str {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte);
    let is_here = to.starts_with('/') && !to.starts_with("//") && to.len() <= 200;
    if is_here && to.bytes().all(is_plain) { to } else { "/" }
}

fn page(problem: Option<&str>, to: &str) -> String {
    document("Log in", |body| {
        body.element("main", &[("class", &"small")], |main| {
            main.leaf("h1", &[], "burgeon");
            if let Some(problem) = problem {
                main.leaf("p", &[("class", &"error"), ("role", &"alert")], problem);
            }
            main.element(
                "form",
                &[("method", &"post"), ("action", &"/login"), ("class", &"login")],
                |form| {
                    form.leaf("label", &[("for", &"token")], "Token");
                    form.element(
                        "input",
                        &[
                            ("id", &"token"),
                            ("name", &"token"),
                            ("type", &"password"),
                            ("autocomplete", &"current-password"),
                            ("required", &""),
                            ("autofocus", &""),
                        ],
                        |_| {},
                    );
                    form.element(
                        "input",
                        &[("type", &"hidden"), ("name", &"to"), ("value", &to)],
                        |_| {},
                    );
                    form.leaf("button", &[], "Log in");
                },
            );
            let hint = "The token is the first line of a token file that the configuration of the service names.";
            main.leaf("p", &[("class", &"quiet")], hint);
        });
    })
}

#[cfg(test)]
mod tests;
