//! A mail server for tests, on this machine alone, that does at each step what the test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A step of the protocol at which the server may do something else than it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Greeting,
    Hello,
    Login,
    From,
    To,
    Data,
    Content,
    Quit,
}

/// What the server does at a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reaction {
    /// What it should.
    Proceed,
    /// Answers this line.
    Answer(String),
    /// Answers nothing until the other side has gone.
    Hang,
    /// Closes the connection without an answer.
    Close,
    /// Sends a letter now and then, and never a whole line.
    Drip,
}

/// A message that the server took over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub from: String,
    pub to: Vec<String>,
    /// With its lines as they were sent, each ending in CR LF.
    pub data: String,
}

impl Delivery {
    /// The value of a header, unfolded.
    pub fn header(&self, name: &str) -> String {
        let head = self.data.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ");
        let found: Vec<&str> =
            head.split("\r\n").filter_map(|line| line.strip_prefix(&format!("{name}: "))).collect();
        assert_eq!(found.len(), 1, "{name} in {head}");
        found[0].to_owned()
    }
}

type Script = dyn Fn(usize, Step, &str) -> Reaction + Send + Sync;

#[derive(Clone)]
pub struct SmtpServer {
    pub port: u16,
    state: Arc<State>,
}

struct State {
    script: Mutex<Arc<Script>>,
    deliveries: Mutex<Vec<Delivery>>,
    commands: Mutex<Vec<String>>,
    connections: Mutex<usize>,
}

impl SmtpServer {
    /// A server that takes every message.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let state = Arc::new(State {
            script: Mutex::new(Arc::new(|_, _, _| Reaction::Proceed)),
            deliveries: Mutex::default(),
            commands: Mutex::default(),
            connections: Mutex::default(),
        });
        let server = Self { port: listener.local_addr().unwrap().port(), state };
        let state = Arc::clone(&server.state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&state);
                thread::spawn(move || {
                    // A client that hangs up is part of the tests.
                    let _ = serve(&state, stream);
                });
            }
        });
        server
    }

    /// From now on, does what `script` says: by the number of the connection, counted from 0, the step, and
    /// what the client said.
    pub fn react(&self, script: impl Fn(usize, Step, &str) -> Reaction + Send + Sync + 'static) {
        *self.state.script.lock().unwrap() = Arc::new(script);
    }

    /// From now on, does this at a step, and else what it should.
    pub fn react_at(&self, at: Step, reaction: Reaction) {
        self.react(move |_, step, _| if step == at { reaction.clone() } else { Reaction::Proceed });
    }

    /// From now on, takes every message.
    pub fn accept(&self) {
        self.react(|_, _, _| Reaction::Proceed);
    }

    pub fn deliveries(&self) -> Vec<Delivery> {
        self.state.deliveries.lock().unwrap().clone()
    }

    /// All that clients said, without the messages.
    pub fn commands(&self) -> Vec<String> {
        self.state.commands.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        *self.state.connections.lock().unwrap()
    }
}

/// A client's connection; ends with an error once either side has had enough.
struct Session {
    state: Arc<State>,
    number: usize,
    stream: TcpStream,
}

fn serve(state: &Arc<State>, stream: TcpStream) -> std::io::Result<()> {
    let number = {
        let mut connections = state.connections.lock().unwrap();
        *connections += 1;
        *connections - 1
    };
    let mut lines = BufReader::new(stream.try_clone()?);
    let mut session = Session { state: Arc::clone(state), number, stream };
    session.answer(Step::Greeting, "", "220 test ESMTP")?;
    let mut delivery = Delivery { from: String::new(), to: Vec::new(), data: String::new() };
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim_end_matches(['\r', '\n']).to_owned();
        state.commands.lock().unwrap().push(line.clone());
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" => session.answer(Step::Hello, &line, "250-test\r\n250 AUTH PLAIN LOGIN")?,
            "AUTH" => session.answer(Step::Login, &line, "235 welcome")?,
            "MAIL" => {
                delivery = Delivery { from: path(&line), to: Vec::new(), data: String::new() };
                session.answer(Step::From, &line, "250 ok")?;
            }
            "RCPT" => {
                session.answer(Step::To, &line, "250 ok")?;
                delivery.to.push(path(&line));
            }
            "DATA" => {
                let reaction = session.reaction(Step::Data, &line);
                let is_refused = reaction != Reaction::Proceed;
                session.perform(reaction, "354 go on")?;
                if is_refused {
                    continue;
                }
                delivery.data = message(&mut lines)?;
                // Taken over only if that is said, and even if the client does not get to hear it.
                let reaction = session.reaction(Step::Content, "");
                if reaction == Reaction::Proceed {
                    state.deliveries.lock().unwrap().push(delivery.clone());
                }
                session.perform(reaction, "250 taken")?;
            }
            "QUIT" => return session.answer(Step::Quit, &line, "221 bye"),
            _ => session.perform(Reaction::Proceed, "502 what?")?,
        }
    }
}

impl Session {
    fn reaction(&self, step: Step, said: &str) -> Reaction {
        let script = Arc::clone(&*self.state.script.lock().unwrap());
        script(self.number, step, said)
    }

    fn answer(&mut self, step: Step, said: &str, usual: &str) -> std::io::Result<()> {
        let reaction = self.reaction(step, said);
        self.perform(reaction, usual)
    }

    fn perform(&mut self, reaction: Reaction, usual: &str) -> std::io::Result<()> {
        match reaction {
            Reaction::Proceed => write!(self.stream, "{usual}\r\n"),
            Reaction::Answer(line) => write!(self.stream, "{line}\r\n"),
            Reaction::Hang => {
                let mut rest = Vec::new();
                self.stream.read_to_end(&mut rest)?;
                Err(std::io::Error::other("gone"))
            }
            Reaction::Close => {
                self.stream.shutdown(std::net::Shutdown::Both)?;
                Err(std::io::Error::other("closed"))
            }
            Reaction::Drip => loop {
                self.stream.write_all(b"2")?;
                thread::sleep(std::time::Duration::from_millis(20));
            },
        }
    }
}

/// What stands between angle brackets.
fn path(line: &str) -> String {
    let path = line.split('<').nth(1).and_then(|rest| rest.split('>').next());
    path.unwrap_or_default().to_owned()
}

/// A message up to the dot on a line of its own, with the dots taken away that were put before others.
fn message(lines: &mut impl BufRead) -> std::io::Result<String> {
    let mut data = String::new();
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Err(std::io::Error::other("the client has gone"));
        }
        match line.as_str() {
            ".\r\n" => return Ok(data),
            line => data += line.strip_prefix('.').unwrap_or(line),
        }
    }
}
