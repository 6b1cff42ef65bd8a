//! Enumerations of network: numbers on the wire, texts in YAML.
#![allow(missing_docs)] // The values are the contract's.

use super::enumeration;

enumeration! {
    /// `ADLACPActive` of the contract.
    ADLACPActive {
        OFF = 0 => "off",
        ON = 1 => "on",
    }
}

enumeration! {
    /// `ADSelect` of the contract.
    ADSelect {
        STABLE = 0 => "stable",
        BANDWIDTH = 1 => "bandwidth",
        COUNT = 2 => "count",
    }
}

enumeration! {
    /// `ARPAllTargets` of the contract.
    ARPAllTargets {
        ANY = 0 => "any",
        ALL = 1 => "all",
    }
}

enumeration! {
    /// `ARPValidate` of the contract.
    ARPValidate {
        NONE = 0 => "none",
        ACTIVE = 1 => "active",
        BACKUP = 2 => "backup",
        ALL = 3 => "all",
        FILTER = 4 => "filter",
        FILTER_ACTIVE = 5 => "filter-active",
        FILTER_BACKUP = 6 => "filter-backup",
    }
}

enumeration! {
    /// `AddressSortAlgorithm` of the contract.
    AddressSortAlgorithm {
        V1 = 0 => "v1",
        V2 = 1 => "v2",
    }
}

enumeration! {
    /// `AutoHostnameKind` of the contract.
    AutoHostnameKind {
        OFF = 0 => "off",
        ADDR = 1 => "talos-addr",
        STABLE = 2 => "stable",
    }
}

enumeration! {
    /// `BGPSessionState` of the contract.
    BGPSessionState {
        UNKNOWN = 0 => "UNKNOWN",
        IDLE = 1 => "IDLE",
        CONNECT = 2 => "CONNECT",
        ACTIVE = 3 => "ACTIVE",
        OPEN_SENT = 4 => "OPEN_SENT",
        OPEN_CONFIRM = 5 => "OPEN_CONFIRM",
        ESTABLISHED = 6 => "ESTABLISHED",
    }
}

enumeration! {
    /// `BondMode` of the contract.
    BondMode {
        ROUNDROBIN = 0 => "balance-rr",
        ACTIVE_BACKUP = 1 => "active-backup",
        XOR = 2 => "balance-xor",
        BROADCAST = 3 => "broadcast",
        LACP = 4 => "802.3ad",
        TLB = 5 => "balance-tlb",
        ALB = 6 => "balance-alb",
    }
}

enumeration! {
    /// `BondXmitHashPolicy` of the contract.
    BondXmitHashPolicy {
        LAYER2 = 0 => "layer2",
        LAYER34 = 1 => "layer3+4",
        LAYER23 = 2 => "layer2+3",
        ENCAP23 = 3 => "encap2+3",
        ENCAP34 = 4 => "encap3+4",
    }
}

enumeration! {
    /// `ClientIdentifier` of the contract.
    ClientIdentifier {
        NONE = 0 => "none",
        MAC = 1 => "mac",
        DUID = 2 => "duid",
    }
}

enumeration! {
    /// `ConfigLayer` of the contract.
    ConfigLayer {
        DEFAULT = 0 => "default",
        CMDLINE = 1 => "cmdline",
        PLATFORM = 2 => "platform",
        OPERATOR = 3 => "operator",
        MACHINE_CONFIGURATION = 4 => "configuration",
    }
}

enumeration! {
    /// `ConntrackState` of the contract.
    ConntrackState {
        UNSPECIFIED = 0,
        NEW = 8 => "new",
        RELATED = 4 => "related",
        ESTABLISHED = 2 => "established",
        INVALID = 1 => "invalid",
    }
}

enumeration! {
    /// `DNSProtocol` of the contract.
    DNSProtocol {
        DEFAULT = 0 => "Do53",
        DNS_OVER_TLS = 1 => "DoT",
        DNS_OVER_HTTP = 2 => "DoH",
    }
}

enumeration! {
    /// `Duplex` of the contract.
    Duplex {
        HALF = 0 => "Half",
        FULL = 1 => "Full",
        UNKNOWN = 255 => "Unknown",
    }
}

enumeration! {
    /// `FailOverMAC` of the contract.
    FailOverMAC {
        NONE = 0 => "none",
        ACTIVE = 1 => "active",
        FOLLOW = 2 => "follow",
    }
}

enumeration! {
    /// `Family` of the contract.
    Family {
        UNSPECIFIED = 0,
        INET4 = 2 => "inet4",
        INET6 = 10 => "inet6",
    }
}

enumeration! {
    /// `ICMPType` of the contract.
    ICMPType {
        UNSPECIFIED = 0,
        TIMESTAMP_REQUEST = 13 => "timestamp-request",
        TIMESTAMP_REPLY = 14 => "timestamp-reply",
        ADDRESS_MASK_REQUEST = 17 => "address-mask-request",
        ADDRESS_MASK_REPLY = 18 => "address-mask-reply",
    }
}

