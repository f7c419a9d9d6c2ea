//! HTTP: the companies' counters, the tests' levers under `/admin`, and `/livez`.

mod admin;
mod callback;
mod counters;
mod deliver;
mod deposits;
mod desk;
mod read;
mod refuse;
mod trace;
mod wire;

use std::error::Error;
use std::future::IntoFuture;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, oneshot};

pub use callback::Caller;
pub use desk::{Desk, Settings};
use wire::{Line, Wires};

/// Largest body of a request, in bytes.
const BODY_MAX: usize = 64 << 10;
/// How long requests may go on after the signal to stop.
const DRAIN_MAX: Duration = Duration::from_secs(2);

/// Serves until SIGTERM or SIGINT, or until the journal fails (`writer` tells).
pub async fn serve(
    listener: TcpListener,
    desk: Arc<Desk>,
    writer: oneshot::Receiver<io::Result<()>>,
) -> Result<(), Box<dyn Error>> {
    let told_to_stop = stop_signal()?;
    let draining = Arc::new(Notify::new());
    let drain = {
        let draining = Arc::clone(&draining);
        async move { draining.notified().await }
    };
    desk.call_back_what_is_owed();
    let service = routes(Arc::clone(&desk)).into_make_service_with_connect_info::<Line>();
    let server = axum::serve(Wires(listener), service).with_graceful_shutdown(drain).into_future();
    let mut server = tokio::spawn(server);
    let mut writer = writer;
    tokio::select! {
        () = told_to_stop => {}
        stopped = &mut writer => return Err(journal_failed(stopped)),
        ended = &mut server => return Ok(ended??),
    }
    tracing::info!("draining");
    draining.notify_one();
    // Answers that were never going to be given, and parked requests, end here. What took effect is in the journal.
    if tokio::time::timeout(DRAIN_MAX, &mut server).await.is_err() {
        server.abort();
    }
    desk.journal.settled().await?;
    tracing::info!("stopped");
    Ok(())
}

fn journal_failed(stopped: Result<io::Result<()>, oneshot::error::RecvError>) -> Box<dyn Error> {
    match stopped {
        Ok(Err(error)) => format!("the journal can't be written, so nothing may be answered: {error}").into(),
        Ok(Ok(())) | Err(_) => "the journal's writer stopped".into(),
    }
}

fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn routes(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/livez", get(async || "ok"))
        .merge(counters::routes())
        .route("/admin/journal", get(read::journal))
        .route("/admin/effects", get(read::effects))
        .route("/admin/settings", get(admin::settings).put(admin::set))
        .route("/admin/scripts", get(admin::scripts).post(admin::add_script).delete(admin::clear_scripts))
        .route("/admin/scripts/{id}", axum::routing::delete(admin::remove_script))
        .route("/admin/holds/{id}", get(admin::watch_hold))
        .route("/admin/holds/{id}/release", post(admin::release_hold))
        .route("/admin/deposits", post(deposits::pay_in))
        .route("/admin/deposits/{key}/land", post(deposits::land))
        .route("/admin/deposits/{key}/vanish", post(deposits::vanish))
        .route("/admin/deposits/{key}/take-back", post(deposits::take_back))
        .fallback(refuse::not_found)
        .method_not_allowed_fallback(refuse::method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(desk)
}
