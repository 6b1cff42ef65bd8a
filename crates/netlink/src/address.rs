//! Addresses as the kernel reports them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use futures::TryStreamExt as _;
use resource::enums::{AddressFlags, Family, Scope};
use resource::network::AddressStatusSpec;
use resource::types::{NetIp, NetIpPrefix};
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};

use crate::{Link, Netlink, NetlinkError};

/// An address of a link.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Address {
    /// Everything about it.
    pub status: AddressStatusSpec,
}

impl Address {
    /// The id of its resource: the link and the prefix.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}", self.status.link_name, self.status.address)
    }
}

impl Netlink {
    /// All addresses of the namespace; `links` gives their links' names.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub async fn addresses(&self, links: &[Link]) -> Result<Vec<Address>, NetlinkError> {
        let source = |source| NetlinkError::Read { what: "addresses", source };
        let names: BTreeMap<u32, &str> =
            links.iter().map(|link| (link.status.index, link.name.as_str())).collect();
        let messages: Vec<AddressMessage> =
            self.handle.address().get().execute().try_collect().await.map_err(source)?;
        // An address whose link came after the links were read is found next time.
        Ok(messages.iter().filter_map(|message| read(message, &names)).collect())
    }
}

fn read(message: &AddressMessage, names: &BTreeMap<u32, &str>) -> Option<Address> {
    let mut status = AddressStatusSpec {
        link_index: message.header.index,
        link_name: (*names.get(&message.header.index)?).to_owned(),
        family: match message.header.family {
            AddressFamily::Inet => Family::INET4,
            AddressFamily::Inet6 => Family::INET6,
            _ => return None,
        },
        scope: Scope(i32::from(u8::from(message.header.scope))),
        flags: AddressFlags(u32::from(message.header.flags.bits())),
        ..AddressStatusSpec::default()
    };
    let (mut address, mut local) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Address(ip) => address = Some(*ip),
            AddressAttribute::Local(ip) => local = Some(*ip),
            AddressAttribute::Broadcast(ip) => status.broadcast = NetIp::from(*ip),
            AddressAttribute::Anycast(ip) => status.anycast = IpAddr::from(*ip).into(),
            AddressAttribute::Multicast(ip) => status.multicast = IpAddr::from(*ip).into(),
            AddressAttribute::Flags(flags) => status.flags = AddressFlags(flags.bits()),
            AddressAttribute::RoutePriority(priority) => status.priority = *priority,
            _ => {}
        }
    }
    // On a point-to-point link, the kernel's "address" is the other end and "local" is ours.
    let own = local.or(address)?;
    status.address = NetIpPrefix::new(own, message.header.prefix_len)?;
    status.local = NetIp(local);
    Some(Address { status })
}
