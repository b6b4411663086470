//! Sending a message by SMTP.

use std::time::{Duration, Instant};

use lettre::address::{Address, Envelope};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    Certificate, CertificateStore, SmtpConnection, TlsParameters,
};
use lettre::transport::smtp::extension::ClientId;

use super::compose::is_sendable;
use crate::notify::attempt::SendOutcome;
use crate::notify::secret::{Redaction, Secret};
use crate::spec::{MailSecurity, MailSpec, mail_address};
use crate::sys::error_chain;
use crate::sys::files::{Files, RealFiles};

/// Longer files hold no certificates.
const CERTIFICATES_BYTES_MAX: u64 = 4 << 20;

/// Sends a message to one address, and tells what came of it as soon as the server has answered for it.
/// `limit` bounds the silence of the server at each step; who calls bounds the whole.
pub(in crate::notify) fn send(
    mail: &MailSpec,
    to: &str,
    message: &[u8],
    limit: Duration,
    tell: &dyn Fn(SendOutcome),
) {
    logged_in(mail, tell, |login| transmit(mail, to, message, limit, login));
}

/// Does all that comes before a message, and sends none: connects, encrypts, logs in.
pub(in crate::notify) fn greet(mail: &MailSpec, limit: Duration, tell: &dyn Fn(SendOutcome)) {
    logged_in(mail, tell, |login| connect(mail, Instant::now() + limit, login));
}

fn logged_in(
    mail: &MailSpec,
    tell: &dyn Fn(SendOutcome),
    work: impl FnOnce(Option<(String, Secret)>) -> Result<SmtpConnection, Failure>,
) {
    let login = match login(mail) {
        Ok(login) => login,
        Err(why) => return tell(SendOutcome::Retry(why)),
    };
    let redaction = match &login {
        Some((user, password)) => Redaction::of_login(user, password),
        None => Redaction::default(),
    };
    match work(login) {
        Ok(mut connection) => {
            tell(SendOutcome::Sent);
            // The message, if there is one, is the server's already; the farewell is courtesy.
            connection.abort();
        }
        Err(failure) => tell(failure.tried(&redaction)),
    }
}

enum Failure {
    Server(lettre::transport::smtp::Error),
    Here(String),
    /// A message that cannot be sent at all.
    Message(&'static str),
}

impl From<lettre::transport::smtp::Error> for Failure {
    fn from(error: lettre::transport::smtp::Error) -> Self {
        Self::Server(error)
    }
}

impl Failure {
    fn tried(&self, redaction: &Redaction) -> SendOutcome {
        match self {
            Self::Server(error) => {
                let why = redaction.apply(&error_chain(error));
                match error.is_permanent() {
                    true => SendOutcome::Refused(why),
                    false => SendOutcome::Retry(why),
                }
            }
            Self::Here(why) => SendOutcome::Retry(redaction.apply(why)),
            Self::Message(why) => SendOutcome::Refused((*why).into()),
        }
    }
}

fn login(mail: &MailSpec) -> Result<Option<(String, Secret)>, String> {
    let Some(user) = &mail.user else { return Ok(None) };
    let what = "the password of [notify] mail";
    let password = match (&mail.password_file, &mail.password_variable) {
        (Some(path), _) => Secret::read(path, what)?,
        (None, Some(name)) => Secret::from_variable(name, what)?,
        (None, None) => return Err(format!("{what} is missing")),
    };
    Ok(Some((user.clone(), password)))
}

fn transmit(
    mail: &MailSpec,
    to: &str,
    message: &[u8],
    limit: Duration,
    login: Option<(String, Secret)>,
) -> Result<SmtpConnection, Failure> {
    // Checked where it is sent too: what is on disk may have been damaged.
    if !is_sendable(message) {
        return Err(Failure::Message("the stored message is not a mail message"));
    }
    let envelope = envelope(mail, to)
        .ok_or(Failure::Message("the sender's or the receiver's address is not a mail address"))?;
    let mut connection = connect(mail, Instant::now() + limit, login)?;
    // lettre adds an end of line of its own.
    connection.send(&envelope, message.strip_suffix(b"\r\n").unwrap_or(message))?;
    Ok(connection)
}

/// A connection on which a message may be sent: encrypted and logged in, as the study says.
fn connect(
    mail: &MailSpec,
    until: Instant,
    login: Option<(String, Secret)>,
) -> Result<SmtpConnection, Failure> {
    let left = || until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    let hello = hello_name();
    let server = (mail.server.as_str(), mail.port());
    let tls = match mail.security {
        MailSecurity::None => None,
        MailSecurity::Starttls | MailSecurity::Tls => Some(tls_parameters(mail)?),
    };
    let wrapped = tls.as_ref().filter(|_| mail.security == MailSecurity::Tls);
    let mut connection = SmtpConnection::connect(server, Some(left()), &hello, wrapped, None)?;
    let bound = |connection: &mut SmtpConnection| {
        let set = connection.set_timeout(Some(left()));
        set.map_err(|error| Failure::Here(format!("the connection cannot be bounded: {error}")))
    };
    bound(&mut connection)?;
    if let (MailSecurity::Starttls, Some(tls)) = (mail.security, &tls) {
        if !connection.can_starttls() {
            connection.abort();
            return Err(Failure::Here(format!(
                "{} offers no encryption (STARTTLS), and without it nothing is sent",
                mail.server
            )));
        }
        connection.starttls(tls, &hello)?;
        bound(&mut connection)?;
    }
    // Whatever led here, neither login nor message leave this machine in the clear.
    if mail.security != MailSecurity::None && !connection.is_encrypted() {
        return Err(Failure::Here("the connection is not encrypted".into()));
    }
    if let Some((user, password)) = login {
        let credentials = Credentials::new(user, password.expose().to_owned());
        connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials)?;
        bound(&mut connection)?;
    }
    Ok(connection)
}

fn envelope(mail: &MailSpec, to: &str) -> Option<Envelope> {
    let address = |text: &str| {
        let address = mail_address(text)?;
        Address::new(address.local, address.domain).ok()
    };
    Envelope::new(Some(address(&mail.from)?), vec![address(to)?]).ok()
}

fn tls_parameters(mail: &MailSpec) -> Result<TlsParameters, Failure> {
    let mut builder = TlsParameters::builder(mail.server.clone());
    if let Some(path) = &mail.ca_file {
        let unusable = |why: String| {
            Failure::Here(format!("the certificates in {} cannot be used: {why}", path.display()))
        };
        let pem = RealFiles
            .read(path, CERTIFICATES_BYTES_MAX)
            .map_err(|error| unusable(error_chain(&error)))?;
        let certificates =
            Certificate::from_pem(&pem).map_err(|error| unusable(error_chain(&error)))?;
        // This authority alone: who names one does not want all others to vouch for the server.
        builder =
            builder.certificate_store(CertificateStore::None).add_root_certificate(certificates);
    }
    Ok(builder.build_rustls()?)
}

/// The name of this machine, where it can stand in a greeting.
fn hello_name() -> ClientId {
    let system = rustix::system::uname();
    let name = system.nodename().to_string_lossy();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    match !name.is_empty() && name.len() <= 253 && name.bytes().all(is_plain) {
        true => ClientId::Domain(name.into_owned()),
        false => ClientId::default(),
    }
}
