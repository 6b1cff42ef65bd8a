//! The nodes' way out: name resolution and an HTTP CONNECT proxy on the gateway's address.
//!
//! Requests arrive in the cluster's network; what goes out leaves through ordinary sockets of the
//! host, so the host needs no forwarding, no address translation and no firewall rule.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// Where the proxy listens, on the gateway's address.
pub const PROXY_PORT: u16 = 3128;
const DNS_PORT: u16 = 53;
/// How long a name server may take; resolvers ask again after about as long.
const DNS_PATIENCE: Duration = Duration::from_secs(5);
/// A CONNECT request is short; more than this is none.
const LONGEST_REQUEST: usize = 8192;

/// Why there is no way out.
#[derive(Debug, Error)]
#[error("cannot listen on {address} in the cluster's network")]
pub(crate) struct EgressError {
    address: SocketAddr,
    #[source]
    source: io::Error,
}

/// How this host reaches the world.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Uplink {
    pub(crate) name_servers: Vec<IpAddr>,
    /// `host:port` of the host's own proxy.
    pub(crate) proxy: Option<String>,
}

impl Uplink {
    /// From `/etc/resolv.conf` and the usual variables.
    pub(crate) fn of_host() -> Self {
        let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let proxy = variable("HTTPS_PROXY").or_else(|| variable("https_proxy"));
        Self { name_servers: name_servers(&text), proxy: proxy.as_deref().and_then(authority) }
    }
}

fn name_servers(resolv_conf: &str) -> Vec<IpAddr> {
    resolv_conf
        .lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver"))
        .filter_map(|address| address.trim().parse().ok())
        .collect()
}

/// `host:port` of an `http://` proxy address.
fn authority(url: &str) -> Option<String> {
    let rest = match url.split_once("://") {
        Some(("http", rest)) => rest,
        Some(_) => return None,
        None => url,
    };
    let authority = rest.split('/').next()?.rsplit('@').next()?;
    authority.contains(':').then(|| authority.to_owned())
}

/// Starts both services in the cluster's network; they end with the runtimes.
pub(crate) async fn start(
    gateway: Ipv4Addr,
    uplink: Uplink,
    inside: &Handle,
    outside: Handle,
) -> Result<(), EgressError> {
    let at = |port| SocketAddr::from((gateway, port));
    let bind = |address: SocketAddr| async move {
        let bound = inside.spawn(TcpListener::bind(address)).await.map_err(io::Error::other);
        bound.and_then(|bound| bound).map_err(|source| EgressError { address, source })
    };
    let proxy = bind(at(PROXY_PORT)).await?;
    let dns_stream = bind(at(DNS_PORT)).await?;
    let address = at(DNS_PORT);
    let dns = inside.spawn(UdpSocket::bind(address)).await.map_err(io::Error::other);
    let dns = dns.and_then(|bound| bound).map_err(|source| EgressError { address, source })?;

    inside.spawn(accept(proxy, outside.clone(), uplink.clone(), connect_request));
    inside.spawn(accept(dns_stream, outside.clone(), uplink.clone(), dns_over_stream));
    inside.spawn(relay_names(dns, outside, uplink.name_servers));
    Ok(())
}

/// Serves the proxy alone, on a listener of the host's own network; it never ends.
pub(crate) async fn proxy(listener: TcpListener, uplink: Uplink) {
    accept(listener, Handle::current(), uplink, connect_request).await;
}

async fn accept<F>(
    listener: TcpListener,
    outside: Handle,
    uplink: Uplink,
    serve: impl Fn(TcpStream, Uplink) -> F,
) where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    loop {
        let Ok((client, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        // A broken connection concerns its two ends only.
        outside.spawn(serve(client, uplink.clone()));
    }
}

/// Serves one `CONNECT host:port` request.
async fn connect_request(mut client: TcpStream, uplink: Uplink) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if request.len() > LONGEST_REQUEST {
            return refuse(&mut client, "431 Request Header Fields Too Large").await;
        }
        // Byte by byte from the kernel would be slow for a stream, but this is one short head,
        // and what follows it must stay in the socket.
        let byte = client.read_u8().await?;
        request.push(byte);
    }
    let head = String::from_utf8_lossy(&request).into_owned();
    let Some(target) = connect_target(&head) else {
        return refuse(&mut client, "405 Method Not Allowed").await;
    };
    let server = match &uplink.proxy {
        Some(proxy) => match TcpStream::connect(proxy).await {
            // The host's proxy answers the request itself.
            Ok(mut server) => server.write_all(&request).await.map(|()| server),
            Err(error) => Err(error),
        },
        None => match TcpStream::connect(target).await {
            Ok(server) => client
                .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
                .await
                .map(|()| server),
            Err(error) => Err(error),
        },
    };
    match server {
        Ok(mut server) => copy_bidirectional(&mut client, &mut server).await.map(|_| ()),
        Err(_) => refuse(&mut client, "502 Bad Gateway").await,
    }
}

