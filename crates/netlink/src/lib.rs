//! rtnetlink and nftables.
