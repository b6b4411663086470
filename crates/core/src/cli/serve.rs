//! `burgeon serve` and `burgeon chain`: the service that builds pushed repositories, and what is asked of it.

use std::io::Read;
use std::sync::Arc;
use std::thread;

use tracing_subscriber::filter::LevelFilter;

use super::args::{ChainArguments, ChainCommand, Common, LogFormat, LogLevel, ServeArguments};
use super::error::CliError;
use super::exit::Exit;
use super::output::Output;
use super::predicting;
use super::shown::shown_line;
use crate::chain::{
    BuildRequest, BuildRow, BuildState, Cause, Chain, Config, Places, Queued, Repository, StageRow,
    StageState, Store, git_version, is_commit,
};
use crate::serve::{Service, serve as listen};
use crate::sys::clock::rfc3339;
use crate::sys::signals::{StopFlag, StopReason};

/// Builds and serves until it is stopped.
pub fn serve(
    arguments: &ServeArguments,
    common: &Common,
    output: &Output,
) -> Result<Exit, CliError> {
    log(arguments);
    let predictions = &arguments.predictions;
    if predictions.run.is_some() || predictions.registry.is_some() {
        return predicting::serve(arguments, common, output);
    }
    let mut config = Config::read(&arguments.config)?;
    if let Some(address) = arguments.listen {
        config.listen_on(address)?;
    }
    if git_version().is_none() {
        return Err(CliError::NoGit);
    }
    let burgeon = std::env::current_exe().map_err(CliError::Program)?;
    let chain = Arc::new(Chain::open(config, burgeon)?);
    let stop = StopFlag::on_signals().map_err(CliError::Signals)?;
    let working = {
        let (chain, stop) = (Arc::clone(&chain), stop.clone());
        thread::spawn(move || {
            // Also if it panics: without it, there is nothing to serve.
            let _stop = StopAtEnd(stop);
            chain.work()
        })
    };
    let waker = Arc::clone(&chain);
    let service = Service {
        config: Arc::clone(&chain.config),
        store: Arc::clone(&chain.store),
        places: chain.places.clone(),
        health: Arc::clone(&chain.health),
        wake: Arc::new(move || waker.wake()),
    };
    let served = listen(service, &stop, &mut |address| {
        let scheme = if chain.config.tls.is_some() { "https" } else { "http" };
        let repositories = match chain.config.repositories.len() {
            1 => "1 repository".into(),
            count => format!("{count} repositories"),
        };
        output.print(&format!("{repositories}; {scheme}://{address}/"));
    });
    chain.stop();
    let worked = working.join();
    served?;
    match worked {
        Ok(worked) => worked?,
        Err(_) => return Err(CliError::Internal),
    }
    Ok(match stop.requested() {
        Some(StopReason::Signal(signal)) => Exit::Of(signal.exit_code()),
        _ => Exit::Success,
    })
}

/// Requests a stop when it is dropped; why it was requested before, if it was, stays what it is.
struct StopAtEnd(StopFlag);

impl Drop for StopAtEnd {
    fn drop(&mut self) {
        if self.0.requested().is_none() {
            self.0.request();
        }
    }
}

