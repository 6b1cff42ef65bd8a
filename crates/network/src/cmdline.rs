//! The network on the kernel's command line: `ip=`, `vlan=`, `bond=`, `talos.hostname=` and
//! `talos.network.interface.ignore=` (contract section 1.1; the forms are those of dracut.cmdline(7)).
//!
//! Splitting the line into arguments is somebody else's; here they come as names and values. What is wrong is told
//! and left out: a machine that cannot be reached is worse than one that is set up in part.

mod bond;
mod ip;

use resource::enums::{ConfigLayer, LinkType, VLANProtocol};
use resource::network::{
    AddressSpecSpec, HostnameSpecSpec, LinkSpecSpec, OperatorSpecSpec, ResolverSpecSpec,
    RouteSpecSpec, TimeServerSpecSpec, VLANSpec,
};
use thiserror::Error;

const LAYER: ConfigLayer = ConfigLayer::CMDLINE;
/// The longest name of a link (IFNAMSIZ of the kernel, without its end).
const LONGEST_NAME: usize = 15;
/// The highest number of a VLAN.
const LAST_VLAN: u32 = 4094;

/// What is wrong with an argument.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("kernel argument {argument}={value}: {reason}")]
pub struct CmdlineError {
    /// Its name.
    pub argument: String,
    /// Its value.
    pub value: String,
    /// What is wrong.
    pub reason: &'static str,
}

/// What the command line wants of the network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cmdline {
    /// Links to make or to set up.
    pub links: Vec<LinkSpecSpec>,
    /// Addresses.
    pub addresses: Vec<AddressSpecSpec>,
    /// Routes.
    pub routes: Vec<RouteSpecSpec>,
    /// Links that ask for their settings.
    pub operators: Vec<OperatorSpecSpec>,
    /// The node's name.
    pub hostname: Option<HostnameSpecSpec>,
    /// Name servers.
    pub resolvers: Option<ResolverSpecSpec>,
    /// Time servers.
    pub time_servers: Option<TimeServerSpecSpec>,
    /// Links that are to be left alone.
    pub ignored: Vec<String>,
}

impl Cmdline {
    /// Reads the arguments that concern the network. `first` is the link that an `ip=` without one means.
    pub fn parse<'a>(
        arguments: impl IntoIterator<Item = (&'a str, &'a str)>,
        first: Option<&str>,
    ) -> (Self, Vec<CmdlineError>) {
        let mut cmdline = Self::default();
        let mut errors = Vec::new();
        let mut own_name = None;
        for (argument, value) in arguments {
            let done = match argument {
                "ip" => cmdline.ip(value, first),
                "vlan" => cmdline.vlan(value),
                "bond" => cmdline.bond(value),
                "talos.hostname" => {
                    own_name = hostname(value);
                    if own_name.is_some() { Ok(()) } else { Err("it is no host name") }
                }
                "talos.network.interface.ignore" => {
                    cmdline.ignored.push(value.to_owned());
                    Ok(())
                }
                _ => Ok(()),
            };
            if let Err(reason) = done {
                let (argument, value) = (argument.to_owned(), value.to_owned());
                errors.push(CmdlineError { argument, value, reason });
            }
        }
        if own_name.is_some() {
            cmdline.hostname = own_name;
        }
        (cmdline, errors)
    }

    /// Whether it says how some link gets its addresses, so that nothing else need be tried.
    #[must_use]
    pub fn has_addressing(&self) -> bool {
        !self.addresses.is_empty() || !self.operators.is_empty()
    }

    /// The wish for a link, which others may have spoken of already.
    fn link(&mut self, name: &str) -> Option<&mut LinkSpecSpec> {
        if let Some(at) = self.links.iter().position(|link| link.name == name) {
            return self.links.get_mut(at);
        }
        self.links.push(LinkSpecSpec {
            name: name.to_owned(),
            up: true,
            layer: LAYER,
            ..LinkSpecSpec::default()
        });
        self.links.last_mut()
    }

    fn logical(&mut self, name: &str, kind: &str) -> Option<&mut LinkSpecSpec> {
        let link = self.link(name)?;
        link.logical = true;
        kind.clone_into(&mut link.kind);
        link.r#type = LinkType::ETHER;
        Some(link)
    }

    /// `vlan=<name>:<parent>`, with the number at the end of the name.
    fn vlan(&mut self, value: &str) -> Result<(), &'static str> {
        let (name, parent) = value.split_once(':').ok_or("it is no <vlan>:<link>")?;
        let (name, parent) = (link_name(name)?, link_name(parent)?);
        let digits = name.rsplit_once('.').map(|(_, digits)| digits);
        let id: u32 = digits
            .or_else(|| name.strip_prefix("vlan"))
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .ok_or("the name has no number at its end")?;
        if !(1..=LAST_VLAN).contains(&id) {
            return Err("there is no VLAN with this number");
        }
        self.link(parent);
        if let Some(link) = self.logical(name, "vlan") {
            parent.clone_into(&mut link.parent_name);
            link.vlan = Some(VLANSpec { vlan_id: id, vlan_protocol: VLANProtocol::DOT1Q });
        }
        Ok(())
    }

    /// `bond=<name>:<links>:<options>:<mtu>`; what is left out at the end is usual.
    fn bond(&mut self, value: &str) -> Result<(), &'static str> {
        let mut fields = value.split(':');
        let mut field = || fields.next().filter(|field| !field.is_empty());
        let name = link_name(field().unwrap_or("bond0"))?;
        let slaves = field().unwrap_or("eth0,eth1").split(',').map(link_name);
        let slaves: Vec<&str> = slaves.collect::<Result<_, _>>()?;
        let settings = bond::settings(field().unwrap_or_default())?;
        let mtu = field().map(mtu).transpose()?;
        if fields.next().is_some() {
            return Err("there are more than 4 fields");
        }
        for (index, slave) in (0_i64..).zip(slaves) {
            if let Some(link) = self.link(slave) {
                name.clone_into(&mut link.bond_slave.master_name);
                link.bond_slave.slave_index = index;
            }
        }
        if let Some(link) = self.logical(name, "bond") {
            link.bond_master = Some(Box::new(settings));
            link.mtu = mtu.unwrap_or(0);
        }
        Ok(())
    }
}

