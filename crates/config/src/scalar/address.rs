//! IP addresses, prefixes, address-port pairs and hardware addresses, unset until given.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::text::text_field;

/// An IP address, with a zone when it is a scoped IPv6 address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Address {
    ip: Option<IpAddr>,
    zone: String,
}

/// A prefix: an address with a length. Host bits are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Prefix(Option<(IpAddr, u8)>);

/// An address with a port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SocketAddress {
    address: Address,
    port: u16,
}

/// A hardware address of 6, 8 or 20 bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HardwareAddress(Vec<u8>);

/// Why a text is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not an IP address.
    #[error("ParseAddr({0:?}): unable to parse IP")]
    Ip(String),
    /// Not a prefix.
    #[error("netip.ParsePrefix({text:?}): {reason}")]
    Prefix {
        /// The text.
        text: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// Not an address with a port.
    #[error("invalid ip:port {text:?}: {reason}")]
    Port {
        /// The text.
        text: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// Not a hardware address.
    #[error("address {0}: invalid MAC address")]
    Hardware(String),
}

impl Address {
    /// The address.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.ip
    }

    /// Whether no address was given.
    #[must_use]
    pub fn is_unset(&self) -> bool {
        self.ip.is_none()
    }

    /// Whether the address is all zeros.
    #[must_use]
    pub fn is_unspecified(&self) -> bool {
        self.ip.is_some_and(|ip| ip.is_unspecified())
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        Self { ip: Some(ip), zone: String::new() }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let error = || AddressError::Ip(text.to_owned());
        let (ip, zone) = text.split_once('%').map_or((text, ""), |(ip, zone)| (ip, zone));
        let ip: IpAddr = ip.parse().map_err(|_| error())?;
        if text.contains('%') && (zone.is_empty() || ip.is_ipv4()) {
            return Err(error());
        }
        Ok(Self { ip: Some(ip), zone: zone.to_owned() })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            None => Ok(()),
            Some(ip) if self.zone.is_empty() => write!(f, "{ip}"),
            Some(ip) => write!(f, "{ip}%{}", self.zone),
        }
    }
}

impl Prefix {
    /// A prefix of an address and a length, when the length fits the family.
    #[must_use]
    pub fn new(ip: IpAddr, bits: u8) -> Option<Self> {
        let most = if ip.is_ipv4() { 32 } else { 128 };
        (bits <= most).then_some(Self(Some((ip, bits))))
    }

    /// The address part, host bits included.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.0.map(|(ip, _)| ip)
    }

    /// The length.
    #[must_use]
    pub fn bits(&self) -> Option<u8> {
        self.0.map(|(_, bits)| bits)
    }

    /// The prefix as a network type; host bits are kept.
    #[must_use]
    pub fn net(&self) -> Option<ipnet::IpNet> {
        self.0.and_then(|(ip, bits)| ipnet::IpNet::new(ip, bits).ok())
    }

    /// Whether no prefix was given.
    #[must_use]
    pub fn is_unset(&self) -> bool {
        self.0.is_none()
    }

    /// Whether the address part is all zeros.
    #[must_use]
    pub fn is_unspecified(&self) -> bool {
        self.0.is_some_and(|(ip, _)| ip.is_unspecified())
    }

    /// Whether no host bit is set.
    #[must_use]
    pub fn is_masked(&self) -> bool {
        self.net().is_some_and(|net| net.trunc() == net)
    }
}

impl FromStr for Prefix {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        let error = |reason| AddressError::Prefix { text: text.to_owned(), reason };
        let (ip, bits) = text.rsplit_once('/').ok_or_else(|| error("no '/'"))?;
        let ip: IpAddr = ip.parse().map_err(|_| error("unable to parse IP"))?;
        let plain =
            bits == "0" || (!bits.starts_with('0') && bits.bytes().all(|b| b.is_ascii_digit()));
        let bits: u8 =
            bits.parse().ok().filter(|_| plain).ok_or_else(|| error("bad bits after slash"))?;
        Self::new(ip, bits).ok_or_else(|| error("prefix length out of range"))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |(ip, bits)| write!(f, "{ip}/{bits}"))
    }
}

