//! Controllers: each turns inputs into outputs, and is run again whenever an input changes.
//!
//! A controller declares what it reads and writes; a second writer of an exclusive output is
//! refused when it is registered. Its failures and panics are its own: it is started again after
//! a pause that grows, or at once when an input changes.

mod context;
mod graph;
mod run;

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use resource::{Name, Spec};
use tokio::sync::Notify;

pub use context::Context;
pub use graph::{Edge, EdgeKind, Graph, RegisterError};
pub use run::{BACK_OFF_FIRST, BACK_OFF_LONGEST, Runtime};

/// A controller.
pub trait Controller: Send + 'static {
    /// Its name, which is also the owner of its outputs.
    fn name(&self) -> &'static str;

    /// What it reads.
    fn inputs(&self) -> Vec<Input>;

    /// What it writes.
    fn outputs(&self) -> Vec<Output>;

    /// Brings the outputs in line with the inputs. Called at the start and after every change of
    /// an input; changes that come in the meantime make one more call.
    fn reconcile<'a>(
        &'a mut self,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Next, ControllerError>>;
}

/// When a controller is to be called again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// When an input changes or its waker is used.
    OnChange,
    /// After a time too: for genuine deadlines such as a renewal, never for polling.
    After(Duration),
}

/// Whatever went wrong in a controller, with its causes.
pub struct ControllerError(Box<dyn std::error::Error + Send + Sync + 'static>);

impl ControllerError {
    /// An error that is only a text.
    #[must_use]
    pub fn message(text: impl Into<String>) -> Self {
        Self(text.into().into())
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for ControllerError {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Display for ControllerError {
    /// The error and its causes, joined by colons.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for ControllerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// How an input wakes its controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    /// On every change.
    Weak,
    /// On every change; the controller holds the resource, so circles are refused.
    Strong,
    /// When the resource may be destroyed.
    DestroyReady,
}

/// Something a controller reads.
#[derive(Clone, Debug)]
pub struct Input {
    pub(crate) kind: InputKind,
    pub(crate) type_name: &'static str,
    pub(crate) namespace: Name,
    pub(crate) id: Option<Name>,
    pub(crate) define: fn() -> resource::Definition,
}

impl Input {
    fn new<S: Spec>(kind: InputKind, namespace: &str) -> Self {
        Self {
            kind,
            type_name: S::DEFINITION.type_name,
            namespace: namespace.into(),
            id: None,
            define: || S::DEFINITION,
        }
    }

    /// Wakes the controller on every change.
    #[must_use]
    pub fn weak<S: Spec>(namespace: &str) -> Self {
        Self::new::<S>(InputKind::Weak, namespace)
    }

    /// Wakes the controller on every change; for resources that it puts finalizers on.
    #[must_use]
    pub fn strong<S: Spec>(namespace: &str) -> Self {
        Self::new::<S>(InputKind::Strong, namespace)
    }

    /// Wakes the controller when a resource may be destroyed.
    #[must_use]
    pub fn destroy_ready<S: Spec>(namespace: &str) -> Self {
        Self::new::<S>(InputKind::DestroyReady, namespace)
    }

    /// Only the resource with this id.
    #[must_use]
    pub fn with_id(mut self, id: &str) -> Self {
        self.id = Some(id.into());
        self
    }
}

/// Something a controller writes.
#[derive(Clone, Debug)]
pub struct Output {
    pub(crate) exclusive: bool,
    pub(crate) type_name: &'static str,
}

impl Output {
    /// No other controller writes this type.
    #[must_use]
    pub fn exclusive<S: Spec>() -> Self {
        Self { exclusive: true, type_name: S::DEFINITION.type_name }
    }

    /// Other controllers write this type too, each its own resources.
    #[must_use]
    pub fn shared<S: Spec>() -> Self {
        Self { exclusive: false, type_name: S::DEFINITION.type_name }
    }
}

/// Wakes a controller. A clone wakes the same one; many wakes before it runs make one run.
#[derive(Clone, Debug, Default)]
pub struct Waker(Arc<Notify>);

impl Waker {
    /// Wakes the controller.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    pub(crate) async fn woken(&self) {
        self.0.notified().await;
    }
}

/// The text of a panic.
fn panic_text(panic: &(dyn Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        return (*text).to_owned();
    }
    panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "no message".to_owned())
}
