//! Links as the kernel reports them.

use futures::TryStreamExt as _;
use resource::enums::{LinkFlags, LinkType, OperationalState, RoutingTable, VLANProtocol};
use resource::network::{
    BridgeMasterSpec, BridgeVLANSpec, LinkStatusSpec, STPSpec, VLANSpec, VRFMasterSpec, VethSpec,
};
use resource::types::HardwareAddr;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::link::{
    BridgeStpState, InfoBridge, InfoData, InfoVlan, InfoVrf, LinkAttribute, LinkInfo, LinkMessage,
    Prop,
};

use crate::{Netlink, NetlinkError, bond, wireguard};

/// A link.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// Everything else.
    pub status: LinkStatusSpec,
}

impl Netlink {
    /// All links of the namespace, by index.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn links(&self) -> Result<Vec<Link>, NetlinkError> {
        let source = |source| NetlinkError::Read { what: "links", source };
        let messages: Vec<LinkMessage> =
            self.handle.link().get().execute().try_collect().await.map_err(source)?;
        let mut links: Vec<Link> = messages
            .into_iter()
            .filter(|message| message.header.interface_family == AddressFamily::Unspec)
            .map(read)
            .collect();
        links.sort_by_key(|link| link.status.index);
        name_peers(&mut links);
        for link in links.iter_mut().filter(|link| &*link.status.kind == "wireguard") {
            let found = self.wireguard(link.status.index).await?;
            link.status.details.wireguard = Some(Box::new(wireguard::public(found)));
        }
        Ok(links)
    }
}

/// The kernel tells the index of a pair's other end, which may be in another namespace.
fn name_peers(links: &mut [Link]) {
    let ends = links.iter().filter(|link| &*link.status.kind == "veth");
    let ends: Vec<(u32, u32, String)> =
        ends.map(|link| (link.status.index, link.status.link_index, link.name.clone())).collect();
    for link in links.iter_mut().filter(|link| &*link.status.kind == "veth") {
        let both = (link.status.link_index, link.status.index);
        let peer = ends.iter().find(|(index, other, _)| (*index, *other) == both);
        link.status.details.veth = peer.map(|(_, _, name)| VethSpec { peer_name: name.clone() });
    }
}

fn read(message: LinkMessage) -> Link {
    let mut link = Link::default();
    let status = &mut link.status;
    status.index = message.header.index;
    status.r#type = LinkType(i32::from(u16::from(message.header.link_layer_type)));
    status.flags = LinkFlags(message.header.flags.bits());
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::IfAlias(alias) => status.names.alias = alias,
            LinkAttribute::Address(bytes) => status.hardware_addr = HardwareAddr::from(bytes),
            LinkAttribute::Broadcast(bytes) => status.broadcast_addr = HardwareAddr::from(bytes),
            LinkAttribute::PermAddress(bytes) => status.permanent_addr = HardwareAddr::from(bytes),
            LinkAttribute::Mtu(mtu) => status.mtu = mtu,
            LinkAttribute::Link(index) => status.link_index = index,
            LinkAttribute::Controller(index) => status.master_index = index,
            LinkAttribute::Qdisc(name) => status.queue_disc = name.into(),
            LinkAttribute::OperState(state) => {
                status.operational_state = OperationalState(i32::from(u8::from(state)));
            }
            LinkAttribute::PropList(properties) => {
                status.names.alt_names = properties
                    .into_iter()
                    .filter_map(|property| match property {
                        Prop::AltIfName(name) => Some(name),
                        _ => None,
                    })
                    .collect();
            }
            LinkAttribute::LinkInfo(infos) => infos.into_iter().for_each(|i| info(status, i)),
            _ => {}
        }
    }
    if status.permanent_addr.0.is_empty() {
        status.permanent_addr = status.hardware_addr.clone();
    }
    // The carrier of a link that is up. The flag "running" and the operational state follow it up to a second later,
    // since the kernel collects such changes (net/core/link_watch.c).
    status.link_state = status.flags.contains(LinkFlags::LOWER_UP);
    link
}

fn info(status: &mut LinkStatusSpec, info: LinkInfo) {
    match info {
        LinkInfo::Kind(kind) => status.kind = kind.to_string().into(),
        LinkInfo::PortKind(kind) => status.device.slave_kind = kind.to_string(),
        LinkInfo::Data(InfoData::Vlan(data)) => {
            let vlan: &mut VLANSpec = status.details.vlan.get_or_insert_default();
            for item in data {
                match item {
                    InfoVlan::Id(id) => vlan.vlan_id = u32::from(id),
                    InfoVlan::Protocol(protocol) => {
                        vlan.vlan_protocol = VLANProtocol(i32::from(u16::from(protocol)));
                    }
                    _ => {}
                }
            }
        }
        LinkInfo::Data(InfoData::Bond(data)) => {
            status.details.bond_master = Some(Box::new(bond::read(data)));
        }
        LinkInfo::Data(InfoData::Vrf(data)) => {
            for item in data {
                if let InfoVrf::TableId(id) = item {
                    let table = RoutingTable(i32::try_from(id).unwrap_or(0));
                    status.details.vrf_master = Some(VRFMasterSpec { table });
                }
            }
        }
        LinkInfo::Data(InfoData::Bridge(data)) => {
            let bridge: &mut BridgeMasterSpec =
                status.details.bridge_master.get_or_insert_default();
            for item in data {
                match item {
                    InfoBridge::StpState(state) => {
                        let enabled = state != BridgeStpState::Disabled;
                        bridge.stp = Some(STPSpec { enabled });
                    }
                    InfoBridge::VlanFiltering(on) => {
                        bridge.vlan = Some(BridgeVLANSpec { filtering_enabled: on });
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
}