/// A name that the kernel takes for a link.
fn link_name(name: &str) -> Result<&str, &'static str> {
    let valid = !name.is_empty()
        && name.len() <= LONGEST_NAME
        && name != "."
        && name != ".."
        && !name.contains(|c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control());
    if valid { Ok(name) } else { Err("it names no link") }
}

fn mtu(text: &str) -> Result<u32, &'static str> {
    // The kernel's least and Ethernet's most.
    text.parse().ok().filter(|mtu| (68..=65_535).contains(mtu)).ok_or("it has a wrong MTU")
}

fn hostname(value: &str) -> Option<HostnameSpecSpec> {
    let name = crate::dhcp::name(value.as_bytes())?;
    let (hostname, domainname) = name.split_once('.').unwrap_or((&name, ""));
    Some(HostnameSpecSpec {
        hostname: hostname.to_owned(),
        domainname: domainname.to_owned(),
        layer: LAYER,
    })
}

#[cfg(test)]
mod tests {
    use resource::enums::{BondMode, BondXmitHashPolicy, Operator};

    use super::*;

    /// Reads a line with values that have no spaces.
    fn read(line: &str) -> (Cmdline, Vec<String>) {
        let arguments = line.split(' ').map(|word| word.split_once('=').unwrap_or((word, "")));
        let (cmdline, errors) = Cmdline::parse(arguments, Some("eth0"));
        (cmdline, errors.iter().map(ToString::to_string).collect())
    }

    fn names(cmdline: &Cmdline) -> Vec<&str> {
        cmdline.links.iter().map(|link| link.name.as_str()).collect()
    }

