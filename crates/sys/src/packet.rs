//! Packets of one link past the IP stack: for a node that has no address yet, and for asking who has one.

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use crate::socket::{check, receive, send_to, set_option};

/// The control message that says what the hardware did to a packet.
const AUXILIARY: (i32, i32) = (libc::SOL_PACKET, libc::PACKET_AUXDATA);

/// Which packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packets {
    /// IPv4 packets with UDP to this port, fragments left out.
    UdpTo(u16),
    /// ARP.
    Arp,
}

impl Packets {
    fn protocol(self) -> i32 {
        match self {
            Self::UdpTo(_) => libc::ETH_P_IP,
            Self::Arp => libc::ETH_P_ARP,
        }
    }
}

/// A packet that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its length without the Ethernet header.
    pub length: usize,
    /// Whether its UDP or TCP checksum has been filled in: the kernel leaves that to hardware, which packets between
    /// links of one machine never meet.
    pub checked: bool,
}

/// Sends and receives packets of one Ethernet link; never blocks.
#[derive(Debug)]
pub struct PacketSocket {
    fd: OwnedFd,
    index: i32,
    protocol: i32,
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The protocol as `sockaddr_ll` and `socket` take it.
fn big_endian(protocol: i32) -> u16 {
    u16::try_from(protocol).unwrap_or_default().to_be()
}

fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: u16::try_from(code).unwrap_or_default(), jt, jf, k }
}

/// A program of the classic packet filter for an IPv4 header at 0: UDP, no fragment, to the port.
fn udp_to(port: u16) -> [libc::sock_filter; 8] {
    use libc::{
        BPF_ABS, BPF_B, BPF_H, BPF_IND, BPF_JEQ, BPF_JMP, BPF_JSET, BPF_LD, BPF_LDX, BPF_MSH,
        BPF_RET,
    };
    [
        instruction(BPF_LD | BPF_B | BPF_ABS, 0, 0, 9),
        instruction(BPF_JMP | BPF_JEQ, 0, 5, 17),
        instruction(BPF_LD | BPF_H | BPF_ABS, 0, 0, 6),
        instruction(BPF_JMP | BPF_JSET, 3, 0, 0x3fff),
        instruction(BPF_LDX | BPF_B | BPF_MSH, 0, 0, 0),
        instruction(BPF_LD | BPF_H | BPF_IND, 0, 0, 2),
        instruction(BPF_JMP | BPF_JEQ, 1, 0, u32::from(port)),
        instruction(BPF_RET, 0, 0, 0),
    ]
}

impl PacketSocket {
    /// Opens a socket for packets of the link with this index.
    ///
    /// # Errors
    /// When the link does not exist or this process may not see its packets.
    pub fn open(index: u32, packets: Packets) -> io::Result<Self> {
        let protocol = packets.protocol();
        let index = i32::try_from(index).map_err(io::Error::other)?;
        let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // With protocol 0 nothing comes in before the filter and the link are set.
        // SAFETY: makes a new descriptor that nothing else owns.
        let fd = unsafe { OwnedFd::from_raw_fd(check(libc::socket(libc::AF_PACKET, kind, 0))?) };
        let socket = Self { fd, index, protocol };
        if let Packets::UdpTo(port) = packets {
            socket.filter(port)?;
        }
        set_option(&socket.fd, libc::SOL_PACKET, libc::PACKET_AUXDATA, &[1_i32])?;
        let address = socket.address([0; 6]);
        // SAFETY: the address is valid for the length given.
        check(unsafe {
            let length = u32::try_from(size_of::<libc::sockaddr_ll>()).unwrap_or_default();
            libc::bind(socket.fd.as_raw_fd(), (&raw const address).cast(), length)
        })?;
        Ok(socket)
    }

    fn filter(&self, port: u16) -> io::Result<()> {
        let mut program = udp_to(port).to_vec();
        // The last instruction lets the whole packet through.
        program.push(instruction(libc::BPF_RET, 0, 0, u32::MAX));
        let filter = libc::sock_fprog {
            len: u16::try_from(program.len()).unwrap_or_default(),
            filter: program.as_mut_ptr(),
        };
        set_option(&self.fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &[filter])
    }

    fn address(&self, hardware: [u8; 6]) -> libc::sockaddr_ll {
        // SAFETY: a plain structure of numbers, for which zeros are valid.
        let mut address: libc::sockaddr_ll = unsafe { zeroed() };
        address.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or_default();
        address.sll_protocol = big_endian(self.protocol);
        address.sll_ifindex = self.index;
        address.sll_halen = 6;
        for (to, from) in address.sll_addr.iter_mut().zip(hardware) {
            *to = from;
        }
        address
    }

    /// Sends a packet to a hardware address, ff:ff:ff:ff:ff:ff for everybody on the link.
    ///
    /// # Errors
    /// When the link is down or its queue is full.
    pub fn send(&self, to: [u8; 6], packet: &[u8]) -> io::Result<()> {
        let address = self.address(to);
        send_to(&self.fd, packet, &address)
    }

    /// The next packet, into `buffer`; `None` when there is none.
    ///
    /// # Errors
    /// When the link is gone or down.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        let mut checked = true;
        let length = receive(&self.fd, buffer, None, |control| {
            // A tpacket_auxdata, whose first field is the status.
            let status = control.number().filter(|_| control.kind == AUXILIARY).unwrap_or(0);
            checked &= status & libc::TP_STATUS_CSUMNOTREADY == 0;
        })?;
        Ok(length.map(|length| Received { length, checked }))
    }
}
