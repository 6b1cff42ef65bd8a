//! A root image for tests: this program as init, with the libraries it needs, and a line-based
//! server that shows the node from inside.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sys::mount::{self, MountFlags};
use sys::system::{self, Ending};

/// Where the server listens.
pub(crate) const PORT: u16 = 7777;

/// Makes the image at `root`.
pub(crate) fn build(root: &Path) -> PathBuf {
    for directory in ["sbin", "proc", "system", "var", "etc", "dev"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    for file in ["etc/hostname", "etc/resolv.conf"] {
        fs::write(root.join(file), "").unwrap();
    }
    let program = std::env::current_exe().unwrap();
    // The loader prints what it loads, itself included.
    let libraries = std::process::Command::new("ldd").arg(&program).output().unwrap();
    for word in String::from_utf8(libraries.stdout).unwrap().split_whitespace() {
        if word.starts_with('/') {
            let target = root.join(word.trim_start_matches('/'));
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::copy(word, target).unwrap();
        }
    }
    fs::copy(program, root.join("sbin/init")).unwrap();
    root.to_path_buf()
}

/// The node's first process.
pub(crate) fn init() -> ExitCode {
    mount::mount("proc", "proc", "/proc", MountFlags::empty(), "").unwrap();
    let listener = TcpListener::bind(("0.0.0.0", PORT)).unwrap();
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let mut line = String::new();
        BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
        let words: Vec<_> = line.split_whitespace().collect();
        let _ = writeln!(stream, "{}", answer(&words));
        let _ = stream.shutdown(std::net::Shutdown::Both);
        match words.as_slice() {
            ["reboot"] => system::end(Ending::Restart).unwrap(),
            ["poweroff"] => system::end(Ending::PowerOff).unwrap(),
            ["exit"] => {
                println!("giving up");
                return ExitCode::from(7);
            }
            _ => {}
        }
    }
    ExitCode::FAILURE
}

fn answer(words: &[&str]) -> String {
    let result = match words {
        ["hostname"] => Ok(system::kernel().node),
        ["pid"] => Ok(std::process::id().to_string()),
        ["env", name] => Ok(std::env::var(name).unwrap_or_default()),
        ["read", path] => fs::read_to_string(path),
        ["write", path] => fs::write(path, "x").map(|()| "ok".to_owned()),
        ["processes"] => Ok(fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok())
            .count()
            .to_string()),
        ["ask", node, question] => ask(node, question),
        ["direct", address] => TcpStream::connect(address).map(|_| "connected".to_owned()),
        ["proxied", address] => proxied(address),
        _ => Ok("ok".to_owned()),
    };
    result.unwrap_or_else(|error| format!("{:?}", error.kind()))
}

fn ask(node: &str, question: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(format!("{node}:{PORT}"))?;
    writeln!(stream, "{question}")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn proxied(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect("10.5.0.1:3128")?;
    write!(stream, "CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line)?;
    }
    writeln!(stream, "hello")?;
    let mut answer = String::new();
    reader.read_to_string(&mut answer)?;
    Ok(answer)
}
