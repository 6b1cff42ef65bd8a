//! etcd's specification: from its settings, the node's name and the node's addresses.

use std::net::{IpAddr, Ipv4Addr};

use ::runtime::condition::Condition;
use ::runtime::controller::{Context, ControllerError, Input, Next, Output};
use resource::etcd::{ConfigSpec, SpecSpec};
use resource::network::{HostnameStatusSpec, NodeAddressSpec};
use resource::types::NetIp;

use crate::kubernetes::addresses::{NO_KUBERNETES_ROUTED, selected};
use crate::role::{machine_type, waits_as_control_plane};
use crate::{Plain, Run, plain};

fn subnets(valid: &[String], exclude: &[String]) -> Vec<String> {
    valid.iter().cloned().chain(exclude.iter().map(|subnet| format!("!{subnet}"))).collect()
}

/// The specification; none while no address can be advertised.
fn plan(
    config: &ConfigSpec,
    hostname: &HostnameStatusSpec,
    addresses: &NodeAddressSpec,
) -> Option<SpecSpec> {
    let all: Vec<IpAddr> =
        addresses.addresses.iter().filter_map(|prefix| prefix.address()).collect();
    let passing = |valid: &[String], exclude: &[String]| -> Vec<NetIp> {
        let subnets = subnets(valid, exclude);
        all.iter().filter(|ip| selected(**ip, &subnets)).map(|ip| NetIp(Some(*ip))).collect()
    };
    let mut advertised =
        passing(&config.advertise_valid_subnets, &config.advertise_exclude_subnets);
    if config.advertise_valid_subnets.is_empty() {
        advertised.truncate(1);
    }
    if advertised.is_empty() {
        return None;
    }
    let listen = if config.listen_valid_subnets.is_empty() {
        vec![NetIp(Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))]
    } else {
        let mut listen = vec![NetIp(Some(IpAddr::V4(Ipv4Addr::LOCALHOST)))];
        listen.extend(passing(&config.listen_valid_subnets, &config.listen_exclude_subnets));
        listen
    };
    Some(SpecSpec {
        name: hostname.hostname.clone(),
        advertised_addresses: advertised,
        listen_peer_addresses: listen.clone(),
        listen_client_addresses: listen,
        image: config.image.clone(),
        extra_args: config.extra_args.clone(),
    })
}

fn run(context: &Context) -> Result<Next, ControllerError> {
    let Some(config) = context.get::<ConfigSpec>("etcd", "etcd") else {
        context.remove::<SpecSpec>("etcd", "etcd")?;
        waits_as_control_plane(context, &Condition::resource::<ConfigSpec>("etcd", "etcd"));
        return Ok(Next::OnChange);
    };
    let Some(hostname) = context.get::<HostnameStatusSpec>("network", "hostname") else {
        context.waiting(&Condition::resource::<HostnameStatusSpec>("network", "hostname"));
        return Ok(Next::OnChange);
    };
    let addresses = context.get::<NodeAddressSpec>("network", NO_KUBERNETES_ROUTED);
    let Some(spec) =
        addresses.and_then(|addresses| plan(&config.spec, &hostname.spec, &addresses.spec))
    else {
        context.waiting(&Condition::resource_state::<NodeAddressSpec>(
            "network",
            NO_KUBERNETES_ROUTED,
            "has an address that etcd may advertise",
        ));
        return Ok(Next::OnChange);
    };
    context.modify::<SpecSpec>("etcd", "etcd", |present| present.clone_from(&spec))?;
    Ok(Next::OnChange)
}

/// Makes etcd's specification.
pub(super) fn controller() -> Plain<Run> {
    plain(
        "etcd.SpecController",
        vec![
            Input::weak::<ConfigSpec>("etcd").with_id("etcd"),
            Input::weak::<HostnameStatusSpec>("network").with_id("hostname"),
            Input::weak::<NodeAddressSpec>("network").with_id(NO_KUBERNETES_ROUTED),
            machine_type(),
        ],
        vec![Output::exclusive::<SpecSpec>()],
        Box::new(run),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use resource::types::NetIpPrefix;

    #[test]
    fn addresses_by_subnet() {
        let hostname = HostnameStatusSpec { hostname: "cp-1".into(), domainname: String::new() };
        let prefix = |a| NetIpPrefix::new(IpAddr::from(a), 24).unwrap();
        let addresses = NodeAddressSpec {
            addresses: vec![prefix([192, 168, 0, 2]), prefix([10, 5, 0, 2])],
            ..NodeAddressSpec::default()
        };
        let text = |ips: &[NetIp]| {
            ips.iter().filter_map(|NetIp(ip)| ip.map(|ip| ip.to_string())).collect::<Vec<_>>()
        };
        let spec = plan(&ConfigSpec::default(), &hostname, &addresses).unwrap();
        assert_eq!(text(&spec.advertised_addresses), ["192.168.0.2"]);
        assert_eq!(text(&spec.listen_peer_addresses), ["0.0.0.0"]);
        let config = ConfigSpec {
            advertise_valid_subnets: vec!["10.5.0.0/24".into()],
            listen_valid_subnets: vec!["10.5.0.0/24".into()],
            ..ConfigSpec::default()
        };
        let spec = plan(&config, &hostname, &addresses).unwrap();
        assert_eq!(text(&spec.advertised_addresses), ["10.5.0.2"]);
        assert_eq!(text(&spec.listen_client_addresses), ["127.0.0.1", "10.5.0.2"]);
        assert_eq!(plan(&config, &hostname, &NodeAddressSpec::default()), None);
    }
}
