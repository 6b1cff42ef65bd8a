//! The machine API behind its unix socket: who is calling, whether it may, and which service answers.
//!
//! Must never: trust a caller for what it says; the kernel says which process it is.

mod access;
mod config;
mod events;
mod files;
mod kernel_log;
mod logs;
mod peer;
mod rpc;
mod services;
mod workloads;

use std::{convert::Infallible, io, path::PathBuf, sync::Arc, time::Duration};

use api::{
    cluster::cluster_service_server::ClusterServiceServer,
    inspect::inspect_service_server::InspectServiceServer,
    machine::machine_service_server::MachineServiceServer,
    time::time_service_server::TimeServiceServer,
};
use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use runtime::{Store, command, controller::Edge, event, log, service};
use sys::local::LocalStream;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;
use tonic::{Status, body::Body};
use tower::Service;

pub(crate) use self::{access::kubeconfig_identity, config::control_plane_only};
use self::{peer::Peer, rpc::Api};
use crate::{
    apid::backend::{self, CONNECTION_WINDOW, STREAM_WINDOW},
    frame::MAX_MESSAGE,
    health::Health,
    inspect::Inspect,
    method,
    procfs::Kernel,
    role::Roles,
    state::{self, Scope, State},
    time::Clock,
};

/// What the node runs on, as Version says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Platform {
    /// The platform's name.
    pub name: String,
    /// `metal`, `cloud`, `container` or `metal-agent`.
    pub mode: String,
}

impl Platform {
    /// Whether the kernel belongs to another system.
    #[must_use]
    pub fn in_container(&self) -> bool {
        self.mode == "container"
    }
}

/// Where the things are that only files and sockets lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The root of the file system that List, Read, Copy, DiskUsage and `/proc` readers see.
    pub root: PathBuf,
    /// The containerd of pods, etcd and the kubelet.
    pub cri: PathBuf,
    /// The containerd of system containers.
    pub containerd: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            root: "/".into(),
            cri: "/run/containerd/containerd.sock".into(),
            containerd: "/system/run/containerd/containerd.sock".into(),
        }
    }
}

/// The controller graph, asked for when somebody wants to see it.
pub type Edges = Arc<dyn Fn() -> Vec<Edge> + Send + Sync>;

/// Everything the machine API answers from.
#[derive(Clone)]
pub struct Node {
    /// The resources.
    pub store: Store,
    /// The services.
    pub services: service::Registry,
    /// The event stream.
    pub events: event::Bus,
    /// The logs.
    pub logs: log::Registry,
    /// Where requests to the node go.
    pub commands: command::Sender,
    /// What the node runs on.
    pub platform: Platform,
    /// Where things are.
    pub places: Places,
    /// The controller graph.
    pub edges: Edges,
}

impl Node {
    fn kernel(&self) -> Kernel {
        Kernel::new(&self.places.root)
    }
}

/// The machine API of a node.
#[derive(Clone)]
pub struct Machine {
    node: Arc<Node>,
    state: State,
    machine: MachineServiceServer<Api>,
    time: TimeServiceServer<Clock>,
    inspect: InspectServiceServer<Inspect>,
    cluster: ClusterServiceServer<Health>,
}

impl Machine {
    /// The machine API over these tables.
    #[must_use]
    pub fn new(node: Node) -> Self {
        let node = Arc::new(node);
        let machine = MachineServiceServer::new(Api::new(node.clone()));
        Self {
            state: State::new(node.store.clone(), Scope::Everything),
            machine: machine
                .max_decoding_message_size(MAX_MESSAGE)
                .max_encoding_message_size(MAX_MESSAGE),
            time: TimeServiceServer::new(Clock::new(node.store.clone())),
            inspect: InspectServiceServer::new(Inspect::new(node.edges.clone())),
            cluster: ClusterServiceServer::new(Health::new(node.clone(), backend::PORT)),
            node,
        }
    }

