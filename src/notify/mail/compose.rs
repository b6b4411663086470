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
    #[error("{address:?} is no mail address; use one such as \"ann@example.org\"")]
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
    let picture = accuracy_picture(&announcement.curves, announcement.threshold)?;
    compose_with(announcement, mail, picture)
}

fn compose_with(
    announcement: &Announcement,
    mail: &MailSpec,
    picture: Vec<u8>,
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
    // Said, as lettre leaves some bytes as they are.
    let picture = Body::new_with_encoding(picture, ContentTransferEncoding::Base64);
    let picture = picture.unwrap_or_else(Body::new);
    let picture_type = ContentType::parse("image/png").map_err(|_| MessageError::NotSendable)?;
    let related = MultiPart::related()
        .boundary(boundary("related"))
        .singlepart(encoded(ContentType::TEXT_HTML, page::html(announcement, PICTURE)))
        .singlepart(
            Attachment::new_inline_with_name(PICTURE.into(), "accuracy.png".into())
                .body(picture, picture_type),
        );
    let alternative = MultiPart::alternative()
        .boundary(boundary("alternative"))
        .singlepart(encoded(ContentType::TEXT_PLAIN, page::text(announcement)))
        .multipart(related);
    let mut mixed = MultiPart::mixed().boundary(boundary("mixed")).multipart(alternative);
    if let Some(report) = &announcement.page {
        let attached = Attachment::new("report.html".into());
        mixed = mixed.singlepart(attached.body(base64(report.clone()), ContentType::TEXT_HTML));
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
mod tests {
    use super::*;
    use crate::notify::announcement::{Announced, one_line};
    use crate::report::Figures;
    use crate::spec::MailSecurity;
    use crate::sys::CounterRng;

    fn announcement(study: &str) -> Announcement {
        Announcement {
            key: "finished-0".into(),
            origin: b"a run".to_vec(),
            what: Announced::Accepted,
            at: "2026-01-02T03:04:05Z".parse().unwrap(),
            study: study.into(),
            run: "runs/a-0001".into(),
            sentence: ".\r\nQUIT\r\n.hidden\nbare\rcr".into(),
            rows: vec![("trials".into(), "1".into())],
            figures: Figures {
                best_trial: Some(1),
                validation_accuracy: Some(0.98),
                test_accuracy: None,
                parameters: Some(10),
                trials: 1,
                seconds: 1.0,
            },
            threshold: Some(0.8),
            curves: vec![vec![0.5, 0.98]],
            page: Some("<p>.\r\n.\r\n</p>".into()),
        }
    }

    fn mail(to: &[String], from: &str) -> MailSpec {
        MailSpec {
            to: to.to_vec(),
            from: from.into(),
            server: "localhost".into(),
            port: None,
            security: MailSecurity::None,
            user: None,
            password_file: None,
            password_variable: None,
            ca_file: None,
        }
    }

    fn one_to(to: &str, from: &str) -> MailSpec {
        mail(&[to.into()], from)
    }

    /// The headers of the whole message, in order, unfolded.
    fn headers(message: &[u8]) -> Vec<(String, String)> {
        let text = std::str::from_utf8(message).unwrap();
        let head = text.split("\r\n\r\n").next().unwrap();
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in head.split("\r\n") {
            match line.strip_prefix([' ', '\t']) {
                Some(more) => headers.last_mut().unwrap().1 += more,
                None => {
                    let (name, value) = line.split_once(": ").unwrap();
                    headers.push((name.into(), value.into()));
                }
            }
        }
        headers
    }

    const HEADERS: [&str; 9] = [
        "Auto-Submitted",
        "Content-Type",
        "Date",
        "From",
        "MIME-Version",
        "Message-ID",
        "Subject",
        "To",
        "X-Burgeon-Event",
    ];

    fn only_its_own(message: &[u8]) {
        assert!(is_sendable(message));
        let headers = headers(message);
        let mut names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, HEADERS, "{headers:?}");
    }

    /// Letters that have a meaning in headers, commands, encodings or terminals, and words of them.
    const PIECES: [&str; 40] = [
        "a",
        "Bcc: x@evil.org",
        "\r\n",
        "\n",
        "\r",
        "\0",
        "\u{85}",
        "\u{2028}",
        "\u{2029}",
        "\u{b}",
        "@",
        "<",
        ">",
        ",",
        ";",
        ":",
        "\"",
        "\\",
        "(",
        ")",
        "[",
        "]",
        " ",
        "\t",
        ".",
        "\r\n.\r\n",
        "=?utf-8?q?=0d=0aBcc:_x@evil.org?=",
        "%0d%0a",
        "é",
        "日本",
        "\u{202e}",
        "🌱",
        "-",
        "_",
        "ann",
        "example.org",
        "RCPT TO:<x@evil.org>",
        "\u{1b}[2J",
        "=",
        "?=",
    ];

    fn text(rng: &mut CounterRng) -> String {
        let pieces = (0..=rng.below(12)).map(|_| PIECES[rng.below(PIECES.len() as u32) as usize]);
        let text: String = pieces.collect();
        // Half of them without control characters, which alone would be a reason to refuse them.
        if rng.below(2) == 0 { text } else { one_line(&text, 200) }
    }

    #[test]
    fn no_text_becomes_a_header_of_its_own() {
        let mut rng = CounterRng::new(7);
        let (mut composed, mut refused) = (0, 0);
        for _ in 0..10_000 {
            let study = text(&mut rng);
            // An address that can be used, and a name or an address that perhaps cannot.
            let named = format!("{} <ann@example.org>", text(&mut rng));
            let wild = format!("{}@{}", text(&mut rng), text(&mut rng));
            let mail = match rng.below(4) {
                0 => mail(&[wild], "b@example.org"),
                1 => mail(&["ann@example.org".into()], &named),
                _ => mail(&[named, "bob@example.org".into()], "b@example.org"),
            };
            match compose_with(&announcement(&study), &mail, vec![0]) {
                Ok(message) => {
                    only_its_own(&message);
                    composed += 1;
                }
                Err(MessageError::Address { .. } | MessageError::Subject { .. }) => refused += 1,
                Err(error) => panic!("{study:?} {mail:?}: {error}"),
            }
            // What comes from a run is cleaned, so that nobody is left untold.
            let plain = one_to("ann@example.org", "b@example.org");
            let cleaned = announcement(&one_line(&study, 200));
            only_its_own(&compose_with(&cleaned, &plain, vec![0]).unwrap());
        }
        assert!(composed > 500 && refused > 500, "{composed} {refused}");
    }

    #[test]
    fn a_name_arrives_as_a_name_and_the_address_stays_what_it_is() {
        for name in ["Ann, Lee", "\"Ann\" (x) <y@evil.org>", "Änn; bcc:z", "ann@evil.org"] {
            let mail = mail(&[format!("{name} <ann@example.org>")], "b@example.org");
            let message = compose(&announcement("s"), &mail).unwrap();
            let headers = headers(&message);
            let to = &headers.iter().find(|(name, _)| name == "To").unwrap().1;
            assert!(to.ends_with("<ann@example.org>"), "{to}");
            // Addresses are separated by commas, but for those in quotes.
            let outside: String = to.split('"').step_by(2).collect();
            assert!(!outside.contains(',') && outside.matches('@').count() == 1, "{to}");
        }
    }

    #[test]
    fn the_same_event_gives_the_same_bytes_and_another_one_another_identifier() {
        let mail = mail(&["ann@example.org".into()], "b@example.org");
        let first = compose(&announcement("s"), &mail).unwrap();
        assert_eq!(first, compose(&announcement("s"), &mail).unwrap());
        let id = |announcement: &Announcement| message_id(announcement, &mail).unwrap();
        let other = Announcement { key: "finished-1".into(), ..announcement("s") };
        assert_ne!(id(&announcement("s")), id(&other));
        let elsewhere = Announcement { origin: b"another run".to_vec(), ..announcement("s") };
        assert_ne!(id(&announcement("s")), id(&elsewhere));
        assert!(id(&other).ends_with("@example.org>"), "{}", id(&other));
    }

    #[test]
    fn what_servers_understand_differently_is_not_sendable() {
        assert!(is_sendable(b"A: b\r\n\r\ntext\r\n"));
        let long = [b"a".repeat(999), b"\r\n".to_vec()].concat();
        let wrong: [&[u8]; 9] = [
            b"",
            b"text",
            b"a\nb\r\n",
            b"a\rb\r\n",
            b"a\r\n.\r\n",
            b".\r\n",
            b"a\0\r\n",
            b"a\xff\r\n",
            &long,
        ];
        for wrong in wrong {
            assert!(!is_sendable(wrong), "{:?}", String::from_utf8_lossy(wrong));
        }
    }
}
