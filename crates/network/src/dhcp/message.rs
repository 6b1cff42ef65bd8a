//! The wire form of DHCPv4 messages (RFC 2131 chapter 2, RFC 2132, RFC 3396).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use thiserror::Error;

/// The fixed part of a message, before the cookie.
const HEADER: usize = 236;
/// What options begin with (RFC 2131 chapter 3).
const COOKIE: [u8; 4] = [99, 130, 83, 99];
/// Old relays drop messages that are shorter than a BOOTP message (RFC 1542 chapter 2.1).
const SHORTEST: usize = 300;
/// The largest message that this client takes: an Ethernet frame without IP and UDP headers.
const LARGEST: u16 = 1472;

/// The numbers of options that the client uses (RFC 2132, RFC 3397, RFC 3442).
pub mod code {
    /// Subnet mask.
    pub const MASK: u8 = 1;
    /// Routers.
    pub const ROUTER: u8 = 3;
    /// Domain name servers.
    pub const RESOLVERS: u8 = 6;
    /// Host name.
    pub const HOSTNAME: u8 = 12;
    /// Domain name.
    pub const DOMAIN: u8 = 15;
    /// MTU of the link.
    pub const MTU: u8 = 26;
    /// NTP servers.
    pub const TIME_SERVERS: u8 = 42;
    /// The address that the client asks for.
    pub const REQUESTED: u8 = 50;
    /// Life of the lease in seconds.
    pub const LIFETIME: u8 = 51;
    /// Options go on in the fields for file and server name.
    pub const OVERLOAD: u8 = 52;
    /// Kind of message.
    pub const KIND: u8 = 53;
    /// The server's identifier.
    pub const SERVER: u8 = 54;
    /// What the client asks for.
    pub const PARAMETERS: u8 = 55;
    /// The largest message that the client takes.
    pub const SIZE: u8 = 57;
    /// Seconds until renewing (T1).
    pub const RENEW: u8 = 58;
    /// Seconds until rebinding (T2).
    pub const REBIND: u8 = 59;
    /// The client's identifier.
    pub const CLIENT: u8 = 61;
    /// Domains to search.
    pub const SEARCH: u8 = 119;
    /// Classless routes.
    pub const ROUTES: u8 = 121;
}

/// Kinds of messages (RFC 2132 chapter 9.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Is there a server?
    Discover,
    /// A server offers an address.
    Offer,
    /// The client takes an address, or keeps it.
    Request,
    /// Somebody else uses the address.
    Decline,
    /// The address is the client's.
    Ack,
    /// The address is not the client's.
    Nak,
}

impl Kind {
    fn number(self) -> u8 {
        match self {
            Self::Discover => 1,
            Self::Offer => 2,
            Self::Request => 3,
            Self::Decline => 4,
            Self::Ack => 5,
            Self::Nak => 6,
        }
    }
}

/// Why bytes are no answer of a server.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum MessageError {
    /// Not even the fixed part is there.
    #[error("a message of {length} bytes is too short")]
    Short {
        /// Its length.
        length: usize,
    },
    /// It is from a client, or for another kind of network.
    #[error("it is no answer to an Ethernet client")]
    NotAnAnswer,
    /// The cookie is missing.
    #[error("it has no options")]
    NoOptions,
    /// An option goes beyond the end.
    #[error("option {code} is cut off")]
    CutOff {
        /// Its number.
        code: u8,
    },
    /// It says not what it is, or something that a server does not say.
    #[error("it is no kind of message that servers send")]
    Kind,
}

/// Options by number; the parts of one that came in several are joined.
pub type Options = BTreeMap<u8, Vec<u8>>;

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What it is: an offer, an ACK or a NAK.
    pub kind: Kind,
    /// The number of the exchange.
    pub exchange: u32,
    /// The client's address.
    pub address: Ipv4Addr,
    /// The client's hardware address.
    pub hardware: [u8; 6],
    /// The server's identifier.
    pub server: Option<Ipv4Addr>,
    /// All options.
    pub options: Options,
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

