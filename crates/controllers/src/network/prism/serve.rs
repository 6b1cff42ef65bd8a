//! The balancer's sockets: clients on one side, API servers on the other.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::network::balance::{self, Action, Balancer, Event};
use ::runtime::Waker;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// How long the other side may be silent before a connection ends: a server whose power went says
/// nothing any more.
const SILENCE: Duration = Duration::from_secs(30);
/// How long a server may take to answer.
const DIAL: Duration = Duration::from_secs(15);
/// How long a client waits for any server: those that start before their server does are served
/// the moment it is there.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no balancer.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for KubePrism")]
pub(super) struct ListenError {
    address: String,
    #[source]
    source: io::Error,
}

struct Shared {
    balancer: Mutex<Balancer>,
    /// Told when a server is there.
    healthy: Notify,
    waker: Waker,
}

/// A running balancer; it ends when this is dropped. Connections that clients have are kept.
pub(super) struct Server {
    address: String,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Listens on `address`; `waker` is told when the health changes.
    pub(super) async fn start(address: &str, waker: Waker) -> Result<Self, ListenError> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| ListenError { address: address.to_owned(), source })?;
        let shared = Arc::new(Shared { balancer: Mutex::default(), healthy: Notify::new(), waker });
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self { address: address.to_owned(), shared, accepting })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// These are the API servers now.
    pub(super) fn replace(&self, servers: Vec<balance::Server>) {
        self.shared.clone().handle(Event::Servers(servers));
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.shared.lock().is_healthy()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
        // Tries end with the servers they are for.
        self.shared.clone().handle(Event::Servers(Vec::new()));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Balancer> {
        self.balancer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(self: Arc<Self>, event: Event) {
        let actions = self.lock().handle(event);
        for action in actions {
            match action {
                Action::Try { server, after } => {
                    tokio::spawn(attempt(self.clone(), server, after));
                }
                Action::Healthy(healthy) => {
                    if healthy {
                        self.healthy.notify_waiters();
                    }
                    self.waker.wake();
                }
                // A try of it ends by itself: its answer is for nobody.
                Action::Drop(_) => {}
            }
        }
    }
}

async fn attempt(shared: Arc<Shared>, server: balance::Server, after: Duration) {
    sleep(after).await;
    let reached = dial(&server).await.is_some();
    shared.handle(Event::Tried { server, reached });
}

async fn dial((host, port): &balance::Server) -> Option<TcpStream> {
    let stream = timeout(DIAL, TcpStream::connect((host.as_str(), *port))).await.ok()?.ok()?;
    prepare(&stream);
    Some(stream)
}

/// Small requests must not wait for large ones, and nobody waits for a dead machine. A connection
/// without these options works too.
fn prepare(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let _ = sys::socket::end_when_silent(stream, SILENCE);
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                prepare(&client);
                tokio::spawn(serve(client, shared.clone()));
            }
            // Out of descriptors, most likely: they come back when connections end.
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn serve(mut client: TcpStream, shared: Arc<Shared>) {
    let found = tokio::select! {
        found = timeout(PATIENCE, connect(&shared)) => found,
        // A client that gives up must not keep its socket here until a server is there.
        () = gone(&client) => return,
    };
    let Ok(Some((server, mut stream))) = found else { return };
    shared.clone().handle(Event::Opened(server.clone()));
    // However it ends, both sides are closed; there is nobody to tell.
    let _ = copy_bidirectional(&mut client, &mut stream).await;
    shared.handle(Event::Closed(server));
}

/// Ends when the client has closed its side. What it has sent stays for the server.
async fn gone(client: &TcpStream) {
    let mut byte = [0];
    if !matches!(client.peek(&mut byte).await, Ok(0) | Err(_)) {
        // It has begun to talk and waits for an answer.
        std::future::pending().await
    }
}

/// A connection to the best server that answers; waits for one if none does.
async fn connect(shared: &Arc<Shared>) -> Option<(balance::Server, TcpStream)> {
    loop {
        let healthy = shared.healthy.notified();
        tokio::pin!(healthy);
        healthy.as_mut().enable();
        let order = shared.lock().order();
        for server in order {
            match dial(&server).await {
                Some(stream) => {
                    shared.clone().handle(Event::Reached(server.clone()));
                    return Some((server, stream));
                }
                None => shared.clone().handle(Event::Refused(server)),
            }
        }
        healthy.await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn ask(address: &str) -> String {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"?").await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn api_server(listener: TcpListener, answer: &'static str) {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = [0];
                if client.read_exact(&mut request).await.is_ok() {
                    client.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    }

    async fn free_port() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    }

    #[tokio::test]
    async fn a_client_that_comes_too_early_is_served_when_the_server_starts() {
        let port = free_port().await;
        let address = format!("127.0.0.1:{}", free_port().await);
        let server = Server::start(&address, Waker::default()).await.unwrap();
        server.replace(vec![("127.0.0.1".into(), port)]);
        let early = tokio::spawn(async move { ask(&address).await });
        sleep(Duration::from_millis(120)).await;
        assert!(!early.is_finished() && !server.is_healthy());
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        tokio::spawn(api_server(listener, "one"));
        assert_eq!(timeout(Duration::from_secs(5), early).await.unwrap().unwrap(), "one");
        assert!(server.is_healthy());
    }

    #[tokio::test]
    async fn a_server_that_is_gone_is_passed_over() {
        let address = format!("127.0.0.1:{}", free_port().await);
        let server = Server::start(&address, Waker::default()).await.unwrap();
        let first = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let second = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = |listener: &TcpListener| {
            ("127.0.0.1".to_owned(), listener.local_addr().unwrap().port())
        };
        server.replace(vec![at(&first), at(&second)]);
        let one = tokio::spawn(api_server(first, "one"));
        tokio::spawn(api_server(second, "two"));
        assert!(["one", "two"].contains(&ask(&address).await.as_str()));
        one.abort();
        let _ = one.await;
        for _ in 0..4 {
            assert_eq!(ask(&address).await, "two");
        }
    }
}
