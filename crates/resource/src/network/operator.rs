//! Network (DHCP and VIP operators): specs of the contract, field by field.
#![allow(missing_docs)] // The fields are the contract's; each spec says what it is.

use crate::enums::{ClientIdentifier, ConfigLayer, Operator};
use crate::types::NetIp;
use crate::{Message, Spec};

/// Wanted DHCP4/DHCP6/VIP operator.
#[derive(Clone, Debug, Default, PartialEq, Spec)]
#[spec(type = "OperatorSpecs.net.talos.dev", namespace = "network", sensitive)]
pub struct OperatorSpecSpec {
    #[field(1)]
    pub operator: Operator,
    #[field(2, yaml = "linkName")]
    pub link_name: String,
    #[field(3, yaml = "requireUp")]
    pub require_up: bool,
    #[field(4, omit)]
    pub dhcp4: Option<DHCP4OperatorSpec>,
    #[field(5, omit)]
    pub dhcp6: Option<DHCP6OperatorSpec>,
    #[field(6, omit)]
    pub vip: Option<VIPOperatorSpec>,
    #[field(7)]
    pub layer: ConfigLayer,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct ClientIdentifierSpec {
    #[field(1, yaml = "clientIdentifier")]
    pub client_identifier: ClientIdentifier,
    #[field(2, yaml = "duidRawHex", omit)]
    pub duid_raw_hex: String,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct DHCP4OperatorSpec {
    #[field(1, yaml = "routeMetric")]
    pub route_metric: u32,
    #[field(2, yaml = "skipHostnameRequest", omit)]
    pub skip_hostname_request: bool,
    #[field(3, yaml = "clientIdentifier", omit)]
    pub client_identifier: Option<ClientIdentifierSpec>,
    #[field(4, yaml = "skipRoutes", omit)]
    pub skip_routes: bool,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct DHCP6OperatorSpec {
    #[field(2, yaml = "routeMetric")]
    pub route_metric: u32,
    #[field(3, yaml = "skipHostnameRequest", omit)]
    pub skip_hostname_request: bool,
    #[field(4, yaml = "clientIdentifier", omit)]
    pub client_identifier: Option<ClientIdentifierSpec>,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct VIPEquinixMetalSpec {
    #[field(1, yaml = "projectID")]
    pub project_id: String,
    #[field(2, yaml = "deviceID")]
    pub device_id: String,
    #[field(3, yaml = "apiToken")]
    pub api_token: String,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct VIPHCloudSpec {
    #[field(1, yaml = "deviceID")]
    pub device_id: i64,
    #[field(2, yaml = "networkID")]
    pub network_id: i64,
    #[field(3, yaml = "apiToken")]
    pub api_token: String,
}

/// Part of other specs of this package.
#[derive(Clone, Debug, Default, PartialEq, Message)]
pub struct VIPOperatorSpec {
    #[field(1)]
    pub ip: NetIp,
    #[field(2, yaml = "gratuitousARP")]
    pub gratuitous_arp: bool,
    #[field(3, yaml = "equinixMetal", omit)]
    pub equinix_metal: Option<VIPEquinixMetalSpec>,
    #[field(4, omit)]
    pub hcloud: Option<VIPHCloudSpec>,
}
