//! How links are set up by the arguments `ip=`, `vlan=` and `bond=`.
//!
//! The shapes are those of the kernel's `Documentation/admin-guide/nfs/nfsroot.rst` and of the
//! manual page dracut.cmdline(7), as far as the contract takes them.

use std::net::IpAddr;
use std::str::FromStr;

/// Why such an argument is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// A field is no address.
    #[error("`{text}`, the {field}, is no IP address")]
    Address {
        /// Which field.
        field: &'static str,
        /// What it says.
        text: String,
    },
    /// The mask is none of that address family.
    #[error("`{text}` is no network mask of {address}")]
    Mask {
        /// The mask.
        text: String,
        /// The address it belongs to.
        address: IpAddr,
    },
    /// The word for automatic configuration is unknown.
    #[error("`{text}` is no way of automatic configuration")]
    Method {
        /// What it says.
        text: String,
    },
    /// A field that must be there is empty.
    #[error("there is no {field}")]
    Missing {
        /// Which field.
        field: &'static str,
    },
    /// The name of a VLAN does not end in its number.
    #[error("`{name}` does not end in a VLAN's number, 1 to 4094")]
    VlanNumber {
        /// The name.
        name: String,
    },
    /// An option of a bond has no value.
    #[error("`{text}` is no option of the form name=value")]
    Option {
        /// The option.
        text: String,
    },
    /// The MTU is no number.
    #[error("`{text}` is no MTU")]
    Mtu {
        /// What it says.
        text: String,
    },
    /// There are more fields than there may be.
    #[error("there are more than {allowed} fields; put IPv6 addresses in brackets")]
    Fields {
        /// How many there may be.
        allowed: usize,
    },
}

/// One `ip=`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ip {
    /// The machine's own address and the length of its prefix.
    pub client: Option<(IpAddr, u8)>,
    /// The address of a server; nothing here uses it.
    pub server: Option<IpAddr>,
    /// The default gateway.
    pub gateway: Option<IpAddr>,
    /// The machine's name.
    pub hostname: Option<String>,
    /// The link; without it the first one that is there.
    pub device: Option<String>,
    /// Whether and how the rest is asked for.
    pub method: Method,
    /// Name servers.
    pub dns: Vec<IpAddr>,
    /// Time servers.
    pub ntp: Vec<IpAddr>,
}

/// Where addresses come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// From the argument itself.
    #[default]
    Fixed,
    /// From DHCP for IPv4.
    Dhcp,
    /// From DHCP for IPv6.
    Dhcp6,
    /// From router advertisements.
    RouterAdvertisements,
}

impl Method {
    fn parse(text: &str) -> Result<Self, NetworkError> {
        match text {
            "" | "none" | "off" | "static" => Ok(Self::Fixed),
            "dhcp" | "on" | "any" => Ok(Self::Dhcp),
            "dhcp6" => Ok(Self::Dhcp6),
            "auto6" => Ok(Self::RouterAdvertisements),
            _ => Err(NetworkError::Method { text: text.to_owned() }),
        }
    }
}

/// Cuts at colons outside of brackets; the brackets of a whole field are dropped.
fn fields(text: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    let cut = text.split(|c| {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ':' && depth == 0
    });
    cut.map(|field| {
        field.strip_prefix('[').and_then(|field| field.strip_suffix(']')).unwrap_or(field)
    })
    .collect()
}