enumeration! {
    /// `LACPRate` of the contract.
    LACPRate {
        SLOW = 0 => "slow",
        FAST = 1 => "fast",
    }
}

enumeration! {
    /// `LinkType` of the contract.
    LinkType {
        NETROM = 0 => "netrom",
        ETHER = 1 => "ether",
        EETHER = 2 => "eether",
        AX25 = 3 => "ax25",
        PRONET = 4 => "pronet",
        CHAOS = 5 => "chaos",
        IEE802 = 6 => "ieee802",
        ARCNET = 7 => "arcnet",
        ATALK = 8 => "atalk",
        DLCI = 15 => "dlci",
        ATM = 19 => "atm",
        METRICOM = 23 => "metricom",
        IEEE1394 = 24 => "ieee1394",
        EUI64 = 27 => "eui64",
        INFINIBAND = 32 => "infiniband",
        SLIP = 256 => "slip",
        CSLIP = 257 => "cslip",
        SLIP6 = 258 => "slip6",
        CSLIP6 = 259 => "cslip6",
        RSRVD = 260 => "rsrvd",
        ADAPT = 264 => "adapt",
        ROSE = 270 => "rose",
        X25 = 271 => "x25",
        HWX25 = 272 => "hwx25",
        CAN = 280 => "can",
        PPP = 512 => "ppp",
        CISCO = 513 => "cisco",
        HDLC = 513 => "cisco",
        LAPB = 516 => "lapb",
        DDCMP = 517 => "ddcmp",
        RAWHDLC = 518 => "rawhdlc",
        TUNNEL = 768 => "ipip",
        TUNNEL6 = 769 => "tunnel6",
        FRAD = 770 => "frad",
        SKIP = 771 => "skip",
        LOOPBCK = 772 => "loopback",
        LOCALTLK = 773 => "localtlk",
        FDDI = 774 => "fddi",
        BIF = 775 => "bif",
        SIT = 776 => "sit",
        IPDDP = 777 => "ip/ddp",
        IPGRE = 778 => "gre",
        PIMREG = 779 => "pimreg",
        HIPPI = 780 => "hippi",
        ASH = 781 => "ash",
        ECONET = 782 => "econet",
        IRDA = 783 => "irda",
        FCPP = 784 => "fcpp",
        FCAL = 785 => "fcal",
        FCPL = 786 => "fcpl",
        FCFABRIC = 787 => "fcfb_0",
        FCFABRIC1 = 788 => "fcfb_1",
        FCFABRIC2 = 789 => "fcfb_2",
        FCFABRIC3 = 790 => "fcfb_3",
        FCFABRIC4 = 791 => "fcfb_4",
        FCFABRIC5 = 792 => "fcfb_5",
        FCFABRIC6 = 793 => "fcfb_6",
        FCFABRIC7 = 794 => "fcfb_7",
        FCFABRIC8 = 795 => "fcfb_8",
        FCFABRIC9 = 796 => "fcfb_9",
        FCFABRIC10 = 797 => "fcfb_10",
        FCFABRIC11 = 798 => "fcfb_11",
        FCFABRIC12 = 799 => "fcfb_12",
        IEE802TR = 800 => "tr",
        IEE80211 = 801 => "ieee802.11",
        IEE80211PRISM = 802 => "ieee802.11_prism",
        IEE80211_RADIOTAP = 803 => "ieee802.11_radiotap",
        IEE8021154 = 804 => "ieee802.15.4",
        IEE8021154MONITOR = 805 => "ieee802.15.4_monitor",
        PHONET = 820 => "phonet",
        PHONETPIPE = 821 => "phonet_pipe",
        CAIF = 822 => "caif",
        IP6GRE = 823 => "ip6gre",
        NETLINK = 824 => "netlink",
        LOWPAN6 = 825 => "6lowpan",
        VOID = 65535 => "void",
        NONE = 65534 => "nohdr",
    }
}

enumeration! {
    /// `MatchOperator` of the contract.
    MatchOperator {
        EQUAL = 0 => "==",
        NOT_EQUAL = 1 => "!=",
    }
}

enumeration! {
    /// `NfTablesChainHook` of the contract.
    NfTablesChainHook {
        PREROUTING = 0 => "prerouting",
        INPUT = 1 => "input",
        FORWARD = 2 => "forward",
        OUTPUT = 3 => "output",
        POSTROUTING = 4 => "postrouting",
    }
}

enumeration! {
    /// `NfTablesChainPriority` of the contract.
    NfTablesChainPriority {
        FIRST = -2147483648 => "first",
        CONNTRACK_DEFRAG = -400 => "conntrack-defrag",
        RAW = -300 => "raw",
        SE_LINUX_FIRST = -225 => "selinux-first",
        CONNTRACK = -200 => "conntrack",
        MANGLE = -150 => "mangle",
        NAT_DEST = -100 => "nat-dest",
        FILTER = 0 => "filter",
        SECURITY = 50 => "security",
        NAT_SOURCE = 100 => "nat-source",
        SE_LINUX_LAST = 225 => "selinux-last",
        CONNTRACK_HELPER = 300 => "conntrack-helper",
        LAST = 2147483647 => "last",
    }
}

