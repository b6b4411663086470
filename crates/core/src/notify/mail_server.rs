//! Whether a mail server would take messages, found out without sending one.

use std::time::Duration;

use super::attempt::{SendOutcome, Threads};
use super::mail;
use crate::spec::MailSpec;

/// Connects to the server, encrypts the connection and logs in, as for a message, and sends none.
///
/// # Errors
///
/// What is in the way, without the password; also if all that is not over within `limit`.
pub fn try_mail_server(mail: &MailSpec, limit: Duration) -> Result<(), String> {
    let mail = mail.clone();
    let greet = move |tell: &dyn Fn(SendOutcome)| mail::greet(&mail, limit, tell);
    match Threads::default().run(limit, &mut || true, greet) {
        SendOutcome::Sent => Ok(()),
        SendOutcome::Retry(why) | SendOutcome::Refused(why) => Err(why),
        SendOutcome::Stopped => Err("it was stopped".into()),
    }
}
