//! Who may see, and who may change.
//!
//! ```text
//! request ─ attempts   after too many invalid tokens, none is checked
//!         ├ Bearer     a token, by a program
//!         ├ sessions   a cookie, after a login with a token
//!         └ origin     whether a page of this service sent it, for every change
//! ```
//!
//! Invariant: without a token file, only requests from this machine, to its own name, are answered.
//!
//! Invariant: no token is kept or logged; sessions keep the hash of theirs, and end when it is replaced.

mod attempts;
pub(super) mod origin;
mod sessions;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE};

use self::attempts::Attempts;
use self::sessions::{Sessions, hash, random};
use super::error::ServeError;
use super::secret_file::{SecretFile, is_same};

/// A right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Right {
    /// Have images classified.
    Predict,
    /// Give the true classes of such images.
    Feedback,
    /// See everything.
    Read,
    /// Start, stop and retry builds; promote versions.
    Change,
}

/// A set of rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Grants(u8);

impl Grants {
    /// Everything.
    const ALL: Self = Self(0b1111);

    /// Whether it contains a right.
    pub(super) fn has(self, right: Right) -> bool {
        self.0 & 1 << right as u8 != 0
    }

    /// Whether it is empty.
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn of(right: Right) -> Self {
        match right {
            Right::Change => Self::ALL,
            right => Self(1 << right as u8),
        }
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The files whose first lines are tokens. The token for changes grants all rights, every other one its own; without any
/// file, everybody on this machine has all rights.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct TokenFiles {
    /// For predictions.
    pub(crate) predict: Option<PathBuf>,
    /// For feedback.
    pub(crate) feedback: Option<PathBuf>,
    /// For reading.
    pub(crate) read: Option<PathBuf>,
    /// For changes and everything else.
    pub(crate) change: Option<PathBuf>,
}

/// How a visitor is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Authentication {
    /// Not at all: everybody on this machine has access.
    Everybody,
    /// By a token that came with the request.
    Bearer,
    /// By a session.
    Session,
}

/// The sender of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Visitor {
    /// What they may do.
    pub(super) grants: Grants,
    /// How they are authenticated.
    pub(super) authentication: Authentication,
    /// The token that every form for changes has to contain.
    pub(super) form_token: String,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is not valid.
    Wrong,
    /// It is not checked before this time has passed.
    TooMany(Duration),
}

/// The rights of all users.
#[derive(Debug)]
pub(super) struct Rights {
    tokens: Vec<(Right, SecretFile)>,
    sessions: Sessions,
    attempts: Attempts,
    /// The form token of visitors without a session.
    form_token: String,
    cookie: Cookie,
}

/// How the session cookie is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cookie {
    /// For unencrypted connections too.
    Plain,
    /// Only over TLS, and only by this host.
    Secure,
}

impl Rights {
    /// Reads the token files; `is_https` says whether browsers connect over TLS.
    ///
    /// # Errors
    ///
    /// If a token cannot be read.
    pub(super) fn new(files: &TokenFiles, is_https: bool) -> Result<Self, ServeError> {
        let TokenFiles { predict, feedback, read, change } = files;
        let tokens: Vec<(Right, SecretFile)> = [
            (Right::Predict, predict, "the file with the token for predictions"),
            (Right::Feedback, feedback, "the file with the token for feedback"),
            (Right::Read, read, "the file with the token for reading"),
            (Right::Change, change, "the file with the token for changes"),
        ]
        .into_iter()
        .filter_map(|(right, path, what)| Some((right, SecretFile::new(path.as_ref()?, what))))
        .collect();
        for (_, file) in &tokens {
            file.current().map_err(ServeError::Secret)?;
        }
        Ok(Self {
            tokens,
            sessions: Sessions::default(),
            attempts: Attempts::default(),
            form_token: random().ok_or(ServeError::Random)?,
            cookie: if is_https { Cookie::Secure } else { Cookie::Plain },
        })
    }

