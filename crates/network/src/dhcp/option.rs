//! The values of options: lists of addresses, names, routes. What is out of shape is as if it were not there.

use std::net::Ipv4Addr;

use super::lease::Route;

/// More entries than this in one list are not taken: nobody needs them, and each costs the node something.
const MOST: usize = 64;
/// The longest name of the DNS (RFC 1035 chapter 2.3.4).
const LONGEST_NAME: usize = 253;

/// A 32-bit number.
pub(super) fn number(value: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(value.try_into().ok()?))
}

/// The length of the prefix that a mask means; `None` when it is no mask.
pub(crate) fn mask(value: &[u8]) -> Option<u8> {
    let mask = number(value)?;
    let bits = mask.leading_ones();
    (mask.count_ones() == bits && bits > 0).then(|| u8::try_from(bits).unwrap_or(32))
}

/// An address that one machine can have and be spoken to at from another.
pub(super) fn is_host(address: Ipv4Addr) -> bool {
    let [first, ..] = address.octets();
    first != 0 && first != 127 && first < 224
}

/// A list of addresses of other machines, each once.
pub(super) fn addresses(value: &[u8]) -> Vec<Ipv4Addr> {
    let mut found = Vec::new();
    for octets in value.chunks_exact(4).take(MOST) {
        let Ok(octets) = <[u8; 4]>::try_from(octets) else { continue };
        let address = Ipv4Addr::from(octets);
        if is_host(address) && !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

/// A name of letters, digits, hyphens and underscores in labels (RFC 1123 chapter 2.1); a dot or zero bytes at its
/// end are dropped.
pub(crate) fn name(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?.trim_end_matches('\0');
    let text = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    (text.len() <= LONGEST_NAME && text.split('.').all(label)).then(|| text.to_ascii_lowercase())
}

/// A list of names in the form of RFC 1035 chapter 4.1.4, whose pointers count from the value's start (RFC 3397).
pub(crate) fn search(value: &[u8]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut at = 0;
    while at < value.len() && found.len() < MOST {
        let Some((text, next)) = labels(value, at) else { break };
        if let Some(name) = name(text.as_bytes()).filter(|name| !found.contains(name)) {
            found.push(name);
        }
        at = next;
    }
    found
}

/// The name at `at`, and where the next one begins.
fn labels(value: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut next = None;
    loop {
        let length = *value.get(at)?;
        match length {
            0 => return Some((text, next.unwrap_or(at + 1))),
            1..=63 => {
                let label = value.get(at + 1..at + 1 + usize::from(length))?;
                if text.len() + label.len() > LONGEST_NAME {
                    return None;
                }
                text.push_str(std::str::from_utf8(label).ok()?);
                text.push('.');
                at += 1 + usize::from(length);
            }
            192.. => {
                let to = usize::from(length & 0x3f) << 8 | usize::from(*value.get(at + 1)?);
                // Only backwards, so that it ends.
                if to >= at {
                    return None;
                }
                next = next.or(Some(at + 2));
                at = to;
            }
            _ => return None,
        }
    }
}

/// Classless routes (RFC 3442); none at all when one is out of shape.
pub(super) fn routes(mut value: &[u8]) -> Option<Vec<Route>> {
    let mut found = Vec::new();
    while let Some((&bits, rest)) = value.split_first() {
        if bits > 32 || found.len() == MOST {
            return None;
        }
        let (significant, rest) = rest.split_at_checked(usize::from(bits.div_ceil(8)))?;
        let (gateway, rest) = rest.split_first_chunk::<4>()?;
        let mut octets = [0; 4];
        for (to, from) in octets.iter_mut().zip(significant) {
            *to = *from;
        }
        let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
        let destination = Ipv4Addr::from_bits(u32::from_be_bytes(octets) & mask);
        let gateway = Ipv4Addr::from(*gateway);
        let gateway = (!gateway.is_unspecified()).then_some(gateway);
        if gateway.is_some_and(|gateway| !is_host(gateway)) {
            return None;
        }
        found.push(Route { destination, bits, gateway });
        value = rest;
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_without_holes() {
        let cases: [(&[u8], Option<u8>); 6] = [
            (&[255, 255, 255, 0], Some(24)),
            (&[255, 255, 255, 255], Some(32)),
            (&[128, 0, 0, 0], Some(1)),
            (&[0, 0, 0, 0], None),
            (&[255, 0, 255, 0], None),
            (&[255, 255, 255], None),
        ];
        for (value, bits) in cases {
            assert_eq!(mask(value), bits, "{value:?}");
        }
    }

    #[test]
    fn names_are_names() {
        let cases: [(&[u8], Option<&str>); 10] = [
            (b"cp-1", Some("cp-1")),
            (b"CP-1.Example.ORG.\0\0", Some("cp-1.example.org")),
            (b"_x.y", Some("_x.y")),
            (b"", None),
            (b".", None),
            (b"a..b", None),
            (b"-a", None),
            (b"a b", None),
            (b"a\nnameserver 6.6.6.6", None),
            (&[0xff, 0xfe], None),
        ];
        for (value, expected) in cases {
            assert_eq!(name(value).as_deref(), expected, "{value:?}");
        }
        assert_eq!(name(&[b'a'; 64]), None);
    }

    #[test]
    fn search_lists_are_unpacked_and_never_run_in_circles() {
        let value = b"\x03eng\x05apple\x03com\x00\x09marketing\xc0\x04";
        assert_eq!(search(value), ["eng.apple.com", "marketing.apple.com"]);
        assert!(search(b"\xc0\x00").is_empty());
        assert!(search(b"\x01a\xc0\x02").is_empty());
        assert_eq!(search(b"\x01a\x00\x05b").len(), 1, "what is cut off is left out");
    }

    #[test]
    fn routes_have_as_many_bytes_as_their_prefix() {
        let value = [0, 10, 0, 0, 1, 24, 10, 9, 8, 0, 0, 0, 0, 20, 172, 16, 255, 10, 0, 0, 2];
        let shown: Vec<String> = routes(&value)
            .unwrap()
            .iter()
            .map(|r| format!("{}/{} {:?}", r.destination, r.bits, r.gateway))
            .collect();
        assert_eq!(
            shown,
            ["0.0.0.0/0 Some(10.0.0.1)", "10.9.8.0/24 None", "172.16.240.0/20 Some(10.0.0.2)"]
        );
        assert_eq!(routes(&[]), None);
        assert_eq!(routes(&[33, 1, 2, 3, 4, 5, 1, 2, 3, 4]), None);
        assert_eq!(routes(&[24, 10, 0, 0, 10]), None);
        assert_eq!(routes(&[0, 224, 0, 0, 1]), None);
    }
}
