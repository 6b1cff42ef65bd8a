//! The resource model: metadata, typed specs, both wire encodings.
//!
//! A spec is one struct; its derive gives the protobuf form (the contract's field numbers) and
//! the YAML form (the contract's keys). Nothing here does I/O, reads a clock or knows a
//! controller. Start reading at [`Message`], then [`Resource`], then any package module.
#![forbid(unsafe_code)]

extern crate self as resource;

mod definition;
mod erased;
mod field;
mod message;
mod metadata;
mod registry;
mod wire;

pub mod block;
pub mod cluster;
pub mod config;
pub mod containers;
pub mod cri;
pub mod enums;
pub mod etcd;
pub mod files;
pub mod hardware;
pub mod ichor;
pub mod k8s;
pub mod kubeaccess;
pub mod kubespan;
pub mod meta;
pub mod network;
pub mod perf;
pub mod proto;
pub mod runtime;
pub mod secrets;
pub mod security;
pub mod siderolink;
pub mod storage;
pub mod time;
pub mod types;
pub mod v1alpha1;

pub use definition::{Column, Decode, Definition};
pub use erased::{AnyResource, AnySpec, Resource, Shared};
pub use field::{Element, Field};
pub use message::{
    Message, Spec, decode, decode_erased, encode_nested, encode_to_vec, merge_nested,
};
pub use metadata::{Finalizers, Labels, Metadata, Name, Phase, Timestamp};
pub use registry::{DEFINITIONS, EXTENSIONS, definition};
pub use resource_derive::{Message, Spec};
pub use wire::{DecodeError, Reader, Wire};
pub use yaml;
