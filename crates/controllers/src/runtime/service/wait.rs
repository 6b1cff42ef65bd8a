//! What a service waits for before it starts: typed conditions with a text that people can read.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::BoxFuture;
use runtime::service::Registry;

type Waiter = dyn Fn() -> BoxFuture<'static, ()> + Send + Sync;

/// One thing a service waits for.
#[derive(Clone)]
pub struct Condition {
    text: Arc<str>,
    wait: Arc<Waiter>,
}

impl Condition {
    /// A condition that holds as soon as the future made by `wait` ends.
    pub fn new<F>(text: impl Into<Arc<str>>, wait: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self { text: text.into(), wait: Arc::new(move || Box::pin(wait())) }
    }

    /// Another service is up.
    #[must_use]
    pub fn service_up(services: &Registry, id: &str) -> Self {
        let (services, id): (Registry, Arc<str>) = (services.clone(), id.into());
        Self::new(format!("service \"{id}\" to be \"up\""), move || {
            let (services, id) = (services.clone(), Arc::clone(&id));
            async move { services.wait_up(&id).await }
        })
    }

    /// A file exists: usually a socket that somebody is about to listen on.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        let path: Arc<Path> = path.into().into();
        Self::new(format!("file {}", path.display()), move || {
            let path = Arc::clone(&path);
            async move {
                if let Err(error) = crate::files::watch::appears(&path).await {
                    // Without events there is nothing to wait for; whoever uses the file will say what is wrong.
                    tracing::warn!(path = %path.display(), %error, "cannot watch for this file");
                }
            }
        })
    }

    /// What it waits for.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Waits.
    pub fn wait(&self) -> BoxFuture<'static, ()> {
        (self.wait)()
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Condition({:?})", self.text)
    }
}
