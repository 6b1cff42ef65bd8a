//! Services that are processes: started by machined, found again after a crash of machined.
//!
//! A started process is recorded by id and start time below `/run/ichor`; a later machined opens the same process
//! by pidfd and goes on watching it. Such processes log to append-only files, so they outlive machined.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use sys::Signal;
use sys::process::{Child, Process, Spawn, StartTime};
use sys::readiness::Readiness;
use tokio::time::timeout;

use super::runner::{Exit, Instance, RunError, Runner};
use crate::files::atomic;

type Describe = dyn Fn() -> Result<Spawn, RunError> + Send + Sync;

/// Runs a program.
#[derive(Clone)]
pub struct ProcessRunner {
    record: PathBuf,
    describe: Arc<Describe>,
}

impl ProcessRunner {
    /// A runner that starts what `describe` says and keeps its record in the directory `run`.
    pub fn new(
        run: &Path,
        id: &str,
        describe: impl Fn() -> Result<Spawn, RunError> + Send + Sync + 'static,
    ) -> Self {
        Self { record: run.join(format!("{id}.process")), describe: Arc::new(describe) }
    }

    fn recorded(&self) -> Option<Process> {
        let text = std::fs::read_to_string(&self.record).ok()?;
        let (pid, started) = text.trim().split_once(' ')?;
        Process::adopt(pid.parse().ok()?, StartTime(started.parse().ok()?)).ok()
    }
}

impl Runner for ProcessRunner {
    fn adopt(&self) -> BoxFuture<'_, Option<Box<dyn Instance>>> {
        Box::pin(async {
            let process = self.recorded()?;
            // The start time shows that it is the same process, not that it still runs.
            if process.has_ended().unwrap_or(true) {
                return None;
            }
            let instance = Running::new(Held::Adopted(process)).ok()?;
            Some(Box::new(instance) as Box<dyn Instance>)
        })
    }

    fn start(&self) -> BoxFuture<'_, Result<Box<dyn Instance>, RunError>> {
        Box::pin(async {
            let spawn = (self.describe)()?;
            let program = spawn.program().to_string_lossy().into_owned();
            let failed = || format!("cannot start {program}");
            let child = spawn.spawn().map_err(|error| RunError::new(failed(), error))?;
            let instance = Running::new(Held::Started(child))
                .map_err(|error| RunError::new(failed(), error))?;
            let recorded = StartTime::of(instance.held.id()).map(|started| {
                let record = format!("{} {}\n", instance.held.id(), started.0);
                atomic::write(&self.record, record.as_bytes(), 0o600)
            });
            if let Ok(Err(error)) = recorded {
                // It runs; only a later machined would not find it again.
                tracing::warn!(%program, "{}", super::error_chain(&error));
            }
            Ok(Box::new(instance) as Box<dyn Instance>)
        })
    }
}

enum Held {
    Started(Child),
    Adopted(Process),
}

impl Held {
    fn id(&self) -> i32 {
        match self {
            Self::Started(child) => child.id(),
            Self::Adopted(process) => process.id(),
        }
    }

    fn signal(&self, signal: Signal) {
        let sent = match self {
            Self::Started(child) => child.signal(signal),
            Self::Adopted(process) => process.signal(signal),
        };
        if let Err(error) = sent {
            tracing::warn!("{}", super::error_chain(&error));
        }
    }

    fn exit(&self) -> Option<Exit> {
        match self {
            Self::Started(child) => match child.try_wait() {
                Ok(None) => None,
                Ok(Some(sys::process::Exit::Code(code))) => Some(Exit::Code(code)),
                Ok(Some(sys::process::Exit::Signal(signal))) => Some(Exit::Signal(signal)),
                // Somebody else reaped it: gone, without a word.
                Err(_) => Some(Exit::Gone),
            },
            Self::Adopted(process) => process.has_ended().unwrap_or(true).then_some(Exit::Gone),
        }
    }
}

struct Running {
    held: Held,
    ended: Readiness,
    exit: Option<Exit>,
}

impl Running {
    fn new(held: Held) -> io::Result<Self> {
        let ended = match &held {
            Held::Started(child) => Readiness::of(child),
            Held::Adopted(process) => Readiness::of(process),
        }?;
        Ok(Self { held, ended, exit: None })
    }

    async fn end(&mut self) -> Exit {
        if let Some(exit) = &self.exit {
            return exit.clone();
        }
        // A pidfd that is readable once stays so, but the process may have ended before it was watched.
        let exit = match self.held.exit() {
            Some(exit) => exit,
            None => match self.ended.until(|| Ok(self.held.exit())).await {
                Ok(exit) => exit,
                Err(error) => return Exit::Error(error.to_string()),
            },
        };
        self.exit = Some(exit.clone());
        exit
    }
}

impl Instance for Running {
    fn pid(&self) -> Option<u32> {
        u32::try_from(self.held.id()).ok()
    }

    fn describe(&self) -> String {
        match &self.held {
            Held::Started(child) => format!("Process started with PID {}", child.id()),
            Held::Adopted(process) => format!("Process with PID {} taken over", process.id()),
        }
    }

    fn wait(&mut self) -> BoxFuture<'_, Exit> {
        Box::pin(self.end())
    }

    fn stop(&mut self, grace: Duration) -> BoxFuture<'_, Exit> {
        Box::pin(async move {
            self.held.signal(Signal::TERM);
            if let Ok(exit) = timeout(grace, self.end()).await {
                return exit;
            }
            self.held.signal(Signal::KILL);
            self.end().await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runner(run: &Path, script: &'static str) -> ProcessRunner {
        ProcessRunner::new(run, "test", move || Ok(Spawn::new("/bin/sh").arg("-c").arg(script)))
    }

    #[tokio::test]
    async fn the_exit_of_a_process_is_reported() {
        let run = tempfile::tempdir().unwrap();
        let mut instance = runner(run.path(), "exit 3").start().await.unwrap();
        assert_eq!(instance.wait().await, Exit::Code(3));
        assert_eq!(instance.wait().await, Exit::Code(3), "asking again says the same");
        assert!(runner(run.path(), "").adopt().await.is_none(), "it is over");
    }

    #[tokio::test]
    async fn a_process_that_ignores_the_request_to_end_is_killed() {
        let run = tempfile::tempdir().unwrap();
        let ready = run.path().join("ready");
        let script =
            format!("trap '' TERM; touch {}; while :; do read x; sleep 9; done", ready.display());
        let runner = ProcessRunner::new(run.path(), "test", move || {
            Ok(Spawn::new("/bin/sh").env("PATH", "/bin:/usr/bin").arg("-c").arg(&script))
        });
        let mut instance = runner.start().await.unwrap();
        crate::files::watch::appears(&ready).await.unwrap();
        assert_eq!(instance.stop(Duration::from_millis(50)).await, Exit::Signal(9));
    }

    #[tokio::test]
    async fn a_running_process_is_found_again_by_its_record() {
        let run = tempfile::tempdir().unwrap();
        let runner = runner(run.path(), "exec sleep 100");
        let mut first = runner.start().await.unwrap();
        let mut second = runner.adopt().await.unwrap();
        assert_eq!(second.pid(), first.pid());
        let (exit, _) = tokio::join!(first.wait(), second.stop(Duration::from_secs(5)));
        assert_eq!(exit, Exit::Signal(15));
        // A reused id belongs to another start time and is refused.
        let me = std::process::id();
        std::fs::write(run.path().join("test.process"), format!("{me} 1\n")).unwrap();
        assert!(runner.adopt().await.is_none());
    }
}
