//! A client of etcd: its members, its health, its snapshots, and single keys, over mutual TLS.
//!
//! Must never keep cluster state of its own or decide about membership: callers do, this crate carries it out.
//!
//! Start reading at [`Client`].

mod client;
mod cluster;
mod keys;
mod maintenance;
mod tls;

pub use client::{Client, Endpoint, EtcdError};
pub use cluster::Member;
pub use keys::Lease;
pub use maintenance::{Alarm, Snapshot, Status};
pub use tls::{Credentials, CredentialsError};
