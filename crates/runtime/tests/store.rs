//! The store's promises: versions, owners, phases, finalizers, watches.

use resource::network::HostnameStatusSpec;
use resource::v1alpha1::ServiceSpec;
use resource::{Phase, Spec};
use runtime::store::{HISTORY, HISTORY_GAP, LabelQuery, LabelTerm, Query};
use runtime::watch::AnyWatchEvent;
use runtime::{Event, Store, StoreError, WatchOptions};

fn hostname(name: &str) -> HostnameStatusSpec {
    HostnameStatusSpec { hostname: name.into(), ..HostnameStatusSpec::default() }
}

#[test]
fn every_change_makes_a_version_and_no_change_makes_none() {
    let store = Store::new();
    let first = store.create("a", "network", "hostname", hostname("one")).unwrap();
    assert_eq!(first.metadata.version, 1);
    let same = store
        .modify::<HostnameStatusSpec>("a", "network", "hostname", |s| s.hostname = "one".into())
        .unwrap();
    assert_eq!(same.metadata.version, 1);
    let second = store.update("a", &first, hostname("two")).unwrap();
    assert_eq!(second.metadata.version, 2);
    assert_eq!(second.metadata.created, first.metadata.created);
    let stale = store.update("a", &first, hostname("three")).unwrap_err();
    assert!(matches!(stale, StoreError::Conflict { expected: 1, .. }), "{stale}");
    let twice = store.create("a", "network", "hostname", hostname("x")).unwrap_err();
    assert!(matches!(twice, StoreError::Exists { .. }));
    assert_eq!(
        twice.to_string(),
        "resource HostnameStatuses.net.talos.dev(network/hostname@2) already exists"
    );
}

#[test]
fn only_the_owner_writes() {
    let store = Store::new();
    store.create("a", "network", "hostname", hostname("one")).unwrap();
    let error = store
        .modify::<HostnameStatusSpec>("b", "network", "hostname", |s| s.hostname.clear())
        .unwrap_err();
    assert!(matches!(error, StoreError::Owner { .. }));
    assert!(store.destroy::<HostnameStatusSpec>("b", "network", "hostname").is_err());
    assert!(store.teardown::<HostnameStatusSpec>("b", "network", "hostname").is_err());
    store.destroy::<HostnameStatusSpec>("a", "network", "hostname").unwrap();
    assert!(store.get::<HostnameStatusSpec>("network", "hostname").is_none());
}

#[test]
fn finalizers_hold_a_resource_through_its_teardown() {
    let store = Store::new();
    let spec = ServiceSpec::default();
    store.create("a", "runtime", "etcd", spec.clone()).unwrap();
    store.add_finalizer::<ServiceSpec>("runtime", "etcd", "b").unwrap();
    store.add_finalizer::<ServiceSpec>("runtime", "etcd", "b").unwrap();
    assert!(!store.teardown::<ServiceSpec>("a", "runtime", "etcd").unwrap());
    let held = store.get::<ServiceSpec>("runtime", "etcd").unwrap();
    assert_eq!((held.metadata.version, held.metadata.phase), (3, Phase::TearingDown));
    assert!(matches!(
        store.add_finalizer::<ServiceSpec>("runtime", "etcd", "c"),
        Err(StoreError::TearingDown { .. })
    ));
    assert!(matches!(
        store.destroy::<ServiceSpec>("a", "runtime", "etcd"),
        Err(StoreError::Finalizers { .. })
    ));
    assert!(store.modify::<ServiceSpec>("a", "runtime", "etcd", |s| s.running = true).is_err());
    store.remove_finalizer::<ServiceSpec>("runtime", "etcd", "b").unwrap();
    assert!(store.is_destroy_ready::<ServiceSpec>("runtime", "etcd"));
    assert!(store.remove::<ServiceSpec>("a", "runtime", "etcd").unwrap());
    assert!(store.remove::<ServiceSpec>("a", "runtime", "etcd").unwrap());
}

#[test]
fn definitions_and_namespaces_are_resources() {
    let store = Store::new();
    let all = Query::everything();
    let definitions = store.list_any("ResourceDefinitions.meta.cosi.dev", "meta", &all).unwrap();
    assert_eq!(definitions.len(), resource::DEFINITIONS.len() + resource::EXTENSIONS.len());
    assert!(definitions.iter().any(|r| r.id() == "linkstatuses.net.talos.dev"));
    let namespaces = store.list_any("Namespaces.meta.cosi.dev", "meta", &all).unwrap();
    assert_eq!(namespaces.len(), resource::meta::NAMESPACES.len());
    assert!(matches!(
        store.list_any("Nothing.talos.dev", "meta", &all),
        Err(StoreError::UnknownType { .. })
    ));
}

#[test]
fn queries_look_at_labels_and_ids() {
    let store = Store::new();
    for (id, value) in [("a1", "9"), ("a2", "10"), ("b1", "10")] {
        store
            .modify_draft::<ServiceSpec>("", "runtime", id, |draft| {
                draft.labels.insert("size".into(), value.into());
            })
            .unwrap();
    }
    let ids = |query: &Query| -> Vec<String> {
        let found = store.list_matching::<ServiceSpec>("runtime", query);
        found.iter().map(|r| r.id().to_owned()).collect()
    };
    let ten = LabelQuery { terms: vec![LabelTerm::equal("size", "10")] };
    assert_eq!(ids(&Query::everything().or_labels(ten.clone())), ["a2", "b1"]);
    let query = Query::everything().or_labels(ten).with_id_pattern("^a").unwrap();
    assert_eq!(ids(&query), ["a2"]);
    let mut absent = LabelTerm::exists("size");
    absent.invert = true;
    assert!(ids(&Query::everything().or_labels(LabelQuery { terms: vec![absent] })).is_empty());
    assert!(Query::everything().with_id_pattern("(").is_err());
}

