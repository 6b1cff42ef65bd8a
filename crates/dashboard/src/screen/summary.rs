//! What the machine is, whether it is well, and its log.

use api::machine::ServiceInfo;
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Style},
    text::{Line, Span},
    widgets::{Block, BorderType, Paragraph, Wrap},
};
use yaml::Value;

use crate::{
    frame::{ACCENT, columns},
    model::Machine,
};

/// Rows of the three columns of facts.
const FACTS: u16 = 8;

/// Draws the screen.
pub(crate) fn draw(frame: &mut Frame<'_>, area: Rect, machine: &Machine, scroll: usize) {
    let diagnostics: Vec<Line<'_>> = diagnostics(machine);
    let warned = u16::try_from(diagnostics.len()).unwrap_or(u16::MAX);
    let box_height = if warned == 0 { 0 } else { warned.saturating_add(2).min(8) };
    let waits = waiting(machine);
    let waits_height = match u16::try_from(waits.len()) {
        Ok(0) => 0,
        lines => lines.unwrap_or(u16::MAX).saturating_add(2),
    };
    let [top, pending, warnings, log] = Layout::vertical([
        Constraint::Length(FACTS),
        Constraint::Length(waits_height),
        Constraint::Length(box_height),
        Constraint::Min(0),
    ])
    .areas(area);
    let [left, middle, right] = columns(top, [3, 2, 3]);
    facts(frame, left, "Machine", identity(machine));
    facts(frame, middle, "Services", services(machine));
    facts(frame, right, "Network", network(machine));
    if waits_height > 0 {
        let block = titled("Waiting").border_style(Style::new().fg(ACCENT));
        frame.render_widget(Paragraph::new(waits).block(block), pending);
    }
    if warned > 0 {
        let block = titled("Diagnostics").border_style(Style::new().red());
        frame.render_widget(
            Paragraph::new(diagnostics).wrap(Wrap { trim: true }).block(block),
            warnings,
        );
    }
    draw_log(frame, log, machine, scroll);
}

fn titled(title: &str) -> Block<'_> {
    Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(Style::new().dark_gray())
        .title(Span::styled(format!(" {title} "), Style::new().fg(ACCENT)))
}

type Fact = (&'static str, Vec<Span<'static>>);

fn facts(frame: &mut Frame<'_>, area: Rect, title: &str, facts: Vec<Fact>) {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 2;
    let lines: Vec<Line<'_>> = facts
        .into_iter()
        .map(|(name, value)| {
            let mut spans = vec![Span::styled(format!("{name:width$}"), Style::new().bold())];
            spans.extend(value);
            Line::from(spans)
        })
        .collect();
    frame.render_widget(Paragraph::new(lines).block(titled(title)), area);
}

fn plain(text: impl Into<String>) -> Vec<Span<'static>> {
    vec![Span::raw(text.into())]
}

fn unknown() -> Vec<Span<'static>> {
    vec![Span::styled("n/a", Style::new().dark_gray())]
}

fn judged(good: bool, yes: &str, no: &str) -> Vec<Span<'static>> {
    let (text, color) = if good { (yes, Color::Green) } else { (no, Color::Red) };
    vec![Span::styled(text.to_owned(), color)]
}

fn text_of(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) | Value::Plain(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    value
        .and_then(Value::as_seq)
        .unwrap_or_default()
        .iter()
        .filter_map(|item| text_of(Some(item)))
        .collect()
}

fn or_unknown(text: Option<String>) -> Vec<Span<'static>> {
    text.map_or_else(unknown, plain)
}

fn identity(machine: &Machine) -> Vec<Fact> {
    let uuid = machine.spec("SystemInformations.hardware.talos.dev", "systeminformation");
    let info = machine.spec("Infos.cluster.talos.dev", "current");
    let members = machine.specs("Members.cluster.talos.dev").count();
    let cluster = text_of(info.and_then(|info| info.entry("clusterName")))
        .map(|name| if members == 0 { name } else { format!("{name} ({members} machines)") });
    let status = machine.spec("MachineStatuses.runtime.talos.dev", "machine");
    let security = machine.spec("SecurityStates.talos.dev", "securitystate");
    let kind = machine.spec("MachineTypes.config.talos.dev", "machine-type");
    vec![
        ("UUID", or_unknown(text_of(uuid.and_then(|spec| spec.entry("uuid"))))),
        ("CLUSTER", or_unknown(cluster)),
        ("TYPE", or_unknown(text_of(kind))),
        ("STAGE", stage(status)),
        ("READY", ready(status)),
        (
            "SECUREBOOT",
            match security.and_then(|spec| spec.entry("secureBoot")).and_then(Value::as_bool) {
                Some(on) => plain(if on { "true" } else { "false" }),
                None => unknown(),
            },
        ),
    ]
}

