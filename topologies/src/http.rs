//! Health, metrics and what is running, over HTTP. Reads what the main loop publishes; decides nothing.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::config::HttpConfig;
use crate::exit::Failure;

mod board;

pub use board::{Board, Health};

/// Seconds of the buckets of all latencies.
const LATENCY_BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Begins to record the metrics of the process.
pub(crate) fn install_recorder() -> Result<(), Failure> {
    recorder().map(drop)
}

/// The recorder of all metrics of the process.
fn recorder() -> Result<&'static PrometheusHandle, Failure> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    let install = || {
        let matcher = metrics_exporter_prometheus::Matcher::Suffix("_seconds".to_owned());
        PrometheusBuilder::new().set_buckets_for_metric(matcher, &LATENCY_BUCKETS).ok()?.install_recorder().ok()
    };
    RECORDER.get_or_init(install).as_ref().ok_or_else(|| Failure::failed("the recorder of metrics cannot be installed"))
}

/// What every page knows.
#[derive(Clone)]
struct Shared {
    board: Arc<Board>,
    metrics: &'static PrometheusHandle,
}

/// A server on a thread of its own; it ends when it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Binds, and serves. `also` runs beside it, on the same thread.
    pub fn start(
        config: &HttpConfig,
        board: &Arc<Board>,
        also: impl Future<Output = std::io::Result<()>> + Send + 'static,
    ) -> Result<Self, Failure> {
        let listener = bind(config)?;
        let unusable = |error: std::io::Error| Failure::failed(format!("the HTTP server cannot be started: {error}"));
        let address = listener.local_addr().map_err(unusable)?;
        listener.set_nonblocking(true).map_err(unusable)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(unusable)?;
        let recorder = recorder()?;
        highwater::metrics::describe();
        let router = router(Shared { board: Arc::clone(board), metrics: recorder });
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let serve = move || {
            runtime.block_on(async move {
                tokio::spawn(also);
                let serving = async move { axum::serve(tokio::net::TcpListener::from_std(listener)?, router).await };
                tokio::select! {
                    ended = serving => if let Err(error) = ended {
                        tracing::error!(%error, "the HTTP server ended");
                    },
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("http".to_owned()).spawn(serve).map_err(unusable)?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that ended by itself waits for nothing any more.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// A port that somebody chose must be free; the default is only a convenience.
fn bind(config: &HttpConfig) -> Result<TcpListener, Failure> {
    let listen = &config.listen;
    match TcpListener::bind(listen) {
        Ok(listener) => Ok(listener),
        Err(error) if config.is_chosen => Err(Failure::config(format!(
            "setting `http.listen`: {listen} cannot be listened on: {error}; free it, or choose another"
        ))),
        Err(error) => {
            let host = listen.rsplit_once(':').map_or("127.0.0.1", |(host, _)| host);
            tracing::warn!(%listen, %error, "serving health and metrics on a free port instead");
            TcpListener::bind((host, 0)).map_err(|error| Failure::config(format!("setting `http.listen`: {host}: {error}")))
        }
    }
}

fn router(shared: Shared) -> Router {
    Router::new()
        .route("/livez", get(async |State(shared): State<Shared>| health(&shared.board().live())))
        .route("/readyz", get(async |State(shared): State<Shared>| health(&shared.board().ready())))
        .route("/metrics", get(async |State(shared): State<Shared>| metrics(&shared)))
        .route("/topology", get(async |State(shared): State<Shared>| json(shared.board().topologies())))
        .route("/tasks", get(async |State(shared): State<Shared>| json(shared.board().tasks())))
        .with_state(shared)
}

impl Shared {
    fn board(&self) -> &Board {
        &self.board
    }
}

fn health(health: &Health) -> impl IntoResponse + use<> {
    match health {
        Health::Good => (StatusCode::OK, "ok\n".to_owned()),
        Health::Bad(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", why.join("\n"))),
    }
}

impl IntoResponse for Health {
    fn into_response(self) -> axum::response::Response {
        health(&self).into_response()
    }
}

fn metrics(shared: &Shared) -> impl IntoResponse + use<> {
    page(shared.metrics)
}

/// The page `/metrics` of a process that has installed its recorder.
pub(crate) fn metrics_page() -> axum::response::Response {
    match recorder() {
        Ok(recorder) => page(recorder).into_response(),
        Err(failure) => (StatusCode::INTERNAL_SERVER_ERROR, failure.message).into_response(),
    }
}

fn page(recorder: &PrometheusHandle) -> impl IntoResponse + use<> {
    recorder.run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], recorder.render())
}

fn json(body: String) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], body)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
