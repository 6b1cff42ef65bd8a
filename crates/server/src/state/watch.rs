//! Watching resources: one empty message as soon as the watch stands, then what happens.
//!
//! Must never: leave a caller believing that it has seen everything when it has not.

use api::cosi::resource::{EventType, WatchOptions as WireOptions, WatchRequest};
use bytes::Bytes;
use http::Response;
use prost::encoding::{WireType, encode_key, encode_varint};
use runtime::{
    Store,
    store::{AnyEvent, EventKind, Query},
    watch::{AnyWatch, AnyWatchEvent, WatchError, WatchOptions},
};
use tonic::{Status, body::Body};

use super::{encode, query};
use crate::{frame, grpc};

/// How many events go into one message for a caller that takes them together.
const AGGREGATE: usize = 64;

/// Starts a watch and answers with its stream.
pub(super) fn start(store: &Store, request: WatchRequest) -> Result<Response<Body>, Status> {
    let options = request.options.unwrap_or_default();
    let (watch, first) = match &request.id {
        Some(id) => one(store, &request.r#type, &request.namespace, id, &options)?,
        None => kind(store, &request.r#type, &request.namespace, options.clone())?,
    };
    let mut stream = Stream {
        watch,
        aggregated: options.aggregated,
        control: request.api_version >= 1,
        single: request.id.is_some(),
    };
    let (sender, response) = grpc::stream();
    tokio::spawn(async move {
        let ended = tokio::select! {
            ended = stream.run(&sender, first) => ended,
            () = sender.closed() => return,
        };
        sender.finish(ended).await;
    });
    Ok(response)
}

type Started = (AnyWatch, Vec<Vec<u8>>);

/// One resource: its present state comes first, whatever it is.
fn one(
    store: &Store,
    type_name: &str,
    namespace: &str,
    id: &str,
    options: &WireOptions,
) -> Result<Started, Status> {
    let tail = usize::try_from(options.tail_events).unwrap_or_default();
    let wanted =
        WatchOptions { query: Query::id(id), bootstrap: tail == 0, tail, ..Default::default() };
    let mut watch = store.watch_any(type_name, namespace, wanted).map_err(refused)?;
    let mut first = Vec::new();
    if tail == 0 {
        match watch.try_next() {
            Some(AnyWatchEvent::Change { event, bookmark }) => {
                first.push(change(&event, &bookmark));
                // The end of the contents goes without saying.
                watch.try_next();
            }
            _ => {
                let gone = encode::tombstone(type_name, namespace, id);
                first.push(event(EventType::Destroyed, Some(&gone), None, None, &watch.position()));
            }
        }
    }
    Ok((watch, first))
}

/// All resources of a type.
fn kind(
    store: &Store,
    type_name: &str,
    namespace: &str,
    options: WireOptions,
) -> Result<Started, Status> {
    let wanted = WatchOptions {
        query: query::parse(&options.label_query, options.id_query.as_ref())?,
        bootstrap: options.bootstrap_contents,
        tail: usize::try_from(options.tail_events).unwrap_or_default(),
        from: options.start_from_bookmark.map(|bookmark| bookmark.to_vec()),
    };
    let watch = store.watch_any(type_name, namespace, wanted).map_err(refused)?;
    let mut first = Vec::new();
    if options.bootstrap_bookmark {
        first.push(event(EventType::Noop, None, None, None, &watch.position()));
    }
    Ok((watch, first))
}

fn refused(error: WatchError) -> Status {
    let text = crate::cause::chain(&error);
    match error {
        WatchError::Bookmark => Status::failed_precondition(text),
        WatchError::Start => Status::invalid_argument(text),
        WatchError::Type { .. } => Status::internal(text),
    }
}

struct Stream {
    watch: AnyWatch,
    aggregated: bool,
    /// Whether the caller knows of events that are no changes.
    control: bool,
    /// Whether one resource is watched, whose contents have no end to tell.
    single: bool,
}

impl Stream {
    async fn run(&mut self, to: &grpc::Sender, first: Vec<Vec<u8>>) -> Status {
        // The empty message says that from here on nothing is missed.
        if to.send(message(&[])).await.is_err() {
            return Status::ok("");
        }
        let first = if self.control { first } else { changes_only(first) };
        if !first.is_empty() && to.send(message(&first)).await.is_err() {
            return Status::ok("");
        }
        let limit = if self.aggregated { AGGREGATE } else { 1 };
        loop {
            let mut events = Vec::new();
            let mut lost = None;
            for told in self.watch.next_batch(limit).await {
                match told {
                    AnyWatchEvent::Change { event, bookmark } => {
                        events.push(change(&event, &bookmark));
                    }
                    AnyWatchEvent::Bootstrapped { bookmark } if self.control && !self.single => {
                        events.push(event(EventType::Bootstrapped, None, None, None, &bookmark));
                    }
                    AnyWatchEvent::Bootstrapped { .. } => {}
                    AnyWatchEvent::Errored(lagged) => {
                        let text = lagged.to_string();
                        if self.control {
                            events.push(event(EventType::Errored, None, None, Some(&text), &[]));
                        }
                        lost = Some(Status::aborted(text));
                    }
                }
            }
            if !events.is_empty() && to.send(message(&events)).await.is_err() {
                return Status::ok("");
            }
            if let Some(lost) = lost {
                return lost;
            }
        }
    }
}

/// Only events that are changes have a resource (field 1), which is written first.
fn changes_only(events: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    events.into_iter().filter(|event| event.first() == Some(&(1 << 3 | 2))).collect()
}

fn change(told: &AnyEvent, bookmark: &[u8]) -> Vec<u8> {
    let kind = match told.kind {
        EventKind::Created => EventType::Created,
        EventKind::Updated => EventType::Updated,
        EventKind::Destroyed => EventType::Destroyed,
    };
    let encoded = |resource| {
        let mut out = Vec::with_capacity(512);
        encode::resource(resource, &mut out);
        out
    };
    let old = told.old.as_ref().map(encoded);
    event(kind, Some(&encoded(&told.resource)), old.as_deref(), None, bookmark)
}

/// `cosi.resource.Event`.
fn event(
    kind: EventType,
    resource: Option<&[u8]>,
    old: Option<&[u8]>,
    error: Option<&str>,
    bookmark: &[u8],
) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + resource.map_or(0, <[u8]>::len));
    let mut bytes = |number, content: Option<&[u8]>| {
        if let Some(content) = content {
            encode_key(number, WireType::LengthDelimited, &mut out);
            encode_varint(content.len() as u64, &mut out);
            out.extend_from_slice(content);
        }
    };
    bytes(1, resource);
    bytes(3, old);
    bytes(4, error.map(str::as_bytes));
    bytes(5, (!bookmark.is_empty()).then_some(bookmark));
    if kind != EventType::Created {
        encode_key(2, WireType::Varint, &mut out);
        encode_varint(u64::from(i32::from(kind).unsigned_abs()), &mut out);
    }
    out
}

/// `cosi.resource.WatchResponse` as a frame.
fn message(events: &[Vec<u8>]) -> Result<Bytes, Status> {
    let mut out = Vec::with_capacity(events.iter().map(|event| event.len() + 6).sum());
    for event in events {
        encode_key(1, WireType::LengthDelimited, &mut out);
        encode_varint(event.len() as u64, &mut out);
        out.extend_from_slice(event);
    }
    frame::join(&[&out]).map_err(|error| Status::resource_exhausted(error.to_string()))
}
