//! The wire form of router advertisements and solicitations (RFC 4861 chapter 4, RFC 8106 chapter 5).

use std::net::Ipv6Addr;
use std::time::Duration;

use thiserror::Error;

use crate::dhcp;

const SOLICITATION: u8 = 133;
const ADVERTISEMENT: u8 = 134;
/// The fixed part of an advertisement.
const HEADER: usize = 16;
const OPTION_SERVERS: u8 = 25;
const OPTION_DOMAINS: u8 = 31;

/// Why bytes are no advertisement. A message with one bad option is bad as a whole (RFC 4861 chapter 6.1.2).
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum AdvertisementError {
    /// Another type or code of ICMPv6.
    #[error("it is no router advertisement")]
    Kind,
    /// The fixed part is not all there.
    #[error("an advertisement of {length} bytes is too short")]
    Short {
        /// Its length.
        length: usize,
    },
    /// An option of no length, or one that goes beyond the end.
    #[error("option {code} has a wrong length")]
    Option {
        /// Its number.
        code: u8,
    },
}

/// What is read of an advertisement: name servers and search domains with how long they hold, `None` for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advertisement {
    /// Name servers.
    pub servers: Vec<(Ipv6Addr, Option<Duration>)>,
    /// Domains to search.
    pub domains: Vec<(String, Option<Duration>)>,
}

/// A question to all routers. It names no link-layer address, so that it is right whatever its source.
pub(super) fn solicitation() -> Vec<u8> {
    vec![SOLICITATION, 0, 0, 0, 0, 0, 0, 0]
}

impl Advertisement {
    /// Reads an ICMPv6 message.
    ///
    /// # Errors
    /// When it is no advertisement.
    pub fn parse(bytes: &[u8]) -> Result<Self, AdvertisementError> {
        if bytes.get(..2) != Some(&[ADVERTISEMENT, 0]) {
            return Err(AdvertisementError::Kind);
        }
        let short = AdvertisementError::Short { length: bytes.len() };
        let mut rest = bytes.get(HEADER..).ok_or(short)?;
        let mut advertisement = Self::default();
        while let [code, after @ ..] = rest {
            let wrong = AdvertisementError::Option { code: *code };
            // Lengths count eight bytes and include code and length themselves.
            let words = after.first().copied().filter(|words| *words > 0).ok_or(wrong)?;
            let (option, after) = rest.split_at_checked(usize::from(words) * 8).ok_or(wrong)?;
            advertisement.option(*code, option);
            rest = after;
        }
        Ok(advertisement)
    }

    fn option(&mut self, code: u8, option: &[u8]) {
        let Some((head, values)) = option.split_at_checked(8) else { return };
        let life = match *head {
            [_, _, _, _, a, b, c, d] => match u32::from_be_bytes([a, b, c, d]) {
                u32::MAX => None,
                seconds => Some(Duration::from_secs(u64::from(seconds))),
            },
            _ => return,
        };
        match code {
            OPTION_SERVERS => {
                for octets in values.chunks_exact(16) {
                    let Ok(octets) = <[u8; 16]>::try_from(octets) else { continue };
                    let server = Ipv6Addr::from(octets);
                    if is_server(server) {
                        self.servers.push((server, life));
                    }
                }
            }
            OPTION_DOMAINS => {
                let domains = dhcp::search(values).into_iter();
                self.domains.extend(domains.map(|domain| (domain, life)));
            }
            _ => {}
        }
    }
}

/// A link-local server is left out: it is reached through a zone, which resolver settings have no room for.
fn is_server(address: Ipv6Addr) -> bool {
    !(address.is_unspecified()
        || address.is_loopback()
        || address.is_multicast()
        || address.is_unicast_link_local()
        || address.to_ipv4_mapped().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advertisement(options: &[u8]) -> Vec<u8> {
        let mut bytes = vec![134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend_from_slice(options);
        bytes
    }

    #[test]
    fn servers_and_domains_are_read_past_other_options() {
        let mut options = vec![1, 1, 2, 0, 0, 0, 0, 1];
        options.extend([25, 5, 0, 0, 0, 0, 2, 88]);
        options.extend("fd00::53".parse::<Ipv6Addr>().unwrap().octets());
        options.extend("fd00::54".parse::<Ipv6Addr>().unwrap().octets());
        options.extend([31, 3, 0, 0, 255, 255, 255, 255]);
        options.extend(b"\x01a\x03org\x00\x01b\x03org\x00\x00\x00");
        options.extend([99, 1, 0, 0, 0, 0, 0, 0]);
        let read = Advertisement::parse(&advertisement(&options)).unwrap();
        let servers: Vec<String> = read.servers.iter().map(|(ip, _)| ip.to_string()).collect();
        assert_eq!(servers, ["fd00::53", "fd00::54"]);
        assert_eq!(read.servers[0].1, Some(Duration::from_secs(600)));
        assert_eq!(read.domains, [("a.org".to_owned(), None), ("b.org".to_owned(), None)]);
    }

    #[test]
    fn what_is_out_of_shape_is_refused() {
        let cases: [(Vec<u8>, AdvertisementError); 5] = [
            (vec![], AdvertisementError::Kind),
            (vec![133, 0, 0, 0, 0, 0, 0, 0], AdvertisementError::Kind),
            (vec![134, 0, 1], AdvertisementError::Short { length: 3 }),
            (advertisement(&[25, 0, 0, 0]), AdvertisementError::Option { code: 25 }),
            (advertisement(&[25, 3, 0, 0, 0, 0, 0, 0]), AdvertisementError::Option { code: 25 }),
        ];
        for (bytes, error) in cases {
            assert_eq!(Advertisement::parse(&bytes), Err(error));
        }
    }
}
