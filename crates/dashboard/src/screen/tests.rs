//! The screens, drawn into a terminal of memory.

use api::machine::{
    CpuInfo, CpuStat, LoadAvg, MemInfo, NetDev, ProcessInfo, ServiceHealth, ServiceInfo, SystemStat,
};
use ratatui::{Terminal, backend::TestBackend};

use crate::{
    app::{App, Key, Screen},
    model::{Sample, Update},
};

fn drawn(app: &App, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| app.draw(frame)).unwrap();
    let buffer = terminal.backend().buffer();
    (0..height)
        .map(|row| {
            let line: String =
                (0..width).map(|column| buffer.cell((column, row)).unwrap().symbol()).collect();
            format!("{}\n", line.trim_end())
        })
        .collect()
}

fn resource(app: &mut App, machine: usize, kind: &'static str, id: &str, spec: &str) {
    let spec = yaml::parse(spec.as_bytes()).unwrap().remove(0).root.to_value();
    app.apply(machine, Update::Resource { kind, id: id.into(), spec: Some(spec) });
}

fn sample(at: u64, busy: f64, received: u64) -> Sample {
    let health = ServiceHealth { healthy: true, ..ServiceHealth::default() };
    Sample {
        at,
        now: 10_000,
        load: Some(LoadAvg { load1: 0.5, load5: 0.25, load15: 0.1, ..LoadAvg::default() }),
        memory: Some(MemInfo {
            memtotal: 2 << 20,
            memavailable: 1 << 20,
            memfree: 1 << 19,
            ..MemInfo::default()
        }),
        system: Some(SystemStat {
            boot_time: 5000,
            cpu_total: Some(CpuStat { user: busy, idle: 3.0 * busy, ..CpuStat::default() }),
            ..SystemStat::default()
        }),
        processors: Some(vec![CpuInfo { cpu_mhz: 2400.0, ..CpuInfo::default() }; 2]),
        network: Some(NetDev { rx_bytes: received, ..NetDev::default() }),
        processes: Some(vec![
            ProcessInfo {
                pid: 1,
                state: "S".into(),
                args: "/sbin/init".into(),
                resident_memory: 1 << 20,
                ..ProcessInfo::default()
            },
            ProcessInfo {
                pid: 42,
                state: "R".into(),
                args: "/usr/bin/machined".into(),
                cpu_time: busy / 100.0,
                threads: 3,
                resident_memory: 20 << 20,
                ..ProcessInfo::default()
            },
        ]),
        services: Some(vec![ServiceInfo {
            id: "kubelet".into(),
            state: "Running".into(),
            health: Some(health),
            ..ServiceInfo::default()
        }]),
        ..Sample::default()
    }
}

fn app() -> App {
    let mut app = App::new(["10.5.0.2", "10.5.0.3"]);
    app.apply(0, Update::Version("v1.14.0".into()));
    for (kind, id, spec) in [
        ("HostnameStatuses.net.talos.dev", "hostname", "hostname: plane-1"),
        (
            "MachineStatuses.runtime.talos.dev",
            "machine",
            "stage: booting\nstatus: {ready: false, unmetConditions: [{name: staticPods, reason: x}]}",
        ),
        ("Infos.cluster.talos.dev", "current", "clusterName: ichor"),
        ("Members.cluster.talos.dev", "plane-1", "hostname: plane-1"),
        ("MachineTypes.config.talos.dev", "machine-type", "controlplane"),
        ("NodeAddresses.net.talos.dev", "routed", "addresses: [10.5.0.2/24]"),
        ("RouteStatuses.net.talos.dev", "a", "dst: ''\ngateway: 10.5.0.1"),
        ("NetworkStatuses.net.talos.dev", "status", "connectivityReady: true"),
        ("ResolverStatuses.net.talos.dev", "resolvers", "dnsServers: [10.5.0.1]"),
        (
            "KubeletStatuses.kubernetes.talos.dev",
            "kubelet",
            "image: ghcr.io/siderolabs/kubelet:v1.37.2",
        ),
        (
            "StaticPodStatuses.kubernetes.talos.dev",
            "kube-system/kube-apiserver-plane-1",
            "conditions: [{type: Ready, status: 'True'}]",
        ),
    ] {
        resource(&mut app, 0, kind, id, spec);
    }
    app.apply(0, Update::Sample(Box::new(sample(1000, 10.0, 1000))));
    app.apply(0, Update::Sample(Box::new(sample(3000, 35.0, 5096))));
    for number in 0..50 {
        app.apply(0, Update::LogLine(format!("kern: info: line {number}")));
    }
    app
}