async fn refuse(client: &mut TcpStream, status: &str) -> io::Result<()> {
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    client.write_all(answer.as_bytes()).await
}

/// The `host:port` of a CONNECT request's first line.
fn connect_target(head: &str) -> Option<&str> {
    let mut words = head.lines().next()?.split(' ');
    let target = (words.next()? == "CONNECT").then(|| words.next())??;
    words.next()?.starts_with("HTTP/1.").then_some(target)
}

async fn dns_over_stream(mut client: TcpStream, uplink: Uplink) -> io::Result<()> {
    for server in uplink.name_servers {
        if let Ok(mut server) = TcpStream::connect((server, DNS_PORT)).await {
            copy_bidirectional(&mut client, &mut server).await?;
            break;
        }
    }
    Ok(())
}

async fn relay_names(socket: UdpSocket, outside: Handle, servers: Vec<IpAddr>) {
    let socket = std::sync::Arc::new(socket);
    let mut buffer = vec![0; 65535];
    loop {
        let Ok((length, client)) = socket.recv_from(&mut buffer).await else {
            tokio::task::yield_now().await;
            continue;
        };
        let question = buffer.get(..length).unwrap_or_default().to_vec();
        let (socket, servers) = (socket.clone(), servers.clone());
        outside.spawn(async move {
            let answer = match resolve(&question, &servers).await {
                Some(answer) => Some(answer),
                None => unresolved(&question),
            };
            if let Some(answer) = answer {
                let _ = socket.send_to(&answer, client).await;
            }
        });
    }
}

/// The first answer of the host's name servers.
async fn resolve(question: &[u8], servers: &[IpAddr]) -> Option<Vec<u8>> {
    for server in servers {
        let any: SocketAddr = match server {
            IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            IpAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let asked = timeout(DNS_PATIENCE, async {
            let socket = UdpSocket::bind(any).await?;
            socket.connect((*server, DNS_PORT)).await?;
            socket.send(question).await?;
            let mut answer = vec![0; 65535];
            let length = socket.recv(&mut answer).await?;
            answer.truncate(length);
            io::Result::Ok(answer)
        });
        if let Ok(Ok(answer)) = asked.await {
            return Some(answer);
        }
    }
    None
}

/// The question turned into the answer "server failure" (RFC 1035, 4.1.1), so that nobody waits.
fn unresolved(question: &[u8]) -> Option<Vec<u8>> {
    let mut answer = question.to_vec();
    let [_, _, first, second, ..] = answer.as_mut_slice() else { return None };
    *first |= 0x80;
    *second = (*second & 0xf0) | 2;
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_connect_requests_have_a_target() {
        let target = |head| connect_target(head);
        assert_eq!(target("CONNECT ghcr.io:443 HTTP/1.1\r\nHost: x\r\n\r\n"), Some("ghcr.io:443"));
        assert_eq!(target("GET http://ghcr.io/ HTTP/1.1\r\n\r\n"), None);
        assert_eq!(target("CONNECT ghcr.io:443\r\n\r\n"), None);
        assert_eq!(target(""), None);
    }

    #[test]
    fn the_hosts_own_ways_out_are_understood() {
        let text = "# x\nnameserver 1.1.1.1\nnameserver fd00::1\nnameserver x\nsearch y\n";
        let servers: Vec<_> = name_servers(text).iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["1.1.1.1", "fd00::1"]);
        assert_eq!(authority("http://u:p@proxy:8080/"), Some("proxy:8080".into()));
        assert_eq!(authority("proxy:3128"), Some("proxy:3128".into()));
        assert_eq!(authority("socks5://proxy:1"), None);
    }

    #[test]
    fn a_failed_question_is_answered_as_failed() {
        let question = [0x12, 0x34, 0x01, 0x00, 0, 1];
        assert_eq!(unresolved(&question), Some(vec![0x12, 0x34, 0x81, 0x02, 0, 1]));
        assert_eq!(unresolved(&[1, 2, 3]), None);
    }
}
