//! The kernel's log as lines.
//!
//! Must never: block on a kernel that has nothing new to say.

use std::time::{Duration, SystemTime};

use api::{common::Data, machine::DmesgRequest};
use futures::StreamExt;
use sys::{
    kmsg::{KernelLog, Record},
    readiness::Readiness,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{Node, rpc::Stream};

/// Names of facilities (syslog(3), in their numbers' order).
const FACILITIES: [&str; 12] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp",
];
/// Names of levels (syslog(3), in their numbers' order).
const LEVELS: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

pub(super) fn stream(node: &Node, request: &DmesgRequest) -> Result<Stream<Data>, Status> {
    let mut log = KernelLog::open(request.tail).map_err(|error| {
        let text = format!("opening the kernel log: {error}");
        if node.platform.in_container() {
            Status::failed_precondition(format!(
                "{text}: in container mode the kernel log may be out of reach; see the log of machined"
            ))
        } else {
            Status::internal(text)
        }
    })?;
    let boot = boot_time(node)?;
    let follow = request.follow;
    let (sender, receiver) = mpsc::channel(64);
    tokio::spawn(async move {
        let told = async {
            let readiness = Readiness::of(&log)?;
            loop {
                while let Some(record) = log.next_record()? {
                    let bytes = line(&record, boot).into_bytes().into();
                    if sender.send(Ok(Data { metadata: None, bytes })).await.is_err() {
                        return Ok(());
                    }
                }
                if !follow {
                    return Ok::<_, std::io::Error>(());
                }
                let mut next = None;
                readiness
                    .until(|| {
                        next = log.next_record()?;
                        Ok(next.is_some().then_some(()))
                    })
                    .await?;
                if let Some(record) = next {
                    let bytes = line(&record, boot).into_bytes().into();
                    if sender.send(Ok(Data { metadata: None, bytes })).await.is_err() {
                        return Ok(());
                    }
                }
            }
        };
        let ended = tokio::select! {
            ended = told => ended,
            () = sender.closed() => return,
        };
        if let Err(error) = ended {
            let text = format!("reading the kernel log: {error}");
            drop(sender.send(Err(Status::internal(text))).await);
        }
    });
    Ok(ReceiverStream::new(receiver).boxed())
}

/// Records carry the time since boot; lines carry the time of day.
fn boot_time(node: &Node) -> Result<SystemTime, Status> {
    let stat = node
        .kernel()
        .system_stat()
        .map_err(|error| Status::internal(crate::cause::chain(&error)))?;
    Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(stat.boot_time))
}

fn line(record: &Record, boot: SystemTime) -> String {
    let name = |names: &[&'static str], number: u32| {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        names.get(index).copied().unwrap_or("unknown")
    };
    let time = boot + Duration::from_micros(record.time);
    // The form of protobuf's timestamps is RFC 3339 with as many decimals as it takes.
    let time = prost_types::Timestamp::from(time).to_string();
    let level = name(&LEVELS, record.level);
    let facility = name(&FACILITIES, record.facility);
    format!("{facility}: {level:>7}: [{time}]: {}\n", record.message.trim_end_matches('\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_who_how_important_and_when() {
        let record = Record {
            facility: 0,
            level: 6,
            sequence: 1,
            time: 1_500_000,
            message: "eth0: link up".into(),
        };
        let boot = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let expected = "kern:    info: [2023-11-14T22:13:21.500Z]: eth0: link up\n";
        assert_eq!(line(&record, boot), expected);
        let odd = Record { facility: 99, level: 9, ..record };
        assert!(line(&odd, boot).starts_with("unknown: unknown: "));
    }
}