#[tokio::test(start_paused = true)]
async fn a_watch_tells_contents_then_changes() {
    let store = Store::new();
    store.create("a", "network", "hostname", hostname("one")).unwrap();
    let mut watch = store.watch::<HostnameStatusSpec>("network", WatchOptions::bootstrapped());
    assert!(matches!(watch.next().await, Event::Created(r) if r.spec.hostname == "one"));
    assert!(matches!(watch.next().await, Event::Bootstrapped));
    assert!(watch.try_next().is_none());
    let writer = store.clone();
    tokio::spawn(async move {
        let change = |s: &mut HostnameStatusSpec| s.hostname = "two".into();
        writer.modify("a", "network", "hostname", change).unwrap();
        writer.destroy::<HostnameStatusSpec>("a", "network", "hostname").unwrap();
    });
    match watch.next().await {
        Event::Updated { new, old } => {
            assert_eq!((new.spec.hostname.as_str(), old.spec.hostname.as_str()), ("two", "one"));
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(watch.next().await, Event::Destroyed(r) if r.spec.hostname == "two"));
}

#[test]
fn a_watch_with_a_query_sees_resources_come_and_go() {
    let store = Store::new();
    let labelled = LabelQuery { terms: vec![LabelTerm::exists("on")] };
    let options =
        WatchOptions { query: Query::everything().or_labels(labelled), ..WatchOptions::default() };
    let mut watch = store.watch::<ServiceSpec>("runtime", options);
    store.create("", "runtime", "x", ServiceSpec::default()).unwrap();
    store
        .modify_draft::<ServiceSpec>("", "runtime", "x", |draft| {
            draft.labels.insert("on".into(), "".into());
        })
        .unwrap();
    assert!(matches!(watch.try_next(), Some(Event::Created(_))));
    store
        .modify_draft::<ServiceSpec>("", "runtime", "x", |draft| {
            draft.labels.remove("on");
        })
        .unwrap();
    assert!(matches!(watch.try_next(), Some(Event::Destroyed(_))));
    store.destroy::<ServiceSpec>("", "runtime", "x").unwrap();
    assert!(watch.try_next().is_none());
}

#[test]
fn a_slow_watch_is_told_so_and_nobody_waits_for_it() {
    let store = Store::new();
    let mut slow = store.watch::<ServiceSpec>("runtime", WatchOptions::default());
    let mut just = store.watch::<ServiceSpec>("runtime", WatchOptions::default());
    let write = |count: usize| {
        for _ in 0..count {
            store.modify::<ServiceSpec>("", "runtime", "x", |s| s.running = !s.running).unwrap();
        }
    };
    write(HISTORY - HISTORY_GAP);
    for _ in 0..HISTORY - HISTORY_GAP {
        assert!(matches!(just.try_next(), Some(Event::Created(_) | Event::Updated { .. })));
    }
    assert!(just.try_next().is_none());
    write(HISTORY_GAP + 1);
    assert!(matches!(slow.try_next(), Some(Event::Errored(_))));
    assert!(slow.try_next().is_none());
    assert!(matches!(just.try_next(), Some(Event::Updated { .. })));
}

#[test]
fn bookmarks_and_tails_resume() {
    let store = Store::new();
    let type_name = ServiceSpec::DEFINITION.type_name;
    let mut watch = store.watch_any(type_name, "runtime", WatchOptions::default()).unwrap();
    for id in ["a", "b", "c"] {
        store.create("", "runtime", id, ServiceSpec::default()).unwrap();
    }
    let Some(AnyWatchEvent::Change { bookmark, .. }) = watch.try_next() else { panic!() };
    let ids = |options: WatchOptions| -> Vec<String> {
        let mut watch = store.watch_any(type_name, "runtime", options).unwrap();
        let next = || match watch.try_next() {
            Some(AnyWatchEvent::Change { event, .. }) => Some(event.resource.id().to_owned()),
            _ => None,
        };
        std::iter::from_fn(next).collect()
    };
    let from = |bookmark: Vec<u8>| WatchOptions { from: Some(bookmark), ..WatchOptions::default() };
    assert_eq!(ids(from(bookmark.clone())), ["b", "c"]);
    assert_eq!(ids(WatchOptions { tail: 2, ..WatchOptions::default() }), ["b", "c"]);
    assert_eq!(ids(WatchOptions { tail: 9, ..WatchOptions::default() }), ["a", "b", "c"]);
    let mut other = bookmark.clone();
    other[0] ^= 1;
    assert!(store.watch_any(type_name, "runtime", from(other)).is_err());
    assert!(store.watch_any(type_name, "runtime", from(vec![1])).is_err());
    for _ in 0..HISTORY {
        store.modify::<ServiceSpec>("", "runtime", "x", |s| s.running = !s.running).unwrap();
    }
    assert!(store.watch_any(type_name, "runtime", from(bookmark)).is_err());
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_resource_ends_with_the_event() {
    let store = Store::new();
    let waiter = store.clone();
    let task = tokio::spawn(async move {
        waiter.wait_for::<ServiceSpec>("runtime", "x", |r| r.is_some_and(|r| r.spec.healthy)).await
    });
    tokio::task::yield_now().await;
    store.create("", "runtime", "x", ServiceSpec::default()).unwrap();
    store.modify::<ServiceSpec>("", "runtime", "x", |s| s.healthy = true).unwrap();
    assert_eq!(task.await.unwrap().unwrap().metadata.version, 2);
}
