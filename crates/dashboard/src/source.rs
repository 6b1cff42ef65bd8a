//! What machines say, brought as updates: some is asked from time to time, the rest is watched.

use std::time::Duration;

use api::{
    common::ContainerDriver,
    cosi::resource::{EventType, WatchOptions, WatchRequest, state_client::StateClient},
    machine::{DmesgRequest, LogsRequest, machine_service_client::MachineServiceClient},
};
use futures::{future::join_all, join};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tonic::{Status, Streaming};

use crate::model::{Sample, Update};

/// What the calls to one machine go through.
pub type Channel = tower::util::BoxCloneSyncService<
    http::Request<tonic::body::Body>,
    http::Response<tonic::body::Body>,
    Status,
>;

/// A machine to show.
#[derive(Clone)]
pub struct Target {
    /// The name it is called by.
    pub name: String,
    /// The way to it.
    pub channel: Channel,
}

/// How long to leave a machine alone that refused a watch.
const WATCH_RETRY: Duration = Duration::from_secs(1);
/// How long to leave a machine alone that refused its log.
const LOG_RETRY: Duration = Duration::from_secs(30);

/// The types that are watched, with their namespaces.
const WATCHED: [(&str, &str); 18] = [
    ("MachineStatuses.runtime.talos.dev", "runtime"),
    ("SecurityStates.talos.dev", "runtime"),
    ("MachineTypes.config.talos.dev", "config"),
    ("KubeletStatuses.kubernetes.talos.dev", "k8s"),
    ("StaticPodStatuses.kubernetes.talos.dev", "k8s"),
    ("ResolverStatuses.net.talos.dev", "network"),
    ("TimeServerStatuses.net.talos.dev", "network"),
    ("NetworkStatuses.net.talos.dev", "network"),
    ("HostnameStatuses.net.talos.dev", "network"),
    ("RouteStatuses.net.talos.dev", "network"),
    ("NodeAddresses.net.talos.dev", "network"),
    ("SystemInformations.hardware.talos.dev", "hardware"),
    ("Infos.cluster.talos.dev", "cluster"),
    ("Members.cluster.talos.dev", "cluster"),
    ("Versions.runtime.talos.dev", "runtime"),
    ("Diagnostics.runtime.talos.dev", "runtime"),
    ("MaintenanceStatuses.runtime.ichor.dev", "runtime"),
    ("Conditions.runtime.ichor.dev", "runtime"),
];

/// The receiver of updates, with the number of the machine they are about.
pub(crate) type Updates = mpsc::Sender<(usize, Update)>;

/// Brings everything about one machine until nobody listens any more.
pub(crate) async fn follow(number: usize, target: Target, every: Duration, to: Updates) {
    let Target { channel, .. } = target;
    let watches = join_all(
        WATCHED.iter().map(|(kind, namespace)| watch(number, &channel, kind, namespace, &to)),
    );
    join!(sample(number, &channel, every, &to), log(number, &channel, &to), watches);
}

fn machine(channel: &Channel) -> MachineServiceClient<Channel> {
    MachineServiceClient::new(channel.clone()).max_decoding_message_size(32 << 20)
}

async fn sample(number: usize, channel: &Channel, every: Duration, to: &Updates) {
    let begun = Instant::now();
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut versioned = false;
    loop {
        ticks.tick().await;
        if !versioned {
            let update = match machine(channel).version(()).await {
                Ok(answer) => {
                    versioned = true;
                    let version =
                        answer.into_inner().messages.into_iter().next().and_then(|m| m.version);
                    Update::Version(version.map(|version| version.tag).unwrap_or_default())
                }
                Err(status) => Update::Unreachable(status.message().to_owned()),
            };
            if to.send((number, update)).await.is_err() {
                return;
            }
        }
        let update = match ask(channel, begun).await {
            Ok(sample) => Update::Sample(Box::new(sample)),
            Err(status) => {
                versioned = false;
                Update::Unreachable(status.message().to_owned())
            }
        };
        if to.send((number, update)).await.is_err() {
            return;
        }
    }
}

/// One round. Fails only when the machine does not answer at all; a call it does not know is absent.
async fn ask(channel: &Channel, begun: Instant) -> Result<Sample, Status> {
    macro_rules! call {
        ($name:ident) => {
            async {
                machine(channel)
                    .$name(())
                    .await
                    .map(|answer| answer.into_inner().messages.into_iter().next())
            }
        };
    }
    let (load, memory, system, frequencies, processors, network, disks, processes, services) = join!(
        call!(load_avg),
        call!(memory),
        call!(system_stat),
        call!(cpu_freq_stats),
        call!(cpu_info),
        call!(network_device_stats),
        call!(disk_stats),
        call!(processes),
        call!(service_list),
    );
    Ok(Sample {
        at: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        now: std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |elapsed| elapsed.as_secs()),
        load: load?,
        memory: memory.ok().flatten().and_then(|answer| answer.meminfo),
        system: system.ok().flatten(),
        frequencies: frequencies.ok().flatten(),
        processors: processors.ok().flatten().map(|answer| answer.cpu_info),
        network: network.ok().flatten().and_then(|answer| answer.total),
        disks: disks.ok().flatten().and_then(|answer| answer.total),
        processes: processes.ok().flatten().map(|answer| answer.processes),
        services: services.ok().flatten().map(|answer| answer.services),
    })
}

