//! Images of pods that every node of this kind will run: fetched and unpacked before the kubelet asks for them.

use std::path::Path;

use ::config::defaults::{FLANNEL_IMAGE, PAUSE_IMAGE};
use ::config::view::View;
use ::runtime::controller::{Context, ControllerError, Input, Next};
use registry::layout::Layout;
use resource::config::MachineConfigSpec;

use crate::config::active::{ACTIVE, NAMESPACE};
use crate::cri::services::IMAGE_CACHE;
use crate::images::Images;
use crate::{Node, Plain, Run, plain};

/// The images in the order in which they are needed; those of one step are fetched at once. `is_near` tells of an image
/// whether fetching it costs the network nothing.
fn steps(view: View<'_>, is_near: impl Fn(&str) -> bool) -> Vec<Vec<String>> {
    let mut steps = vec![vec![PAUSE_IMAGE.to_owned()]];
    if view.is_control_plane() {
        let first = view.api_server().component.image;
        steps[0].push(first);
        let mut next = Vec::new();
        let (manager, scheduler) = (view.controller_manager(), view.scheduler().component);
        next.extend([manager, scheduler].into_iter().filter(|c| c.enabled).map(|c| c.image));
        steps.push(next);
    }
    let mut network: Vec<String> =
        view.flannel().map(|flannel| flannel.image).into_iter().collect();
    // A worker's configuration may leave open which network the cluster has; this one is the usual one.
    if network.is_empty() && !view.is_control_plane() && is_near(FLANNEL_IMAGE) {
        network.push(FLANNEL_IMAGE.to_owned());
    }
    let proxy = view.proxy().component;
    if proxy.enabled {
        network.push(proxy.image);
    }
    steps.push(network);
    let dns = view.core_dns();
    if dns.enabled && view.is_control_plane() {
        steps.push(vec![dns.image]);
    }
    steps
}

/// Whether the node's own cache holds the image. Whoever needs the cache says what is wrong with it.
fn is_in(cache: &Path, image: &str) -> bool {
    let Ok(wanted) = image.parse() else { return false };
    Layout::open(cache).is_ok_and(|cache| cache.images().any(|(name, _)| *name == wanted))
}

/// Fetches them.
///
/// The kubelet's image comes first: it holds the same large layer as those of the control plane, which is then fetched
/// once and not by everybody at the same time.
pub(super) fn controller(node: &Node, images: Images, own: Images) -> Plain<Run> {
    let active = node.config.clone();
    let cache = node.paths.at(IMAGE_CACHE);
    let mut fetched: Vec<Vec<String>> = Vec::new();
    let run = move |context: &Context| -> Result<Next, ControllerError> {
        if let Some(config) = active.complete(context.store())? {
            let steps = steps(config.view(), |image| is_in(&cache, image));
            if steps != fetched {
                let (own, kubelet) = (own.clone(), config.view().kubelet().image);
                let first = async move {
                    // Whoever needs it says what is wrong with it.
                    drop(own.ensure(&kubelet).await);
                };
                images.prefetch_after(first, steps.clone());
                fetched = steps;
            }
        }
        Ok(Next::OnChange)
    };
    let input = Input::weak::<MachineConfigSpec>(NAMESPACE).with_id(ACTIVE);
    plain("k8s.ImagePrefetchController", vec![input], vec![], Box::new(run) as Run)
}
