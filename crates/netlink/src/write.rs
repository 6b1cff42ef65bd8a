//! Changes of links and addresses.

use std::net::IpAddr;

use futures::StreamExt as _;
use network::bond::Setting;
use resource::enums::VLANProtocol;
use resource::network::{AddressSpecSpec, BridgeMasterSpec, LinkSpecSpec};
use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage,
};
use rtnetlink::packet_route::link::{BridgeStpState, LinkFlags, LinkMessage, VlanProtocol};
use rtnetlink::{
    LinkBridge, LinkDummy, LinkMessageBuilder, LinkUnspec, LinkVeth, LinkVlan, LinkVrf,
    LinkWireguard,
};

use crate::{Netlink, NetlinkError, bond};

impl Netlink {
    async fn set(
        &self,
        index: u32,
        action: String,
        change: impl FnOnce(LinkMessageBuilder<LinkUnspec>) -> LinkMessageBuilder<LinkUnspec>,
    ) -> Result<(), NetlinkError> {
        let message = change(LinkUnspec::new_with_index(index)).build();
        let done = self.handle.link().set(message).execute().await;
        done.map_err(|source| NetlinkError::Write { action, source })
    }

    /// Brings a link up or down.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn set_up(&self, index: u32, name: &str, up: bool) -> Result<(), NetlinkError> {
        let action = format!("bring link {name} {}", if up { "up" } else { "down" });
        self.set(index, action, |link| if up { link.up() } else { link.down() }).await
    }

    /// Sets a link's MTU.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn set_mtu(&self, index: u32, name: &str, mtu: u32) -> Result<(), NetlinkError> {
        let action = format!("set the MTU of link {name} to {mtu}");
        self.set(index, action, |link| link.mtu(mtu)).await
    }

    /// Sets a link's hardware address.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn set_hardware_address(
        &self,
        index: u32,
        name: &str,
        address: &[u8],
    ) -> Result<(), NetlinkError> {
        let action = format!("set the hardware address of link {name}");
        self.set(index, action, |link| link.address(address.to_vec())).await
    }

    /// Puts a link under a bridge, bond or VRF; index 0 takes it out.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn set_master(
        &self,
        index: u32,
        name: &str,
        master: u32,
    ) -> Result<(), NetlinkError> {
        let action = format!("put link {name} under link {master}");
        self.set(index, action, |link| link.controller(master)).await
    }

    /// Switches multicast on or off.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn set_multicast(
        &self,
        index: u32,
        name: &str,
        on: bool,
    ) -> Result<(), NetlinkError> {
        let action = format!("set multicast of link {name} to {on}");
        self.set(index, action, |link| link.multicast(on)).await
    }

    /// Changes settings of a bond, which for some of them must be down and without links.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn set_bond(
        &self,
        index: u32,
        name: &str,
        changes: &[Setting],
    ) -> Result<(), NetlinkError> {
        let action = format!("change the settings of bond {name}");
        self.change(action, bond::change(index, name, changes)).await
    }

    /// Switches a bridge's spanning tree protocol and its VLANs on or off, each where it is given.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn set_bridge(
        &self,
        index: u32,
        name: &str,
        bridge: &BridgeMasterSpec,
    ) -> Result<(), NetlinkError> {
        let action = format!("change the settings of bridge {name}");
        let mut link = LinkBridge::new(name).index(index);
        if let Some(stp) = &bridge.stp {
            let on = if stp.enabled { BridgeStpState::KernelStp } else { BridgeStpState::Disabled };
            link = link.stp_state(on);
        }
        if let Some(vlan) = &bridge.vlan {
            link = link.vlan_filtering(vlan.filtering_enabled);
        }
        self.change(action, link.build()).await
    }

    /// Changes what only links of one kind have: the kernel takes that as a new link whose name is there already.
    async fn change(&self, action: String, mut message: LinkMessage) -> Result<(), NetlinkError> {
        // A new link comes up; one that is there stays as it is.
        message.header.flags = LinkFlags::empty();
        message.header.change_mask = LinkFlags::empty();
        let mut request = NetlinkMessage::from(RouteNetlinkMessage::NewLink(message));
        request.header.flags = NLM_F_REQUEST | NLM_F_ACK;
        let failed = |source| NetlinkError::Write { action: action.clone(), source };
        let mut answers = self.handle.clone().request(request).map_err(failed)?;
        while let Some(answer) = answers.next().await {
            if let NetlinkPayload::Error(error) = answer.payload
                && error.code.is_some()
            {
                return Err(failed(rtnetlink::Error::NetlinkError(error)));
            }
        }
        Ok(())
    }

    /// Makes a logical link; `parent` is the index of the link it lies on, where it has one.
    ///
    /// # Errors
    /// When the kind is not known, or the kernel refuses.
    pub async fn create_link(
        &self,
        spec: &LinkSpecSpec,
        parent: Option<u32>,
    ) -> Result<(), NetlinkError> {
        let action = || format!("make link {} of kind {}", spec.name, spec.kind);
        let wrong = |reason| NetlinkError::Spec { action: action(), reason };
        let message = match spec.kind.as_str() {
            "dummy" => LinkDummy::new(&spec.name).build(),
            "bridge" => LinkBridge::new(&spec.name).build(),
            "bond" => bond::message(spec),
            "wireguard" => LinkWireguard::new(&spec.name).build(),
            "vlan" => {
                let vlan = spec.vlan.as_ref().ok_or_else(|| wrong("it has no VLAN settings"))?;
                let parent = parent.ok_or_else(|| wrong("its parent link does not exist"))?;
                let id = u16::try_from(vlan.vlan_id).map_err(|_| wrong("its VLAN id is wrong"))?;
                let protocol = if vlan.vlan_protocol == VLANProtocol::DOT1AD {
                    VlanProtocol::Ieee8021Ad
                } else {
                    VlanProtocol::Ieee8021Q
                };
                LinkVlan::new(&spec.name, parent, id).protocol(protocol).build()
            }
            "veth" => {
                let veth = spec.veth.as_ref().ok_or_else(|| wrong("it has no peer"))?;
                LinkVeth::new(&spec.name, &veth.peer_name).build()
            }
            "vrf" => {
                let vrf = spec.vrf_master.as_ref().ok_or_else(|| wrong("it has no table"))?;
                let table = u32::try_from(vrf.table.0).map_err(|_| wrong("its table is wrong"))?;
                LinkVrf::new(&spec.name, table).build()
            }
            _ => return Err(wrong("no such kind of link can be made")),
        };
        let done = self.handle.link().add(message).execute().await;
        done.map_err(|source| NetlinkError::Write { action: action(), source })
    }

    /// Removes a logical link.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn delete_link(&self, index: u32, name: &str) -> Result<(), NetlinkError> {
        let done = self.handle.link().del(index).execute().await;
        done.map_err(|source| NetlinkError::Write { action: format!("remove link {name}"), source })
    }

    /// Adds an address to a link, or replaces its settings.
    ///
    /// # Errors
    /// When the spec has no address, or the kernel refuses.
    pub async fn add_address(
        &self,
        index: u32,
        spec: &AddressSpecSpec,
    ) -> Result<(), NetlinkError> {
        let action = || format!("add address {} to link {}", spec.address, spec.link_name);
        let message = address(index, spec)
            .ok_or_else(|| NetlinkError::Spec { action: action(), reason: "it is no address" })?;
        let (ip, bits) = spec.address.0.unwrap_or((IpAddr::from([0, 0, 0, 0]), 0));
        let mut request = self.handle.address().add(index, ip, bits).replace();
        *request.message_mut() = message;
        request.execute().await.map_err(|source| NetlinkError::Write { action: action(), source })
    }

    /// Removes an address from a link.
    ///
    /// # Errors
    /// When the spec has no address, or the kernel refuses.
    pub async fn delete_address(
        &self,
        index: u32,
        spec: &AddressSpecSpec,
    ) -> Result<(), NetlinkError> {
        let action = || format!("remove address {} from link {}", spec.address, spec.link_name);
        let message = address(index, spec)
            .ok_or_else(|| NetlinkError::Spec { action: action(), reason: "it is no address" })?;
        let done = self.handle.address().del(message).execute().await;
        done.map_err(|source| NetlinkError::Write { action: action(), source })
    }
}

fn address(index: u32, spec: &AddressSpecSpec) -> Option<AddressMessage> {
    let (ip, bits) = spec.address.0?;
    let mut message = AddressMessage::default();
    message.header.index = index;
    message.header.prefix_len = bits;
    message.header.scope = u8::try_from(spec.scope.0).ok()?.into();
    message.header.family = if ip.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    message.header.flags =
        AddressHeaderFlags::from_bits_retain(u8::try_from(spec.flags.0 & 0xff).ok()?);
    message.attributes.push(AddressAttribute::Flags(AddressFlags::from_bits_retain(spec.flags.0)));
    message.attributes.push(AddressAttribute::Address(ip));
    message.attributes.push(AddressAttribute::Local(ip));
    if let (IpAddr::V4(ip), true) = (ip, bits < 31) {
        let hosts = u32::MAX >> bits;
        let broadcast = std::net::Ipv4Addr::from_bits(ip.to_bits() | hosts);
        message.attributes.push(AddressAttribute::Broadcast(broadcast));
    }
    if spec.priority != 0 {
        message.attributes.push(AddressAttribute::RoutePriority(spec.priority));
    }
    Some(message)
}
