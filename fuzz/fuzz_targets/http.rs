//! Connections to the service: whatever arrives, it is answered or left, and the next request is answered too.
//!
//! A connection is served in memory, by all that it passes through behind a socket, on a clock that stands still
//! unless everybody waits for it, so that time limits cost no time. Some words of an input are replaced by what only
//! the service or who knows its secrets can say, since no mutation would find them: `@length@`, `@signed@`, `@now@`,
//! `@signed-now@`, `@form@` and `@cookie@`.
#![no_main]

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use burgeon::unstable::serve::Loopback;
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};
use tokio::runtime::{Builder, Runtime};

/// After so many inputs, the services begin anew: what is recorded is on disk, and pages get longer by it.
const INPUTS_MAX: u32 = 2000;
/// No page, and no answer to a few requests of one input, is longer.
const REPLY_BYTES_MAX: usize = 32 << 20;
const SECRET: &[u8] = b"It's a Secret to Everybody";

thread_local! {
    static SITE: RefCell<Option<Site>> = const { RefCell::new(None) };
}

fuzz_target!(|bytes: &[u8]| {
    SITE.with_borrow_mut(|site| {
        if site.as_ref().is_none_or(|site| site.inputs >= INPUTS_MAX) {
            // The old one is gone first, with its threads and files.
            *site = None;
            *site = Some(Site::new());
        }
        site.as_mut().expect("it was made above").serve(bytes);
    });
});

/// Two services: one for everybody on this machine, and one with tokens, behind a proxy.
struct Site {
    runtime: Runtime,
    open: Loopback,
    guarded: Loopback,
    form: Vec<u8>,
    cookie: Vec<u8>,
    inputs: u32,
    _folders: [TempDir; 2],
}

impl Site {
    fn new() -> Self {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime is made");
        let (open, first) = service("");
        let (guarded, second) = service(
            "trusted-proxies = [\"127.0.0.1\"]\n[access]\nread-token-file = \"read\"\nchange-token-file = \"change\"\n",
        );
        let mut site = Self {
            runtime,
            open,
            guarded,
            form: Vec::new(),
            cookie: Vec::new(),
            inputs: 0,
            _folders: [first, second],
        };
        let page =
            site.ask(&site.open, b"GET /repositories/digits HTTP/1.1\r\nHost: localhost\r\n\r\n");
        site.form = between(&page, b"name=\"form\" value=\"", b"\"");
        let login =
            b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 18\r\n\r\ntoken=change-token";
        let page = site.ask(&site.guarded, login);
        site.cookie = between(&page, b"set-cookie: ", b";");
        assert!(!site.form.is_empty() && !site.cookie.is_empty(), "pages hold neither");
        site
    }

