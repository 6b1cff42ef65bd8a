//! The few ends of gRPC that are done by hand: a unary request as a message, and replies from ready frames.
//!
//! Must never: be used where the generated services serve as well.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header::CONTENT_TYPE};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt, Limited, StreamBody};
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, body::Body};

use crate::frame::{HEADER, MAX_MESSAGE, Splitter};

/// The one message of a request.
///
/// # Errors
/// The status to answer with when there is not exactly one, or it is of another type.
pub(crate) async fn unary<M, B>(body: B) -> Result<M, Status>
where
    M: Message + Default,
    B: HttpBody,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let whole = Limited::new(body, MAX_MESSAGE + HEADER)
        .collect()
        .await
        .map_err(|error| Status::invalid_argument(format!("reading the request: {error}")))?;
    let mut splitter = Splitter::default();
    splitter.push(&whole.to_bytes());
    let bad = |error: crate::frame::FrameError| {
        Status::invalid_argument(format!("reading the request: {error}"))
    };
    let message = splitter.message().map_err(bad)?;
    splitter.finish().map_err(bad)?;
    let message =
        message.ok_or_else(|| Status::invalid_argument("reading the request: it is empty"))?;
    M::decode(message)
        .map_err(|error| Status::invalid_argument(format!("reading the request: {error}")))
}

fn head(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// A successful reply of frames that are all there.
#[must_use]
pub(crate) fn reply(frames: Bytes) -> Response<Body> {
    head(Body::new(Ready { frames: Some(frames), ended: false }))
}

struct Ready {
    frames: Option<Bytes>,
    ended: bool,
}

impl HttpBody for Ready {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(frames) = self.frames.take().filter(|frames| !frames.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(frames))));
        }
        if std::mem::replace(&mut self.ended, true) {
            return Poll::Ready(None);
        }
        let mut trailers = HeaderMap::with_capacity(1);
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.frames.as_ref().map_or(0, |frames| frames.len() as u64))
    }
}

/// The caller has gone.
#[derive(Debug)]
pub(crate) struct Gone;

/// The sending end of a streamed reply.
#[derive(Debug)]
pub(crate) struct Sender {
    pieces: mpsc::Sender<Result<Frame<Bytes>, Infallible>>,
}

impl Sender {
    /// Sends a frame, or the error of making it as the end.
    ///
    /// # Errors
    /// [`Gone`] when nobody reads any more.
    pub(crate) async fn send(&self, frame: Result<Bytes, Status>) -> Result<(), Gone> {
        match frame {
            Ok(frame) => self.pieces.send(Ok(Frame::data(frame))).await.map_err(|_| Gone),
            Err(status) => {
                self.finish(status).await;
                Err(Gone)
            }
        }
    }

    /// Resolves when nobody reads any more.
    pub(crate) async fn closed(&self) {
        self.pieces.closed().await;
    }

    /// Ends the reply with a status.
    pub(crate) async fn finish(&self, status: Status) {
        let mut trailers = HeaderMap::new();
        if status.add_header(&mut trailers).is_ok() {
            drop(self.pieces.send(Ok(Frame::trailers(trailers))).await);
        }
    }
}

/// A streamed reply.
#[must_use]
pub(crate) fn stream() -> (Sender, Response<Body>) {
    let (pieces, receiver) = mpsc::channel(4);
    (Sender { pieces }, head(Body::new(StreamBody::new(ReceiverStream::new(receiver)))))
}
