//! Warnings about a node that works, but not for long: what is wrong, with what, and where to read on.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ::runtime::controller::{
    Context, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use ipnet::IpNet;
use resource::config::MachineConfigSpec;
use resource::network::NodeAddressSpec;
use resource::runtime::DiagnosticSpec;

use crate::Node;
use crate::config::active::{ACTIVE, NAMESPACE};
use crate::plain::plain;

/// The host's addresses that lie in a subnet of pods or services: such an address is not reached from pods.
fn overlaps(addresses: &[IpAddr], subnets: &[(&str, IpNet)]) -> Option<DiagnosticSpec> {
    let details: Vec<String> = addresses
        .iter()
        .flat_map(|address| {
            subnets.iter().filter(move |(_, subnet)| subnet.contains(address)).map(
                move |(what, subnet)| {
                    format!("host address {address} is in the {what} subnet {subnet}")
                },
            )
        })
        .collect();
    (!details.is_empty()).then(|| DiagnosticSpec {
        message: "host and Kubernetes addresses overlap".to_owned(),
        details,
    })
}

/// Adds the controller that publishes warnings.
pub(super) fn register(controllers: &mut Runtime, node: &Node) -> Result<(), RegisterError> {
    let active = node.config.clone();
    controllers.register(plain(
        "runtime.DiagnosticsController",
        vec![
            Input::weak::<MachineConfigSpec>(NAMESPACE).with_id(ACTIVE),
            // The address the node is known by: those of pods on its own bridges are no overlap.
            Input::weak::<NodeAddressSpec>("network").with_id("default"),
        ],
        vec![Output::exclusive::<DiagnosticSpec>()],
        move |context: &Context| -> Result<Next, ControllerError> {
            let config = active.complete(context.store())?;
            let addresses = context.get::<NodeAddressSpec>("network", "default");
            let mut present = BTreeSet::new();
            if let (Some(config), Some(addresses)) = (config, addresses) {
                let view = config.view();
                let parse = |what: &'static str, subnets: Vec<String>| {
                    subnets.into_iter().filter_map(move |text| Some((what, text.parse().ok()?)))
                };
                let subnets: Vec<(&str, IpNet)> = parse("pod", view.pod_subnets())
                    .chain(parse("service", view.service_subnets()))
                    .collect();
                let addresses: Vec<IpAddr> =
                    addresses.spec.addresses.iter().filter_map(|prefix| prefix.address()).collect();
                if let Some(wanted) = overlaps(&addresses, &subnets) {
                    context.modify::<DiagnosticSpec>("runtime", "address-overlap", |spec| {
                        spec.clone_from(&wanted);
                    })?;
                    present.insert("address-overlap");
                }
            }
            context
                .cleanup::<DiagnosticSpec>("runtime", |warning| present.contains(warning.id()))?;
            Ok(Next::OnChange)
        },
    ))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_inside_a_subnet_is_named() {
        let subnets = [
            ("pod", "10.244.0.0/16".parse().unwrap()),
            ("service", "10.96.0.0/12".parse().unwrap()),
        ];
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(overlaps(&[address("10.5.0.2")], &subnets), None);
        let warning = overlaps(&[address("10.5.0.2"), address("10.96.0.9")], &subnets).unwrap();
        assert_eq!(
            warning.details,
            ["host address 10.96.0.9 is in the service subnet 10.96.0.0/12"]
        );
    }
}
