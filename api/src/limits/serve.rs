//! Connections: accepted up to a bound, given little time to say what they want, and drained at the end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Most time for a request's line and headers to arrive, also on a connection kept alive.
pub const HEADER_TIME_MAX: Duration = Duration::from_secs(10);

/// Most time for requests to end once we are told to stop.
pub const DRAIN_TIME_MAX: Duration = Duration::from_secs(10);

/// Most connections at once; further ones wait in the system's queue. Open streams are most of them.
const CONNECTIONS_MAX: usize = 16_384;

/// Most bytes hyper buffers for a request's line and headers; what is larger it refuses itself, without a body.
const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// Serves `router` until `stop` is cancelled, then accepts nothing, lets requests end, and returns after at most
/// [`DRAIN_TIME_MAX`]. Streams must end themselves when `stop` is cancelled.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        if let Some((stream, peer, permit)) = accepted {
            tokio::spawn(converse(stream, peer, router.clone(), &graceful, permit));
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_TIME_MAX, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end within {DRAIN_TIME_MAX:?}");
    }
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            // Events are small and each matters at once.
            let _ = stream.set_nodelay(true);
            Some((stream, peer, permit))
        }
        Err(error) => {
            // Out of file handles, most likely: waiting is all that helps.
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

/// Everything one connection asks for.
fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    graceful: &GracefulShutdown,
    permit: OwnedSemaphorePermit,
) -> impl Future<Output = ()> + use<> {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME_MAX)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let watched = graceful.watch(connection);
    async move {
        // A client that breaks off is its own business.
        if let Err(error) = watched.await {
            tracing::debug!(%error, "a connection broke");
        }
        drop(permit);
    }
}
