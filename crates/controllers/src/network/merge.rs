//! Merges the layers of each setting into the one that holds.

use std::collections::BTreeMap;

use ::network::id;
use ::network::merge::{Layered, merge};
use ::runtime::StoreError;
use ::runtime::controller::{Controller, Input, Next, Output, RegisterError, Runtime};
use resource::network::{
    AddressSpecSpec, HostnameSpecSpec, LinkSpecSpec, OperatorSpecSpec, ResolverSpecSpec,
    RouteSpecSpec, TimeServerSpecSpec,
};
use resource::{Phase, Spec};

use super::{LAYERS, NETWORK};
use crate::plain::plain;

/// Adds one controller for each kind of setting.
pub(super) fn register(controllers: &mut Runtime) -> Result<(), RegisterError> {
    controllers
        .register(merger::<LinkSpecSpec>("network.LinkMergeController", |spec| spec.name.clone()))?
        .register(merger::<AddressSpecSpec>("network.AddressMergeController", |spec| {
            id::address(&spec.link_name, spec.address)
        }))?
        .register(merger::<RouteSpecSpec>("network.RouteMergeController", id::route))?
        .register(merger::<OperatorSpecSpec>("network.OperatorMergeController", id::operator))?
        .register(merger::<HostnameSpecSpec>("network.HostnameMergeController", |_| {
            "hostname".to_owned()
        }))?
        .register(merger::<ResolverSpecSpec>("network.ResolverMergeController", |_| {
            "resolvers".to_owned()
        }))?
        .register(merger::<TimeServerSpecSpec>("network.TimeServerMergeController", |_| {
            "timeservers".to_owned()
        }))?;
    Ok(())
}

fn merger<S: Spec + Layered>(name: &'static str, final_id: fn(&S) -> String) -> impl Controller {
    plain(
        name,
        vec![Input::weak::<S>(LAYERS), Input::destroy_ready::<S>(NETWORK)],
        vec![Output::shared::<S>()],
        move |context| {
            let copies = context.list::<S>(LAYERS);
            let mut groups: BTreeMap<String, Vec<&S>> = BTreeMap::new();
            for copy in copies.iter().filter(|copy| copy.metadata.phase == Phase::Running) {
                groups.entry(final_id(&copy.spec)).or_default().push(&copy.spec);
            }
            context.cleanup::<S>(NETWORK, |found| groups.contains_key(found.id()))?;
            for (id, copies) in &groups {
                let Some(merged) = merge(copies.iter().copied()) else { continue };
                let written = context.modify::<S>(NETWORK, id, |spec| spec.clone_from(&merged));
                match written {
                    Ok(_) => {}
                    // It was unwanted a moment ago: it ends first and is made anew after.
                    Err(StoreError::TearingDown { .. }) => {
                        if context.remove::<S>(NETWORK, id)? {
                            context.modify::<S>(NETWORK, id, |spec| spec.clone_from(&merged))?;
                        }
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(Next::OnChange)
        },
    )
}
