//! Network (Ethernet settings): specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use std::collections::BTreeMap;

use crate::enums::{Duplex, Port, WOLMode};
use crate::{Message, Spec};

/// Wanted ethtool settings.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "EthernetSpecs.net.talos.dev", namespace = "network")]
pub struct EthernetSpecSpec {
    #[field(1, omit)]
    pub rings: Option<EthernetRingsSpec>,
    #[field(2, omit)]
    pub features: BTreeMap<String, bool>,
    #[field(3, omit)]
    pub channels: Option<EthernetChannelsSpec>,
    #[field(4, yaml = "wakeOnLan", omit)]
    pub wake_on_lan: Vec<WOLMode>,
}

/// Observed ethtool state.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(
    type = "EthernetStatuses.net.talos.dev",
    namespace = "network",
    aliases = ["ethtool"],
    columns = [("Link", "{.linkState}"), ("Speed", "{.speedMbit}")],
)]
pub struct EthernetStatusSpec {
    #[field(1, yaml = "linkState", omit)]
    pub link_state: bool,
    #[field(2, yaml = "speedMbit", omit)]
    pub speed_mbit: i64,
    #[field(3)]
    pub port: Port,
    #[field(4)]
    pub duplex: Duplex,
    #[field(5, yaml = "ourModes", omit)]
    pub our_modes: Vec<String>,
    #[field(6, yaml = "peerModes", omit)]
    pub peer_modes: Vec<String>,
    #[field(7, omit)]
    pub rings: Option<EthernetRingsStatus>,
    #[field(8, omit)]
    pub features: Vec<EthernetFeatureStatus>,
    #[field(9, omit)]
    pub channels: Option<EthernetChannelsStatus>,
    #[field(10, yaml = "wakeOnLAN", omit)]
    pub wake_on_lan: Vec<WOLMode>,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct EthernetChannelsSpec {
    #[field(1, omit)]
    pub rx: u32,
    #[field(2, omit)]
    pub tx: u32,
    #[field(3, omit)]
    pub other: u32,
    #[field(4, omit)]
    pub combined: u32,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct EthernetChannelsStatus {
    #[field(1, yaml = "rx-max", omit)]
    pub rx_max: u32,
    #[field(2, yaml = "tx-max", omit)]
    pub tx_max: u32,
    #[field(3, yaml = "other-max", omit)]
    pub other_max: u32,
    #[field(4, yaml = "combined-max", omit)]
    pub combined_max: u32,
    #[field(5, omit)]
    pub rx: u32,
    #[field(6, omit)]
    pub tx: u32,
    #[field(7, omit)]
    pub other: u32,
    #[field(8, omit)]
    pub combined: u32,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct EthernetFeatureStatus {
    #[field(1)]
    pub name: String,
    #[field(2)]
    pub status: String,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct EthernetRingsSpec {
    #[field(1, omit)]
    pub rx: u32,
    #[field(4, omit)]
    pub tx: u32,
    #[field(2, yaml = "rx-mini", omit)]
    pub rx_mini: u32,
    #[field(3, yaml = "rx-jumbo", omit)]
    pub rx_jumbo: u32,
    #[field(5, yaml = "rx-buf-len", omit)]
    pub rx_buf_len: u32,
    #[field(6, yaml = "cqe-size", omit)]
    pub cqe_size: u32,
    #[field(7, yaml = "tx-push", omit)]
    pub tx_push: bool,
    #[field(8, yaml = "rx-push", omit)]
    pub rx_push: bool,
    #[field(9, yaml = "tx-push-buf-len", omit)]
    pub tx_push_buf_len: u32,
    #[field(10, yaml = "tcp-data-split", omit)]
    pub tcp_data_split: bool,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct EthernetRingsStatus {
    #[field(1, yaml = "rx-max", omit)]
    pub rx_max: u32,
    #[field(2, yaml = "rx-mini-max", omit)]
    pub rx_mini_max: u32,
    #[field(3, yaml = "rx-jumbo-max", omit)]
    pub rx_jumbo_max: u32,
    #[field(4, yaml = "tx-max", omit)]
    pub tx_max: u32,
    #[field(5, yaml = "tx-push-buf-len-max", omit)]
    pub tx_push_buf_len_max: u32,
    #[field(6, omit)]
    pub rx: u32,
    #[field(7, yaml = "rx-mini", omit)]
    pub rx_mini: u32,
    #[field(8, yaml = "rx-jumbo", omit)]
    pub rx_jumbo: u32,
    #[field(9, omit)]
    pub tx: u32,
    #[field(10, yaml = "rx-buf-len", omit)]
    pub rx_buf_len: u32,
    #[field(11, yaml = "cqe-size", omit)]
    pub cqe_size: u32,
    #[field(12, yaml = "tx-push", omit)]
    pub tx_push: bool,
    #[field(13, yaml = "rx-push", omit)]
    pub rx_push: bool,
    #[field(14, yaml = "tx-push-buf-len", omit)]
    pub tx_push_buf_len: u32,
    #[field(15, yaml = "tcp-data-split", omit)]
    pub tcp_data_split: bool,
}
