//! Connections: accepted up to a bound, plain or with TLS, served on threads of their own, and ended in order: no new ones, answers
//! to what is under way, then the end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tower_service::Service as _;

use super::routes::Peer;
use super::tls::Certificate;
use crate::exit::Failure;

/// Lines of a request's head.
const HEADERS_MAX: usize = 100;
/// A request's head, and what is read of a body at a time.
const BUFFER_MAX_BYTES: usize = 64 * 1024;
/// After an accept that failed, as when no file handles are left.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// How connections are treated.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Host and port.
    pub listen: String,
    /// How many threads serve.
    pub threads: usize,
    /// How many connections may be open; others wait to be accepted.
    pub connections_max: usize,
    /// How long a request's head may take to come, an idle connection's next one included, and a TLS handshake.
    pub read_timeout: Duration,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    runtime: tokio::runtime::Runtime,
    ending: watch::Sender<bool>,
    slots: Arc<Semaphore>,
    connections_max: usize,
}

/// What every connection needs.
#[derive(Clone)]
struct Shared {
    router: Router,
    read_timeout: Duration,
    ending: watch::Receiver<bool>,
}

impl Server {
    /// Binds and serves. `also` runs beside it.
    pub fn start(
        settings: &ServerSettings,
        router: Router,
        certificate: Option<Arc<Certificate>>,
        also: impl Future<Output = std::io::Result<()>> + Send + 'static,
    ) -> Result<Self, Failure> {
        let unusable = |error: std::io::Error| Failure::failed(format!("the HTTP server cannot be started: {error}"));
        let listener = std::net::TcpListener::bind(&settings.listen).map_err(|error| {
            let listen = &settings.listen;
            Failure::config(format!("setting `http.listen`: {listen} cannot be listened on: {error}; free it, or choose another"))
        })?;
        listener.set_nonblocking(true).map_err(unusable)?;
        let address = listener.local_addr().map_err(unusable)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(settings.threads)
            .thread_name("collect")
            .enable_all()
            .build()
            .map_err(unusable)?;
        let (ending, watched) = watch::channel(false);
        let slots = Arc::new(Semaphore::new(settings.connections_max));
        let shared = Shared { router, read_timeout: settings.read_timeout, ending: watched };
        let listener = runtime.block_on(async { TcpListener::from_std(listener) }).map_err(unusable)?;
        runtime.spawn(also);
        runtime.spawn(accept(listener, Arc::clone(&slots), certificate, shared));
        Ok(Self { address, runtime, ending, slots, connections_max: settings.connections_max })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Open connections.
    pub fn connections(&self) -> usize {
        self.connections_max - self.slots.available_permits()
    }

    /// Accepts no more, answers what is under way, and ends; at most within this time. Tells whether all was answered.
    pub fn end(self, within: Duration) -> bool {
        let all = u32::try_from(self.connections_max).unwrap_or(u32::MAX);
        self.ending.send_replace(true);
        let answered = self.runtime.block_on(async { tokio::time::timeout(within, self.slots.acquire_many(all)).await.is_ok() });
        self.runtime.shutdown_background();
        answered
    }
}

async fn accept(listener: TcpListener, slots: Arc<Semaphore>, certificate: Option<Arc<Certificate>>, shared: Shared) {
    let mut ending = shared.ending.clone();
    loop {
        let accepted = tokio::select! {
            () = told(&mut ending) => return,
            accepted = async {
                let slot = Arc::clone(&slots).acquire_owned().await.expect("the semaphore is never closed");
                (slot, listener.accept().await)
            } => accepted,
        };
        let (slot, (stream, peer)) = match accepted {
            (slot, Ok(accepted)) => (slot, accepted),
            (_, Err(error)) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        let (shared, tls) = (shared.clone(), certificate.as_ref().map(|certificate| TlsAcceptor::from(certificate.config())));
        tokio::spawn(async move {
            connect(stream, peer, tls, shared).await;
            drop(slot);
        });
    }
}

/// Waits until the server is told to end.
async fn told(ending: &mut watch::Receiver<bool>) {
    // Who would tell is gone: that is an end too.
    drop(ending.wait_for(|ending| *ending).await);
}

async fn connect(stream: TcpStream, peer: SocketAddr, tls: Option<TlsAcceptor>, shared: Shared) {
    // Answers are small, and must not wait for company.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, %peer, "a connection has no option");
    }
    let Some(tls) = tls else { return serve(stream, peer, shared).await };
    match tokio::time::timeout(shared.read_timeout, tls.accept(stream)).await {
        Ok(Ok(stream)) => serve(stream, peer, shared).await,
        Ok(Err(error)) => tracing::debug!(%error, %peer, "a TLS handshake failed"),
        Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, peer: SocketAddr, shared: Shared) {
    let Shared { router, read_timeout, mut ending } = shared;
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        router.clone().call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(read_timeout)
        .max_headers(HEADERS_MAX)
        .max_buf_size(BUFFER_MAX_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = told(&mut ending) => None,
    };
    let ended = if let Some(ended) = ended {
        ended
    } else {
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "a connection broke");
    }
}

#[cfg(test)]
mod tests;
