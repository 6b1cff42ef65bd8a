//! etcd: specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use std::collections::BTreeMap;

use crate::types::NetIp;
use crate::{Message, Spec};

/// Etcd part of the machine config; ids: `etcd`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "EtcdConfigs.etcd.talos.dev",
    namespace = "etcd",
    columns = [("Image", "{.image}")],
)]
pub struct ConfigSpec {
    #[field(1, yaml = "advertiseValidSubnets", omit)]
    pub advertise_valid_subnets: Vec<String>,
    #[field(2, yaml = "advertiseExcludeSubnets")]
    pub advertise_exclude_subnets: Vec<String>,
    #[field(5, yaml = "listenValidSubnets", omit)]
    pub listen_valid_subnets: Vec<String>,
    #[field(6, yaml = "listenExcludeSubnets")]
    pub listen_exclude_subnets: Vec<String>,
    #[field(3)]
    pub image: String,
    #[field(7, yaml = "extraArgs")]
    pub extra_args: BTreeMap<String, ArgValues>,
}

/// Etcd certificates are on disk (version); ids: `etcd`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "PKIStatuses.etcd.talos.dev",
    namespace = "etcd",
    columns = [("Ready", "{.ready}"), ("Secrets Version", "{.version}")],
)]
pub struct PKIStatusSpec {
    #[field(1)]
    pub ready: bool,
    #[field(2)]
    pub version: String,
}

/// Resolved etcd run parameters; ids: `etcd`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "EtcdSpecs.etcd.talos.dev",
    namespace = "etcd",
    columns = [("Name", "{.name}"), ("AdvertisedAddresses", "{.advertisedAddresses}"), ("ListenPeerAddresses", "{.listenPeerAddresses}"), ("ListenClientAddresses", "{.listenClientAddresses}")],
)]
pub struct SpecSpec {
    #[field(1)]
    pub name: String,
    #[field(2, yaml = "advertisedAddresses")]
    pub advertised_addresses: Vec<NetIp>,
    #[field(5, yaml = "listenPeerAddresses")]
    pub listen_peer_addresses: Vec<NetIp>,
    #[field(6, yaml = "listenClientAddresses")]
    pub listen_client_addresses: Vec<NetIp>,
    #[field(3)]
    pub image: String,
    #[field(7, yaml = "extraArgs")]
    pub extra_args: BTreeMap<String, ArgValues>,
}

/// Own etcd member id; ids: `local`.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "EtcdMembers.etcd.talos.dev",
    namespace = "etcd",
    columns = [("Member ID", "{.memberID}")],
)]
pub struct MemberSpec {
    #[field(1, yaml = "memberID")]
    pub member_id: String,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct ArgValues {
    #[field(1)]
    pub values: Vec<String>,
}