enumeration! {
    /// `NfTablesVerdict` of the contract.
    NfTablesVerdict {
        DROP = 0 => "drop",
        ACCEPT = 1 => "accept",
    }
}

enumeration! {
    /// `OperationalState` of the contract.
    OperationalState {
        UNKNOWN = 0 => "unknown",
        NOT_PRESENT = 1 => "notPresent",
        DOWN = 2 => "down",
        LOWER_LAYER_DOWN = 3 => "lowerLayerDown",
        TESTING = 4 => "testing",
        DORMANT = 5 => "dormant",
        UP = 6 => "up",
    }
}

enumeration! {
    /// `Operator` of the contract.
    Operator {
        DHCP4 = 0 => "dhcp4",
        DHCP6 = 1 => "dhcp6",
        VIP = 2 => "vip",
    }
}

enumeration! {
    /// `PeerState` of the contract.
    PeerState {
        UNKNOWN = 0 => "unknown",
        UP = 1 => "up",
        DOWN = 2 => "down",
    }
}

enumeration! {
    /// `Port` of the contract.
    Port {
        TWISTED_PAIR = 0 => "TwistedPair",
        AUI = 1 => "AUI",
        MII = 2 => "MII",
        FIBRE = 3 => "",
        BNC = 4 => "BNC",
        DIRECT_ATTACH = 5 => "DirectAttach",
        NONE = 239 => "None",
        OTHER = 255 => "Other",
    }
}

enumeration! {
    /// `PrimaryReselect` of the contract.
    PrimaryReselect {
        ALWAYS = 0 => "always",
        BETTER = 1 => "better",
        FAILURE = 2 => "failure",
    }
}

enumeration! {
    /// `Protocol` of the contract.
    Protocol {
        UNSPECIFIED = 0,
        ICMP = 1 => "icmp",
        TCP = 6 => "tcp",
        UDP = 17 => "udp",
        ICM_PV6 = 58 => "icmpv6",
    }
}

enumeration! {
    /// `RouteProtocol` of the contract.
    RouteProtocol {
        UNSPEC = 0 => "unspec",
        REDIRECT = 1 => "redirect",
        KERNEL = 2 => "kernel",
        BOOT = 3 => "boot",
        STATIC = 4 => "static",
        RA = 9 => "ra",
        MRT = 10 => "mrt",
        ZEBRA = 11 => "zebra",
        BIRD = 12 => "bird",
        DNROUTED = 13 => "dnrouted",
        XORP = 14 => "xorp",
        NTK = 15 => "ntk",
        DHCP = 16 => "dhcp",
        MRTD = 17 => "mrtd",
        KEEPALIVED = 18 => "keepalived",
        BABEL = 42 => "babel",
        OPENR = 99 => "openr",
        BGP = 186 => "bgp",
        ISIS = 187 => "isis",
        OSPF = 188 => "ospf",
        RIP = 189 => "rip",
        EIGRP = 192 => "eigrp",
    }
}

enumeration! {
    /// `RouteType` of the contract.
    RouteType {
        UNSPEC = 0 => "unspec",
        UNICAST = 1 => "unicast",
        LOCAL = 2 => "local",
        BROADCAST = 3 => "broadcast",
        ANYCAST = 4 => "anycast",
        MULTICAST = 5 => "multicast",
        BLACKHOLE = 6 => "blackhole",
        UNREACHABLE = 7 => "unreachable",
        PROHIBIT = 8 => "prohibit",
        THROW = 9 => "throw",
        NAT = 10 => "nat",
        X_RESOLVE = 11 => "xresolve",
    }
}

enumeration! {
    /// `RoutingRuleAction` of the contract.
    RoutingRuleAction {
        UNSPEC = 0 => "unspec",
        UNICAST = 1 => "unicast",
        BLACKHOLE = 6 => "blackhole",
        UNREACHABLE = 7 => "unreachable",
        PROHIBIT = 8 => "prohibit",
    }
}

enumeration! {
    /// `Scope` of the contract.
    Scope {
        GLOBAL = 0 => "global",
        SITE = 200 => "site",
        LINK = 253 => "link",
        HOST = 254 => "host",
        NOWHERE = 255 => "nowhere",
    }
}

enumeration! {
    /// `VLANProtocol` of the contract.
    VLANProtocol {
        UNSPECIFIED = 0,
        DOT1Q = 33024 => "802.1q",
        DOT1AD = 34984 => "802.1ad",
    }
}

enumeration! {
    /// `WOLMode` of the contract.
    WOLMode {
        UNSPECIFIED = 0,
        PHY = 1 => "phy",
        UNICAST = 2 => "unicast",
        MULTICAST = 4 => "multicast",
        BROADCAST = 8 => "broadcast",
        MAGIC = 32 => "magic",
        MAGIC_SECURE = 64 => "magicsecure",
        FILTER = 128 => "filter",
    }
}
