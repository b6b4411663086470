//! The service without sockets: connections in memory, for fuzzing.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use super::app::{App, Peer, Service};
use super::connections::Connections;
use super::intake::Intake;
use super::listener::Serving;
use super::{listener, router};
use crate::chain::{Config, Health, Places, Store};

/// Most connections at the same time.
const CONNECTIONS_MAX: usize = 16;

/// A service on a folder, with everything that a request passes through except for a socket.
pub struct Loopback {
    serving: Serving,
    connections: Arc<Connections>,
}

impl Loopback {
    /// Opens a service; `config` is the text of a `server.toml` in that folder.
    ///
    /// # Errors
    ///
    /// If the configuration is not valid, or the folder cannot be used.
    pub fn open(folder: &Path, config: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let config = Config::parse(Path::new("server.toml"), folder, config)?;
        let places = Places::new(&config.folder);
        let store = Arc::new(Store::open(&places.database())?);
        let wake: Arc<dyn Fn() + Send + Sync> = Arc::new(|| {});
        let (intake, _) = Intake::start(Arc::clone(&store), Arc::clone(&wake))?;
        let (config, health) = (Arc::new(config), Arc::<Health>::default());
        let app = App::new(Service { config, store, places, health, wake }, intake)?;
        let ending = app.front.ending.clone();
        let router = router::router(Arc::new(app));
        let serving = Serving { router, certificates: None, ending };
        Ok(Self { serving, connections: Connections::new(CONNECTIONS_MAX) })
    }

    /// Serves a connection until it ends.
    pub async fn attend<S>(&self, stream: S, from: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some(connection) = self.connections.enter() else { return };
        listener::requests(&self.serving, stream, Peer { address: from, connection }).await;
    }
}
