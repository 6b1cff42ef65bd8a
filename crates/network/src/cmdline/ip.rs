//! `ip=`: one link's addressing.
//!
//! Either `<link>:<way>[:<mtu>[:<hardware address>]]`, or
//! `<address>:<server>:<gateway>:<mask>:<host name>:<link>:<way>:<dns0>:<dns1>:<ntp0>:<ntp1>`, where everything but the
//! address may be left out and IPv6 addresses stand in brackets; the mask may follow the address behind a slash too.
//! A bare way, such as `ip=dhcp`, means nothing here: every link asks anyway when nobody says otherwise.

use std::net::IpAddr;

use resource::enums::{
    AddressFlags, ClientIdentifier, Family, Operator, RouteProtocol, RouteType, RoutingTable, Scope,
};
use resource::network::{
    AddressSpecSpec, ClientIdentifierSpec, DHCP4OperatorSpec, DHCP6OperatorSpec, OperatorSpecSpec,
    ResolverSpecSpec, RouteSpecSpec, TimeServerSpecSpec,
};
use resource::types::{HardwareAddr, NetIp, NetIpPrefix};

use super::{Cmdline, LAYER, hostname, link_name, mtu};
use crate::operator::METRIC;

/// How many fields the long form has.
const FIELDS: usize = 11;

/// How a link gets its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Way {
    dhcp4: bool,
    dhcp6: bool,
}

impl Way {
    const STATIC: Self = Self { dhcp4: false, dhcp6: false };

    fn parse(text: &str) -> Option<Self> {
        let (dhcp4, dhcp6) = match text {
            "off" | "none" | "static" => (false, false),
            "dhcp" | "on" | "single-dhcp" => (true, false),
            "dhcp6" => (false, true),
            "any" | "both" | "either6" => (true, true),
            // What routers advertise, the kernel takes without being told.
            "auto6" | "link6" => (false, false),
            _ => return None,
        };
        Some(Self { dhcp4, dhcp6 })
    }
}

/// The fields of a value: colons inside of brackets do not count, and the brackets go.
fn fields(value: &str) -> Result<Vec<&str>, &'static str> {
    let mut found = Vec::new();
    let mut rest = value;
    loop {
        if let Some(inside) = rest.strip_prefix('[') {
            let (field, after) = inside.split_once(']').ok_or("a bracket is not closed")?;
            found.push(field);
            match after.strip_prefix(':') {
                Some(after) => rest = after,
                None if after.is_empty() => return Ok(found),
                None => return Err("something stands behind a bracket"),
            }
        } else if let Some((field, after)) = rest.split_once(':') {
            found.push(field);
            rest = after;
        } else {
            found.push(rest);
            return Ok(found);
        }
    }
}

/// The fields of the long form; what is missing is empty.
#[derive(Default)]
struct Long<'a> {
    address: Option<IpAddr>,
    bits: u8,
    gateway: Option<IpAddr>,
    hostname: &'a str,
    link: &'a str,
    way: Option<Way>,
    resolvers: Vec<IpAddr>,
    time_servers: Vec<&'a str>,
}

