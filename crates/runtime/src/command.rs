//! Requests to the node: what the API asks for and the node does or refuses.
//!
//! The API holds a [`Sender`], the node's sequencer the [`Receiver`]. Every request carries a reply channel, so
//! the asker always learns what became of it. Must never: act on a request itself.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

/// How a new machine configuration takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyMode {
    /// With a reboot; only where nothing runs yet.
    Reboot,
    /// Whatever fits: at present without a reboot.
    Auto,
    /// At once, and kept.
    NoReboot,
    /// Kept, in effect after the next boot.
    Staged,
    /// At once, and taken back after a time.
    Try,
}

/// A new machine configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyConfiguration {
    /// The YAML documents.
    pub data: Vec<u8>,
    /// How it takes effect.
    pub mode: ApplyMode,
    /// Only say what would change.
    pub dry_run: bool,
    /// Whether the caller may change a machine that has a configuration; anybody may give one to a machine without.
    pub administrator: bool,
    /// When a tried configuration is taken back.
    pub try_timeout: Option<Duration>,
}

/// What became of a new machine configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The mode that was used in the end.
    pub mode: ApplyMode,
    /// What happened, or the difference of a dry run.
    pub details: String,
    /// What is accepted but questionable.
    pub warnings: Vec<String>,
}

/// How to reboot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RebootMode {
    /// The quickest orderly way.
    #[default]
    Default,
    /// Orderly, through the firmware.
    PowerCycle,
    /// Without an orderly stop.
    Force,
}

/// What a reset wipes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reset {
    /// Drain and leave the cluster first.
    pub graceful: bool,
    /// Reboot afterwards, else power off.
    pub reboot: bool,
    /// Labels of the system partitions to wipe; empty means all.
    pub system_partitions: Vec<String>,
    /// User disks to wipe.
    pub user_disks: Vec<String>,
}

/// How to bootstrap etcd.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bootstrap {
    /// From an uploaded snapshot.
    pub recover: bool,
    /// Without checking the snapshot's hash.
    pub skip_hash_check: bool,
}

/// What to do with a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceAction {
    /// Start it.
    Start,
    /// Stop it, and what depends on it.
    Stop,
    /// Stop and start it.
    Restart,
}

/// What kind of refusal or failure it is; each has one fitting answer on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The request itself is wrong.
    InvalidArgument,
    /// The node is not in a state for it.
    FailedPrecondition,
    /// What is asked for is there already.
    AlreadyExists,
    /// There is no such thing.
    NotFound,
    /// This node does not do that.
    Unimplemented,
    /// The caller may not.
    PermissionDenied,
    /// The node is going down.
    Unavailable,
    /// It failed.
    Internal,
}

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CommandError {
    /// What kind of refusal it is.
    pub refusal: Refusal,
    /// What, where, why, and what to do.
    pub message: String,
}

impl CommandError {
    /// A refusal with its text.
    pub fn new(refusal: Refusal, message: impl Into<String>) -> Self {
        Self { refusal, message: message.into() }
    }
}

/// Where the answer to a request goes.
pub type Reply<T> = oneshot::Sender<Result<T, CommandError>>;

/// The id of the sequence that a request started; its events carry the same id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActorId(pub String);

/// A request with the place for its answer.
#[derive(Debug)]
pub enum Command {
    /// Use a new machine configuration.
    ApplyConfiguration(ApplyConfiguration, Reply<Applied>),
    /// Start the first etcd member.
    Bootstrap(Bootstrap, Reply<()>),
    /// Reboot.
    Reboot(RebootMode, Reply<ActorId>),
    /// Power off; `force` leaves out cordon and drain.
    Shutdown {
        /// Leave out cordon and drain.
        force: bool,
        /// Where the answer goes.
        reply: Reply<ActorId>,
    },
    /// Wipe.
    Reset(Reset, Reply<ActorId>),
    /// Start, stop or restart a service.
    Service {
        /// The service's id.
        id: String,
        /// What to do.
        action: ServiceAction,
        /// Where the answer goes: a sentence for the caller.
        reply: Reply<String>,
    },
}

/// The asking side.
#[derive(Clone, Debug)]
pub struct Sender {
    commands: mpsc::Sender<Command>,
}

/// The doing side.
pub type Receiver = mpsc::Receiver<Command>;

/// A connected pair.
#[must_use]
pub fn channel() -> (Sender, Receiver) {
    let (commands, receiver) = mpsc::channel(16);
    (Sender { commands }, receiver)
}

impl Sender {
    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, CommandError> {
        let gone = || CommandError::new(Refusal::Unavailable, "the node is shutting down");
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Use a new machine configuration.
    ///
    /// # Errors
    /// [`CommandError`] with the refusal.
    pub async fn apply_configuration(
        &self,
        request: ApplyConfiguration,
    ) -> Result<Applied, CommandError> {
        self.ask(|reply| Command::ApplyConfiguration(request, reply)).await
    }

    /// Start the first etcd member.
    ///
    /// # Errors
    /// [`CommandError`] with the refusal.
    pub async fn bootstrap(&self, request: Bootstrap) -> Result<(), CommandError> {
        self.ask(|reply| Command::Bootstrap(request, reply)).await
    }

    /// Reboot.
    ///
    /// # Errors
    /// [`CommandError`] with the refusal.
    pub async fn reboot(&self, mode: RebootMode) -> Result<ActorId, CommandError> {
        self.ask(|reply| Command::Reboot(mode, reply)).await
    }

    /// Power off.
    ///
    /// # Errors
    /// [`CommandError`] with the refusal.
    pub async fn shutdown(&self, force: bool) -> Result<ActorId, CommandError> {
        self.ask(|reply| Command::Shutdown { force, reply }).await
    }

    /// Wipe.
    ///
    /// # Errors
    /// [`CommandError`] with the refusal.
    pub async fn reset(&self, request: Reset) -> Result<ActorId, CommandError> {
        self.ask(|reply| Command::Reset(request, reply)).await
    }

    /// Start, stop or restart a service; answers with a sentence for the caller.
    ///
    /// # Errors
    /// [`CommandError`] with the refusal.
    pub async fn service(&self, id: &str, action: ServiceAction) -> Result<String, CommandError> {
        self.ask(|reply| Command::Service { id: id.to_owned(), action, reply }).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_asker_learns_what_became_of_its_request() {
        let (sender, mut receiver) = channel();
        let node = tokio::spawn(async move {
            while let Some(command) = receiver.recv().await {
                match command {
                    Command::Reboot(RebootMode::Force, reply) => {
                        reply.send(Ok(ActorId("a".into()))).unwrap();
                    }
                    Command::Service { reply, .. } => {
                        let refusal = CommandError::new(Refusal::NotFound, "no such service");
                        reply.send(Err(refusal)).unwrap();
                    }
                    // Dropping the reply is how a dying node answers.
                    other => drop(other),
                }
            }
        });
        assert_eq!(sender.reboot(RebootMode::Force).await, Ok(ActorId("a".into())));
        let refused = sender.service("x", ServiceAction::Stop).await.unwrap_err();
        assert_eq!(refused.refusal, Refusal::NotFound);
        let unanswered = sender.shutdown(false).await.unwrap_err();
        assert_eq!(unanswered.refusal, Refusal::Unavailable);
        drop(sender);
        node.await.unwrap();
    }
}