    fn serve(&mut self, bytes: &[u8]) {
        self.inputs += 1;
        let input = self.filled(bytes);
        let mut is_token_wrong = false;
        for service in [&self.open, &self.guarded] {
            let reply = self.ask(service, &input);
            let shown = || String::from_utf8_lossy(&reply[..reply.len().min(300)]).into_owned();
            assert!(reply.is_empty() || reply.starts_with(b"HTTP/1."), "{}", shown());
            assert!(!reply.starts_with(b"HTTP/1.1 500"), "{}", shown());
            let says = |code: &[u8]| reply.windows(code.len()).any(|found| found == code);
            is_token_wrong |= says(b"HTTP/1.1 401") || says(b"HTTP/1.1 429");
            for healthy in [
                &b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"[..],
                b"GET /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            ] {
                let reply = self.ask(service, healthy);
                assert!(reply.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&reply));
            }
        }
        // A right token takes wrong ones back, so that the next input is not kept out for those of this one.
        if is_token_wrong {
            let right = b"GET /api/builds HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer read-token\r\n\r\n";
            self.ask(&self.guarded, right);
        }
    }

    /// Makes a connection that says something, and listens until it is closed.
    fn ask(&self, service: &Loopback, bytes: &[u8]) -> Vec<u8> {
        let from = SocketAddr::from(([127, 0, 0, 1], 4711));
        let (near, far) = duplex(64 << 10);
        let (mut reader, mut writer) = split(near);
        let mut reply = Vec::new();
        let talk = async {
            // It may be closed before all of it was said.
            let said = async {
                let _ = writer.write_all(bytes).await;
            };
            let heard = async {
                let _ =
                    (&mut reader).take(REPLY_BYTES_MAX as u64 + 1).read_to_end(&mut reply).await;
            };
            tokio::join!(said, heard);
        };
        self.runtime.block_on(async { tokio::join!(service.attend(far, from), talk) });
        assert!(reply.len() <= REPLY_BYTES_MAX, "an answer without end");
        reply
    }

    /// An input with what no mutation finds.
    fn filled(&self, bytes: &[u8]) -> Vec<u8> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
        let now = now.to_string().into_bytes();
        let input = replaced(bytes, b"@form@", &self.form);
        let mut input = replaced(&input, b"@cookie@", &self.cookie);
        for _ in 0..8 {
            // Of the last request first: the next ones are part of the body of those before.
            let Some(at) = last(&input, b"@length@") else { break };
            let length = body(&input[at..]).len().to_string().into_bytes();
            input.splice(at..at + b"@length@".len(), length);
        }
        if let Some(at) = last(&input, b"@signed@") {
            let tag = hmac(body(&input[at..]));
            input.splice(at..at + b"@signed@".len(), tag);
        }
        if let Some(at) = last(&input, b"@signed-now@") {
            let tag = hmac(&[&now, &b"."[..], body(&input[at..])].concat());
            input.splice(at..at + b"@signed-now@".len(), tag);
        }
        replaced(&input, b"@now@", &now)
    }
}

/// A service on a new folder.
fn service(more: &str) -> (Loopback, TempDir) {
    let folder = tempfile::tempdir().expect("a folder is made");
    for (name, text) in [("secret", SECRET), ("read", b"read-token"), ("change", b"change-token")] {
        std::fs::write(folder.path().join(name), text).expect("a file is written");
    }
    let config = format!(
        "{more}[[repository]]\nname = \"digits\"\nurl = \"/srv/digits.git\"\ngate = 0.8\nsecret-files = [\"secret\"]\n\
         [[repository]]\nname = \"letters\"\nurl = \"/srv/letters.git\"\n"
    );
    let service = Loopback::open(folder.path(), &config).expect("the configuration is right");
    (service, folder)
}

/// What follows the head.
fn body(bytes: &[u8]) -> &[u8] {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    end.map_or(&[], |end| &bytes[end + 4..])
}

fn last(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).rposition(|found| found == wanted)
}

fn replaced(bytes: &[u8], wanted: &[u8], by: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Some(at) = last(&bytes, wanted) {
        bytes.splice(at..at + wanted.len(), by.iter().copied());
    }
    bytes
}

fn between(bytes: &[u8], before: &[u8], after: &[u8]) -> Vec<u8> {
    let Some(at) = bytes.windows(before.len()).position(|found| found == before) else {
        return Vec::new();
    };
    let rest = &bytes[at + before.len()..];
    let end = rest.windows(after.len()).position(|found| found == after).unwrap_or(rest.len());
    rest[..end].to_vec()
}

/// HMAC-SHA256 (RFC 2104) with the secret of the repository, in hexadecimal digits.
fn hmac(message: &[u8]) -> Vec<u8> {
    let key = |pad: u8| {
        let mut key = [pad; 64];
        key.iter_mut().zip(SECRET).for_each(|(to, from)| *to ^= from);
        key
    };
    let inner = Sha256::new().chain_update(key(0x36)).chain_update(message).finalize();
    let tag = Sha256::new().chain_update(key(0x5c)).chain_update(inner).finalize();
    tag.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes()
}
