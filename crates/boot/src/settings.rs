//! The kernel settings of a machine: the hardening and the defaults of the contract (machine.md, 2.9), and what the
//! kubelet insists on.
//!
//! PID 1 writes them before anything else runs; the node then reports them, and writes those again whose place comes
//! with a module.

/// Names as below `/proc/sys`, with their values. A kernel need not have all of them.
pub const SETTINGS: [(&str, &str); 40] = [
    // Hardening, as the Kernel Self-Protection Project recommends it.
    ("dev/tty/ldisc_autoload", "0"),
    ("dev/tty/legacy_tiocsti", "0"),
    ("fs/protected_symlinks", "1"),
    ("fs/protected_hardlinks", "1"),
    ("fs/protected_fifos", "2"),
    ("fs/protected_regular", "2"),
    ("fs/suid_dumpable", "0"),
    ("kernel/kptr_restrict", "2"),
    ("kernel/dmesg_restrict", "1"),
    ("kernel/perf_event_paranoid", "3"),
    ("kernel/randomize_va_space", "2"),
    ("kernel/yama/ptrace_scope", "2"),
    ("user/max_user_namespaces", "0"),
    ("kernel/unprivileged_bpf_disabled", "1"),
    ("net/core/bpf_jit_harden", "2"),
    ("vm/unprivileged_userfaultfd", "0"),
    // What a node is.
    ("net/ipv4/ip_forward", "1"),
    ("net/ipv4/icmp_ignore_bogus_error_responses", "1"),
    ("net/ipv4/icmp_echo_ignore_broadcasts", "1"),
    ("net/ipv4/conf/all/send_redirects", "0"),
    ("net/ipv4/conf/default/send_redirects", "0"),
    ("net/ipv4/ip_local_reserved_ports", "50000,50001"),
    ("net/bridge/bridge-nf-call-iptables", "1"),
    ("net/bridge/bridge-nf-call-ip6tables", "1"),
    ("kernel/ctrl-alt-del", "0"),
    ("net/ipv6/conf/default/forwarding", "1"),
    ("net/ipv6/conf/default/accept_ra", "2"),
    ("net/ipv4/tcp_keepalive_time", "600"),
    ("net/ipv4/tcp_keepalive_intvl", "60"),
    ("kernel/pid_max", "262144"),
    ("fs/inotify/max_user_instances", "8192"),
    ("fs/aio-max-nr", "1048576"),
    // What the kubelet requires before it starts.
    ("vm/overcommit_memory", "1"),
    ("vm/panic_on_oom", "0"),
    ("kernel/panic", "10"),
    ("kernel/panic_on_oops", "1"),
    ("kernel/keys/root_maxkeys", "1000000"),
    ("kernel/keys/root_maxbytes", "25000000"),
    // Every message of a program reaches the kernel log.
    ("kernel/printk_devkmsg", "on"),
    // Modules that the kernel asks for by itself are this program's to find.
    ("kernel/modprobe", "/usr/bin/modprobe"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_there_once() {
        let mut names: Vec<_> = SETTINGS.iter().map(|(name, _)| name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), SETTINGS.len());
    }
}
