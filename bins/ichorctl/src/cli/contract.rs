//! The contract's commands, aliases and flags, as far as this program has them: scripts written for the contract's tool
//! find them under the same names.

use clap::{Command, CommandFactory as _};

use super::Cli;

/// Flags of commands that call machines.
const NODE: &str = "talosconfig nodes/n endpoints/e cluster/c context";
/// Flags of commands that may also call a machine without configuration.
const INSECURE: &str = "insecure/i cert-fingerprint";

/// The command, its aliases, whether it calls machines (N) and also unconfigured ones (I), and its own flags with
/// their short forms.
const COMMANDS: [(&str, &str, &str, &str); 59] = [
    ("apply-config", "apply", "NI", "file/f mode/m config-patch/p dry-run timeout"),
    ("patch machineconfig", "mc", "N", "patch/p patch-file mode/m dry-run timeout namespace"),
    ("bootstrap", "", "N", "recover-from recover-skip-hash-check"),
    ("reboot", "", "N", "mode/m drain drain-timeout wait timeout debug progress"),
    ("shutdown", "", "N", "force wait timeout debug"),
    ("version", "", "NI", "client short json"),
    ("get", "g", "NI", "output/o watch/w namespace"),
    (
        "health",
        "",
        "N",
        "server control-plane-nodes worker-nodes init-node k8s-endpoint wait-timeout run-e2e",
    ),
    ("dashboard", "", "N", "update-interval/d"),
    ("containers", "c", "N", "kubernetes/k"),
    ("stats", "", "N", "kubernetes/k"),
    ("processes", "p ps", "N", "sort/s"),
    ("memory", "m free", "NI", "verbose/v"),
    ("mounts", "mount", "N", ""),
    ("usage", "du", "N", "all/a depth/d humanize/H threshold/t"),
    ("list", "ls", "N", "depth/d recurse/r long/l humanize/H type/t"),
    ("read", "cat", "N", ""),
    ("copy", "cp", "N", ""),
    ("logs", "", "NI", "follow/f tail kubernetes/k"),
    ("dmesg", "", "NI", "follow/f tail"),
    ("events", "", "N", "tail since duration actor-id"),
    ("service", "services", "NI", ""),
    ("restart", "", "N", "kubernetes/k"),
    ("time", "", "N", "check"),
    ("inspect dependencies", "", "N", "with-resources"),
    ("kubeconfig", "", "N", "merge/m force/f force-context-name"),
    ("etcd members", "", "N", ""),
    ("etcd status", "", "N", ""),
    ("etcd alarm list", "", "N", ""),
    ("etcd alarm disarm", "", "N", ""),
    ("etcd defrag", "", "N", ""),
    ("etcd snapshot", "", "N", ""),
    ("config contexts", "get-contexts", "", ""),
    ("config context", "use-context", "", ""),
    ("config endpoint", "endpoints", "", ""),
    ("config node", "nodes", "", ""),
    ("config proxy-url", "", "", ""),
    ("config add", "", "", "ca crt key"),
    ("config remove", "", "", "noconfirm/y dry-run"),
    ("config merge", "", "", ""),
    ("config info", "", "", "output/o"),
    ("config new", "", "N", "roles crt-ttl"),
    ("completion", "", "", "no-descriptions"),
    (
        "gen config",
        "",
        "",
        "output/o output-types/t with-secrets config-patch config-patch-control-plane config-patch-worker \
         additional-sans dns-domain install-disk install-image kubernetes-version talos-version registry-mirror \
         with-cluster-discovery with-kubespan with-docs with-examples version force/f output-dir skip-k8s-etcd",
    ),
    (
        "gen secrets",
        "",
        "",
        "output/o talos-version from-controlplane-config from-kubernetes-pki/p kubernetes-bootstrap-token/t force/f",
    ),
    ("gen ca", "", "", "organization hours rsa force/f"),
    ("gen key", "", "", "name force/f"),
    ("gen csr", "", "", "key ip roles force/f"),
    ("gen crt", "", "", "name ca csr hours force/f"),
    ("gen keypair", "", "", "ip organization force/f"),
    ("machineconfig patch", "", "", "patch/p output/o"),
    ("validate", "", "", "config/c mode/m strict"),
    ("inject serviceaccount", "tsa", "", "file/f roles/r"),
    ("machineconfig gen", "", "", "output/o output-types/t with-secrets force/f"),
    ("gen secureboot uki", "", "", "output/o common-name force/f"),
    ("gen secureboot pcr", "", "", "output/o force/f"),
    (
        "gen secureboot database",
        "",
        "",
        "output/o enrolled-certificate signing-certificate signing-key include-well-known-uefi-certs force/f",
    ),
    (
        "cluster create",
        "",
        "",
        "name state wait-timeout config-patch cidr workers controlplanes mtu",
    ),
    ("cluster destroy", "", "", "name state force/f"),
];

fn find<'a>(root: &'a Command, path: &str) -> Option<&'a Command> {
    path.split(' ').try_fold(root, |command, name| command.find_subcommand(name))
}

/// What is missing of a flag, written `long/s` or `long`.
fn missing(command: &Command, flag: &str) -> Option<String> {
    let (long, short) = flag.split_once('/').unwrap_or((flag, ""));
    let found = command.get_arguments().find(|argument| {
        let aliases = argument.get_all_aliases().unwrap_or_default();
        argument.get_long() == Some(long) || aliases.contains(&long)
    });
    match found {
        None => Some(format!("--{long} is missing")),
        Some(argument) if argument.get_short() != short.chars().next() => {
            Some(format!("--{long} has the short form {:?}", argument.get_short()))
        }
        Some(_) => None,
    }
}

#[test]
fn commands_and_flags_are_the_contracts() {
    let mut root = Cli::command();
    root.build();
    let mut wrong = Vec::new();
    for (path, aliases, kind, flags) in COMMANDS {
        let Some(command) = find(&root, path) else {
            wrong.push(format!("{path} is missing"));
            continue;
        };
        for alias in aliases.split_whitespace() {
            if !command.get_all_aliases().any(|have| have == alias) {
                wrong.push(format!("{path} has no alias {alias}"));
            }
        }
        let calls = if kind.contains('N') { NODE } else { "" };
        let insecure = if kind.contains('I') { INSECURE } else { "" };
        for flag in [calls, insecure, flags].iter().flat_map(|list| list.split_whitespace()) {
            wrong.extend(missing(command, flag).map(|what| format!("{path}: {what}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_shell_gets_a_completion_script() {
    use clap_complete::{Shell, generate};
    for shell in [Shell::Bash, Shell::Fish, Shell::PowerShell, Shell::Zsh] {
        let mut script = Vec::new();
        generate(shell, &mut Cli::command(), "ichorctl", &mut script);
        let script = String::from_utf8(script).unwrap();
        for (path, ..) in COMMANDS {
            let name = path.rsplit(' ').next().unwrap_or_default();
            assert!(script.contains(name), "{shell}: {name}");
        }
    }
}