impl Reply {
    /// Reads an answer.
    ///
    /// # Errors
    /// When the bytes are none.
    pub fn parse(bytes: &[u8]) -> Result<Self, MessageError> {
        let short = MessageError::Short { length: bytes.len() };
        let [operation, network, length, ..] = *bytes else { return Err(short) };
        let exchange = u32::from_be_bytes(array(bytes, 4).ok_or(short)?);
        let address = Ipv4Addr::from(array::<4>(bytes, 16).ok_or(short)?);
        let hardware = array(bytes, 28).ok_or(short)?;
        let (name, file) = (bytes.get(44..108).ok_or(short)?, bytes.get(108..HEADER).ok_or(short)?);
        // 2 is a server's answer, 1 Ethernet, whose addresses have six bytes.
        if (operation, network, length) != (2, 1, 6) {
            return Err(MessageError::NotAnAnswer);
        }
        if array(bytes, HEADER) != Some(COOKIE) {
            return Err(MessageError::NoOptions);
        }
        let mut options = Options::new();
        collect(bytes.get(HEADER + COOKIE.len()..).unwrap_or_default(), &mut options)?;
        let overload = options.remove(&code::OVERLOAD).and_then(|value| value.first().copied());
        let overload = overload.unwrap_or(0);
        if overload & 1 != 0 {
            collect(file, &mut options)?;
        }
        if overload & 2 != 0 {
            collect(name, &mut options)?;
        }
        let kind = match options.get(&code::KIND).map(Vec::as_slice) {
            Some([2]) => Kind::Offer,
            Some([5]) => Kind::Ack,
            Some([6]) => Kind::Nak,
            _ => return Err(MessageError::Kind),
        };
        let server = options.get(&code::SERVER).and_then(|value| {
            let octets: [u8; 4] = value.as_slice().try_into().ok()?;
            Some(Ipv4Addr::from(octets))
        });
        Ok(Self { kind, exchange, address, hardware, server, options })
    }
}

/// Adds the options of one field.
fn collect(mut rest: &[u8], options: &mut Options) -> Result<(), MessageError> {
    while let [code, after @ ..] = rest {
        match *code {
            0 => rest = after,
            255 => return Ok(()),
            code => {
                let cut = MessageError::CutOff { code };
                let (length, after) = after.split_first().ok_or(cut)?;
                let (value, after) = after.split_at_checked(usize::from(*length)).ok_or(cut)?;
                options.entry(code).or_default().extend_from_slice(value);
                rest = after;
            }
        }
    }
    // The end may be missing when the field is full.
    Ok(())
}

/// What the client says.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What it is.
    pub kind: Kind,
    /// The number of the exchange.
    pub exchange: u32,
    /// Seconds since the client began.
    pub seconds: u16,
    /// The address that the client uses already, or 0.0.0.0.
    pub own: Ipv4Addr,
    /// The client's hardware address.
    pub hardware: [u8; 6],
    /// What the client calls itself (option 61); empty for nothing.
    pub identifier: &'a [u8],
    /// The address that it asks for.
    pub requested: Option<Ipv4Addr>,
    /// The server whose offer it takes.
    pub server: Option<Ipv4Addr>,
    /// The name of its machine.
    pub hostname: Option<&'a str>,
    /// The options that it asks for.
    pub parameters: &'a [u8],
}

impl Request<'_> {
    /// The wire form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![1, 1, 6, 0];
        out.extend(self.exchange.to_be_bytes());
        out.extend(self.seconds.to_be_bytes());
        // No broadcast flag: this client hears frames to its hardware address before it has an address.
        out.extend([0, 0]);
        out.extend(self.own.octets());
        out.resize(28, 0);
        out.extend(self.hardware);
        out.resize(HEADER, 0);
        out.extend(COOKIE);
        put(&mut out, code::KIND, &[self.kind.number()]);
        put(&mut out, code::CLIENT, self.identifier);
        if let Some(requested) = self.requested {
            put(&mut out, code::REQUESTED, &requested.octets());
        }
        if let Some(server) = self.server {
            put(&mut out, code::SERVER, &server.octets());
        }
        if matches!(self.kind, Kind::Discover | Kind::Request) {
            put(&mut out, code::SIZE, &LARGEST.to_be_bytes());
            put(&mut out, code::HOSTNAME, self.hostname.unwrap_or_default().as_bytes());
            put(&mut out, code::PARAMETERS, self.parameters);
        }
        out.push(255);
        if out.len() < SHORTEST {
            out.resize(SHORTEST, 0);
        }
        out
    }
}

