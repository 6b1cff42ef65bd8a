//! From the machine configuration to etcd's settings and its authority.

use std::collections::BTreeMap;

use ::config::view::View;
use ::runtime::controller::{ControllerError, Output};
use resource::etcd::{ArgValues, ConfigSpec};
use resource::secrets::EtcdRootSpec;
use resource::types::PemEncodedCertificateAndKey;

use crate::kubernetes::config::derived;
use crate::{Node, Plain, Run};

fn excluded(subnets: &[String]) -> (Vec<String>, Vec<String>) {
    let (exclude, valid): (Vec<String>, Vec<String>) =
        subnets.iter().cloned().partition(|subnet| subnet.starts_with('!'));
    (valid, exclude.into_iter().map(|subnet| subnet.trim_start_matches('!').to_owned()).collect())
}

fn settings(view: View<'_>) -> Result<Option<ConfigSpec>, ControllerError> {
    if !view.is_control_plane() {
        return Ok(None);
    }
    let etcd = view.etcd();
    let (advertise_valid_subnets, advertise_exclude_subnets) = excluded(&etcd.advertised_subnets);
    let (listen_valid_subnets, listen_exclude_subnets) = excluded(&etcd.listen_subnets);
    let extra_args: BTreeMap<String, ArgValues> =
        etcd.extra_args.into_iter().map(|(name, values)| (name, ArgValues { values })).collect();
    Ok(Some(ConfigSpec {
        advertise_valid_subnets,
        advertise_exclude_subnets,
        listen_valid_subnets,
        listen_exclude_subnets,
        image: etcd.image,
        extra_args,
    }))
}

fn authority(view: View<'_>) -> Result<Option<EtcdRootSpec>, ControllerError> {
    if !view.is_control_plane() {
        return Ok(None);
    }
    let pair = view.etcd_ca().ok_or_else(|| {
        ControllerError::message(
            "the machine configuration has no authority of etcd; a control plane node needs cluster.etcd.ca with crt and key",
        )
    })?;
    let etcd_ca = PemEncodedCertificateAndKey { crt: pair.crt.into(), key: pair.key.into() };
    Ok(Some(EtcdRootSpec { etcd_ca }))
}

/// etcd's authority.
pub(super) fn root(node: &Node) -> Plain<Run> {
    let output = Output::exclusive::<EtcdRootSpec>();
    derived("secrets.RootEtcdController", &node.config, "secrets", "etcd", output, authority)
}

/// etcd's settings.
pub(super) fn controller(node: &Node) -> Plain<Run> {
    let output = Output::exclusive::<ConfigSpec>();
    derived("etcd.ConfigController", &node.config, "etcd", "etcd", output, settings)
}
