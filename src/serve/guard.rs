//! What holds for all requests: rights before a handler sees them, headers on every answer, and problems in the format
//! that the client expects.

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

/// What a page may load and do: nothing that is not from here, and no script or style within it.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The header by which scripts of own pages show what forms have in a field.
const FORM_TOKEN_HEADER: &str = "x-form-token";

/// What a path belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Area {
    /// Needs no rights: calls of webhooks, which are signed, and the health check.
    Public,
    /// The login page, its assets, and what ends a session.
    Login,
    /// Pages.
    Page,
    /// The interface for programs.
    Api,
}

/// What every request has to pass.
#[derive(Clone)]
pub(super) struct Guard {
    pub(super) front: Arc<Front>,
    /// What a path belongs to, and which right a request of it needs.
    pub(super) rule: fn(&Method, &str) -> (Area, Right),
}

/// Lets a request through if it may pass, and sets the headers of every answer.
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
    // Neither queries nor headers, which could hold tokens.
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

/// Decides whether a request may pass, and notes whose it is.
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
        let text = "This change was requested by a page of another site.";
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
    // A page of another site can send the cookie of a session, but does not know what this one gave its pages.
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
        return unknown("This needs a token.");
    }
    if !visitor.grants.has(needed) {
        let text = match needed {
            Right::Predict => "This token does not allow predictions.",
            Right::Feedback => "This token does not allow feedback.",
            Right::Read => "This token does not allow reading this.",
            Right::Change => "This token does not allow changes.",
        };
        return Some(Problem::new(StatusCode::FORBIDDEN, text));
    }
    if is_forged {
        return unknown("Programs give their token in the header `Authorization: Bearer …`.");
    }
    None
}

impl Refusal {
    /// As an answer.
    pub(super) fn problem(self) -> Problem {
        match self {
            Self::Wrong => Problem::new(StatusCode::UNAUTHORIZED, "The token is wrong."),
            Self::TooMany(wait) => {
                let seconds = wait.as_secs() + 1;
                let text = format!("Too many wrong tokens; try again in {seconds} seconds.");
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
    // Not `no-referrer`, with which browsers send `Origin: null` for our own forms.
    set(answer, REFERRER_POLICY, "same-origin");
    set(answer, HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(answer, HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
}
