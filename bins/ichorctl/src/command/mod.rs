//! One module for each command.

pub(crate) mod apply;
pub(crate) mod bootstrap;
pub(crate) mod browse;
pub(crate) mod cluster;
pub(crate) mod completion;
pub(crate) mod config;
pub(crate) mod containers;
pub(crate) mod dashboard;
pub(crate) mod etcd;
pub(crate) mod events;
pub(crate) mod generate;
pub(crate) mod get;
pub(crate) mod health;
pub(crate) mod inject;
pub(crate) mod inspect;
pub(crate) mod kubeconfig;
pub(crate) mod logs;
pub(crate) mod machineconfig;
pub(crate) mod patch;
pub(crate) mod patches;
pub(crate) mod power;
pub(crate) mod service;
pub(crate) mod time;
pub(crate) mod usage;
pub(crate) mod validate;
pub(crate) mod version;