fn stage(status: Option<&Value>) -> Vec<Span<'static>> {
    match text_of(status.and_then(|status| status.entry("stage"))) {
        None => unknown(),
        Some(stage) => {
            let color = match stage.as_str() {
                "running" => Color::Green,
                "booting" | "installing" | "upgrading" => ACCENT,
                "maintenance" => Color::Cyan,
                _ => Color::Red,
            };
            let mut letters = stage.chars();
            let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
            vec![Span::styled(format!("{first}{}", letters.as_str()), color)]
        }
    }
}

fn ready(status: Option<&Value>) -> Vec<Span<'static>> {
    let Some(status) = status.and_then(|status| status.entry("status")) else { return unknown() };
    if status.entry("ready").and_then(Value::as_bool) == Some(true) {
        return judged(true, "True", "");
    }
    let unmet: Vec<String> = status
        .entry("unmetConditions")
        .and_then(Value::as_seq)
        .unwrap_or_default()
        .iter()
        .filter_map(|condition| text_of(condition.entry("name")))
        .collect();
    let mut spans = judged(false, "", "False");
    if !unmet.is_empty() {
        spans.push(Span::raw(format!(" ({})", unmet.join(", "))));
    }
    spans
}

fn services(machine: &Machine) -> Vec<Fact> {
    let kubelet = machine
        .spec("KubeletStatuses.kubernetes.talos.dev", "kubelet")
        .and_then(|spec| text_of(spec.entry("image")));
    let version = kubelet.and_then(|image| {
        image.rsplit_once(':').map(|(_, tag)| tag.split('@').next().unwrap_or(tag).to_owned())
    });
    let mut facts = vec![("KUBERNETES", or_unknown(version))];
    facts.push(("KUBELET", health(machine.service("kubelet"))));
    if machine.service("etcd").is_some() {
        facts.push(("ETCD", health(machine.service("etcd"))));
    }
    for (name, pod) in [
        ("APISERVER", "kube-apiserver"),
        ("CONTROLLER-MANAGER", "kube-controller-manager"),
        ("SCHEDULER", "kube-scheduler"),
    ] {
        let status = machine
            .specs("StaticPodStatuses.kubernetes.talos.dev")
            .find(|(id, _)| id.contains(pod))
            .map(|(_, spec)| is_pod_ready(spec));
        if let Some(ready) = status {
            facts.push((name, judged(ready, "Healthy", "Unhealthy")));
        }
    }
    facts
}

fn is_pod_ready(status: &Value) -> bool {
    status.entry("conditions").and_then(Value::as_seq).unwrap_or_default().iter().any(|condition| {
        text_of(condition.entry("type")).as_deref() == Some("Ready")
            && text_of(condition.entry("status")).as_deref() == Some("True")
    })
}

fn health(service: Option<&ServiceInfo>) -> Vec<Span<'static>> {
    let Some(service) = service else { return unknown() };
    match &service.health {
        Some(health) if service.state == "Running" && !health.unknown => {
            judged(health.healthy, "Healthy", "Unhealthy")
        }
        _ => plain(service.state.clone()),
    }
}