    /// Whether everybody on this machine may do everything.
    pub(super) fn is_open(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Who makes a request.
    pub(super) fn visitor(&self, headers: &HeaderMap, address: IpAddr) -> Result<Visitor, Refusal> {
        if self.is_open() {
            let (grants, authentication) = (Grants::ALL, Authentication::Everybody);
            return Ok(Visitor { grants, authentication, form_token: self.form_token.clone() });
        }
        if let Some(token) = headers.get(AUTHORIZATION) {
            let token = token.to_str().ok().and_then(|text| text.split_once(' '));
            let (_, token) = token
                .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
                .ok_or(Refusal::Wrong)?;
            let grants = self.try_token(token.trim(), address)?;
            return Ok(Visitor {
                grants,
                authentication: Authentication::Bearer,
                form_token: String::new(),
            });
        }
        let session = self.cookie_of(headers).and_then(|id| self.sessions.find(id, Instant::now()));
        let Some(session) = session else {
            return Ok(Visitor {
                grants: Grants::default(),
                authentication: Authentication::Session,
                form_token: String::new(),
            });
        };
        let grants = self.grants_of(|token| is_same(&session.token, &hash(token)));
        Ok(Visitor {
            grants,
            authentication: Authentication::Session,
            form_token: session.form_token,
        })
    }

    /// Starts a session for a token. Returns the value of the `Set-Cookie` header.
    pub(super) fn log_in(&self, token: &str, address: IpAddr) -> Result<String, Refusal> {
        self.try_token(token, address)?;
        let id = self.sessions.begin(token, Instant::now()).ok_or(Refusal::Wrong)?;
        Ok(self.set_cookie(&id))
    }

    /// Ends the session of a request. Returns the value of the `Set-Cookie` header.
    pub(super) fn log_out(&self, headers: &HeaderMap) -> String {
        if let Some(id) = self.cookie_of(headers) {
            self.sessions.end(id);
        }
        format!("{}; Max-Age=0", self.set_cookie(""))
    }

    /// The rights that a token grants. Invalid ones are counted.
    fn try_token(&self, token: &str, address: IpAddr) -> Result<Grants, Refusal> {
        let grants = || {
            let grants = self.grants_of(|expected| is_same(token.as_bytes(), expected.as_bytes()));
            (!grants.is_empty()).then_some(grants)
        };
        match self.attempts.attempt(address, Instant::now(), grants) {
            Ok(Some(grants)) => Ok(grants),
            Ok(None) => {
                tracing::warn!(%address, "a request had an invalid token");
                Err(Refusal::Wrong)
            }
            Err(wait) => Err(Refusal::TooMany(wait)),
        }
    }

    /// The rights of the tokens for which `is_it` is true.
    fn grants_of(&self, is_it: impl Fn(&str) -> bool) -> Grants {
        // All are always compared, so that the time does not reveal which one matches.
        self.tokens.iter().fold(Grants::default(), |grants, (right, file)| {
            let secret = file.current_or_logged();
            match secret.is_some_and(|secret| is_it(secret.expose())) {
                true => grants.and(Grants::of(*right)),
                false => grants,
            }
        })
    }

    fn cookie_name(&self) -> &'static str {
        match self.cookie {
            Cookie::Plain => "burgeon-session",
            Cookie::Secure => "__Host-burgeon-session",
        }
    }

    fn set_cookie(&self, id: &str) -> String {
        let secure = if self.cookie == Cookie::Secure { "; Secure" } else { "" };
        format!("{}={id}; Path=/; HttpOnly; SameSite=Strict{secure}", self.cookie_name())
    }

    fn cookie_of<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let cookies = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|value| value.split(';'));
        pairs.find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            (name == self.cookie_name() && !value.is_empty()).then_some(value)
        })
    }
}

impl Visitor {
    /// Whether they may do something.
    pub(super) fn may(&self, right: Right) -> bool {
        self.grants.has(right)
    }

    /// Whether a form carries their form token.
    pub(super) fn gave(&self, form_token: Option<&str>) -> bool {
        !self.form_token.is_empty()
            && form_token.is_some_and(|given| is_same(given.as_bytes(), self.form_token.as_bytes()))
    }
}
