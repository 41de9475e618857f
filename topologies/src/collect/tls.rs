//! TLS by two files in PEM, read again when they change. Without them the door speaks plain HTTP, as behind a load balancer.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate and its key.
#[derive(Debug)]
pub struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    current: RwLock<(Version, Arc<ServerConfig>)>,
}

/// When the files were written.
type Version = (SystemTime, SystemTime);

impl Certificate {
    /// Reads the chain, the server's own certificate first, and its private key.
    pub fn open(chain: PathBuf, key: PathBuf) -> Result<Self, String> {
        let version = version(&chain, &key)?;
        let config = read(&chain, &key)?;
        Ok(Self { chain, key, current: RwLock::new((version, config)) })
    }

    /// What new connections are offered.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).1)
    }

    /// Reads the files again if they have changed; tells whether they have. While they don't fit, the former ones are offered.
    pub fn refresh(&self) -> Result<bool, String> {
        let version = version(&self.chain, &self.key)?;
        if self.current.read().unwrap_or_else(PoisonError::into_inner).0 == version {
            return Ok(false);
        }
        let config = read(&self.chain, &self.key)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = (version, config);
        Ok(true)
    }
}

fn version(chain: &Path, key: &Path) -> Result<Version, String> {
    let written = |path: &Path| {
        let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified());
        modified.map_err(|error| format!("{}: {error}", path.display()))
    };
    Ok((written(chain)?, written(key)?))
}

fn read(chain: &Path, key: &Path) -> Result<Arc<ServerConfig>, String> {
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect)
        .map_err(|error| format!("{}: {error}", chain.display()))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| format!("{}: {error}", key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, private));
    config.map(Arc::new).map_err(|error| format!("{} and {}: {error}", chain.display(), key.display()))
}
