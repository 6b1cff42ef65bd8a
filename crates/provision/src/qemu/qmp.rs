//! The emulator's control protocol (QMP): one JSON object per line over a socket.
//!
//! The grammar is `parse` and `request`, without I/O; [`Monitor`] speaks it. The socket is one end of
//! a pair whose other end the emulator was born with, so nobody else can reach it and it has no path.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// How long an emulator may take for an answer; one that is starved of processor time is slow.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why an emulator did not do what it was asked to.
#[derive(Debug, Error)]
pub(crate) enum QmpError {
    #[error("the emulator ended")]
    Ended,
    #[error("the emulator did not answer {command} within {} s", PATIENCE.as_secs())]
    Silent { command: &'static str },
    #[error("the emulator refused {command}: {reason}")]
    Refused { command: &'static str, reason: String },
    #[error("the emulator's control connection broke")]
    Broken(#[source] io::Error),
    #[error("the emulator wrote {line:?}, which is no message of its control protocol")]
    Grammar {
        line: String,
        #[source]
        source: serde_json::Error,
    },
}

/// A message of the emulator.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Message {
    /// The first one, with the emulator's version.
    Greeting { version: String },
    /// A command was done.
    Done { id: u64, answer: Value },
    /// A command was refused.
    Refused { id: u64, reason: String },
    /// Something happened.
    Event(Event),
}

/// Something that happened to a machine, as far as anybody here is interested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It starts again from its firmware.
    Reset,
    /// Its kernel said that it cannot go on.
    Panicked,
    /// Its watchdog was not fed.
    Watchdog,
    /// It no longer executes anything, and not because somebody asked for that.
    Stopped,
    /// Anything else, by its name.
    Other(String),
}

#[derive(Deserialize)]
struct Wire {
    #[serde(rename = "QMP")]
    greeting: Option<Greeting>,
    id: Option<u64>,
    #[serde(rename = "return")]
    answer: Option<Value>,
    error: Option<Refusal>,
    event: Option<String>,
}

#[derive(Deserialize)]
struct Greeting {
    version: Versions,
}

#[derive(Deserialize)]
struct Versions {
    qemu: Version,
}

#[derive(Deserialize)]
struct Version {
    major: u32,
    minor: u32,
    micro: u32,
}

#[derive(Deserialize)]
struct Refusal {
    desc: String,
}

/// Reads one line.
pub(crate) fn parse(line: &str) -> Result<Message, QmpError> {
    let failed = |source| QmpError::Grammar { line: line.trim_end().to_owned(), source };
    let wire: Wire = serde_json::from_str(line).map_err(failed)?;
    let id = wire.id.unwrap_or_default();
    Ok(match wire {
        Wire { greeting: Some(greeting), .. } => {
            let Version { major, minor, micro } = greeting.version.qemu;
            Message::Greeting { version: format!("{major}.{minor}.{micro}") }
        }
        Wire { event: Some(name), .. } => Message::Event(match name.as_str() {
            "RESET" => Event::Reset,
            "GUEST_PANICKED" => Event::Panicked,
            "WATCHDOG" => Event::Watchdog,
            "STOP" => Event::Stopped,
            _ => Event::Other(name),
        }),
        Wire { error: Some(refusal), .. } => Message::Refused { id, reason: refusal.desc },
        Wire { answer: Some(answer), .. } => Message::Done { id, answer },
        _ => {
            let source = serde::de::Error::custom("neither a greeting, an event nor an answer");
            return Err(failed(source));
        }
    })
}

/// The line of a command.
pub(crate) fn request(id: u64, command: &str, arguments: &Value) -> String {
    let mut request = json!({ "execute": command, "id": id });
    if !arguments.is_null()
        && let Some(object) = request.as_object_mut()
    {
        object.insert("arguments".to_owned(), arguments.clone());
    }
    format!("{request}\n")
}

type Answer = Result<Value, String>;

struct Ask {
    command: &'static str,
    arguments: Value,
    answer: oneshot::Sender<Answer>,
}

/// A connection to an emulator. It ends with the emulator; dropping it changes nothing there.
#[derive(Clone, Debug)]
pub(crate) struct Monitor(mpsc::Sender<Ask>);

impl std::fmt::Debug for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ask").field("command", &self.command).finish_non_exhaustive()
    }
}

