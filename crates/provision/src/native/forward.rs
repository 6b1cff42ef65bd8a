//! Ports of the host that lead into the cluster.
//!
//! Each listening socket is the host's; each connection onward is made in the cluster's network.

use std::io;
use std::net::SocketAddr;

use thiserror::Error;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;

use crate::spec::Forward;

/// Why a port does not lead anywhere.
#[derive(Debug, Error)]
#[error(
    "cannot listen on {address} of this host: it is probably in use by another program; stop that \
     program or destroy the cluster and create it again with another port"
)]
pub(crate) struct ForwardError {
    address: SocketAddr,
    #[source]
    source: io::Error,
}

/// Starts forwarding; it ends with the runtime.
pub(crate) async fn start(forward: &Forward, inside: Handle) -> Result<(), ForwardError> {
    let address = forward.listen;
    let listener =
        TcpListener::bind(address).await.map_err(|source| ForwardError { address, source })?;
    let targets: Vec<SocketAddr> =
        forward.nodes.iter().map(|node| (*node, forward.port).into()).collect();
    tokio::spawn(async move {
        loop {
            // Running out of descriptors is the one lasting error; connections that end cure it.
            let Ok((client, _)) = listener.accept().await else {
                tokio::task::yield_now().await;
                continue;
            };
            tokio::spawn(serve(client, targets.clone(), inside.clone()));
        }
    });
    Ok(())
}

/// Connects to the first node that answers. When none does, the client sees its connection closed,
/// which is what a machine that is off looks like.
async fn serve(mut client: TcpStream, targets: Vec<SocketAddr>, inside: Handle) {
    let _ = client.set_nodelay(true);
    for target in targets {
        if let Ok(Ok(mut node)) = inside.spawn(TcpStream::connect(target)).await {
            let _ = node.set_nodelay(true);
            let _ = copy_bidirectional(&mut client, &mut node).await;
            return;
        }
    }
}
