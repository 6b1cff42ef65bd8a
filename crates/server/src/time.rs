//! The time service: what a time server says, beside what this node's clock says.
//!
//! One exchange of SNTP (RFC 5905, section 14) per call. Must never: set a clock.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{Duration, SystemTime},
};

use api::time::{Time, TimeRequest, TimeResponse, time_service_server::TimeService};
use resource::network::TimeServerStatusSpec;
use runtime::Store;
use tokio::{net::UdpSocket, time::timeout};
use tonic::{Request, Response, Status};

/// The server of a node that was given none.
const DEFAULT_SERVER: &str = "time.cloudflare.com";
const PORT: u16 = 123;
const PATIENCE: Duration = Duration::from_secs(5);
/// Seconds from 1900, where NTP counts from, to 1970.
const EPOCH: u64 = 2_208_988_800;

/// The time service.
#[derive(Clone)]
pub(crate) struct Clock {
    store: Store,
}

impl Clock {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }

    fn configured(&self) -> String {
        self.store
            .get::<TimeServerStatusSpec>("network", "timeservers")
            .and_then(|status| status.spec.time_servers.first().cloned())
            .unwrap_or_else(|| DEFAULT_SERVER.to_owned())
    }
}

#[tonic::async_trait]
impl TimeService for Clock {
    async fn time(&self, _: Request<()>) -> Result<Response<TimeResponse>, Status> {
        check(&self.configured()).await
    }

    async fn time_check(
        &self,
        request: Request<TimeRequest>,
    ) -> Result<Response<TimeResponse>, Status> {
        let server = request.into_inner().server;
        if server.is_empty() {
            return Err(Status::invalid_argument("no time server is named"));
        }
        check(&server).await
    }
}

async fn check(server: &str) -> Result<Response<TimeResponse>, Status> {
    let answered = timeout(PATIENCE, ask(server)).await.map_err(|_| {
        Status::deadline_exceeded(format!(
            "time server {server} did not answer within {PATIENCE:?}"
        ))
    })??;
    let message = Time {
        metadata: None,
        server: server.to_owned(),
        localtime: Some(answered.local.into()),
        remotetime: Some(answered.remote.into()),
    };
    Ok(Response::new(TimeResponse { messages: vec![message] }))
}

struct Answer {
    local: SystemTime,
    remote: SystemTime,
}

async fn ask(server: &str) -> Result<Answer, Status> {
    let failed = |what: &'static str| {
        move |error: std::io::Error| {
            Status::unavailable(format!("{what} time server {server}: {error}"))
        }
    };
    let address = tokio::net::lookup_host((server, PORT))
        .await
        .map_err(failed("looking up"))?
        .next()
        .ok_or_else(|| Status::unavailable(format!("time server {server} has no address")))?;
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await.map_err(failed("reaching"))?;
    socket.connect(address).await.map_err(failed("reaching"))?;
    let sent = SystemTime::now();
    let stamp = to_ntp(sent);
    socket.send(&request(stamp)).await.map_err(failed("asking"))?;
    let mut packet = [0; 512];
    loop {
        let length = socket.recv(&mut packet).await.map_err(failed("asking"))?;
        let received = SystemTime::now();
        match parse(packet.get(..length).unwrap_or_default(), stamp) {
            Reply::Foreign => {}
            Reply::Refused(reason) => {
                return Err(Status::unavailable(format!("time server {server} {reason}")));
            }
            Reply::Times { received: there, transmitted } => {
                // The middle of the exchange here was the middle of it there.
                let local = middle(sent, received);
                return Ok(Answer { local, remote: middle(there, transmitted) });
            }
        }
    }
}

fn middle(from: SystemTime, to: SystemTime) -> SystemTime {
    from + to.duration_since(from).unwrap_or_default() / 2
}

fn to_ntp(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let fraction = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
    (since.as_secs() + EPOCH) << 32 | fraction
}