fn network(machine: &Machine) -> Vec<Fact> {
    let hostname = machine.spec("HostnameStatuses.net.talos.dev", "hostname");
    let addresses = ["routed-no-k8s", "routed"]
        .iter()
        .map(|id| {
            let spec = machine.spec("NodeAddresses.net.talos.dev", id);
            texts(spec.and_then(|spec| spec.entry("addresses")))
        })
        .find(|addresses| !addresses.is_empty())
        .unwrap_or_default();
    let mut gateways: Vec<String> = machine
        .specs("RouteStatuses.net.talos.dev")
        .filter(|(_, route)| text_of(route.entry("dst")).is_none())
        .filter_map(|(_, route)| text_of(route.entry("gateway")))
        .collect();
    gateways.sort();
    gateways.dedup();
    let status = machine.spec("NetworkStatuses.net.talos.dev", "status");
    let connected =
        status.and_then(|spec| spec.entry("connectivityReady")).and_then(Value::as_bool);
    let resolvers = machine.spec("ResolverStatuses.net.talos.dev", "resolvers");
    let servers = machine.spec("TimeServerStatuses.net.talos.dev", "timeservers");
    let join = |list: Vec<String>| {
        if list.is_empty() { unknown() } else { plain(list.join(", ")) }
    };
    vec![
        ("HOST", or_unknown(text_of(hostname.and_then(|spec| spec.entry("hostname"))))),
        ("IP", join(addresses)),
        ("GW", join(gateways)),
        (
            "CONNECTIVITY",
            connected.map_or_else(unknown, |connected| judged(connected, "OK", "Failed")),
        ),
        ("DNS", join(texts(resolvers.and_then(|spec| spec.entry("dnsServers"))))),
        ("NTP", join(texts(servers.and_then(|spec| spec.entry("timeServers"))))),
    ]
}

/// How many waits are shown: the longest ones, since the others are about to end.
const WAITS: usize = 4;

/// What a machine that is not ready waits for, and what a person can do about it.
fn waiting(machine: &Machine) -> Vec<Line<'static>> {
    if let Some(status) = machine.spec("MaintenanceStatuses.runtime.ichor.dev", "maintenance") {
        let addresses = texts(status.entry("addresses"));
        let fingerprint = text_of(status.entry("fingerprint")).unwrap_or_default();
        let Some(first) = addresses.first() else {
            return vec![Line::raw(
                "This machine has no configuration and no address yet: is its network connected?",
            )];
        };
        return vec![
            Line::raw("This machine has no configuration. Give it one from another computer:"),
            Line::styled(
                format!("  ichorctl apply-config --insecure --nodes {first} --file CONFIG.yaml"),
                Style::new().bold(),
            ),
            Line::raw(format!("Addresses: {}", addresses.join(", "))),
            Line::raw(format!("Certificate fingerprint: {fingerprint}")),
        ];
    }
    let status = machine.spec("MachineStatuses.runtime.talos.dev", "machine");
    let is_ready = |status: &Value| status.entry("status")?.entry("ready")?.as_bool();
    if status.and_then(is_ready) == Some(true) {
        return Vec::new();
    }
    let mut waits: Vec<(String, String)> = machine
        .specs("Conditions.runtime.ichor.dev")
        .filter_map(|(_, wait)| {
            Some((text_of(wait.entry("since"))?, text_of(wait.entry("waitsFor"))?))
        })
        .collect();
    waits.sort();
    waits.dedup_by(|a, b| a.1 == b.1);
    waits.into_iter().take(WAITS).map(|(_, what)| Line::raw(what)).collect()
}

fn diagnostics(machine: &Machine) -> Vec<Line<'static>> {
    machine
        .specs("Diagnostics.runtime.talos.dev")
        .map(|(id, spec)| {
            let message = text_of(spec.entry("message")).unwrap_or_else(|| id.to_owned());
            Line::from(vec![Span::styled("■ ", Color::Red), Span::raw(message)])
        })
        .collect()
}

fn draw_log(frame: &mut Frame<'_>, area: Rect, machine: &Machine, scroll: usize) {
    let height = usize::from(area.height.saturating_sub(2));
    let end = machine.log.len().saturating_sub(scroll);
    let begin = end.saturating_sub(height);
    let lines: Vec<Line<'_>> = machine
        .log
        .iter()
        .skip(begin)
        .take(end - begin)
        .map(|line| {
            let style = if line.contains(": error:")
                || line.contains(":  err]")
                || line.contains("err: ")
            {
                Style::new().red()
            } else if line.contains("warning") {
                Style::new().fg(ACCENT)
            } else {
                Style::new()
            };
            Line::styled(line.as_str(), style)
        })
        .collect();
    let title = if scroll == 0 { "Logs".to_owned() } else { format!("Logs (-{scroll})") };
    frame.render_widget(Paragraph::new(lines).block(titled(&title)), area);
}
