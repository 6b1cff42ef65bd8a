//! The store under load: create, get, list, memory, and events for a hundred watches.
//!
//! `cargo bench -p runtime --bench store` prints one line per figure, with its goal. Each figure
//! is the best of several rounds: the machine is shared, and the store's own speed is wanted.

use std::hint::black_box;
use std::time::{Duration, Instant};

use resource::enums::{LinkFlags, LinkType, OperationalState, Port};
use resource::network::LinkStatusSpec;
use resource::types::HardwareAddr;
use runtime::{Event, Store, WatchOptions};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const COUNT: u32 = 100_000;
const ROUNDS: usize = 5;
const WATCHERS: usize = 100;
const EVENTS: u32 = 1000;

fn link(index: u32) -> LinkStatusSpec {
    let [a, b, c, d] = index.to_be_bytes();
    LinkStatusSpec {
        index,
        r#type: LinkType::ETHER,
        flags: LinkFlags::UP | LinkFlags::BROADCAST | LinkFlags::RUNNING,
        hardware_addr: HardwareAddr::from(vec![2, 0, a, b, c, d]),
        broadcast_addr: HardwareAddr::from(vec![0xff; 6]),
        mtu: 1500,
        queue_disc: "noqueue".into(),
        operational_state: OperationalState::UP,
        kind: "veth".into(),
        link_state: true,
        port: Port::OTHER,
        ..LinkStatusSpec::default()
    }
}

fn ids() -> Vec<String> {
    (0..COUNT).map(|index| format!("veth{index:06}")).collect()
}

fn fill(store: &Store, ids: &[String], specs: impl IntoIterator<Item = LinkStatusSpec>) {
    for (id, spec) in ids.iter().zip(specs) {
        if let Err(error) = store.create("bench", "network", id, spec) {
            panic!("create {id}: {error}");
        }
    }
}

/// Bytes of memory in use by this process.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("Rss:")).unwrap_or_default();
    line.split_ascii_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) * 1024
}

fn best(mut round: impl FnMut() -> Duration) -> Duration {
    (0..ROUNDS).map(|_| round()).min().unwrap_or_default()
}

fn per_second(count: u32, time: Duration) -> f64 {
    f64::from(count) / time.as_secs_f64()
}

fn row(what: &str, figure: String, goal: &str, reached: bool) {
    let mark = if reached { "reached" } else { "MISSED" };
    println!("{what:<44} {figure:>16}   {goal:<14} {mark}");
}

fn create(ids: &[String]) {
    let time = best(|| {
        let store = Store::new();
        let specs: Vec<LinkStatusSpec> = (0..COUNT).map(link).collect();
        let begin = Instant::now();
        fill(&store, ids, specs);
        begin.elapsed()
    });
    let rate = per_second(COUNT, time);
    row("create 100,000 links", format!("{rate:.0}/s"), ">= 1000000/s", rate >= 1e6);
}

fn memory(ids: &[String]) -> Store {
    let store = Store::new();
    let before = resident();
    fill(&store, ids, (0..COUNT).map(link));
    let used = resident().saturating_sub(before);
    let each = used / u64::from(COUNT);
    row("memory per link", format!("{each} B"), "<= 500 B", each <= 500);
    store
}

fn read(store: &Store, ids: &[String]) {
    let time = best(|| {
        let begin = Instant::now();
        for id in ids {
            black_box(store.get::<LinkStatusSpec>("network", id));
        }
        begin.elapsed()
    });
    let rate = per_second(COUNT, time);
    row("get", format!("{rate:.0}/s"), ">= 5000000/s", rate >= 5e6);
    let time = best(|| {
        let begin = Instant::now();
        let all = black_box(store.list::<LinkStatusSpec>("network"));
        let time = begin.elapsed();
        assert_eq!(all.len(), ids.len());
        time
    });
    let shown = format!("{:.1} ms", time.as_secs_f64() * 1e3);
    row("list of 100,000", shown, "<= 50 ms", time <= Duration::from_millis(50));
}

fn update(store: &Store, ids: &[String]) {
    let mut mtu = 1500;
    let time = best(|| {
        mtu += 1;
        let begin = Instant::now();
        for id in ids {
            let change = |spec: &mut LinkStatusSpec| spec.mtu = mtu;
            black_box(store.modify("bench", "network", id, change).is_ok());
        }
        begin.elapsed()
    });
    println!("{:<44} {:>14.0}/s", "modify (no goal)", per_second(COUNT, time));
}

/// A writer and a hundred readers on two threads: how fast all events reach all readers.
fn fan_out() {
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).build() {
        Ok(runtime) => runtime,
        Err(error) => panic!("runtime: {error}"),
    };
    let time = best(|| {
        let store = Store::new();
        runtime.block_on(async {
            let readers: Vec<_> = (0..WATCHERS)
                .map(|_| {
                    let mut watch =
                        store.watch::<LinkStatusSpec>("network", WatchOptions::default());
                    tokio::spawn(async move {
                        for _ in 0..EVENTS {
                            assert!(!matches!(watch.next().await, Event::Errored(_)));
                        }
                    })
                })
                .collect();
            let begin = Instant::now();
            for index in 0..EVENTS {
                let id = format!("veth{index}");
                if let Err(error) = store.create("bench", "network", &id, link(index)) {
                    panic!("{error}");
                }
            }
            for reader in readers {
                if let Err(error) = reader.await {
                    panic!("{error}");
                }
            }
            begin.elapsed()
        })
    });
    let delivered = EVENTS * u32::try_from(WATCHERS).unwrap_or(0);
    println!("{:<44} {:>14.0}/s", "events to 100 watches", per_second(delivered, time));
}

fn main() {
    println!("{:<44} {:>16}   {:<14}", "store", "figure", "goal");
    let ids = ids();
    let store = memory(&ids);
    create(&ids);
    read(&store, &ids);
    update(&store, &ids);
    fan_out();
}
