//! The TLS certificate and key, which are reread when their files change.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::error::ServeError;
use crate::chain::Tls;

/// The certificate and key of connections.
pub(super) struct Certificates {
    tls: Tls,
    current: Mutex<Current>,
}

struct Current {
    acceptor: TlsAcceptor,
    changed: [Option<SystemTime>; 2],
}

impl Certificates {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// If they cannot be read or do not belong together.
    pub(super) fn read(tls: &Tls) -> Result<Self, ServeError> {
        let current = Current { changed: changed(tls), acceptor: acceptor(tls)? };
        Ok(Self { tls: tls.clone(), current: Mutex::new(current) })
    }

    /// The TLS acceptor for a new connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).acceptor.clone()
    }

    /// Rereads them if their files changed. Unusable ones are ignored.
    pub(super) fn renew(&self) {
        let found = changed(&self.tls);
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.changed == found {
            return;
        }
        current.changed = found;
        match acceptor(&self.tls) {
            Ok(acceptor) => {
                current.acceptor = acceptor;
                tracing::info!("the certificate was reloaded");
            }
            Err(error) => {
                tracing::error!(%error, "the new certificate cannot be used; the old one stays in use");
            }
        }
    }
}

fn changed(tls: &Tls) -> [Option<SystemTime>; 2] {
    [&tls.certificate_file, &tls.key_file]
        .map(|file| std::fs::metadata(file).and_then(|found| found.modified()).ok())
}

fn acceptor(tls: &Tls) -> Result<TlsAcceptor, ServeError> {
    let refuse = |file: &Path, why: String| ServeError::Tls { file: file.into(), why };
    let pem = |file: &Path| std::fs::read(file).map_err(|error| refuse(file, error.to_string()));
    let (certificate, key) = (tls.certificate_file.as_path(), tls.key_file.as_path());
    let chain: Vec<CertificateDer> = CertificateDer::pem_slice_iter(&pem(certificate)?)
        .collect::<Result<_, _>>()
        .map_err(|error| refuse(certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(refuse(certificate, "it contains no PEM certificate".into()));
    }
    // The error must not quote the key.
    let private = PrivateKeyDer::from_pem_slice(&pem(key)?)
        .map_err(|_| refuse(key, "it contains no PEM private key".into()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| refuse(certificate, error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| refuse(certificate, error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
