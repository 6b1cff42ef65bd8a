//! IPv4 and ARP packets around the client's messages, for a node that has no address yet.

use std::net::Ipv4Addr;

/// The port of servers.
pub const SERVER_PORT: u16 = 67;
/// The port of clients.
pub const CLIENT_PORT: u16 = 68;

const UDP: u8 = 17;
/// The header without options.
const IP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;

/// The sum of RFC 1071, in parts.
fn sum(bytes: &[u8], start: u32) -> u32 {
    let mut words = bytes.chunks_exact(2);
    let mut total = start;
    for word in &mut words {
        if let [high, low] = *word {
            total += u32::from(u16::from_be_bytes([high, low]));
        }
    }
    if let [last] = *words.remainder() {
        total += u32::from(last) << 8;
    }
    total
}

fn fold(mut total: u32) -> u16 {
    while total > 0xffff {
        total = (total >> 16) + (total & 0xffff);
    }
    !u16::try_from(total).unwrap_or(u16::MAX)
}

/// The sum over what UDP protects besides its own bytes (RFC 768).
fn pseudo(from: Ipv4Addr, to: Ipv4Addr, length: u16) -> u32 {
    sum(&to.octets(), sum(&from.octets(), u32::from(UDP) + u32::from(length)))
}

/// An IPv4 packet from the client's port to the server's; `None` when the message is too long for one.
#[must_use]
pub fn packet(from: Ipv4Addr, to: Ipv4Addr, message: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(UDP_HEADER + message.len()).ok()?;
    let total = length.checked_add(u16::try_from(IP_HEADER).ok()?)?;
    // Version 4 and five words of header; not to be fragmented; 64 hops.
    let mut ip = vec![0x45, 0x10];
    ip.extend(total.to_be_bytes());
    ip.extend([0, 0, 0x40, 0, 64, UDP, 0, 0]);
    ip.extend(from.octets());
    ip.extend(to.octets());
    let checksum = fold(sum(&ip, 0)).to_be_bytes();
    ip.splice(10..12, checksum);
    let mut udp = Vec::with_capacity(usize::from(length));
    udp.extend(CLIENT_PORT.to_be_bytes());
    udp.extend(SERVER_PORT.to_be_bytes());
    udp.extend(length.to_be_bytes());
    udp.extend([0, 0]);
    udp.extend_from_slice(message);
    let checksum = match fold(sum(&udp, pseudo(from, to, length))) {
        // Zero would say that there is no checksum.
        0 => 0xffff,
        checksum => checksum,
    };
    udp.splice(6..8, checksum.to_be_bytes());
    ip.extend(udp);
    Some(ip)
}

/// The message in an IPv4 packet from a server's port to the client's; `None` when it is anything else. A kernel may
/// hand over packets of the same machine before their UDP checksum is filled in: then `checked` is false.
#[must_use]
pub fn message(packet: &[u8], checked: bool) -> Option<&[u8]> {
    let [first, _, high, low, _, _, fragment, offset, _, protocol, ..] = *packet else {
        return None;
    };
    let header = usize::from(first & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes([high, low]));
    let is_fragment = u16::from_be_bytes([fragment, offset]) & 0x3fff != 0;
    if first >> 4 != 4 || header < IP_HEADER || protocol != UDP || is_fragment {
        return None;
    }
    let ip = packet.get(..header)?;
    let udp = packet.get(header..total)?;
    if fold(sum(ip, 0)) != 0 {
        return None;
    }
    let [a, b, c, d, high, low, sum_high, sum_low, ..] = *udp else { return None };
    let length = u16::from_be_bytes([high, low]);
    let ports = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    if ports != (SERVER_PORT, CLIENT_PORT) {
        return None;
    }
    let udp = udp.get(..usize::from(length))?;
    if checked && (sum_high, sum_low) != (0, 0) {
        let address = |at: usize| {
            let octets: Option<&[u8; 4]> = ip.get(at..)?.first_chunk();
            octets.map(|octets| Ipv4Addr::from(*octets))
        };
        if fold(sum(udp, pseudo(address(12)?, address(16)?, length))) != 0 {
            return None;
        }
    }
    udp.get(UDP_HEADER..)
}

/// Ethernet, IPv4, six and four bytes of addresses (RFC 826).
const ARP: [u8; 6] = [0, 1, 8, 0, 6, 4];

/// An ARP packet that asks who has an address, without claiming it (RFC 5227 chapter 2.1.1).
#[must_use]
pub fn probe(hardware: [u8; 6], address: Ipv4Addr) -> Vec<u8> {
    let mut out = ARP.to_vec();
    out.extend([0, 1]);
    out.extend(hardware);
    out.extend([0; 4]);
    out.extend([0; 6]);
    out.extend(address.octets());
    out
}

/// Whether an ARP packet shows that somebody else has `address`, or is about to take it.
#[must_use]
pub fn is_conflict(packet: &[u8], hardware: [u8; 6], address: Ipv4Addr) -> bool {
    let field = |at: usize, length: usize| packet.get(at..at + length).unwrap_or_default();
    if field(0, 6) != ARP {
        return false;
    }
    let (sender, sender_address) = (field(8, 6), field(14, 4));
    let (target_address, own) = (field(24, 4), address.octets());
    if sender.len() != 6 || sender == hardware {
        return false;
    }
    let claimed = sender_address == own;
    let probed = field(6, 2) == [0, 1] && sender_address == [0; 4] && target_address == own;
    claimed || probed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply() -> Vec<u8> {
        let (from, to) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::BROADCAST);
        let mut packet = packet(from, to, b"hello").unwrap();
        // The ports turned around, which their sum does not notice.
        packet[20..24].copy_from_slice(&[0, 67, 0, 68]);
        packet
    }

    #[test]
    fn packets_are_read_as_they_are_written() {
        let good = reply();
        assert_eq!(message(&good, true), Some(&b"hello"[..]));
        let mut padded = good.clone();
        padded.extend([0; 13]);
        assert_eq!(message(&padded, true), Some(&b"hello"[..]));
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x01;
            // The sum of the UDP part is the only thing that a kernel may leave open.
            assert_eq!(message(&bad, true), None, "byte {at}");
            assert_eq!(message(&good[..at], true), None, "cut at {at}");
        }
        let mut unfinished = good.clone();
        unfinished[26] ^= 0x55;
        assert_eq!(message(&unfinished, false), Some(&b"hello"[..]));
        assert_eq!(packet(Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST, &[0; 70_000]), None);
    }

    #[test]
    fn a_conflict_is_another_machine_with_the_address() {
        let (own, other) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        let address = Ipv4Addr::new(10, 0, 0, 9);
        assert!(!is_conflict(&probe(own, address), own, address));
        assert!(is_conflict(&probe(other, address), own, address));
        assert!(!is_conflict(&probe(other, Ipv4Addr::new(10, 0, 0, 8)), own, address));
        let mut answer = probe(other, Ipv4Addr::new(10, 0, 0, 1));
        answer[7] = 2;
        answer[14..18].copy_from_slice(&address.octets());
        assert!(is_conflict(&answer, own, address));
        assert!(!is_conflict(&answer[..20], own, Ipv4Addr::UNSPECIFIED));
        assert!(!is_conflict(&[], own, address));
    }
}
