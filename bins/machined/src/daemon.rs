//! apid and trustd: processes that close their own cage before they talk to anybody.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use sys::sandbox::{Access, Sandbox};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use crate::log;

/// Closes the cage, then starts the threads, which are born inside it.
fn caged(name: &str, sockets: &[&str]) -> Result<Runtime> {
    log::to_stdout();
    let cage = sockets.iter().fold(Sandbox::new(), |cage, path| cage.allow(path, Access::Write));
    let status = cage.apply().with_context(|| format!("{name} cannot be sandboxed"))?;
    tracing::info!(seccomp = %status.seccomp, landlock = %status.landlock, "sandboxed");
    Builder::new_multi_thread()
        .worker_threads(2)
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