    /// Serves the socket until the task is dropped.
    pub async fn serve(self, listener: UnixListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(self.clone().connection(stream));
                }
                Err(error) => accept_failed(&error).await,
            }
        }
    }

    /// Serves the socket on a thread of its own, until the returned future is dropped: calls are not handed from
    /// thread to thread, and whatever else the process does meanwhile does not hold them up.
    ///
    /// # Errors
    /// What the kernel says when the thread cannot be started; also when it ended, which it does only by a panic.
    pub async fn serve_apart(self, listener: UnixListener) -> io::Result<()> {
        let listener = listener.into_std()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            // Threads are made when needed; each caller that reads files holds one while it reads.
            .max_blocking_threads(64)
            .thread_name("api-files")
            .enable_all()
            .build()?;
        let (going, dropped) = oneshot::channel::<Infallible>();
        let (ended, end) = oneshot::channel();
        std::thread::Builder::new().name("api".to_owned()).spawn(move || {
            let result = runtime.block_on(async {
                let listener = UnixListener::from_std(listener)?;
                tokio::select! {
                    () = self.serve(listener) => {}
                    _ = dropped => {}
                }
                Ok(())
            });
            runtime.shutdown_background();
            // Nobody listens when the future was dropped.
            drop(ended.send(result));
        })?;
        let result = end.await;
        drop(going);
        result.unwrap_or_else(|_| Err(io::Error::other("the thread of the machine API panicked")))
    }

    async fn connection(self, stream: UnixStream) {
        let peer = match Peer::identify(&self.node.store, &stream).await {
            Ok(peer) => Arc::new(peer),
            Err(error) => {
                tracing::warn!(%error, "a process calls the machine API and cannot be identified");
                return;
            }
        };
        let served = service_fn(move |request| {
            let (machine, peer) = (self.clone(), peer.clone());
            async move { machine.call(&peer, request).await }
        });
        serve_http(stream, served).await;
    }

    async fn call(
        mut self,
        peer: &Peer,
        mut request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        let roles = peer.claim(&self.node.store).roles(request.headers());
        let path = request.uri().path();
        if let Err(status) = admit(path, &roles, config::is_configured(&self.node.store)) {
            return Ok(status.into_http());
        }
        if self.node.platform.in_container() && NEEDS_A_MACHINE.contains(&path) {
            let refused = "method is not supported in container mode";
            return Ok(Status::failed_precondition(refused).into_http());
        }
        if let Some(rest) = path.strip_prefix(state::SERVICE) {
            let rest = rest.to_owned();
            return Ok(self.state.call(&rest, roles.grants(), request).await);
        }
        let service = path.rsplit_once('/').map_or("", |(service, _)| service).to_owned();
        request.extensions_mut().insert(roles);
        match service.as_str() {
            "/machine.MachineService" => self.machine.call(request).await,
            "/time.TimeService" => self.time.call(request).await,
            "/inspect.InspectService" => self.inspect.call(request).await,
            "/cluster.ClusterService" => self.cluster.call(request).await,
            other => {
                let name = other.trim_start_matches('/');
                Ok(Status::unimplemented(format!("{name} is not built yet")).into_http())
            }
        }
    }
}

/// Methods that change what a machine boots, which namespaces of another system's kernel do not.
const NEEDS_A_MACHINE: [&str; 6] = [
    "/machine.MachineService/Upgrade",
    "/machine.MachineService/Rollback",
    "/machine.MachineService/MetaWrite",
    "/machine.MachineService/MetaDelete",
    "/machine.LifecycleService/Install",
    "/machine.LifecycleService/Upgrade",
];

/// Checks a caller's roles before anything else is said about a method.
fn admit(path: &str, roles: &Roles, configured: bool) -> Result<(), Status> {
    match method::find(path) {
        Some(method) if method.permits(roles.grants(), configured) => Ok(()),
        // A method without a rule is an administrator's.
        None if roles.grants().contains(crate::role::Grants::ADMIN) => {
            Err(Status::unimplemented(format!("there is no method {path}")))
        }
        _ => Err(Status::permission_denied("not authorized")),
    }
}

/// Serves a part of the state on a socket of its own, to whoever may open that socket.
pub async fn serve_state(store: Store, scope: Scope, listener: UnixListener) {
    let state = State::new(store, scope);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let state = state.clone();
                let served = service_fn(move |request: Request<Incoming>| {
                    let state = state.clone();
                    async move {
                        let path = request.uri().path();
                        let Some(name) = path.strip_prefix(state::SERVICE).map(str::to_owned)
                        else {
                            let status = Status::unimplemented(format!("there is no {path} here"));
                            return Ok(status.into_http());
                        };
                        let grants = crate::role::Grants::ADMIN;
                        Ok::<_, Infallible>(state.call(&name, grants, request).await)
                    }
                });
                tokio::spawn(serve_http(stream, served));
            }
            Err(error) => accept_failed(&error).await,
        }
    }
}

/// A full descriptor table is the one error of accepting that stays; it ends when a connection does.
async fn accept_failed(error: &io::Error) {
    tracing::error!(%error, "taking a connection");
    tokio::time::sleep(Duration::from_millis(50)).await;
}

async fn serve_http<S, F>(stream: UnixStream, service: S)
where
    S: hyper::service::Service<
            Request<Incoming>,
            Response = Response<Body>,
            Error = Infallible,
            Future = F,
        > + Send
        + 'static,
    F: Future<Output = Result<Response<Body>, Infallible>> + Send + 'static,
{
    let stream = match LocalStream::new(stream) {
        Ok(stream) => stream,
        Err(error) => {
            tracing::warn!(%error, "a connection to the machine API cannot be watched");
            return;
        }
    };
    let served = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        // gRPC carries no date, and making one costs every reply.
        .auto_date_header(false)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(None)
        .max_frame_size(1 << 20)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection to the machine API broke");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_looked_at_before_a_method_is_said_not_to_exist() {
        let check =
            |path, role: &str| admit(path, &Roles::parse([role]), true).map_err(|s| s.code());
        let denied = Err(tonic::Code::PermissionDenied);
        assert_eq!(check("/machine.MachineService/Version", "os:reader"), Ok(()));
        assert_eq!(check("/machine.MachineService/Reset", "os:reader"), denied);
        assert_eq!(check("/machine.MachineService/Reset", "os:admin"), Ok(()));
        assert_eq!(check("/machine.MachineService/Nothing", "os:reader"), denied);
        let unknown = check("/machine.MachineService/Nothing", "os:admin");
        assert_eq!(unknown, Err(tonic::Code::Unimplemented));
    }
}
