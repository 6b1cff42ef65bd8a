//! Whether this kernel has nf_tables.

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

/// `nlmsghdr` and `nfgenmsg` of the request for the generation of the rule set
/// (`NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN`).
#[repr(C)]
struct Request {
    length: u32,
    kind: u16,
    flags: u16,
    sequence: u32,
    port: u32,
    family: u8,
    version: u8,
    resource: u16,
}

const GET_GENERATION: u16 = (10 << 8) | 16;
const NLM_F_REQUEST: u16 = 1;
const NLMSG_ERROR: u16 = 2;

/// Asks the kernel for the rule set of this network namespace.
///
/// # Errors
/// When the kernel has no nf_tables, or this process may not ask.
pub fn probe_tables() -> io::Result<()> {
    // SAFETY: makes a new descriptor that nothing else owns.
    let socket = unsafe {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        match libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_NETFILTER) {
            -1 => return Err(io::Error::last_os_error()),
            fd => OwnedFd::from_raw_fd(fd),
        }
    };
    let request = Request {
        length: 20,
        kind: GET_GENERATION,
        flags: NLM_F_REQUEST,
        sequence: 1,
        port: 0,
        family: 0,
        version: 0,
        resource: 0,
    };
    let mut answer = [0_u8; 512];
    // SAFETY: both buffers are valid for the lengths given; `Request` is 20 bytes without padding.
    let received = unsafe {
        let fd = socket.as_raw_fd();
        if libc::send(fd, (&raw const request).cast(), size_of::<Request>(), 0) < 0 {
            return Err(io::Error::last_os_error());
        }
        libc::recv(fd, answer.as_mut_ptr().cast(), answer.len(), 0)
    };
    if received < 0 {
        return Err(io::Error::last_os_error());
    }
    let [_, _, _, _, a, b, ..] = answer;
    if u16::from_ne_bytes([a, b]) != NLMSG_ERROR {
        return Ok(());
    }
    // The payload of an error begins with a negative errno.
    let [_, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, a, b, c, d, ..] = answer;
    match i32::from_ne_bytes([a, b, c, d]) {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(-code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_has_the_kernels_size() {
        assert_eq!(size_of::<Request>(), 20);
    }
}