#[test]
fn summary_says_what_the_machine_is() {
    let mut app = app();
    let text = drawn(&app, 140, 30);
    for expected in [
        "plane-1 (v1.14.0): uptime 1h23m, 2x2.4GHz, 2.0 GiB RAM, PROCS 2,",
        "CLUSTER     ichor (1 machines)",
        "TYPE        controlplane",
        "STAGE       Booting",
        "READY       False (staticPods)",
        "KUBERNETES  v1.37.2",
        "KUBELET     Healthy",
        "APISERVER   Healthy",
        "IP            10.5.0.2/24",
        "GW            10.5.0.1",
        "CONNECTIVITY  OK",
        "kern: info: line 49",
        " F1 Summary  F2 Monitor   h/l machine · j/k scroll · q quit",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
    assert!(!text.contains("Diagnostics"), "{text}");

    resource(&mut app, 0, "Diagnostics.runtime.talos.dev", "clock", "message: the clock is off");
    app.press(Key::Page(-1));
    let text = drawn(&app, 140, 30);
    assert!(text.contains("■ the clock is off"), "{text}");
    assert!(text.contains("Logs (-10)") && !text.contains("line 49"), "{text}");
}

#[test]
fn a_machine_that_waits_says_for_what() {
    let mut app = app();
    let wait = |since: &str, what: &str| format!("owner: a\nwaitsFor: {what}\nsince: {since}\n");
    let kind = "Conditions.runtime.ichor.dev";
    resource(&mut app, 0, kind, "b", &wait("2026-01-01T00:00:09Z", "an answer of DHCP on eth0"));
    resource(&mut app, 0, kind, "a", &wait("2026-01-01T00:00:01Z", "volume STATE"));
    let text = drawn(&app, 140, 30);
    let place = |what| text.find(what).unwrap_or_else(|| panic!("{what:?} is not in\n{text}"));
    assert!(place("volume STATE") < place("an answer of DHCP on eth0"), "the longest wait first");

    let kind = "MaintenanceStatuses.runtime.ichor.dev";
    resource(&mut app, 0, kind, "maintenance", "addresses: []\nfingerprint: x=");
    assert!(drawn(&app, 140, 30).contains("is its network connected?"));
    let spec = "addresses: [10.0.2.15, 'fe80::1']\nfingerprint: Zm9v=";
    resource(&mut app, 0, kind, "maintenance", spec);
    let text = drawn(&app, 140, 30);
    for expected in [
        "ichorctl apply-config --insecure --nodes 10.0.2.15 --file CONFIG.yaml",
        "Addresses: 10.0.2.15, fe80::1",
        "Certificate fingerprint: Zm9v=",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }

    let ready = "stage: running\nstatus: {ready: true}";
    resource(&mut app, 0, "MachineStatuses.runtime.talos.dev", "machine", ready);
    app.apply(0, Update::Reset(kind));
    assert!(!drawn(&app, 140, 30).contains("Waiting"), "a ready machine waits for nothing");
}

#[test]
fn monitor_says_what_the_machine_does() {
    let mut app = app();
    app.show(Screen::Monitor);
    let text = drawn(&app, 120, 36);
    for expected in [
        "user 25.0%, system 0.0%",
        "0.50 0.25 0.10",
        "2.0 GiB total",
        "50.0%",
        "NET RX 2.0 KiB/s",
        "PID S  CPU%  MEM%",
        "42 R  12.5   1.0",
        "/usr/bin/machined",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
    // The busiest process is first, and scrolling leaves it above.
    let place = |text: &str, what| text.find(what).unwrap_or(usize::MAX);
    assert!(place(&text, "machined") < place(&text, "/sbin/init"));
    app.press(Key::Scroll(1));
    assert!(!drawn(&app, 120, 36).contains("/usr/bin/machined"));
}

#[test]
fn a_machine_that_does_not_answer_says_so() {
    let mut app = app();
    app.apply(1, Update::Unreachable("connection refused".into()));
    app.press(Key::Next);
    let text = drawn(&app, 100, 20);
    assert!(text.contains("10.5.0.3: does not answer: connection refused"), "{text}");
    assert!(text.contains("n/a"), "{text}");
}

#[test]
fn every_size_of_terminal_is_drawn() {
    let mut app = app();
    for screen in Screen::ALL {
        app.show(screen);
        for (width, height) in [(1, 1), (5, 3), (20, 10), (80, 24), (300, 100)] {
            drawn(&app, width, height);
        }
    }
    drawn(&App::new([]), 80, 24);
}