async fn watch(
    number: usize,
    channel: &Channel,
    kind: &'static str,
    namespace: &str,
    to: &Updates,
) {
    while !to.is_closed() {
        // A refusal is shown by what is missing on the screen; the reason is the next attempt's.
        if let Ok(mut stream) = open_watch(channel, kind, namespace).await {
            if to.send((number, Update::Reset(kind))).await.is_err() {
                return;
            }
            while let Ok(Some(answer)) = stream.message().await {
                for event in answer.event {
                    if let Some(update) = changed(kind, event)
                        && to.send((number, update)).await.is_err()
                    {
                        return;
                    }
                }
            }
        }
        sleep(WATCH_RETRY).await;
    }
}

async fn open_watch(
    channel: &Channel,
    kind: &str,
    namespace: &str,
) -> Result<Streaming<api::cosi::resource::WatchResponse>, Status> {
    let options = WatchOptions { bootstrap_contents: true, ..WatchOptions::default() };
    let request = WatchRequest {
        namespace: namespace.to_owned(),
        r#type: kind.to_owned(),
        id: None,
        options: Some(options),
        api_version: 1,
    };
    Ok(StateClient::new(channel.clone()).watch(request).await?.into_inner())
}

fn changed(kind: &'static str, event: api::cosi::resource::Event) -> Option<Update> {
    let kind_of_event = event.event_type();
    let resource = event.resource?;
    let id = resource.metadata?.id;
    let spec = match kind_of_event {
        EventType::Created | EventType::Updated => {
            let text = resource.spec.unwrap_or_default().yaml_spec;
            let document = yaml::parse(text.as_bytes()).ok()?.into_iter().next();
            Some(document.map(|document| document.root.to_value()).unwrap_or_default())
        }
        EventType::Destroyed => None,
        EventType::Bootstrapped | EventType::Errored | EventType::Noop => return None,
    };
    Some(Update::Resource { kind, id, spec })
}

/// The kernel's log, or machined's where there is no kernel log (in a container).
async fn log(number: usize, channel: &Channel, to: &Updates) {
    while !to.is_closed() {
        let kernel = DmesgRequest { follow: true, tail: false };
        let own = LogsRequest {
            namespace: "system".to_owned(),
            id: "machined".to_owned(),
            driver: ContainerDriver::Containerd.into(),
            follow: true,
            tail_lines: 500,
        };
        let mut followed = match machine(channel).dmesg(kernel).await {
            Ok(stream) => lines(number, stream.into_inner(), to).await,
            Err(_) => false,
        };
        if !followed && let Ok(stream) = machine(channel).logs(own).await {
            followed = lines(number, stream.into_inner(), to).await;
        }
        sleep(if followed { WATCH_RETRY } else { LOG_RETRY }).await;
    }
}

/// Brings the lines of a stream; false when there was not one.
async fn lines(number: usize, mut stream: Streaming<api::common::Data>, to: &Updates) -> bool {
    let mut pending = Vec::new();
    let mut any = false;
    while let Ok(Some(chunk)) = stream.message().await {
        pending.extend_from_slice(&chunk.bytes);
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            let line = printable(&String::from_utf8_lossy(&line));
            any = true;
            if to.send((number, Update::LogLine(line))).await.is_err() {
                return any;
            }
        }
    }
    any
}

/// Without control characters, which would draw outside their line.
fn printable(line: &str) -> String {
    line.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_lines_cannot_move_the_cursor() {
        assert_eq!(printable("a\u{1b}[2Jb\tc\r\n"), "a [2Jb c");
    }

    #[test]
    fn events_become_updates() {
        use api::cosi::resource::{Event, Metadata, Resource, Spec};
        let resource = Resource {
            metadata: Some(Metadata { id: "machine".into(), ..Metadata::default() }),
            spec: Some(Spec { yaml_spec: "stage: running\n".into(), ..Spec::default() }),
        };
        let event = |kind: EventType| Event {
            resource: Some(resource.clone()),
            event_type: kind.into(),
            ..Event::default()
        };
        let Some(Update::Resource { id, spec: Some(spec), .. }) =
            changed("M", event(EventType::Updated))
        else {
            panic!("no update");
        };
        assert_eq!(
            (id.as_str(), spec.entry("stage").unwrap().as_str()),
            ("machine", Some("running"))
        );
        let gone = changed("M", event(EventType::Destroyed));
        assert!(matches!(gone, Some(Update::Resource { spec: None, .. })));
        assert!(changed("M", event(EventType::Bootstrapped)).is_none());
    }
}
