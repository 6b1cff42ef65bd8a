//! What a service waits for before it starts: typed conditions with a text that people can read.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::BoxFuture;
use resource::{Resource, Spec};
use runtime::condition;
use runtime::service::Registry;
use runtime::store::Store;

use crate::Node;

type Waiter = dyn Fn() -> BoxFuture<'static, ()> + Send + Sync;

/// One thing a service waits for.
#[derive(Clone)]
pub struct Condition {
    text: Arc<str>,
    kind: condition::Condition,
    wait: Arc<Waiter>,
}

impl Condition {
    /// A condition that holds as soon as the future made by `wait` ends. `text` is what the service's message
    /// says, `kind` what the resource of the wait says.
    pub fn new<F>(
        text: impl Into<Arc<str>>,
        kind: condition::Condition,
        wait: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self { text: text.into(), kind, wait: Arc::new(move || Box::pin(wait())) }
    }

    /// A resource is as `wanted` says. `text` names the state in a few words.
    pub fn resource<S: Spec>(
        store: &Store,
        text: impl Into<Arc<str>>,
        namespace: &'static str,
        id: &'static str,
        wanted: impl Fn(&S) -> bool + Send + Sync + 'static,
    ) -> Self {
        let (store, wanted, text) = (store.clone(), Arc::new(wanted), text.into());
        let kind = condition::Condition::resource_state::<S>(namespace, id, &text);
        Self::new(text, kind, move || {
            let (store, wanted) = (store.clone(), Arc::clone(&wanted));
            async move {
                let accept = |resource: Option<&Resource<S>>| {
                    resource.is_some_and(|resource| wanted(&resource.spec))
                };
                store.wait_for::<S>(namespace, id, accept).await;
            }
        })
    }

    /// The volume that the node works on is mounted on `/var`.
    #[must_use]
    pub fn var_ready(node: &Node) -> Self {
        let ready = Arc::clone(&node.var_ready);
        let kind = condition::Condition::Event { what: crate::volume::VAR.to_owned() };
        Self::new("volume EPHEMERAL", kind, move || {
            let mut ready = ready.subscribe();
            async move {
                // The sender lives as long as the node.
                let _ = ready.wait_for(|ready| *ready).await;
            }
        })
    }

    /// Another service is up.
    #[must_use]
    pub fn service_up(services: &Registry, id: &str) -> Self {
        let (services, id): (Registry, Arc<str>) = (services.clone(), id.into());
        let kind = condition::Condition::Service { id: Arc::clone(&id), state: "up".into() };
        Self::new(format!("service \"{id}\" to be \"up\""), kind, move || {
            let (services, id) = (services.clone(), Arc::clone(&id));
            async move { services.wait_up(&id).await }
        })
    }

    /// A file exists: usually a socket that somebody is about to listen on.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        let path: Arc<Path> = path.into().into();
        let kind = condition::Condition::File { path: path.display().to_string() };
        Self::new(format!("file {}", path.display()), kind, move || {
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

    /// What kind of thing it is.
    #[must_use]
    pub fn kind(&self) -> &condition::Condition {
        &self.kind
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
