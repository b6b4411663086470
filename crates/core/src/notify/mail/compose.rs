//! Headers and parts of a message.

use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Body, Mailbox, Message, MultiPart, SinglePart};

use super::page;
use crate::notify::announcement::Announcement;
use crate::notify::identity::identifier;
use crate::notify::picture::accuracy_picture;
use crate::spec::{MailSpec, is_separator, mail_address};

/// Why a message cannot be composed.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// An address cannot be used.
    #[error("{address:?} is not a mail address; use one such as \"ann@example.org\"")]
    Address {
        /// The address.
        address: String,
    },
    /// A header would have control characters.
    #[error("the subject {subject:?} has control characters")]
    Subject {
        /// The subject.
        subject: String,
    },
    /// The parts do not make a message.
    #[error("the message cannot be composed")]
    Parts(#[from] lettre::error::Error),
    /// The picture cannot be made.
    #[error("the picture of the accuracy cannot be made")]
    Picture(#[from] png::EncodingError),
    /// The message would not be sent as it is.
    #[error(
        "the composed message has lines that are too long, or characters that mail does not allow"
    )]
    NotSendable,
}

const PICTURE: &str = "accuracy@burgeon.invalid";

/// The message's identifier, in its header `Message-ID`; the same for all addresses.
pub(in crate::notify) fn message_id(
    announcement: &Announcement,
    mail: &MailSpec,
) -> Result<String, MessageError> {
    let id = identifier(&announcement.origin, &announcement.key, "mail");
    let from = mail_address(&mail.from);
    let from = from.ok_or_else(|| MessageError::Address { address: mail.from.clone() })?;
    Ok(format!("<{id}@{}>", from.domain))
}

/// The message about an event, as the bytes that are sent: text and HTML with the figures and a picture of
/// the accuracy, and the report as an attachment. The same event gives the same bytes.
///
/// # Errors
///
/// If an address or the subject cannot stand in a header.
pub fn compose(announcement: &Announcement, mail: &MailSpec) -> Result<Vec<u8>, MessageError> {
    let picture = match announcement.what.is_of_registry() {
        true => None,
        false => Some(accuracy_picture(&announcement.curves, announcement.threshold)?),
    };
    compose_with(announcement, mail, picture)
}

fn compose_with(
    announcement: &Announcement,
    mail: &MailSpec,
    picture: Option<Vec<u8>>,
) -> Result<Vec<u8>, MessageError> {
    let subject = format!("[burgeon] {}", announcement.title());
    if subject.contains(|c: char| c.is_control() || is_separator(c)) {
        return Err(MessageError::Subject { subject });
    }
    let id = message_id(announcement, mail)?;
    let seconds = u64::try_from(announcement.at.as_second()).unwrap_or(0);
    let mut message = Message::builder()
        .message_id(Some(id.clone()))
        .date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .from(mailbox(&mail.from)?)
        .subject(subject)
        .raw_header(constant("Auto-Submitted", "auto-generated"))
        .raw_header(constant("X-Burgeon-Event", announcement.what.name()));
    for address in &mail.to {
        message = message.to(mailbox(address)?);
    }
    // Of letters and digits alone, and never the same in two messages.
    let boundary =
        |part: &str| format!("burgeon-{}", identifier(id.as_bytes(), &announcement.key, part));
    let alternative = MultiPart::alternative()
        .boundary(boundary("alternative"))
        .singlepart(encoded(ContentType::TEXT_PLAIN, page::text(announcement)));
    let id = picture.is_some().then_some(PICTURE);
    let html = encoded(ContentType::TEXT_HTML, page::html(announcement, id));
    let alternative = match picture {
        None => alternative.singlepart(html),
        Some(picture) => {
            // Said, as lettre leaves some bytes as they are.
            let picture = Body::new_with_encoding(picture, ContentTransferEncoding::Base64);
            let picture = picture.unwrap_or_else(Body::new);
            let kind = ContentType::parse("image/png").map_err(|_| MessageError::NotSendable)?;
            let inline = Attachment::new_inline_with_name(PICTURE.into(), "accuracy.png".into());
            let related = MultiPart::related().boundary(boundary("related"));
            alternative.multipart(related.singlepart(html).singlepart(inline.body(picture, kind)))
        }
    };
    let mut mixed = MultiPart::mixed().boundary(boundary("mixed")).multipart(alternative);
    if let Some(report) = &announcement.page {
        let attached = Attachment::new("report.html".into());
        mixed = mixed.singlepart(attached.body(base64(report.clone()), ContentType::TEXT_HTML));
    }
    for (name, text) in &announcement.programs {
        let kind = ContentType::parse("text/x-python").map_err(|_| MessageError::NotSendable)?;
        let attached = Attachment::new(name.clone());
        // As bytes, whose ends of lines stay as they are.
        let bytes = text.clone().into_bytes();
        let body = Body::new_with_encoding(bytes, ContentTransferEncoding::Base64);
        mixed = mixed.singlepart(attached.body(body.unwrap_or_else(Body::new), kind));
    }
    let bytes = message.multipart(mixed)?.formatted();
    if is_sendable(&bytes) { Ok(bytes) } else { Err(MessageError::NotSendable) }
}

fn mailbox(text: &str) -> Result<Mailbox, MessageError> {
    let refused = || MessageError::Address { address: text.into() };
    let address = mail_address(text).ok_or_else(refused)?;
    let name = Some(address.name.trim_matches('"')).filter(|name| !name.is_empty());
    let address = lettre::Address::new(address.local, address.domain).map_err(|_| refused())?;
    Ok(Mailbox::new(name.map(str::to_owned), address))
}

/// A header of constant text.
fn constant(name: &'static str, value: &'static str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.into())
}

fn encoded(kind: ContentType, text: String) -> SinglePart {
    SinglePart::builder().header(kind).body(base64(text))
}

/// Text as base64, whatever is in it.
fn base64(text: String) -> Body {
    // Every text can be base64; if not, it is encoded as lettre chooses, and checked with the message.
    Body::new_with_encoding(text, ContentTransferEncoding::Base64).unwrap_or_else(Body::new)
}

/// Longest line of a message, its end included (RFC 5322, section 2.1.1).
const LINE_BYTES_MAX: usize = 1000;

/// Whether bytes can be sent as a message: ASCII in lines of bounded length, none of which begins with a dot,
/// and no CR or LF but at their ends.
pub(super) fn is_sendable(message: &[u8]) -> bool {
    let Some(text) = message.strip_suffix(b"\r\n") else { return false };
    let mut lines = text.split(|byte| *byte == b'\n').peekable();
    while let Some(line) = lines.next() {
        // The last one's CR LF is taken off already.
        let line = match lines.peek() {
            Some(_) => match line.strip_suffix(b"\r") {
                Some(line) => line,
                None => return false,
            },
            None => line,
        };
        let is_allowed = |byte: &u8| *byte == b'\t' || (0x20..0x7f).contains(byte);
        if line.len() + 2 > LINE_BYTES_MAX || line.starts_with(b".") || !line.iter().all(is_allowed)
        {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests;
