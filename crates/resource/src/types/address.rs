//! IP addresses, prefixes, ports and hardware addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use yaml::Value;

use crate::wire::put_bytes_field;
use crate::{DecodeError, Element, Field, Message, Wire, element_field};

/// An IP address that may be absent: absent is the empty text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetIp(pub Option<IpAddr>);

/// An address with a prefix length that may be absent. The address keeps its host bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetIpPrefix(pub Option<(IpAddr, u8)>);

/// An address with a port that may be absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetIpPort(pub Option<SocketAddr>);

/// A hardware address: bytes on the wire, `aa:bb:cc:dd:ee:ff` for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HardwareAddr(pub Box<[u8]>);

impl From<Vec<u8>> for HardwareAddr {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<IpAddr> for NetIp {
    fn from(address: IpAddr) -> Self {
        Self(Some(address))
    }
}

impl From<Ipv4Addr> for NetIp {
    fn from(address: Ipv4Addr) -> Self {
        Self(Some(address.into()))
    }
}

impl From<SocketAddr> for NetIpPort {
    fn from(address: SocketAddr) -> Self {
        Self(Some(address))
    }
}

impl NetIpPrefix {
    /// A prefix; `None` when `bits` is too large for the address.
    #[must_use]
    pub fn new(address: IpAddr, bits: u8) -> Option<Self> {
        (bits <= width(address)).then_some(Self(Some((address, bits))))
    }

    /// The address, if there is one.
    #[must_use]
    pub fn address(self) -> Option<IpAddr> {
        self.0.map(|(address, _)| address)
    }

    /// The prefix length, if there is one.
    #[must_use]
    pub fn bits(self) -> Option<u8> {
        self.0.map(|(_, bits)| bits)
    }

    /// Whether `address` lies in the prefix.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.0, address) {
            (Some((IpAddr::V4(net), bits)), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                net.to_bits() & mask == address.to_bits() & mask
            }
            (Some((IpAddr::V6(net), bits)), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                net.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }

    /// The prefix with its host bits cleared.
    #[must_use]
    pub fn masked(self) -> Self {
        Self(self.0.map(|(address, bits)| {
            let masked = match address {
                IpAddr::V4(a) => {
                    let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                    Ipv4Addr::from_bits(a.to_bits() & mask).into()
                }
                IpAddr::V6(a) => {
                    let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                    Ipv6Addr::from_bits(a.to_bits() & mask).into()
                }
            };
            (masked, bits)
        }))
    }
}

fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

impl FromStr for NetIp {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        text.parse().map(|ip| Self(Some(ip))).map_err(|_| DecodeError::Value("an IP address"))
    }
}

impl FromStr for NetIpPrefix {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        let wrong = DecodeError::Value("an address with a prefix length");
        let (address, bits) = text.split_once('/').ok_or_else(|| wrong.clone())?;
        let address = address.parse().map_err(|_| wrong.clone())?;
        let bits = bits.parse().map_err(|_| wrong.clone())?;
        Self::new(address, bits).ok_or(wrong)
    }
}

impl FromStr for NetIpPort {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        text.parse()
            .map(|address| Self(Some(address)))
            .map_err(|_| DecodeError::Value("an address with a port"))
    }
}

impl fmt::Display for NetIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |ip| ip.fmt(f))
    }
}

impl fmt::Display for NetIpPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |(ip, bits)| write!(f, "{ip}/{bits}"))
    }
}

impl fmt::Display for NetIpPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |address| address.fmt(f))
    }
}

impl fmt::Display for HardwareAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02x}")?;
        }
        Ok(())
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(a) => a.octets().to_vec(),
        IpAddr::V6(a) => a.octets().to_vec(),
    }
}

/// Four or sixteen bytes; a zone after the sixteen is dropped. No bytes are no address.
fn address(bytes: &[u8]) -> Result<Option<IpAddr>, DecodeError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Ok(Some(Ipv4Addr::from(four).into()));
    }
    match bytes.first_chunk::<16>() {
        Some(sixteen) => Ok(Some(Ipv6Addr::from(*sixteen).into())),
        None => Err(DecodeError::Value("an IP address of 4 or 16 bytes")),
    }
}

#[derive(Clone, Debug, Default, PartialEq, resource_derive::Message)]
struct WireIp {
    #[field(1)]
    ip: Vec<u8>,
}

