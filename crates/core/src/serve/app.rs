//! The state that all requests share.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tokio::time::timeout;

use super::answer::Problem;
use super::connections::Connection;
use super::error::ServeError;
use super::front::Front;
use super::intake::Intake;
use super::news::News;
use super::replays::Replays;
use super::rights::TokenFiles;
use super::secret_file::SecretFile;
use crate::chain::{Config, Health, Places, Store};

/// How many requests may read the database or files at the same time.
const READERS_MAX: usize = 8;
/// How long a request waits for its turn to read.
const TURN: Duration = Duration::from_secs(10);
/// How many streams of changes may be open at the same time.
const STREAMS_MAX: usize = 64;
/// How many files may be downloaded at the same time: a slow client holds its connection until the end.
const DOWNLOADS_MAX: usize = 128;

/// The service whose state is served.
#[derive(Clone)]
pub struct Service {
    /// The configuration.
    pub config: Arc<Config>,
    /// The database.
    pub store: Arc<Store>,
    /// The paths of its files.
    pub places: Places,
    /// The health of the threads that do the work.
    pub health: Arc<Health>,
    /// Called after anything that may start or stop a build.
    pub wake: Arc<dyn Fn() + Send + Sync>,
}

/// The service, and the state of its requests.
pub(super) struct App {
    pub(super) service: Service,
    pub(super) front: Arc<Front>,
    pub(super) intake: Intake,
    pub(super) replays: Replays,
    /// The secrets of each repository's webhooks.
    pub(super) secrets: HashMap<String, Vec<SecretFile>>,
    /// Permits for streams of changes.
    pub(super) stream_room: Arc<Semaphore>,
    /// Permits for downloads of files.
    pub(super) download_room: Arc<Semaphore>,
    /// The news for the streams.
    pub(super) news: broadcast::Sender<News>,
    readers: Arc<Semaphore>,
}

/// The other end of a connection.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) connection: Arc<Connection>,
}

/// The address of the client: that of its connection, or the one that a trusted proxy reports.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client(pub(super) IpAddr);

impl App {
    /// Creates the state at the start.
    ///
    /// # Errors
    ///
    /// If a token cannot be read, or there are no random numbers.
    pub(super) fn new(service: Service, intake: Intake) -> Result<Self, ServeError> {
        let secrets = |repository: &crate::chain::Repository| {
            let files = repository.secret_files.iter();
            let files =
                files.map(|path| SecretFile::new(path, "the file with the secret of a webhook"));
            let files: Vec<_> = files.collect();
            for why in files.iter().filter_map(|file: &SecretFile| file.current().err()) {
                tracing::warn!(
                    repository = repository.name,
                    why,
                    "its webhooks are refused until its secret can be read"
                );
            }
            (repository.name.clone(), files)
        };
        let access = &service.config.access;
        let tokens = TokenFiles {
            read: access.read_token_file.clone(),
            change: access.change_token_file.clone(),
            ..TokenFiles::default()
        };
        let config = &service.config;
        let (url, proxies) = (config.public_url.clone(), config.trusted_proxies.clone());
        let front = Front::new(&tokens, url, proxies, config.tls.is_some())?;
        Ok(Self {
            front: Arc::new(front),
            secrets: service.config.repositories.iter().map(secrets).collect(),
            service,
            intake,
            replays: Replays::default(),
            stream_room: Arc::new(Semaphore::new(STREAMS_MAX)),
            download_room: Arc::new(Semaphore::new(DOWNLOADS_MAX)),
            news: broadcast::channel(64).0,
            readers: Arc::new(Semaphore::new(READERS_MAX)),
        })
    }

    /// Runs blocking work on its own thread; only a few at a time, so that many readers cannot use up threads and memory.
    pub(super) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let turn = self.turn().await?;
        let app = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work(&app)
        });
        done.await.unwrap_or_else(|error| Err(Problem::broken(&error)))
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, Problem> {
        match timeout(TURN, Arc::clone(&self.readers).acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(Problem::busy()),
        }
    }
}