impl SocketAddress {
    /// The address.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.address.ip
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether nothing was given.
    #[must_use]
    pub fn is_unset(&self) -> bool {
        self.address.is_unset()
    }
}

impl FromStr for SocketAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let error = |reason| AddressError::Port { text: text.to_owned(), reason };
        let (ip, port) = text.rsplit_once(':').ok_or_else(|| error("not an ip:port"))?;
        let (ip, bracketed) = match ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')) {
            Some(ip) => (ip, true),
            None => (ip, false),
        };
        let address: Address = ip.parse().map_err(|_| error("unable to parse IP"))?;
        if address.ip.is_none_or(|ip| ip.is_ipv6() != bracketed) {
            return Err(error("square brackets belong around IPv6 addresses only"));
        }
        let port = port.parse().map_err(|_| error("unable to parse port"))?;
        Ok(Self { address, port })
    }
}

impl fmt::Display for SocketAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address.ip {
            None => Ok(()),
            Some(IpAddr::V4(_)) => write!(f, "{}:{}", self.address, self.port),
            Some(IpAddr::V6(_)) => write!(f, "[{}]:{}", self.address, self.port),
        }
    }
}

impl HardwareAddress {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for HardwareAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let error = || AddressError::Hardware(text.to_owned());
        // Groups of two digits with colons or dashes, or of four with dots.
        let (separator, width) = match text.chars().find(|c| !c.is_ascii_hexdigit()) {
            Some(c @ (':' | '-')) => (c, 2),
            Some('.') => ('.', 4),
            _ => return Err(error()),
        };
        let mut bytes = Vec::new();
        for group in text.split(separator) {
            if group.len() != width || !group.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(error());
            }
            let value = u16::from_str_radix(group, 16).map_err(|_| error())?;
            let [high, low] = value.to_be_bytes();
            if width == 4 {
                bytes.push(high);
            }
            bytes.push(low);
        }
        if matches!(bytes.len(), 6 | 8 | 20) { Ok(Self(bytes)) } else { Err(error()) }
    }
}

impl fmt::Display for HardwareAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, byte) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str(":")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

text_field!(Address, "IP address");
text_field!(Prefix, "IP prefix");
text_field!(SocketAddress, "ip:port");
text_field!(HardwareAddress, "hardware address");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        for text in ["10.0.0.1", "fe80::1%eth0", "::"] {
            assert_eq!(text.parse::<Address>().map(|a| a.to_string()).as_deref(), Ok(text));
        }
        for text in ["10.0.0.1/8", "fd00::/64", "0.0.0.0/0"] {
            assert_eq!(text.parse::<Prefix>().map(|a| a.to_string()).as_deref(), Ok(text));
        }
        for text in ["10.0.0.1:80", "[fd00::1]:443"] {
            assert_eq!(text.parse::<SocketAddress>().map(|a| a.to_string()).as_deref(), Ok(text));
        }
        let mac = "00-1A-2b-3c-4d-5e".parse::<HardwareAddress>().map(|a| a.to_string());
        assert_eq!(mac.as_deref(), Ok("00:1a:2b:3c:4d:5e"));
        assert!("001a.2b3c.4d5e".parse::<HardwareAddress>().is_ok());
    }

    #[test]
    fn refuses() {
        for text in ["10.0.0.256", "1.2.3.4%eth0", "fe80::1%", "x", "010.0.0.1"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
        for text in ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/", "fe80::1%eth0/64"] {
            assert!(text.parse::<Prefix>().is_err(), "{text}");
        }
        for text in ["fd00::1:80", "10.0.0.1", "10.0.0.1:x", "[10.0.0.1]:80"] {
            assert!(text.parse::<SocketAddress>().is_err(), "{text}");
        }
        for text in ["00:11", "00:11:22:33:44:5g", "0:1:2:3:4:5"] {
            assert!(text.parse::<HardwareAddress>().is_err(), "{text}");
        }
    }
}