impl Monitor {
    /// Waits until the emulator is ready for commands; `events` hears what happens from then on.
    pub(crate) async fn open(
        stream: UnixStream,
        events: mpsc::Sender<Event>,
    ) -> Result<Self, QmpError> {
        let mut stream = BufReader::new(stream);
        let opening = async {
            next(&mut stream).await?;
            let enable = request(0, CAPABILITIES, &Value::Null);
            stream.get_mut().write_all(enable.as_bytes()).await.map_err(QmpError::Broken)?;
            loop {
                match next(&mut stream).await? {
                    Message::Done { .. } => return Ok(()),
                    Message::Refused { reason, .. } => {
                        return Err(QmpError::Refused { command: CAPABILITIES, reason });
                    }
                    Message::Greeting { .. } | Message::Event(_) => {}
                }
            }
        };
        let silent = QmpError::Silent { command: CAPABILITIES };
        timeout(PATIENCE, opening).await.unwrap_or(Err(silent))?;
        let (asks, queue) = mpsc::channel(8);
        tokio::spawn(converse(stream, queue, events));
        Ok(Self(asks))
    }

    /// Has a command done.
    pub(crate) async fn execute(
        &self,
        command: &'static str,
        arguments: Value,
    ) -> Result<Value, QmpError> {
        let (answer, answered) = oneshot::channel();
        let ask = Ask { command, arguments, answer };
        self.0.send(ask).await.map_err(|_| QmpError::Ended)?;
        match timeout(PATIENCE, answered).await {
            Err(_) => Err(QmpError::Silent { command }),
            Ok(Err(_)) => Err(QmpError::Ended),
            Ok(Ok(answer)) => answer.map_err(|reason| QmpError::Refused { command, reason }),
        }
    }
}

/// The command that ends the negotiation.
const CAPABILITIES: &str = "qmp_capabilities";

async fn next(stream: &mut BufReader<UnixStream>) -> Result<Message, QmpError> {
    let mut line = String::new();
    match stream.read_line(&mut line).await {
        Ok(0) => Err(QmpError::Ended),
        Ok(_) => parse(&line),
        Err(source) => Err(QmpError::Broken(source)),
    }
}