/// Times of the era that began in 1900 and, where the seconds are small, of the one after 2036 (RFC 4330, section 3).
fn from_ntp(stamp: u64) -> Option<SystemTime> {
    let seconds = stamp >> 32;
    let seconds = if seconds >> 31 == 0 { seconds + (1 << 32) } else { seconds };
    let nanos = ((stamp & 0xffff_ffff) * 1_000_000_000) >> 32;
    let since = Duration::new(seconds.checked_sub(EPOCH)?, u32::try_from(nanos).ok()?);
    Some(SystemTime::UNIX_EPOCH + since)
}

/// A client's request: version 4, mode 3, and the time that the answer has to repeat.
fn request(stamp: u64) -> [u8; 48] {
    let mut packet = [0; 48];
    packet[0] = 4 << 3 | 3;
    packet[40..].copy_from_slice(&stamp.to_be_bytes());
    packet
}

#[derive(Debug, PartialEq)]
enum Reply {
    /// Not the answer to this request.
    Foreign,
    /// The server does not serve.
    Refused(&'static str),
    Times {
        received: SystemTime,
        transmitted: SystemTime,
    },
}

fn parse(packet: &[u8], asked: u64) -> Reply {
    let Some(packet) = packet.first_chunk::<48>() else { return Reply::Foreign };
    let stamp = |at: usize| {
        let bytes = packet.get(at..).and_then(|rest| rest.first_chunk::<8>());
        u64::from_be_bytes(bytes.copied().unwrap_or_default())
    };
    if packet[0] & 7 != 4 || stamp(24) != asked {
        return Reply::Foreign;
    }
    if packet[0] >> 6 == 3 {
        return Reply::Refused("is not synchronized itself");
    }
    match packet[1] {
        0 => Reply::Refused("refuses to serve (kiss of death)"),
        1..=15 => match (from_ntp(stamp(32)), from_ntp(stamp(40))) {
            (Some(received), Some(transmitted)) => Reply::Times { received, transmitted },
            _ => Reply::Refused("answers with an impossible time"),
        },
        _ => Reply::Refused("is not synchronized itself"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(asked: u64, stratum: u8, first: u8) -> [u8; 48] {
        let mut packet = [0; 48];
        packet[0] = first;
        packet[1] = stratum;
        packet[24..32].copy_from_slice(&asked.to_be_bytes());
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_500);
        packet[32..40].copy_from_slice(&to_ntp(time).to_be_bytes());
        packet[40..].copy_from_slice(&to_ntp(time).to_be_bytes());
        packet
    }

    #[test]
    fn only_an_answer_to_this_request_counts() {
        const SERVER: u8 = 4 << 3 | 4;
        let asked = to_ntp(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        let Reply::Times { received, .. } = parse(&answer(asked, 2, SERVER), asked) else {
            panic!("not taken for an answer");
        };
        let millis = received.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        assert!((1_700_000_000_499..=1_700_000_000_500).contains(&millis), "{millis}");
        assert_eq!(parse(&answer(asked + 1, 2, SERVER), asked), Reply::Foreign);
        assert_eq!(parse(&answer(asked, 2, 4 << 3 | 3), asked), Reply::Foreign);
        assert_eq!(parse(&answer(asked, 2, SERVER)[..40], asked), Reply::Foreign);
        assert!(matches!(parse(&answer(asked, 0, SERVER), asked), Reply::Refused(_)));
        assert!(matches!(parse(&answer(asked, 16, SERVER), asked), Reply::Refused(_)));
        assert!(matches!(parse(&answer(asked, 2, 3 << 6 | SERVER), asked), Reply::Refused(_)));
    }

    #[test]
    fn times_survive_the_turn_of_the_era() {
        for seconds in [1_700_000_000, 2_085_978_495, 2_085_978_496, 4_000_000_000_u64] {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            // The wire has 32 bits of seconds.
            assert_eq!(from_ntp(to_ntp(time)), Some(time), "{seconds}");
        }
    }
}
