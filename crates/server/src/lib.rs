//! The API of a node: apid and trustd at its border, the machine API and the resource state behind them.
//!
//! apid terminates mutual TLS, reads roles from certificates and passes calls on, to this node or another one,
//! without looking into them. The machine API answers on a unix socket. Nothing here acts on the node by itself:
//! requests go to [`runtime::command`], everything else is read.
//! Start reading at [`apid`] (from outside inwards) and [`method`] (what may be called by whom).

pub mod apid;
mod cause;
mod etcd;
pub mod feed;
pub mod frame;
mod grpc;
pub mod health;
mod inspect;
pub mod machine;
pub mod method;
pub mod procfs;
pub mod role;
pub mod state;
mod tcp;
mod time;
pub mod tls;
pub mod trustd;