fn present(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn address(field: &'static str, text: &str) -> Result<Option<IpAddr>, NetworkError> {
    if text.is_empty() {
        return Ok(None);
    }
    let parsed = text.parse().ok();
    parsed.map(Some).ok_or_else(|| NetworkError::Address { field, text: text.to_owned() })
}

/// The length of the prefix that a mask means; without a mask the address stands alone.
fn prefix(address: IpAddr, mask: &str) -> Result<u8, NetworkError> {
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let wrong = || NetworkError::Mask { text: mask.to_owned(), address };
    if mask.is_empty() {
        return Ok(longest);
    }
    if let Ok(length) = mask.parse::<u8>() {
        return if length <= longest { Ok(length) } else { Err(wrong()) };
    }
    let (bits, ones, zeros) = match mask.parse().map_err(|_| wrong())? {
        IpAddr::V4(mask) if address.is_ipv4() => {
            (32, mask.to_bits().leading_ones(), mask.to_bits().trailing_zeros())
        }
        IpAddr::V6(mask) if address.is_ipv6() => {
            (128, mask.to_bits().leading_ones(), mask.to_bits().trailing_zeros())
        }
        _ => return Err(wrong()),
    };
    if ones + zeros.min(bits) != bits {
        return Err(wrong());
    }
    u8::try_from(ones).map_err(|_| wrong())
}

impl Ip {
    /// Reads the value of one `ip=`. Nothing is a bare method such as `ip=dhcp`: it names no link,
    /// and a node asks on every link without being told.
    pub fn parse(text: &str) -> Result<Option<Self>, NetworkError> {
        const FIELDS: usize = 11;
        let fields = fields(text);
        let field = |at: usize| fields.get(at).copied().unwrap_or_default();
        match fields.len() {
            1 => return Method::parse(text).map(|_| None),
            2 => {
                let device = present(field(0)).ok_or(NetworkError::Missing { field: "link" })?;
                let method = Method::parse(field(1))?;
                return Ok(Some(Self { device: Some(device), method, ..Self::default() }));
            }
            count if count > FIELDS => return Err(NetworkError::Fields { allowed: FIELDS }),
            _ => {}
        }
        let (client, given) = field(0).split_once('/').unwrap_or((field(0), field(3)));
        let client = match address("address", client)? {
            Some(address) => Some((address, prefix(address, given)?)),
            None => None,
        };
        let both = |what, one, two| -> Result<Vec<IpAddr>, NetworkError> {
            Ok([address(what, field(one))?, address(what, field(two))?]
                .into_iter()
                .flatten()
                .collect())
        };
        Ok(Some(Self {
            client,
            server: address("server", field(1))?,
            gateway: address("gateway", field(2))?,
            hostname: present(field(4)),
            device: present(field(5)),
            method: Method::parse(field(6))?,
            dns: both("name server", 7, 8)?,
            ntp: both("time server", 9, 10)?,
        }))
    }
}

/// One `vlan=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vlan {
    /// The name of the new link.
    pub name: String,
    /// Its VLAN's number.
    pub number: u16,
    /// The link below it.
    pub parent: String,
}

impl FromStr for Vlan {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, parent) =
            text.split_once(':').ok_or(NetworkError::Missing { field: "link below" })?;
        let name = present(name).ok_or(NetworkError::Missing { field: "name" })?;
        let parent = present(parent).ok_or(NetworkError::Missing { field: "link below" })?;
        let digits = name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let number = name.get(digits..).and_then(|digits| digits.parse().ok());
        match number.filter(|number| (1..=4094).contains(number)) {
            Some(number) => Ok(Self { name, number, parent }),
            None => Err(NetworkError::VlanNumber { name }),
        }
    }
}

/// One `bond=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bond {
    /// The name of the new link.
    pub name: String,
    /// The links it bundles.
    pub members: Vec<String>,
    /// The driver's options, by name.
    pub options: Vec<(String, String)>,
    /// The MTU.
    pub mtu: Option<u32>,
}

impl FromStr for Bond {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FIELDS: usize = 4;
        let fields: Vec<&str> = text.split(':').collect();
        if fields.len() > FIELDS {
            return Err(NetworkError::Fields { allowed: FIELDS });
        }
        let field = |at: usize| fields.get(at).copied().unwrap_or_default();
        let name = present(field(0)).ok_or(NetworkError::Missing { field: "name" })?;
        let listed = |text: &'static str| text.split(',').map(str::to_owned).collect();
        let members = match field(1) {
            "" => listed("eth0,eth1"),
            members => members.split(',').filter_map(present).collect(),
        };
        let options = field(2).split(',').filter(|option| !option.is_empty()).map(|option| {
            let (name, value) = option
                .split_once('=')
                .ok_or_else(|| NetworkError::Option { text: option.to_owned() })?;
            Ok((name.to_owned(), value.to_owned()))
        });
        let options = options.collect::<Result<_, NetworkError>>()?;
        let mtu = match field(3) {
            "" => None,
            text => {
                let wrong = |_| NetworkError::Mtu { text: text.to_owned() };
                Some(text.parse().map_err(wrong)?)
            }
        };
        Ok(Self { name, members, options, mtu })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Ip {
        Ip::parse(text).unwrap().unwrap()
    }