    #[test]
    fn everything_static_is_in_one_argument() {
        let line = "quiet ip=10.0.0.9::10.0.0.1:255.255.255.0:cp-1.example.org:eth1:off:10.0.0.53:1.1.1.1:10.0.0.123:time.example.org";
        let (cmdline, errors) = read(line);
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(names(&cmdline), ["eth1"]);
        assert_eq!(cmdline.addresses[0].address, "10.0.0.9/24".parse().unwrap());
        assert_eq!(cmdline.addresses[0].link_name, "eth1");
        let route = &cmdline.routes[0];
        assert_eq!((route.gateway, route.dst.0), ("10.0.0.1".parse().unwrap(), None));
        let name = cmdline.hostname.as_ref().unwrap();
        assert_eq!((name.hostname.as_str(), name.domainname.as_str()), ("cp-1", "example.org"));
        assert_eq!(cmdline.resolvers.as_ref().unwrap().dns_servers.len(), 2);
        let times = &cmdline.time_servers.as_ref().unwrap().time_servers;
        assert_eq!(*times, ["10.0.0.123", "time.example.org"]);
        assert!(cmdline.operators.is_empty() && cmdline.has_addressing());
    }

    #[test]
    fn addresses_have_either_family_and_masks_either_form() {
        let cases = [
            ("ip=10.0.0.9:::24", "eth0/10.0.0.9/24", ""),
            ("ip=10.0.0.9::10.0.0.1", "eth0/10.0.0.9/8", "10.0.0.1"),
            ("ip=192.168.1.9", "eth0/192.168.1.9/24", ""),
            ("ip=[2001:db8::9]::[2001:db8::1]:64::eth7", "eth7/2001:db8::9/64", "2001:db8::1"),
            ("ip=[2001:db8::9]", "eth0/2001:db8::9/128", ""),
            ("ip=10.0.0.9/20::10.0.0.1:::eth2:off", "eth2/10.0.0.9/20", "10.0.0.1"),
            ("ip=[2001:db8::9/56]", "eth0/2001:db8::9/56", ""),
            ("ip=[2001:db8::9]:::[ffff:ffff:ffff::]", "eth0/2001:db8::9/48", ""),
        ];
        for (line, address, gateway) in cases {
            let (cmdline, errors) = read(line);
            assert!(errors.is_empty(), "{line}: {errors:?}");
            let found = &cmdline.addresses[0];
            assert_eq!(crate::id::address(&found.link_name, found.address), address);
            let found = cmdline.routes.first().map(|route| route.gateway.to_string());
            assert_eq!(found.unwrap_or_default(), gateway, "{line}");
        }
    }

    #[test]
    fn links_ask_for_their_settings() {
        for (line, expected) in [
            ("ip=eth1:dhcp", vec![("eth1", Operator::DHCP4)]),
            ("ip=:::::eth1:dhcp", vec![("eth1", Operator::DHCP4)]),
            ("ip=:::::eth1:dhcp6", vec![("eth1", Operator::DHCP6)]),
            ("ip=:::::eth1:auto6", vec![]),
            ("ip=:::::eth1", vec![("eth1", Operator::DHCP4)]),
            ("ip=eth1:any", vec![("eth1", Operator::DHCP4), ("eth1", Operator::DHCP6)]),
            ("ip=eth1:off", vec![]),
            ("ip=dhcp", vec![]),
            ("ip=on", vec![]),
            ("ip=", vec![]),
        ] {
            let (cmdline, errors) = read(line);
            assert!(errors.is_empty(), "{line}: {errors:?}");
            let found: Vec<_> = cmdline
                .operators
                .iter()
                .map(|operator| (operator.link_name.as_str(), operator.operator))
                .collect();
            assert_eq!(found, expected, "{line}");
        }
        let (cmdline, errors) = read("ip=eth1:dhcp:9000:02:00:00:00:00:07");
        assert!(errors.is_empty(), "{errors:?}");
        let link = &cmdline.links[0];
        assert_eq!((link.mtu, link.hardware_addr.to_string()), (9000, "02:00:00:00:00:07".into()));
    }

