//! Capability sets as plain bit masks.

/// A Linux capability, by its number in `linux/capability.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Capability {
    Chown = 0,
    DacOverride = 1,
    DacReadSearch = 2,
    Fowner = 3,
    Fsetid = 4,
    Kill = 5,
    Setgid = 6,
    Setuid = 7,
    Setpcap = 8,
    NetBindService = 10,
    NetAdmin = 12,
    NetRaw = 13,
    IpcLock = 14,
    SysModule = 16,
    SysChroot = 18,
    SysPtrace = 19,
    SysAdmin = 21,
    SysBoot = 22,
    SysNice = 23,
    SysResource = 24,
    SysTime = 25,
    Mknod = 27,
    AuditControl = 30,
    Syslog = 34,
    Bpf = 39,
}

/// A set of capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(u64);

impl Capabilities {
    /// No capability at all.
    pub const NONE: Self = Self(0);

    /// The set that holds exactly `capabilities`.
    #[must_use]
    pub const fn of(capabilities: &[Capability]) -> Self {
        let mut bits = 0;
        let mut rest = capabilities;
        while let [first, tail @ ..] = rest {
            bits |= 1 << (*first as u8);
            rest = tail;
        }
        Self(bits)
    }

    /// The mask, bit `n` for capability `n`.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The set a mask such as `CapEff` of `/proc/PID/status` describes.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Whether `capability` is in the set.
    #[must_use]
    pub const fn contains(self, capability: Capability) -> bool {
        self.0 & (1 << (capability as u8)) != 0
    }

    /// Whether the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What this process may do now (its effective set).
    ///
    /// # Errors
    /// When the kernel refuses, or `/proc/self/status` is malformed.
    pub fn effective() -> std::io::Result<Self> {
        let status = std::fs::read_to_string("/proc/self/status")?;
        status
            .lines()
            .find_map(|line| line.strip_prefix("CapEff:"))
            .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
            .map(Self)
            .ok_or_else(|| std::io::Error::from(std::io::ErrorKind::InvalidData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_it_was_made_of() {
        let set = Capabilities::of(&[Capability::NetAdmin, Capability::SysAdmin]);
        assert_eq!(set.bits(), 0x20_1000);
        assert!(set.contains(Capability::NetAdmin));
        assert!(!set.contains(Capability::SysBoot));
        assert!(Capabilities::NONE.is_empty());
    }
}