    #[test]
    fn addresses() {
        let parsed =
            ip("172.20.0.2::172.20.0.1:255.255.255.0:master1:eth1:off:1.1.1.1:8.8.8.8:5.6.7.8");
        assert_eq!(
            parsed,
            Ip {
                client: Some(("172.20.0.2".parse().unwrap(), 24)),
                gateway: Some("172.20.0.1".parse().unwrap()),
                hostname: Some("master1".to_owned()),
                device: Some("eth1".to_owned()),
                dns: vec!["1.1.1.1".parse().unwrap(), "8.8.8.8".parse().unwrap()],
                ntp: vec!["5.6.7.8".parse().unwrap()],
                ..Ip::default()
            }
        );
        let parsed = ip("[2001:db8::2]::[2001:db8::1]:64::enp1s0:none:[2001:db8::53]");
        assert_eq!(parsed.client, Some(("2001:db8::2".parse().unwrap(), 64)));
        assert_eq!(parsed.gateway, Some("2001:db8::1".parse().unwrap()));
        assert_eq!(parsed.dns, ["2001:db8::53".parse::<IpAddr>().unwrap()]);
        assert_eq!(ip("10.0.0.1::::::").client, Some(("10.0.0.1".parse().unwrap(), 32)));
        assert_eq!(ip("eth0:dhcp").method, Method::Dhcp);
        assert_eq!(ip(":::::eth1:auto6").method, Method::RouterAdvertisements);
        assert_eq!(Ip::parse("dhcp"), Ok(None));
    }

    #[test]
    fn addresses_that_are_none() {
        for (text, message) in [
            ("1.2.3::::::", "`1.2.3`, the address, is no IP address"),
            ("1.2.3.4:::255.0.255.0:::", "`255.0.255.0` is no network mask of 1.2.3.4"),
            ("1.2.3.4:::33:::", "`33` is no network mask of 1.2.3.4"),
            ("1.2.3.4:::ffff:::", "`ffff` is no network mask of 1.2.3.4"),
            ("eth0:sometimes", "`sometimes` is no way of automatic configuration"),
            (":dhcp", "there is no link"),
            (
                "2001:db8::1:2:3:4:5:6:7:8:9",
                "there are more than 11 fields; put IPv6 addresses in brackets",
            ),
        ] {
            assert_eq!(Ip::parse(text).unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn links_upon_links() {
        for (text, number) in [
            ("vlan0005:eth0", 5),
            ("vlan5:eth0", 5),
            ("eth0.0005:eth0", 5),
            ("eth0.4094:eth0", 4094),
        ] {
            assert_eq!(text.parse::<Vlan>().unwrap().number, number, "{text}");
        }
        for text in ["eth0.4095:eth0", "vlan:eth0", "vlan0:eth0", "vlan5", "vlan5:", ":eth0"] {
            assert!(text.parse::<Vlan>().is_err(), "{text}");
        }
        let bond: Bond =
            "bond1:eth3,eth4:mode=802.3ad,xmit_hash_policy=layer2+3:9000".parse().unwrap();
        assert_eq!(bond.members, ["eth3", "eth4"]);
        assert_eq!(bond.options[0], ("mode".to_owned(), "802.3ad".to_owned()));
        assert_eq!(bond.mtu, Some(9000));
        assert_eq!("bond0".parse::<Bond>().unwrap().members, ["eth0", "eth1"]);
        for text in ["", ":eth0", "b:eth0:mode", "b:eth0::big", "b:eth0:::::"] {
            assert!(text.parse::<Bond>().is_err(), "{text}");
        }
    }
}