/// Structured lines of what happens, to stderr.
fn log(arguments: &ServeArguments) {
    let level = match arguments.log {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let lines = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(level)
        .with_target(false);
    // Only fails if lines are written somewhere already.
    let _ = match arguments.log_format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
}

/// Asks for builds and shows them, beside a service that runs or not.
pub fn chain(arguments: &ChainArguments, output: &Output) -> Result<Exit, CliError> {
    let config = Config::read(&arguments.config)?;
    let store = Store::open(&Places::new(&config.folder).database())?;
    match &arguments.command {
        ChainCommand::Trigger { repository, commit, post_receive } => {
            let Some(found) = config.repository(repository) else {
                return Err(no_repository(&config, repository));
            };
            match (post_receive, commit) {
                (true, _) => match received(&found.branch)? {
                    Some(commit) => trigger(&store, found, &commit, output),
                    None => output.result(&format!("nothing was pushed to {}\n", found.branch)),
                },
                (false, Some(commit)) if !is_commit(commit) => {
                    Err(CliError::NotACommit { text: commit.clone() })
                }
                (false, commit) => {
                    trigger(&store, found, commit.as_deref().unwrap_or_default(), output)
                }
            }
        }
        ChainCommand::Status { repository, build, most } => {
            let builds = match build {
                Some(build) => store.build(*build)?.into_iter().collect(),
                None => store.builds(repository.as_deref(), None, *most)?,
            };
            // Repositories that were configured once keep their builds.
            if let Some(name) = repository
                && builds.is_empty()
                && config.repository(name).is_none()
            {
                return Err(no_repository(&config, name));
            }
            status(&store, &builds, output)
        }
        ChainCommand::Cancel { build } => match store.ask_to_stop(*build)? {
            true => output.result(&format!("build {build} is being stopped\n")),
            false => Err(CliError::NoSuchBuild { build: *build, wanted: "that waits or runs" }),
        },
        ChainCommand::Resume { build } => match store.reopen(*build)? {
            true => output.result(&format!("build {build} is resumed\n")),
            false => {
                let wanted = "that failed or was cancelled and still has its files";
                Err(CliError::NoSuchBuild { build: *build, wanted })
            }
        },
        ChainCommand::Retry { build } => match store.retry(*build)? {
            Some(Queued::New(new) | Queued::Known(new)) => {
                output.result(&format!("queued build {new}\n"))
            }
            None => Err(CliError::NoSuchBuild { build: *build, wanted: "that has ended" }),
        },
    }
}

fn no_repository(config: &Config, name: &str) -> CliError {
    let known = config.repositories.iter().map(|known| known.name.clone()).collect();
    CliError::NoSuchRepository { name: name.into(), known }
}

/// Queues a commit, once; or the branch's newest, whatever that is, if none is named.
fn trigger(
    store: &Store,
    repository: &Repository,
    commit: &str,
    output: &Output,
) -> Result<Exit, CliError> {
    let cause = if commit.is_empty() { Cause::Asked } else { Cause::Push };
    let Repository { name, branch, .. } = repository;
    let queued = store.enqueue(BuildRequest { repository: name, branch, commit, cause })?;
    output.result(&match queued {
        Queued::New(build) => format!("queued build {build}\n"),
        Queued::Known(build) if commit.is_empty() => format!("build {build} is waiting already\n"),
        Queued::Known(build) => {
            format!("the commit has build {build}; `burgeon chain retry {build}` builds it again\n")
        }
    })
}

/// The commit that a push brought to a branch, as Git tells it to the hook `post-receive`: a line for each reference, with
/// its old commit, its new one, and its name.
fn received(branch: &str) -> Result<Option<String>, CliError> {
    let mut bytes = Vec::new();
    std::io::stdin().take(RECEIVED_BYTES_MAX).read_to_end(&mut bytes).map_err(CliError::Stdin)?;
    // Branches that were pushed along may have names in any encoding.
    let text = String::from_utf8_lossy(&bytes);
    let reference = format!("refs/heads/{branch}");
    let commit = text.lines().rev().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let commit = words.next()?;
        (words.next() == Some(&*reference)).then(|| commit.to_owned())
    });
    // Only zeros tell that the branch was deleted.
    Ok(commit.filter(|commit| is_commit(commit) && commit.bytes().any(|digit| digit != b'0')))
}

/// A longer list of references is cut.
const RECEIVED_BYTES_MAX: u64 = 1 << 20;

#[derive(serde::Serialize)]
struct Line<'a> {
    v: u32,
    #[serde(flatten)]
    build: &'a BuildRow,
    stages: Vec<StageRow>,
}

fn status(store: &Store, builds: &[BuildRow], output: &Output) -> Result<Exit, CliError> {
    let mut text = String::new();
    for build in builds {
        let stages = store.stages(build.id)?;
        if output.json {
            let line = serde_json::to_string(&Line { v: 1, build, stages })
                .map_err(|error| CliError::Output(error.into()))?;
            text += &format!("{line}\n");
            continue;
        }
        let running = stages.iter().rfind(|stage| stage.state == StageState::Running);
        let state = match (build.state, build.verdict, running.or(stages.last())) {
            (BuildState::Ended, Some(verdict), _) => verdict.word().to_owned(),
            (BuildState::Running, _, Some(stage)) => format!("running: {}", stage.name.word()),
            (state, _, _) => state.word().to_owned(),
        };
        let accuracy =
            build.accuracy.map_or("–".into(), |accuracy| format!("{:.2} %", accuracy * 100.0));
        let created = jiff::Timestamp::from_millisecond(build.created).unwrap_or_default();
        // It may hold names of files, which a repository chooses.
        let why = shown_line(&build.why);
        text += &format!(
            "{:>5}  {}  {} {} {:10.10}  {state:14} {accuracy:>8}  {why}\n",
            build.id,
            rfc3339(created),
            build.repository,
            build.branch,
            build.commit_id,
        );
    }
    if builds.is_empty() && !output.json {
        text = "no builds\n".into();
    }
    output.result(&text)
}
