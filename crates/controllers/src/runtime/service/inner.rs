//! Services that are tasks of machined itself: they start and end with it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::task::JoinHandle;

use super::runner::{Exit, Instance, RunError, Runner};

type Body = dyn Fn() -> BoxFuture<'static, Result<(), RunError>> + Send + Sync;

/// Runs a future of machined as a service.
#[derive(Clone)]
pub struct TaskRunner {
    body: Arc<Body>,
}

impl TaskRunner {
    /// A runner whose instances are the futures that `body` makes.
    pub fn new<F>(body: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), RunError>> + Send + 'static,
    {
        Self { body: Arc::new(move || Box::pin(body())) }
    }
}

impl Runner for TaskRunner {
    fn adopt(&self) -> BoxFuture<'_, Option<Box<dyn Instance>>> {
        // A task never outlives its machined.
        Box::pin(std::future::ready(None))
    }

    fn start(&self) -> BoxFuture<'_, Result<Box<dyn Instance>, RunError>> {
        let task = Running { task: tokio::spawn((self.body)()), exit: None };
        Box::pin(std::future::ready(Ok(Box::new(task) as Box<dyn Instance>)))
    }
}

struct Running {
    task: JoinHandle<Result<(), RunError>>,
    exit: Option<Exit>,
}

impl Running {
    async fn end(&mut self) -> Exit {
        if let Some(exit) = &self.exit {
            return exit.clone();
        }
        let exit = match (&mut self.task).await {
            Ok(Ok(())) => Exit::Code(0),
            Ok(Err(error)) => Exit::Error(error.chain()),
            Err(error) if error.is_panic() => Exit::Error("panicked".to_owned()),
            Err(_) => Exit::Code(0),
        };
        self.exit = Some(exit.clone());
        exit
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Instance for Running {
    fn pid(&self) -> Option<u32> {
        None
    }

    fn describe(&self) -> String {
        "Service started as a task of machined".to_owned()
    }

    fn wait(&mut self) -> BoxFuture<'_, Exit> {
        Box::pin(self.end())
    }

    fn stop(&mut self, _: Duration) -> BoxFuture<'_, Exit> {
        self.task.abort();
        Box::pin(self.end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_ends_with_its_result_or_when_stopped() {
        let failing = TaskRunner::new(|| async { Err(RunError::plain("no cache")) });
        let mut instance = failing.start().await.unwrap();
        assert_eq!(instance.wait().await, Exit::Error("no cache".into()));
        let endless = TaskRunner::new(std::future::pending);
        let mut instance = endless.start().await.unwrap();
        assert_eq!(instance.stop(Duration::ZERO).await, Exit::Code(0));
    }
}
