//! Packets of one link past the IP stack: for a node that has no address yet, and for asking who has one.

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use crate::socket::set_option;

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

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
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
        // SAFETY: packet and address are valid for the lengths given.
        let sent = unsafe {
            let length = u32::try_from(size_of::<libc::sockaddr_ll>()).unwrap_or_default();
            let (data, address) = (packet.as_ptr().cast(), (&raw const address).cast());
            libc::sendto(self.fd.as_raw_fd(), data, packet.len(), 0, address, length)
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// The next packet, into `buffer`; `None` when there is none.
    ///
    /// # Errors
    /// When the link is gone or down.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        // Room for one control message, aligned as the kernel writes them.
        let mut control = [0_u64; 8];
        let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        // SAFETY: a plain structure of numbers and pointers, for which zeros are valid.
        let mut message: libc::msghdr = unsafe { zeroed() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control) as _;
        // SAFETY: the message points to a buffer and a control buffer that outlive the call, with their lengths.
        let received = unsafe { libc::recvmsg(self.fd.as_raw_fd(), &raw mut message, 0) };
        let Ok(length) = usize::try_from(received) else {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::WouldBlock { Ok(None) } else { Err(error) };
        };
        let mut checked = true;
        // SAFETY: the macros walk the control buffer within the length that the kernel wrote to the message; the data
        // of this type of message is a tpacket_auxdata, read without regard to alignment.
        unsafe {
            let mut header = libc::CMSG_FIRSTHDR(&raw const message);
            while let Some(found) = header.as_ref() {
                if (found.cmsg_level, found.cmsg_type) == (libc::SOL_PACKET, libc::PACKET_AUXDATA) {
                    let data: *const libc::tpacket_auxdata = libc::CMSG_DATA(header).cast();
                    let status = data.read_unaligned().tp_status;
                    checked = status & libc::TP_STATUS_CSUMNOTREADY == 0;
                }
                header = libc::CMSG_NXTHDR(&raw const message, header);
            }
        }
        Ok(Some(Received { length, checked }))
    }
}
