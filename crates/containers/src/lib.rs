//! Containers through containerd and the Container Runtime Interface.
//!
//! [`Containerd`] speaks containerd's own API within one namespace: images, snapshots, containers and their tasks. [`Cri`]
//! speaks the interface that the kubelet uses and sees pods. [`specification`] builds the runtime specification of a container.
//!
//! Must never decide what runs on a node: callers say what, this crate makes it so.
//!
//! Start reading at [`Containerd`].

mod connection;
mod containerd;
mod content;
mod cri;
mod durable;
mod image;
pub mod specification;
mod task;

pub use connection::ContainersError;
pub use containerd::Containerd;
pub use cri::{Cri, PodSandbox, RunningContainer, Usage};
pub use durable::durable_unpacking;
pub use image::{Image, Pull};
pub use task::{Container, Exit, Output, Task, TaskState};