    #[test]
    fn vlans_and_bonds_are_made() {
        let line = "vlan=eth1.0005:eth1 vlan=vlan7:eth2 vlan=vlan7.4094:vlan7 ip=eth1.0005:dhcp";
        let (cmdline, errors) = read(line);
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(names(&cmdline), ["eth1", "eth1.0005", "eth2", "vlan7", "vlan7.4094"]);
        let ids: Vec<u32> =
            cmdline.links.iter().filter_map(|link| Some(link.vlan.as_ref()?.vlan_id)).collect();
        assert_eq!(ids, [5, 7, 4094]);

        let line = "bond=bond1:eth1,eth2:mode=802.3ad,xmit_hash_policy=layer3+4,miimon=100,lacp_rate=1:9000";
        let (cmdline, errors) = read(line);
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(names(&cmdline), ["eth1", "eth2", "bond1"]);
        assert_eq!(cmdline.links[1].bond_slave.slave_index, 1);
        let bond = cmdline.links[2].bond_master.as_ref().unwrap();
        assert_eq!((bond.mode, bond.miimon), (BondMode::LACP, 100));
        assert_eq!(bond.xmit_hash_policy, BondXmitHashPolicy::LAYER34);
        assert_eq!(cmdline.links[2].mtu, 9000);
        let (cmdline, _) = read("bond=");
        assert_eq!(names(&cmdline), ["eth0", "eth1", "bond0"]);
    }

    #[test]
    fn names_and_links_to_ignore_are_arguments_of_their_own() {
        let (cmdline, errors) = read(
            "talos.hostname=w-1 ip=10.0.0.9::::other talos.network.interface.ignore=eth5 talos.network.interface.ignore=eth6",
        );
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(cmdline.hostname.unwrap().hostname, "w-1");
        assert_eq!(cmdline.ignored, ["eth5", "eth6"]);
    }

    #[test]
    fn what_is_wrong_is_told_and_left_out() {
        let cases = [
            ("ip=10.0.0.9:::255.0.255.0", "the netmask is none"),
            ("ip=10.0.0.9:::33", "the netmask is none"),
            ("ip=10.0.0.9:::ffff::", "the netmask is none"),
            ("ip=[2001:db8::9]:::255.255.0.0", "the netmask is none"),
            ("ip=10.0.0.9/24:::24", "the netmask stands twice"),
            ("ip=10.0.0.9:peer", "the server is no address"),
            ("ip=:dhcp", "the server is no address"),
            ("ip=10.0.0.9::x", "the gateway is no address"),
            ("ip=10.0.0.9::[fd00::1]", "the gateway is of another family"),
            ("ip=127.0.0.1", "no machine can have this address"),
            ("ip=[fe80::1", "a bracket is not closed"),
            ("ip=10.0.0.9::::a_b!", "it is no host name"),
            ("ip=10.0.0.9:::::a/b", "it names no link"),
            ("ip=eth0:teapot", "there is no such way to get an address"),
            ("ip=10.0.0.9::::::off:nonsense", "a name server is no address"),
            ("ip=teapot", "it is neither an address nor a link with a way to get one"),
            (
                "ip=10.0.0.9:::24::eth0:off:::::x",
                "there are more than 11 fields; IPv6 addresses stand in brackets",
            ),
            ("ip=[fd00::1]x:", "something stands behind a bracket"),
            ("vlan=eth0", "it is no <vlan>:<link>"),
            ("vlan=vlan5:", "it names no link"),
            ("vlan=:eth0", "it names no link"),
            ("vlan=vlan0:eth0", "there is no VLAN with this number"),
            ("vlan=vlan+5:eth0", "the name has no number at its end"),
            ("vlan=eth0.4095:eth0", "there is no VLAN with this number"),
            ("vlan=lan:eth0", "the name has no number at its end"),
            ("bond=bond0:eth0:mode=teapot", "an option has a wrong value"),
            ("bond=bond0:eth0:colour=red", "there is no such option"),
            ("bond=bond0:eth0:mode", "an option has no value"),
            ("bond=bond0:eth0::1", "it has a wrong MTU"),
            ("bond=bond0:eth0:::9000:1", "there are more than 4 fields"),
            ("bond=bond0:eth0,", "it names no link"),
            ("bond=a_name_that_is_too_long", "it names no link"),
            ("talos.hostname=-", "it is no host name"),
        ];
        for (line, reason) in cases {
            let (cmdline, errors) = read(line);
            assert_eq!(errors, [format!("kernel argument {line}: {reason}")]);
            assert_eq!(cmdline, Cmdline::default(), "{line}");
        }
        let (cmdline, errors) = Cmdline::parse([("ip", "10.0.0.9")], None);
        assert_eq!((cmdline, errors.len()), (Cmdline::default(), 1));
    }
}
