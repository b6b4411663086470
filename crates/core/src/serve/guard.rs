//! Middleware for all requests: checks rights before a handler runs, sets headers on every response, and formats problems
//! as the client expects.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::answer::{Problem, copy_allow, html, json, see_other, set};
use super::app::{Client, Peer};
use super::client::client;
use super::front::Front;
use super::pages;
use super::rights::{Authentication, Refusal, Right, Visitor, origin};

/// The content security policy of pages: they load nothing from elsewhere, and contain no inline scripts or styles.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The header in which scripts of the pages send the form token.
const FORM_TOKEN_HEADER: &str = "x-form-token";

/// The kind of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Area {
    /// No rights needed: webhooks, which are signed, and the health check.
    Public,
    /// The login page, its assets, and logging out.
    Login,
    /// Pages.
    Page,
    /// The API for programs.
    Api,
}

/// The state of the middleware.
#[derive(Clone)]
pub(super) struct Guard {
    pub(super) front: Arc<Front>,
    /// The kind of a path, and the right that a request for it needs.
    pub(super) rule: fn(&Method, &str) -> (Area, Right),
}

/// Lets a request through if its rights suffice, and sets the headers of every response.
pub(super) async fn guard(
    State(guard): State<Guard>,
    mut request: Request,
    next: Next,
) -> Response {
    let front = &*guard.front;
    let began = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let (area, needed) = (guard.rule)(&method, &path);
    let wants_page = matches!(area, Area::Page | Area::Login)
        && request
            .headers()
            .get(ACCEPT)
            .is_some_and(|accept| accept.to_str().is_ok_and(|accept| accept.contains("text/html")));
    let address = address(front, &request);
    request.extensions_mut().insert(Client(address));
    let mut answer = match admit(front, &mut request, area, needed, address, wants_page) {
        Ok(()) => next.run(request).await,
        Err(answer) => *answer,
    };
    if let Some(problem) = answer.extensions_mut().remove::<Problem>() {
        if problem.status == StatusCode::FORBIDDEN || problem.status == StatusCode::UNAUTHORIZED {
            tracing::warn!(%address, %method, path = shown(&path), status = problem.status.as_u16(), "refused");
        }
        answer = in_format_of_client(&problem, answer, area, wants_page);
    }
    headers(&mut answer);
    let ms = began.elapsed().as_secs_f64() * 1e3;
    let status = answer.status().as_u16();
    // Queries and headers are not logged, as they could contain tokens.
    tracing::debug!(%address, %method, path = shown(&path), status, ms, "request");
    answer
}

fn address(front: &Front, request: &Request) -> IpAddr {
    let peer = request.extensions().get::<Peer>();
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.address.ip());
    client(request.headers(), peer, &front.trusted_proxies)
}

fn shown(path: &str) -> String {
    path.chars().take(200).collect()
}

/// Decides whether a request may pass, and adds its visitor to it.
fn admit(
    front: &Front,
    request: &mut Request,
    area: Area,
    needed: Right,
    address: IpAddr,
    wants_page: bool,
) -> Result<(), Box<Response>> {
    if area == Area::Public {
        return Ok(());
    }
    let refuse = |problem: Problem| Err(Box::new(problem.into_response()));
    let headers = request.headers();
    if front.rights.is_open() && !origin::is_local(headers, front.public_url.as_deref()) {
        let text = "Without a token file in its configuration, this service answers only to the names of this \
             machine, such as 127.0.0.1.";
        return refuse(Problem::new(StatusCode::FORBIDDEN, text));
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if changes && !origin::is_own(headers, front.public_url.as_deref()) {
        let text = "This request was sent by a page of another site.";
        return refuse(Problem::new(StatusCode::FORBIDDEN, text));
    }
    if area == Area::Login {
        return Ok(());
    }
    let visitor = match front.rights.visitor(headers, address) {
        Ok(visitor) => visitor,
        Err(refusal) => return refuse(refusal.problem()),
    };
    if visitor.grants.is_empty() && wants_page && !changes {
        return Err(Box::new(see_other(&pages::login_address(request.uri()))));
    }
    let form_token = headers.get(FORM_TOKEN_HEADER).and_then(|token| token.to_str().ok());
    // A page of another site can send the session cookie, but does not know the form token.
    let is_forged = changes
        && area == Area::Api
        && visitor.authentication == Authentication::Session
        && !visitor.gave(form_token);
    if let Some(problem) = missing(&visitor, needed, is_forged) {
        return refuse(problem);
    }
    request.extensions_mut().insert(visitor);
    Ok(())
}

fn missing(visitor: &Visitor, needed: Right, is_forged: bool) -> Option<Problem> {
    let unknown = |text: &str| Some(Problem::new(StatusCode::UNAUTHORIZED, text));
    if visitor.grants.is_empty() {
        return unknown("This requires a token.");
    }
    if !visitor.grants.has(needed) {
        let text = match needed {
            Right::Predict => "This token does not allow predictions.",
            Right::Feedback => "This token does not allow feedback.",
            Right::Read => "This token does not allow reading.",
            Right::Change => "This token does not allow changes.",
        };
        return Some(Problem::new(StatusCode::FORBIDDEN, text));
    }
    if is_forged {
        return unknown("Send the token in the header `Authorization: Bearer …`.");
    }
    None
}

impl Refusal {
    /// The response.
    pub(super) fn problem(self) -> Problem {
        match self {
            Self::Wrong => Problem::new(StatusCode::UNAUTHORIZED, "The token is not valid."),
            Self::TooMany(wait) => {
                let seconds = wait.as_secs() + 1;
                let text = format!(
                    "Too many attempts with invalid tokens; try again in {seconds} seconds."
                );
                Problem::new(StatusCode::TOO_MANY_REQUESTS, text)
                    .after(std::time::Duration::from_secs(seconds))
            }
        }
    }
}

/// A problem in the format that the client expects.
fn in_format_of_client(
    problem: &Problem,
    answer: Response,
    area: Area,
    wants_page: bool,
) -> Response {
    let mut response = match area {
        Area::Api => json(problem.status, &serde_json::json!({ "error": problem.text })),
        _ if wants_page => html(problem.status, pages::problem(problem)),
        _ => return answer,
    };
    problem.headers(&mut response);
    copy_allow(&answer, &mut response);
    response
}

fn headers(answer: &mut Response) {
    if !answer.headers().contains_key(CONTENT_SECURITY_POLICY) {
        set(answer, CONTENT_SECURITY_POLICY, POLICY);
    }
    if !answer.headers().contains_key(CACHE_CONTROL) {
        set(answer, CACHE_CONTROL, "no-store");
    }
    set(answer, X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(answer, X_FRAME_OPTIONS, "DENY");
    // Not `no-referrer`, with which browsers send `Origin: null` for forms of this service.
    set(answer, REFERRER_POLICY, "same-origin");
    set(answer, HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(answer, HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
}