/// Adds an option; an empty one is left out, a long one goes into several (RFC 3396).
fn put(out: &mut Vec<u8>, code: u8, value: &[u8]) {
    for part in value.chunks(255) {
        out.push(code);
        out.push(u8::try_from(part.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer made by turning a request around.
    fn answer(options: &[u8]) -> Vec<u8> {
        let request = Request {
            kind: Kind::Discover,
            exchange: 7,
            seconds: 0,
            own: Ipv4Addr::UNSPECIFIED,
            hardware: [2, 0, 0, 0, 0, 1],
            identifier: &[],
            requested: None,
            server: None,
            hostname: None,
            parameters: &[],
        };
        let mut bytes = request.encode();
        bytes.truncate(HEADER + 4);
        bytes[0] = 2;
        bytes[16..20].copy_from_slice(&[10, 0, 0, 9]);
        bytes.extend_from_slice(options);
        bytes
    }

    #[test]
    fn a_request_has_the_form_of_the_rfc() {
        let request = Request {
            kind: Kind::Request,
            exchange: 0x0102_0304,
            seconds: 258,
            own: Ipv4Addr::new(10, 0, 0, 9),
            hardware: [2, 0, 0, 0, 0, 1],
            identifier: &[1, 2, 0, 0, 0, 0, 1],
            requested: Some(Ipv4Addr::new(10, 0, 0, 9)),
            server: Some(Ipv4Addr::new(10, 0, 0, 1)),
            hostname: Some("cp-1"),
            parameters: &[121, 3],
        };
        let bytes = request.encode();
        assert_eq!(bytes.len(), SHORTEST);
        assert_eq!(bytes[..16], [1, 1, 6, 0, 1, 2, 3, 4, 1, 2, 0, 0, 10, 0, 0, 9]);
        assert_eq!(bytes[28..34], [2, 0, 0, 0, 0, 1]);
        let expected: &[u8] = &[
            99, 130, 83, 99, 53, 1, 3, 61, 7, 1, 2, 0, 0, 0, 0, 1, 50, 4, 10, 0, 0, 9, 54, 4, 10,
            0, 0, 1, 57, 2, 5, 192, 12, 4, b'c', b'p', b'-', b'1', 55, 2, 121, 3, 255,
        ];
        assert_eq!(bytes[HEADER..HEADER + expected.len()], *expected);
    }

    #[test]
    fn an_answer_is_read_and_everything_else_is_refused() {
        let reply = Reply::parse(&answer(&[
            53, 1, 5, 54, 4, 10, 0, 0, 1, 0, 6, 2, 8, 8, 6, 2, 8, 8, 255, 9,
        ]));
        let reply = reply.unwrap();
        assert_eq!((reply.kind, reply.exchange), (Kind::Ack, 7));
        assert_eq!(reply.address, Ipv4Addr::new(10, 0, 0, 9));
        assert_eq!(reply.server, Some(Ipv4Addr::new(10, 0, 0, 1)));
        assert_eq!(reply.options[&code::RESOLVERS], [8, 8, 8, 8], "parts are joined");

        let mut overloaded = answer(&[53, 1, 2, 52, 1, 3, 255]);
        overloaded[108..114].copy_from_slice(&[1, 2, 255, 0, 255, 7]);
        overloaded[44..48].copy_from_slice(&[12, 1, b'x', 255]);
        let reply = Reply::parse(&overloaded).unwrap();
        assert_eq!(reply.options[&code::MASK], [255, 0]);
        assert_eq!(reply.options[&code::HOSTNAME], b"x");

        let cases: [(Vec<u8>, MessageError); 7] = [
            (vec![], MessageError::Short { length: 0 }),
            (vec![2; 100], MessageError::Short { length: 100 }),
            (vec![0; HEADER], MessageError::NotAnAnswer),
            (answer(&[])[..HEADER + 2].to_vec(), MessageError::NoOptions),
            (answer(&[]), MessageError::Kind),
            (answer(&[53, 1, 1, 255]), MessageError::Kind),
            (answer(&[53, 1, 5, 6, 9, 1]), MessageError::CutOff { code: 6 }),
        ];
        for (bytes, error) in cases {
            assert_eq!(Reply::parse(&bytes), Err(error));
        }
    }
}