impl<'a> Long<'a> {
    fn parse(fields: &[&'a str]) -> Result<Self, &'static str> {
        let field = |at: usize| fields.get(at).copied().unwrap_or_default();
        let address = |text: &str, reason| {
            let parsed: Option<IpAddr> = text.parse().ok();
            if text.is_empty() { Ok(None) } else { parsed.map(Some).ok_or(reason) }
        };
        if fields.len() > FIELDS {
            return Err("there are more than 11 fields; IPv6 addresses stand in brackets");
        }
        let (own, mask) = match (field(0).split_once('/'), field(3)) {
            (None, mask) => (field(0), mask),
            (Some(both), "") => both,
            (Some(_), _) => return Err("the netmask stands twice"),
        };
        // The server is for a root file system on the network; a node has its own.
        address(field(1), "the server is no address")?;
        let mut long = Self {
            address: address(own, "the address is none")?,
            gateway: address(field(2), "the gateway is no address")?,
            hostname: field(4),
            link: field(5),
            ..Self::default()
        };
        if !field(6).is_empty() {
            let way = Way::parse(field(6));
            long.way = Some(way.ok_or("there is no such way to get an address")?);
        }
        for at in [7, 8] {
            long.resolvers.extend(address(field(at), "a name server is no address")?);
        }
        long.time_servers = [field(9), field(10)].into_iter().filter(|f| !f.is_empty()).collect();
        if let Some(address) = long.address {
            if !is_host(address) {
                return Err("no machine can have this address");
            }
            long.bits = bits(address, mask).ok_or("the netmask is none")?;
            if long.gateway.is_some_and(|gateway| gateway.is_ipv4() != address.is_ipv4()) {
                return Err("the gateway is of another family");
            }
        }
        Ok(long)
    }
}

fn is_host(address: IpAddr) -> bool {
    !(address.is_unspecified()
        || address.is_loopback()
        || address.is_multicast()
        || address == IpAddr::from([255; 4]))
}

/// The length of the prefix, as a number or a mask; without one, that of the address's class, or the address alone.
fn bits(address: IpAddr, mask: &str) -> Option<u8> {
    match (address, mask.parse::<IpAddr>()) {
        (IpAddr::V4(own), _) if mask.is_empty() => Some(crate::dhcp::class(own)),
        (IpAddr::V6(_), _) if mask.is_empty() => Some(128),
        (IpAddr::V4(_), Ok(IpAddr::V4(mask))) => crate::dhcp::mask(&mask.octets()),
        (IpAddr::V6(_), Ok(IpAddr::V6(mask))) => {
            let ones = mask.to_bits().leading_ones();
            let is_whole = mask.to_bits().count_ones() == ones;
            u8::try_from(ones).ok().filter(|_| is_whole)
        }
        (_, Ok(_)) => None,
        (IpAddr::V4(_), Err(_)) => mask.parse().ok().filter(|bits| (1..=32).contains(bits)),
        (IpAddr::V6(_), Err(_)) => mask.parse().ok().filter(|bits| *bits <= 128),
    }
}

impl Cmdline {
    pub(super) fn ip(&mut self, value: &str, first: Option<&str>) -> Result<(), &'static str> {
        if value.is_empty() || Way::parse(value).is_some() {
            return Ok(());
        }
        let fields = fields(value)?;
        let [head, rest @ ..] = fields.as_slice() else { return Ok(()) };
        let own = head.split_once('/').map_or(*head, |(address, _)| address);
        if head.is_empty() || own.parse::<IpAddr>().is_ok() {
            return self.long(&Long::parse(&fields)?, first);
        }
        let [way, rest @ ..] = rest else {
            return Err("it is neither an address nor a link with a way to get one");
        };
        let name = link_name(head)?;
        let way = Way::parse(way).ok_or("there is no such way to get an address")?;
        let mtu = rest.first().filter(|mtu| !mtu.is_empty()).map(|text| mtu(text)).transpose()?;
        let hardware = match rest.get(1..).unwrap_or_default() {
            [] => None,
            octets => Some(hardware(octets).ok_or("it has a wrong hardware address")?),
        };
        if let Some(link) = self.link(name) {
            link.mtu = mtu.unwrap_or(link.mtu);
            link.hardware_addr = hardware.unwrap_or_else(|| link.hardware_addr.clone());
        }
        self.operate(name, way);
        Ok(())
    }

    fn long(&mut self, long: &Long<'_>, first: Option<&str>) -> Result<(), &'static str> {
        let name = if long.link.is_empty() {
            first.ok_or("it names no link, and there is none yet")?
        } else {
            link_name(long.link)?
        };
        let own_name = match long.hostname {
            "" => None,
            text => Some(hostname(text).ok_or("it is no host name")?),
        };
        if own_name.is_some() {
            self.hostname = own_name;
        }
        self.link(name);
        // As the kernel does: without an address, and without a word about it, the link asks for one.
        let default = Way { dhcp4: long.address.is_none(), ..Way::STATIC };
        self.operate(name, long.way.unwrap_or(default));
        if let Some(address) = long.address {
            self.addresses.push(AddressSpecSpec {
                address: NetIpPrefix(Some((address, long.bits))),
                link_name: name.to_owned(),
                family: family(address),
                scope: Scope::GLOBAL,
                flags: AddressFlags::PERMANENT,
                layer: LAYER,
                ..AddressSpecSpec::default()
            });
        }
        if let Some(gateway) = long.gateway {
            self.routes.push(RouteSpecSpec {
                family: family(gateway),
                gateway: NetIp(Some(gateway)),
                out_link_name: name.to_owned(),
                table: RoutingTable::MAIN,
                priority: METRIC,
                scope: Scope::GLOBAL,
                r#type: RouteType::UNICAST,
                protocol: RouteProtocol::BOOT,
                layer: LAYER,
                ..RouteSpecSpec::default()
            });
        }
        if !long.resolvers.is_empty() {
            let resolvers = self.resolvers.get_or_insert_with(|| ResolverSpecSpec {
                layer: LAYER,
                ..ResolverSpecSpec::default()
            });
            resolvers.dns_servers.extend(long.resolvers.iter().copied().map(NetIp::from));
        }
        if !long.time_servers.is_empty() {
            let servers = self.time_servers.get_or_insert_with(|| TimeServerSpecSpec {
                layer: LAYER,
                ..TimeServerSpecSpec::default()
            });
            servers.time_servers.extend(long.time_servers.iter().map(ToString::to_string));
        }
        Ok(())
    }

    fn operate(&mut self, link: &str, way: Way) {
        let spec = |operator| OperatorSpecSpec {
            operator,
            link_name: link.to_owned(),
            require_up: true,
            layer: LAYER,
            ..OperatorSpecSpec::default()
        };
        let identifier = ClientIdentifierSpec {
            client_identifier: ClientIdentifier::MAC,
            ..ClientIdentifierSpec::default()
        };
        if way.dhcp4 {
            let dhcp4 = Some(DHCP4OperatorSpec {
                route_metric: METRIC,
                client_identifier: Some(identifier.clone()),
                ..DHCP4OperatorSpec::default()
            });
            self.operators.push(OperatorSpecSpec { dhcp4, ..spec(Operator::DHCP4) });
        }
        if way.dhcp6 {
            let dhcp6 = Some(DHCP6OperatorSpec {
                route_metric: METRIC,
                client_identifier: Some(identifier),
                ..DHCP6OperatorSpec::default()
            });
            self.operators.push(OperatorSpecSpec { dhcp6, ..spec(Operator::DHCP6) });
        }
    }
}

fn family(address: IpAddr) -> Family {
    if address.is_ipv4() { Family::INET4 } else { Family::INET6 }
}

fn hardware(octets: &[&str]) -> Option<HardwareAddr> {
    let octets: Vec<u8> =
        octets.iter().map(|octet| u8::from_str_radix(octet, 16).ok()).collect::<Option<_>>()?;
    (octets.len() == 6).then(|| HardwareAddr::from(octets))
}
