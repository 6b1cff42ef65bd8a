//! Certificates of etcd: its server, its peers, and the two clients that the node itself is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ::runtime::condition::Condition;
use ::runtime::controller::{Context, ControllerError, Input, Next, Output};
use manifests::control_plane::SECRETS_DIR;
use pki::ExtendedUsage::{ClientAuth, ServerAuth};
use resource::network::{HostnameStatusSpec, NodeAddressSpec};
use resource::secrets::{EtcdCertsSpec, EtcdRootSpec};

use super::kept;
use super::leaf::{self, Wanted};
use super::os::{clock, is_synced};
use super::renew::Renewal;
use super::sans::fqdn;
use crate::kubernetes::addresses::NO_KUBERNETES_ACCUMULATIVE;
use crate::role::{machine_type, waits_as_control_plane};
use crate::{Node, Paths, Plain, Run, plain};

/// The names that etcd's server and peer certificates carry.
fn names(hostname: &HostnameStatusSpec, addresses: &NodeAddressSpec) -> Wanted {
    let mut dns_names = vec![hostname.hostname.clone(), fqdn(hostname), "localhost".to_owned()];
    dns_names.dedup();
    let mut ips: Vec<IpAddr> = addresses.addresses.iter().filter_map(|ip| ip.address()).collect();
    ips.extend([IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]);
    Wanted { common_name: hostname.hostname.clone(), organizations: Vec::new(), dns_names, ips }
}

fn client(common_name: &str) -> Wanted {
    Wanted { common_name: common_name.to_owned(), ..Wanted::default() }
}

/// What an earlier machined of this boot left.
fn kept(paths: &Paths) -> EtcdCertsSpec {
    let own = paths.at(crate::etcd::PKI_DIR);
    EtcdCertsSpec {
        etcd: kept::pair(&own, "server"),
        etcd_peer: kept::pair(&own, "peer"),
        etcd_admin: kept::pair(&own, "admin"),
        etcd_api_server: kept::pair(&paths.at(SECRETS_DIR).join("kube-apiserver"), "etcd-client"),
    }
}

fn run(context: &Context, paths: &Paths) -> Result<Next, ControllerError> {
    let Some(root) = context.get::<EtcdRootSpec>("secrets", "etcd") else {
        context.remove::<EtcdCertsSpec>("secrets", "etcd")?;
        waits_as_control_plane(context, &Condition::resource::<EtcdRootSpec>("secrets", "etcd"));
        return Ok(Next::OnChange);
    };
    let Some(hostname) = context.get::<HostnameStatusSpec>("network", "hostname") else {
        context.waiting(&Condition::resource::<HostnameStatusSpec>("network", "hostname"));
        return Ok(Next::OnChange);
    };
    let Some(addresses) = context.get::<NodeAddressSpec>("network", NO_KUBERNETES_ACCUMULATIVE)
    else {
        context.waiting(&Condition::resource::<NodeAddressSpec>(
            "network",
            NO_KUBERNETES_ACCUMULATIVE,
        ));
        return Ok(Next::OnChange);
    };
    if !is_synced(context) {
        return Ok(Next::OnChange);
    }
    let Some(authority) = leaf::authority(&root.spec.etcd_ca)? else {
        return Err(ControllerError::message(
            "the machine configuration has no key of etcd's authority; a control plane node needs cluster.etcd.ca with crt and key",
        ));
    };
    let server = names(&hostname.spec, &addresses.spec);
    let present = context.get::<EtcdCertsSpec>("secrets", "etcd");
    let mut certificates = present.map_or_else(|| kept(paths), |r| (**r.spec).clone());
    let mut renewal = Renewal::new(&authority, context.store().now().seconds);
    let both = [ServerAuth, ClientAuth];
    let life = pki::AUTHORITY_LIFE;
    renewal.renew(&mut certificates.etcd, &server, &both, life)?;
    renewal.renew(&mut certificates.etcd_peer, &server, &both, life)?;
    renewal.renew(&mut certificates.etcd_admin, &client("talos"), &[ClientAuth], life)?;
    renewal.renew(
        &mut certificates.etcd_api_server,
        &client("kube-apiserver"),
        &[ClientAuth],
        life,
    )?;
    context.modify::<EtcdCertsSpec>("secrets", "etcd", |spec| spec.clone_from(&certificates))?;
    Ok(renewal.next())
}

/// Issues etcd's certificates on control plane nodes.
pub(crate) fn controller(node: &Node) -> Plain<Run> {
    let paths = node.paths.clone();
    plain(
        "secrets.EtcdController",
        vec![
            Input::weak::<EtcdRootSpec>("secrets").with_id("etcd"),
            clock(),
            Input::weak::<HostnameStatusSpec>("network").with_id("hostname"),
            Input::weak::<NodeAddressSpec>("network").with_id(NO_KUBERNETES_ACCUMULATIVE),
            machine_type(),
        ],
        vec![Output::exclusive::<EtcdCertsSpec>()],
        Box::new(move |context: &Context| run(context, &paths)) as Run,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use resource::types::NetIpPrefix;

    #[test]
    fn servers_go_by_every_name_of_the_node() {
        let hostname = HostnameStatusSpec { hostname: "cp-1".into(), domainname: String::new() };
        let addresses = NodeAddressSpec {
            addresses: vec![NetIpPrefix::new([10, 5, 0, 2].into(), 24).unwrap()],
            ..NodeAddressSpec::default()
        };
        let wanted = names(&hostname, &addresses);
        assert_eq!(wanted.dns_names, ["cp-1", "localhost"]);
        assert_eq!(wanted.ips.len(), 3);
    }
}
