//! The workload of the tests: a small HTTP server, and the client that asks it.
//!
//! `httpd [ADDRESS]` serves, `httpd get URL` fetches, `httpd resolve NAME` looks a name up. It
//! stands for a user's program, so it uses the C library's resolver as any program does.

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(5);

static SICK: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        [] => serve("0.0.0.0:8080"),
        ["get", url] => fetch(url),
        ["resolve", name] => resolve(name),
        [address] if address.contains(':') => serve(address),
        _ => Err(io::Error::other("usage: httpd [ADDRESS] | httpd get URL | httpd resolve NAME")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("httpd: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(address: &str) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    println!("listening on {address}");
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || {
            if let Err(error) = answer(stream) {
                eprintln!("httpd: {error}");
            }
        });
    }
    Ok(())
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let peer = stream.peer_addr()?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    println!("{} from {peer}", request.trim_end());
    let (status, body) = match path {
        "/healthz" if SICK.load(Ordering::Relaxed) => ("503 Service Unavailable", "sick\n".to_owned()),
        "/healthz" => ("200 OK", "ok\n".to_owned()),
        "/sick" => {
            SICK.store(true, Ordering::Relaxed);
            ("200 OK", "now sick\n".to_owned())
        }
        "/hostname" => ("200 OK", hostname()),
        _ => ("200 OK", format!("hello from {} to {}\n", hostname().trim_end(), peer.ip())),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn hostname() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default()
}

fn fetch(url: &str) -> io::Result<()> {
    let rest = url.strip_prefix("http://").ok_or_else(|| io::Error::other("only http:// is known"))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let target = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let mut stream = connect(&target)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let status = text.split(' ').nth(1).unwrap_or_default();
    print!("{}", text.split_once("\r\n\r\n").map_or("", |(_, body)| body));
    if status == "200" { Ok(()) } else { Err(io::Error::other(format!("status {status}"))) }
}

/// Connects to the first address that answers. A Service refuses connections until its node has
/// heard of the pods behind it, so a refusal is tried again for a while.
fn connect(target: &str) -> io::Result<TcpStream> {
    let begun = Instant::now();
    let mut last = io::Error::other(format!("{target} has no address"));
    for address in target.to_socket_addrs()? {
        loop {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
            if last.kind() != io::ErrorKind::ConnectionRefused || begun.elapsed() > PATIENCE {
                break;
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
    Err(last)
}

fn resolve(name: &str) -> io::Result<()> {
    let mut addresses: Vec<_> = (name, 0).to_socket_addrs()?.map(|address| address.ip()).collect();
    addresses.sort();
    addresses.dedup();
    for address in addresses {
        println!("{address}");
    }
    Ok(())
}
