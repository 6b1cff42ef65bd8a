//! Following objects: one JSON document per line, for as long as the server keeps the request open.

use std::io;

use bytes::BytesMut;
use http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;

use crate::Object;
use crate::client::ApiError;

/// A line longer than this is no event.
const LINE_LIMIT: usize = 16 << 20;

/// Something that happened to an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// It exists now, in this form.
    Present(Object),
    /// It has been deleted; this was its last form.
    Gone(Object),
    /// Nothing; the version that a later watch can go on from.
    Bookmark(String),
}

/// A watch in progress.
#[derive(Debug)]
pub struct Watch {
    action: String,
    server: String,
    body: Incoming,
    pending: BytesMut,
}

impl Watch {
    pub(crate) fn new(action: String, server: String, body: Incoming) -> Self {
        Self { action, server, body, pending: BytesMut::new() }
    }

    /// The next event; none when the server has ended the watch, which it does from time to time.
    pub async fn next(&mut self) -> Result<Option<Event>, ApiError> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line = self.pending.split_to(end + 1);
                let event = serde_json::from_slice(&line)
                    .map_err(|source| ApiError::Answer { action: self.action.clone(), source })?;
                if let Some(event) = self.event(event)? {
                    return Ok(Some(event));
                }
                continue;
            }
            let broken = |source| ApiError::Connection {
                action: self.action.clone(),
                server: self.server.clone(),
                source,
            };
            if self.pending.len() > LINE_LIMIT {
                return Err(broken(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "an event of over 16 MiB",
                )));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.pending.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => return Err(broken(io::Error::other(error))),
            }
        }
    }

    fn event(&self, mut event: Value) -> Result<Option<Event>, ApiError> {
        let object = event["object"].take();
        let version =
            || object["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
        match event["type"].as_str() {
            Some("ADDED" | "MODIFIED") => Ok(Some(Event::Present(object))),
            Some("DELETED") => Ok(Some(Event::Gone(object))),
            Some("BOOKMARK") => Ok(Some(Event::Bookmark(version()))),
            Some("ERROR") => {
                let code = object["code"].as_u64().and_then(|code| u16::try_from(code).ok());
                let status = code.and_then(|code| StatusCode::from_u16(code).ok());
                Err(ApiError::Refused {
                    action: self.action.clone(),
                    status: status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                    reason: object["reason"].as_str().unwrap_or_default().to_owned(),
                    message: object["message"].as_str().unwrap_or_default().to_owned(),
                })
            }
            // Kinds of events that do not exist yet say nothing to this client.
            _ => Ok(None),
        }
    }
}
