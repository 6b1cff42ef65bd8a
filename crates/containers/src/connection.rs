//! The connection to a runtime's socket, and what can go wrong on it.

use std::path::{Path, PathBuf};

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

/// A request to the container runtime that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ContainersError {
    /// The runtime refused or could not do what it was asked.
    #[error("cannot {action}")]
    Call {
        /// What was attempted, with what.
        action: String,
        /// Why.
        #[source]
        source: Box<Status>,
    },
    /// The runtime's answer lacks something that it must hold.
    #[error("cannot {action}: the answer lacks {missing}")]
    Answer {
        /// What was attempted.
        action: String,
        /// What is missing or malformed.
        missing: String,
    },
    /// An image's content does not have the form it must have.
    #[error("image {reference} holds a malformed {part}")]
    Image {
        /// The image.
        reference: String,
        /// Which document.
        part: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// An image has no variant for this machine.
    #[error(
        "image {reference} has no variant for linux/{architecture}; pull one that has, or correct its reference"
    )]
    Platform {
        /// The image.
        reference: String,
        /// This machine's architecture.
        architecture: &'static str,
    },
}

impl ContainersError {
    pub(crate) fn call(action: impl Into<String>) -> impl FnOnce(Status) -> Self {
        let action = action.into();
        move |status| Self::Call { action, source: Box::new(status) }
    }

    pub(crate) fn answer(action: impl Into<String>, missing: impl Into<String>) -> Self {
        Self::Answer { action: action.into(), missing: missing.into() }
    }

    /// The runtime's code for the failure.
    pub fn code(&self) -> Code {
        match self {
            Self::Call { source, .. } => source.code(),
            Self::Answer { .. } | Self::Image { .. } => Code::DataLoss,
            Self::Platform { .. } => Code::NotFound,
        }
    }

    /// Whether the thing asked for does not exist.
    pub fn is_not_found(&self) -> bool {
        self.code() == Code::NotFound
    }

    /// Whether the thing to be made exists already.
    pub fn is_already_exists(&self) -> bool {
        self.code() == Code::AlreadyExists
    }

    /// Whether the runtime could not be reached, so that a later attempt may succeed.
    pub fn is_unavailable(&self) -> bool {
        matches!(self.code(), Code::Unavailable | Code::Cancelled)
    }
}

/// A channel to the socket that connects at the first call and again after the runtime has been restarted.
pub(crate) fn channel(socket: &Path) -> Channel {
    let socket: PathBuf = socket.to_owned();
    // The address is never resolved: the connector below knows the one place to go.
    Endpoint::from_static("http://containerd.invalid").connect_with_connector_lazy(
        tower::service_fn(move |_| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        }),
    )
}

/// Turns "there is none" into nothing.
pub(crate) fn optional<T>(
    result: Result<T, ContainersError>,
) -> Result<Option<T>, ContainersError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
