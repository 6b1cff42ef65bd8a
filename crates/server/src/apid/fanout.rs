//! One call to many nodes: the request goes to each, the replies come back joined.
//!
//! A node that fails takes its place in the reply with its error; the call itself succeeds.
//! Must never: let one slow node hold up the frames of another, or keep calling after the caller has gone.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;
use http::{HeaderMap, Request, Response, request};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, body::Body};

use super::{backend::Backend, merge};
use crate::frame::{self, Splitter};

/// A node by the name the caller gave it, and the way there.
pub(super) type Target = (String, Arc<Backend>);

/// Pieces of a body under way between two tasks.
const DEPTH: usize = 16;

type Piece = Result<Frame<Bytes>, Status>;

fn channel_body() -> (mpsc::Sender<Piece>, Body) {
    let (sender, receiver) = mpsc::channel(DEPTH);
    (sender, Body::new(StreamBody::new(ReceiverStream::new(receiver))))
}

/// Copies a request's body to several; one that nobody reads any more is left out.
async fn copy_out(mut from: Incoming, mut to: Vec<mpsc::Sender<Piece>>) {
    while let Some(piece) = from.frame().await {
        let Ok(piece) = piece.map(Frame::into_data) else {
            // The caller has gone: dropping the senders without an end resets every copy.
            let gone = || Err(Status::cancelled("the caller has gone"));
            join_all(to.iter().map(|sender| sender.send(gone()))).await;
            return;
        };
        let Ok(data) = piece else { continue };
        let sent =
            join_all(to.iter().map(|sender| sender.send(Ok(Frame::data(data.clone()))))).await;
        let mut sent = sent.into_iter();
        to.retain(|_| sent.next().is_some_and(|sent| sent.is_ok()));
        if to.is_empty() {
            return;
        }
    }
}

/// Calls every target and joins the replies.
pub(super) fn call(
    targets: Vec<Target>,
    streaming: bool,
    head: request::Parts,
    body: Incoming,
) -> Response<Body> {
    let (replies, joined) = channel_body();
    let mut copies = Vec::with_capacity(targets.len());
    let mut calls = Vec::with_capacity(targets.len());
    for (name, backend) in targets {
        let (copy, body) = channel_body();
        copies.push(copy);
        let request = Request::from_parts(head.clone(), body);
        calls.push(Call { name, backend, request });
    }
    tokio::spawn(copy_out(body, copies));
    if streaming {
        // The last call to end lets go of the last sender; the trailers follow from a task that waits for that.
        tokio::spawn(async move {
            let all = calls.into_iter().map(|call| call.stream_to(&replies));
            tokio::select! {
                _ = join_all(all) => {}
                () = replies.closed() => return,
            }
            finish(&replies).await;
        });
    } else {
        tokio::spawn(async move {
            let all = join_all(calls.into_iter().map(Call::unary));
            let lists = tokio::select! {
                lists = all => lists,
                () = replies.closed() => return,
            };
            let pieces: Vec<&[u8]> = lists.iter().map(Vec::as_slice).collect();
            match frame::join(&pieces) {
                Ok(joined) => {
                    drop(replies.send(Ok(Frame::data(joined))).await);
                    finish(&replies).await;
                }
                Err(error) => {
                    let status = Status::resource_exhausted(format!("joining replies: {error}"));
                    end(&replies, &status).await;
                }
            }
        });
    }
    let mut response = Response::new(joined);
    let grpc = http::HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(http::header::CONTENT_TYPE, grpc);
    response
}

async fn finish(replies: &mpsc::Sender<Piece>) {
    end(replies, &Status::ok("")).await;
}

async fn end(replies: &mpsc::Sender<Piece>, status: &Status) {
    let mut trailers = HeaderMap::new();
    if status.add_header(&mut trailers).is_ok() {
        drop(replies.send(Ok(Frame::trailers(trailers))).await);
    }
}

struct Call {
    name: String,
    backend: Arc<Backend>,
    request: Request<Body>,
}

impl Call {
    async fn unary(self) -> Vec<u8> {
        let name = self.name.clone();
        let reply = async move {
            let mut reply = Reply::begin(self.backend, self.request).await?;
            let message = reply.next().await?;
            let message =
                message.ok_or_else(|| Status::internal("the node answered without a message"))?;
            if reply.next().await?.is_some() {
                return Err(Status::internal("the node answered a unary call more than once"));
            }
            merge::unary(&self.name, &message).map_err(|error| Status::internal(error.to_string()))
        };
        reply.await.unwrap_or_else(|status| merge::unary_failure(&name, &status))
    }

    async fn stream_to(self, replies: &mpsc::Sender<Piece>) {
        let name = self.name.clone();
        let failed = async {
            let mut reply = Reply::begin(self.backend, self.request).await?;
            while let Some(message) = reply.next().await? {
                let marked = merge::streamed(&self.name, &message)
                    .map_err(|error| Status::internal(error.to_string()))?;
                if replies.send(Ok(Frame::data(marked))).await.is_err() {
                    break;
                }
            }
            Ok(())
        };
        if let Err(status) = failed.await
            && let Ok(frame) = merge::streamed_failure(&name, &status)
        {
            drop(replies.send(Ok(Frame::data(frame))).await);
        }
    }
}

/// The reply of one node, message by message.
struct Reply {
    body: Incoming,
    splitter: Splitter,
}

impl Reply {
    async fn begin(backend: Arc<Backend>, request: Request<Body>) -> Result<Self, Status> {
        let response = backend.call(request).await?;
        if let Some(status) = Status::from_header_map(response.headers())
            && status.code() != tonic::Code::Ok
        {
            return Err(status);
        }
        Ok(Self { body: response.into_body(), splitter: Splitter::default() })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        loop {
            let message = self.splitter.message();
            if let Some(message) = message.map_err(|error| Status::internal(error.to_string()))? {
                return Ok(Some(message));
            }
            let piece = match self.body.frame().await {
                Some(Ok(piece)) => piece,
                Some(Err(error)) => {
                    return Err(Status::unavailable(format!("the connection broke: {error}")));
                }
                None => {
                    self.splitter.finish().map_err(|error| Status::internal(error.to_string()))?;
                    return Ok(None);
                }
            };
            match piece.into_data() {
                Ok(data) => self.splitter.push(&data),
                Err(piece) => {
                    let status = piece.trailers_ref().and_then(Status::from_header_map);
                    if let Some(status) = status
                        && status.code() != tonic::Code::Ok
                    {
                        return Err(status);
                    }
                }
            }
        }
    }
}
