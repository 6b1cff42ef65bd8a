//! Wire types of every protocol that Ichor speaks over gRPC, generated from `proto/`.
//!
//! Nothing here connects, listens or decides: the crates above dial and serve. The definitions of the machine
//! contract are Ichor's own; those below `proto/vendor` belong to the projects named in its NOTICE.
//! Start reading at `proto/machine/machine.proto` and `proto/cosi/state.proto`.

pub mod version;

/// Everything generated for one protocol family, below one module.
macro_rules! family {
    ($feature:literal) => {
        #[allow(
            missing_docs,
            dead_code,
            unreachable_pub,
            unused_qualifications,
            rustdoc::all,
            clippy::all,
            clippy::pedantic,
            clippy::unwrap_used,
            clippy::cast_possible_truncation,
            clippy::cast_possible_wrap,
            clippy::cast_sign_loss
        )]
        mod generated {
            include!(concat!(env!("OUT_DIR"), "/", $feature, "/mod.rs"));
        }
    };
}

#[cfg(feature = "node")]
mod node {
    family!("node");
    pub use generated::*;
}

/// The definitions of the machine contract as an encoded `google.protobuf.FileDescriptorSet`.
#[cfg(feature = "node")]
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/node/descriptors.bin"));

#[cfg(feature = "node")]
pub use node::{cluster, common, cosi, google, inspect, machine, securityapi, storage, time};

/// containerd's API: `services::<name>::v1`, `types`, `events`.
#[cfg(feature = "containerd")]
pub mod containerd {
    family!("containerd");
    pub use generated::containerd::*;
}

/// The Container Runtime Interface: messages, `runtime_service_client`, `image_service_client`.
#[cfg(feature = "cri")]
pub mod cri {
    family!("cri");
    pub use generated::runtime::v1::*;
}

/// etcd's API: `etcdserverpb` (services and requests), `mvccpb` (keys), `authpb`.
#[cfg(feature = "etcd")]
pub mod etcd {
    family!("etcd");
    pub use generated::{authpb, etcdserverpb, mvccpb};
}
