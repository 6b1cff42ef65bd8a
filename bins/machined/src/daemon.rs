//! apid, trustd and the dashboard: processes that close their own cage before they talk to anybody.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use dashboard::{Channel, Options, Target};
use hyper_util::rt::TokioIo;
use sys::sandbox::{Access, Sandbox};
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tonic::Status;
use tonic::transport::Endpoint;
use tower::ServiceExt as _;

use crate::log;
use crate::machined::MACHINE_SOCKET;

/// Closes the cage, then starts the threads, which are born inside it.
fn caged(name: &str, sockets: &[&str]) -> Result<Runtime> {
    log::to_stdout();
    let cage = sockets.iter().fold(Sandbox::new(), |cage, path| cage.allow(path, Access::Write));
    threads(name, &cage)
}

fn threads(name: &str, cage: &Sandbox) -> Result<Runtime> {
    let status = cage.apply().with_context(|| format!("{name} cannot be sandboxed"))?;
    tracing::info!(seccomp = %status.seccomp, landlock = %status.landlock, "sandboxed");
    Builder::new_multi_thread()
        // With one, a call is not handed from thread to thread; it passes more calls than a node ever gets.
        .worker_threads(1)
        .max_blocking_threads(2)
        .thread_name(name)
        .enable_all()
        .build()
        .context("cannot start threads")
}

async fn terminated() {
    match signal(SignalKind::terminate()) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        // Without the handler the signal ends the process, which is what is asked for.
        Err(_) => std::future::pending().await,
    }
}

/// Runs apid until it is told to end.
pub(crate) fn apid() -> Result<ExitCode> {
    let runtime = caged("apid", &["/system/run/apid", "/system/run/machined"])?;
    runtime.block_on(server::apid::run(server::apid::Options::default(), terminated()))?;
    Ok(ExitCode::SUCCESS)
}

/// Runs trustd until it is told to end.
pub(crate) fn trustd() -> Result<ExitCode> {
    let runtime = caged("trustd", &["/system/run/trustd"])?;
    runtime.block_on(server::trustd::run(server::trustd::Options::default(), terminated()))?;
    Ok(ExitCode::SUCCESS)
}

/// How often the machine is asked for what cannot be watched.
const UPDATE_INTERVAL: Duration = Duration::from_secs(3);

/// Shows the machine on its own screen until it is told to end. The terminal is the standard input and output, so
/// messages go to the standard error.
pub(crate) fn dashboard() -> Result<ExitCode> {
    log::to_stderr();
    let cage = Sandbox::new().allow("/system/run/machined", Access::Write).terminal();
    let runtime = threads("dashboard", &cage)?;
    runtime.block_on(async {
        let connector = tower::service_fn(|_: http::Uri| async {
            UnixStream::connect(MACHINE_SOCKET).await.map(TokioIo::new)
        });
        let channel = Endpoint::from_static("http://machine")
            .connect_with_connector_lazy(connector)
            .map_err(|error| Status::unavailable(chain(&error)));
        let name = sys::system::kernel().node;
        let targets = vec![Target { name, channel: Channel::new(channel) }];
        let options = Options { update_interval: UPDATE_INTERVAL, own_screen: true };
        tokio::select! {
            shown = dashboard::run(targets, options) => shown.map_err(anyhow::Error::from),
            () = terminated() => Ok(()),
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// An error with its causes, for the one line of the screen that shows it.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