/// Passes commands and answers until one side is gone.
async fn converse(
    stream: BufReader<UnixStream>,
    mut queue: mpsc::Receiver<Ask>,
    events: mpsc::Sender<Event>,
) {
    let mut open: HashMap<u64, oneshot::Sender<Answer>> = HashMap::new();
    let (reader, mut writer) = tokio::io::split(stream);
    let mut lines = BufReader::new(reader).lines();
    let mut last = 0;
    loop {
        tokio::select! {
            ask = queue.recv() => {
                let Some(Ask { command, arguments, answer }) = ask else { return };
                last += 1;
                open.insert(last, answer);
                if writer.write_all(request(last, command, &arguments).as_bytes()).await.is_err() {
                    return;
                }
            }
            line = lines.next_line() => {
                let Ok(Some(line)) = line else { return };
                let (id, answer) = match parse(&line) {
                    Ok(Message::Done { id, answer }) => (id, Ok(answer)),
                    Ok(Message::Refused { id, reason }) => (id, Err(reason)),
                    Ok(Message::Event(event)) => {
                        let _ = events.send(event).await;
                        continue;
                    }
                    Ok(Message::Greeting { .. }) => continue,
                    Err(error) => {
                        eprintln!("supervisor: {error}");
                        continue;
                    }
                };
                if let Some(asked) = open.remove(&id) {
                    // Whoever asked may have given up.
                    let _ = asked.send(answer);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_an_emulator_are_understood() {
        let event = |event| Message::Event(event);
        let cases = [
            (
                r#"{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "x"}, "capabilities": ["oob"]}}"#,
                Message::Greeting { version: "7.2.22".to_owned() },
            ),
            (r#"{"return": {}, "id": 7}"#, Message::Done { id: 7, answer: json!({}) }),
            (
                r#"{"id": 3, "error": {"class": "GenericError", "desc": "no such file"}}"#,
                Message::Refused { id: 3, reason: "no such file".to_owned() },
            ),
            (
                r#"{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "RESET", "data": {"guest": false, "reason": "host-qmp-system-reset"}}"#,
                event(Event::Reset),
            ),
            (r#"{"event": "WATCHDOG", "data": {"action": "reset"}}"#, event(Event::Watchdog)),
            (r#"{"event": "GUEST_PANICKED"}"#, event(Event::Panicked)),
            (r#"{"event": "STOP"}"#, event(Event::Stopped)),
            (r#"{"event": "RTC_CHANGE"}"#, event(Event::Other("RTC_CHANGE".to_owned()))),
        ];
        for (line, expected) in cases {
            assert_eq!(parse(line).unwrap(), expected, "{line}");
        }
        for line in ["", "{", "[]", "{}", r#"{"id": 1}"#, r#"{"QMP": {}}"#, r#"{"event": 1}"#] {
            let error = parse(line).unwrap_err().to_string();
            assert!(error.contains(&format!("{line:?}")), "{error}");
        }
    }

    #[test]
    fn commands_are_one_line_each() {
        assert_eq!(request(1, "quit", &Value::Null), "{\"execute\":\"quit\",\"id\":1}\n");
        assert_eq!(
            request(2, "screendump", &json!({ "filename": "a\nb" })),
            "{\"execute\":\"screendump\",\"id\":2,\"arguments\":{\"filename\":\"a\\nb\"}}\n"
        );
    }

    #[tokio::test]
    async fn answers_find_who_asked_and_events_are_heard_between_them() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let emulator = tokio::spawn(async move {
            let mut stream = BufReader::new(theirs);
            let mut line = String::new();
            let greeting =
                r#"{"QMP": {"version": {"qemu": {"major": 8, "minor": 0, "micro": 0}}}}"#;
            stream.get_mut().write_all(format!("{greeting}\n").as_bytes()).await.unwrap();
            stream.read_line(&mut line).await.unwrap();
            stream.get_mut().write_all(b"{\"return\": {}, \"id\": 0}\n").await.unwrap();
            line.clear();
            stream.read_line(&mut line).await.unwrap();
            let id = serde_json::from_str::<Value>(&line).unwrap()["id"].clone();
            let answer = format!("{{\"event\": \"RESET\"}}\n{{\"return\": 5, \"id\": {id}}}\n");
            stream.get_mut().write_all(answer.as_bytes()).await.unwrap();
            line.clear();
            stream.read_line(&mut line).await.unwrap();
            let refusal = "{\"error\": {\"desc\": \"never\"}, \"id\": 2}\n";
            stream.get_mut().write_all(refusal.as_bytes()).await.unwrap();
        });
        let (events, mut heard) = mpsc::channel(4);
        let monitor = Monitor::open(ours, events).await.unwrap();
        assert_eq!(monitor.execute("first", Value::Null).await.unwrap(), json!(5));
        assert_eq!(heard.recv().await, Some(Event::Reset));
        let error = monitor.execute("second", Value::Null).await.unwrap_err();
        assert!(error.to_string().contains("refused second: never"), "{error}");
        emulator.await.unwrap();
        let error = monitor.execute("third", Value::Null).await.unwrap_err();
        assert!(matches!(error, QmpError::Ended), "{error}");
    }
}
