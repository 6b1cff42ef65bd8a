//! The network of a cluster: a namespace of its own with a bridge, to which nodes are plugged in.
//!
//! One thread lives in that namespace and runs everything that needs a socket there; nothing of
//! the host's network is changed.

use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd as _;

use futures::TryStreamExt as _;
use ipnet::Ipv4Net;
use rtnetlink::packet_route::link::LinkMessage;
use rtnetlink::{LinkBridge, LinkUnspec, LinkVeth, RouteMessageBuilder};
use sys::namespace::{self, Namespaces};
use thiserror::Error;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

const BRIDGE: &str = "br0";
const NODE_LINK: &str = "eth0";

/// Why the network is not there.
#[derive(Debug, Error)]
pub(crate) enum FabricError {
    #[error("cannot make a network namespace")]
    Namespace(#[source] io::Error),
    #[error("cannot start the network's thread")]
    Thread(#[source] io::Error),
    #[error("cannot enter the network namespace of the node")]
    Enter(#[source] io::Error),
    #[error("the network's thread has ended")]
    Gone,
    #[error("cannot open netlink")]
    Open(#[source] io::Error),
    #[error("cannot {action} {link}")]
    Link {
        action: &'static str,
        link: String,
        #[source]
        source: rtnetlink::Error,
    },
    #[error("there is no link {0}")]
    NoLink(String),
}

/// A running network.
#[derive(Debug)]
pub(crate) struct Fabric {
    handle: Handle,
    network: Ipv4Net,
    gateway: Ipv4Addr,
    mtu: u32,
    _alive: oneshot::Sender<()>,
}

impl Fabric {
    /// Makes the namespace with its bridge; it ends with this value.
    pub(crate) async fn start(
        network: Ipv4Net,
        gateway: Ipv4Addr,
        mtu: u32,
    ) -> Result<Self, FabricError> {
        let (alive, ended) = oneshot::channel::<()>();
        let (ready, started) = oneshot::channel();
        std::thread::Builder::new()
            .name("fabric".into())
            .spawn(move || {
                let runtime = namespace::unshare(Namespaces::NETWORK)
                    .map_err(FabricError::Namespace)
                    .and_then(|()| runtime());
                match runtime {
                    Ok(runtime) => {
                        let _ = ready.send(Ok(runtime.handle().clone()));
                        let _ = runtime.block_on(ended);
                    }
                    Err(error) => {
                        let _ = ready.send(Err(error));
                    }
                }
            })
            .map_err(FabricError::Thread)?;
        let handle = started.await.map_err(|_| FabricError::Gone)??;
        let fabric = Self { handle, network, gateway, mtu, _alive: alive };
        let prefix = network.prefix_len();
        fabric.run(move || bridge(gateway, prefix, mtu)).await?;
        Ok(fabric)
    }

    /// Where tasks that use this network run.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Runs a task in the network and waits for it.
    async fn run<F, T>(&self, task: impl FnOnce() -> F + Send + 'static) -> Result<T, FabricError>
    where
        F: Future<Output = Result<T, FabricError>> + Send,
        T: Send + 'static,
    {
        let task = self.handle.spawn(async move { task().await });
        task.await.map_err(|_| FabricError::Gone)?
    }

    /// Plugs a node in: its number names the outer end of the cable.
    pub(crate) async fn plug_in(
        &self,
        number: usize,
        address: Ipv4Addr,
        namespace: File,
    ) -> Result<(), FabricError> {
        let mtu = self.mtu;
        let inside = namespace.try_clone().map_err(FabricError::Enter)?;
        self.run(move || cable(format!("node{number}"), namespace, mtu)).await?;
        let (prefix, gateway) = (self.network.prefix_len(), self.gateway);
        // A thread of its own: one that has entered a namespace is no good for anything else.
        let (done, result) = oneshot::channel();
        std::thread::Builder::new()
            .name("plug".into())
            .spawn(move || {
                let configured = namespace::enter(&inside, Namespaces::NETWORK)
                    .map_err(FabricError::Enter)
                    .and_then(|()| runtime())
                    .and_then(|runtime| runtime.block_on(node_end(address, prefix, gateway)));
                let _ = done.send(configured);
            })
            .map_err(FabricError::Thread)?;
        result.await.map_err(|_| FabricError::Gone)?
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, FabricError> {
    Builder::new_current_thread().enable_all().build().map_err(FabricError::Thread)
}

/// Netlink in the network namespace of this thread.
fn netlink() -> Result<rtnetlink::Handle, FabricError> {
    let (connection, handle, _) = rtnetlink::new_connection().map_err(FabricError::Open)?;
    tokio::spawn(connection);
    Ok(handle)
}

async fn bridge(gateway: Ipv4Addr, prefix: u8, mtu: u32) -> Result<(), FabricError> {
    let netlink = netlink()?;
    change(&netlink, "switch on", "lo", |index| LinkUnspec::new_with_index(index).up().build())
        .await?;
    let bridge = LinkBridge::new(BRIDGE).mtu(mtu).up().build();
    add(&netlink, bridge, BRIDGE).await?;
    address(&netlink, BRIDGE, gateway, prefix).await
}

/// One cable: an end on the bridge, the other in the node's namespace.
async fn cable(name: String, node: File, mtu: u32) -> Result<(), FabricError> {
    let netlink = netlink()?;
    // The end of a cable whose node was switched off may still be on its way out of the kernel.
    if let Ok(index) = index(&netlink, &name).await {
        match netlink.link().del(index).execute().await {
            // It went by itself meanwhile.
            Err(error) if is_absent(&error) => {}
            removed => removed.map_err(|source| failed("remove", &name, source))?,
        }
    }
    let bridge = index(&netlink, BRIDGE).await?;
    let veth = LinkVeth::new(&name, NODE_LINK).mtu(mtu).controller(bridge).up().build();
    add(&netlink, veth, &name).await?;
    let fd = node.as_raw_fd();
    change(&netlink, "hand over", NODE_LINK, |index| {
        LinkUnspec::new_with_index(index).mtu(mtu).setns_by_fd(fd).build()
    })
    .await
}

/// The kernel's number for a device that does not exist (errno(3), ENODEV).
const NO_SUCH_DEVICE: i32 = 19;

/// Whether the kernel has no such link.
fn is_absent(error: &rtnetlink::Error) -> bool {
    match error {
        rtnetlink::Error::NetlinkError(message) => message.raw_code() == -NO_SUCH_DEVICE,
        _ => false,
    }
}

async fn node_end(node: Ipv4Addr, prefix: u8, gateway: Ipv4Addr) -> Result<(), FabricError> {
    let netlink = netlink()?;
    for link in ["lo", NODE_LINK] {
        change(&netlink, "switch on", link, |index| LinkUnspec::new_with_index(index).up().build())
            .await?;
    }
    address(&netlink, NODE_LINK, node, prefix).await?;
    let route = RouteMessageBuilder::<Ipv4Addr>::new().gateway(gateway).build();
    let added = netlink.route().add(route).execute().await;
    added.map_err(|source| failed("route through", NODE_LINK, source))
}

async fn add(
    netlink: &rtnetlink::Handle,
    link: LinkMessage,
    name: &str,
) -> Result<(), FabricError> {
    let added = netlink.link().add(link).execute().await;
    added.map_err(|source| failed("make", name, source))
}

async fn change(
    netlink: &rtnetlink::Handle,
    action: &'static str,
    name: &str,
    message: impl FnOnce(u32) -> LinkMessage,
) -> Result<(), FabricError> {
    let index = index(netlink, name).await?;
    let changed = netlink.link().set(message(index)).execute().await;
    changed.map_err(|source| failed(action, name, source))
}

async fn address(
    netlink: &rtnetlink::Handle,
    link: &str,
    address: Ipv4Addr,
    prefix: u8,
) -> Result<(), FabricError> {
    let index = index(netlink, link).await?;
    let added = netlink.address().add(index, address.into(), prefix).execute().await;
    added.map_err(|source| failed("address", link, source))
}

async fn index(netlink: &rtnetlink::Handle, name: &str) -> Result<u32, FabricError> {
    let found = netlink.link().get().match_name(name.to_owned()).execute().try_next().await;
    let link = found.map_err(|source| failed("find", name, source))?;
    link.map(|link| link.header.index).ok_or_else(|| FabricError::NoLink(name.to_owned()))
}

fn failed(action: &'static str, link: &str, source: rtnetlink::Error) -> FabricError {
    FabricError::Link { action, link: link.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroI32;

    use super::*;

    fn refused(code: i32) -> rtnetlink::Error {
        let mut message = rtnetlink::packet_core::ErrorMessage::default();
        message.code = NonZeroI32::new(code);
        rtnetlink::Error::NetlinkError(message)
    }

    #[test]
    fn a_link_that_went_by_itself_is_no_failure() {
        assert!(is_absent(&refused(-19)));
        // Permission, and a failure that has nothing to do with the kernel's answer.
        assert!(!is_absent(&refused(-1)));
        assert!(!is_absent(&rtnetlink::Error::RequestFailed));
    }
}