#[derive(Clone, Debug, Default, PartialEq, resource_derive::Message)]
struct WirePort {
    #[field(1)]
    ip: Vec<u8>,
    #[field(2)]
    port: i32,
}

#[derive(Clone, Debug, Default, PartialEq, resource_derive::Message)]
struct WirePrefix {
    #[field(1)]
    ip: Vec<u8>,
    #[field(2)]
    prefix_length: i32,
}

impl Element for NetIp {
    fn encode_element(&self, number: u32, out: &mut Vec<u8>) {
        let ip = self.0.map(octets).unwrap_or_default();
        WireIp { ip }.encode_element(number, out);
    }
    fn merge_element(&mut self, wire: Wire<'_>) -> Result<(), DecodeError> {
        *self = Self(address(&WireIp::decode(wire.bytes()?)?.ip)?);
        Ok(())
    }
    fn element_yaml(&self) -> Value {
        Value::String(self.to_string())
    }
}

impl Element for NetIpPort {
    fn encode_element(&self, number: u32, out: &mut Vec<u8>) {
        let wire = self.0.map(|a| WirePort { ip: octets(a.ip()), port: i32::from(a.port()) });
        wire.unwrap_or_default().encode_element(number, out);
    }
    fn merge_element(&mut self, wire: Wire<'_>) -> Result<(), DecodeError> {
        let message = WirePort::decode(wire.bytes()?)?;
        let port = u16::try_from(message.port).map_err(|_| DecodeError::Value("a port"))?;
        *self = Self(address(&message.ip)?.map(|ip| SocketAddr::new(ip, port)));
        Ok(())
    }
    fn element_yaml(&self) -> Value {
        Value::String(self.to_string())
    }
}

impl Element for NetIpPrefix {
    fn encode_element(&self, number: u32, out: &mut Vec<u8>) {
        let wire =
            self.0.map(|(ip, bits)| WirePrefix { ip: octets(ip), prefix_length: i32::from(bits) });
        wire.unwrap_or_default().encode_element(number, out);
    }
    fn merge_element(&mut self, wire: Wire<'_>) -> Result<(), DecodeError> {
        let message = WirePrefix::decode(wire.bytes()?)?;
        let wrong = DecodeError::Value("a prefix length");
        *self = match address(&message.ip)? {
            None => Self(None),
            Some(ip) => u8::try_from(message.prefix_length)
                .ok()
                .and_then(|bits| Self::new(ip, bits))
                .ok_or(wrong)?,
        };
        Ok(())
    }
    fn element_yaml(&self) -> Value {
        Value::String(self.to_string())
    }
}

impl Field for HardwareAddr {
    fn encode_field(&self, number: u32, out: &mut Vec<u8>) {
        if !self.0.is_empty() {
            put_bytes_field(number, &self.0, out);
        }
    }
    fn merge_field(&mut self, wire: Wire<'_>) -> Result<(), DecodeError> {
        self.0 = wire.bytes()?.into();
        Ok(())
    }
    fn field_yaml(&self) -> Value {
        Value::String(self.to_string())
    }
    fn is_empty_field(&self) -> bool {
        self.0.is_empty()
    }
}

element_field!(NetIp, NetIpPort, NetIpPrefix);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_contain_their_addresses_only() {
        let prefix: NetIpPrefix = "10.5.0.2/24".parse().unwrap();
        assert!(prefix.contains("10.5.0.9".parse().unwrap()));
        assert!(!prefix.contains("10.5.1.9".parse().unwrap()));
        assert!(!prefix.contains("::1".parse().unwrap()));
        assert_eq!(prefix.masked().to_string(), "10.5.0.0/24");
        let all: NetIpPrefix = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("1.2.3.4".parse().unwrap()));
        assert!("10.0.0.0/33".parse::<NetIpPrefix>().is_err());
    }

    #[test]
    fn the_wire_forms_are_the_contracts() {
        let mut out = Vec::new();
        "10.5.0.2/24".parse::<NetIpPrefix>().unwrap().encode_field(1, &mut out);
        assert_eq!(out, [0x0a, 8, 0x0a, 4, 10, 5, 0, 2, 0x10, 24]);
        let mut out = Vec::new();
        "[::1]:50000".parse::<NetIpPort>().unwrap().encode_field(2, &mut out);
        assert_eq!(out[..4], [0x12, 22, 0x0a, 16]);
        assert_eq!(out[20..], [0x10, 0xd0, 0x86, 0x03]);
    }
}
