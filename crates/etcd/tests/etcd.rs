//! The client against a real etcd.
//!
//! Needs the etcd binary; `ICHOR_COMPONENTS` names its directory.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use etcd::{Client, Credentials, Endpoint};
use pki::{Algorithm, Authority, ExtendedUsage, Leaf, PrivateKey, System, Validity};

fn binary() -> Option<PathBuf> {
    let path =
        std::env::var_os("ICHOR_COMPONENTS").map(|directory| PathBuf::from(directory).join("etcd"));
    if path.as_ref().is_some_and(|path| path.exists()) {
        return path;
    }
    eprintln!(
        "SKIPPED: ICHOR_COMPONENTS names no directory with etcd; the etcd client was NOT tested"
    );
    None
}

fn now() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs()
        .cast_signed()
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_member() {
    let Some(binary) = binary() else { return };
    let root = tempfile::tempdir().unwrap();
    let mut random = System;
    let validity = Validity::starting(now() - 60, 3600);
    let authority = || {
        let key = PrivateKey::generate(Algorithm::EcdsaP256).unwrap();
        Authority::create(key, "etcd", validity, &mut System).unwrap()
    };
    let (authority, other) = (authority(), authority());
    let leaf = Leaf::new(&[ExtendedUsage::ServerAuth, ExtendedUsage::ClientAuth], validity)
        .common_name("etcd")
        .names(["localhost".to_owned()], [IpAddr::V4(Ipv4Addr::LOCALHOST)]);
    let identity = authority.issue(&leaf, &mut random).unwrap();
    let stranger = other.issue(&leaf, &mut random).unwrap();
    let file = |name: &str, text: &str| {
        let path = root.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.into_os_string().into_string().unwrap()
    };
    let (ca, certificate, key) =
        (authority.certificate_pem(), identity.certificate_pem(), identity.key_pem().unwrap());
    let (ca_path, crt_path, key_path) =
        (file("ca.crt", &ca), file("etcd.crt", &certificate), file("etcd.key", &key));
    let (client_port, peer_port) = (free_port(), free_port());
    let client_url = format!("https://127.0.0.1:{client_port}");
    let peer_url = format!("https://127.0.0.1:{peer_port}");
    let log = std::fs::File::create(root.path().join("log")).unwrap();
    let mut command = Command::new(binary);
    command
        .arg("--name=one")
        .arg(format!("--data-dir={}", root.path().join("data").display()))
        .arg(format!("--listen-client-urls={client_url}"))
        .arg(format!("--advertise-client-urls={client_url}"))
        .arg(format!("--listen-peer-urls={peer_url}"))
        .arg(format!("--initial-advertise-peer-urls={peer_url}"))
        .arg(format!("--initial-cluster=one={peer_url}"))
        .args(["--client-cert-auth", "--peer-client-cert-auth"])
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    for prefix in ["", "peer-"] {
        command
            .arg(format!("--{prefix}trusted-ca-file={ca_path}"))
            .arg(format!("--{prefix}cert-file={crt_path}"))
            .arg(format!("--{prefix}key-file={key_path}"));
    }
    let _server = Server(command.spawn().unwrap());

    let endpoint = Endpoint::from(SocketAddr::from(([127, 0, 0, 1], client_port)));
    let dead = Endpoint::from(SocketAddr::from(([127, 0, 0, 1], free_port())));
    let credentials = Credentials { authority: &ca, certificate: &certificate, key: &key };
    let client = Client::new(&[endpoint], &credentials).unwrap();
    let start = Instant::now();
    while let Err(error) = client.healthy().await {
        let log = std::fs::read_to_string(root.path().join("log")).unwrap();
        assert!(start.elapsed() < Duration::from_secs(30), "{error:?}: {log}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let members = client.agreed_members().await.unwrap();
    assert_eq!(members.len(), 1);
    assert_eq!((members[0].name.as_str(), members[0].learner), ("one", false));
    let status = client.status().await.unwrap();
    assert_eq!((status.member, status.leader), (members[0].id, members[0].id));
    assert!(status.version.starts_with("3."));
    assert_eq!(client.alarms().await.unwrap(), []);
    client.defragment().await.unwrap();

    // A dead endpoint is passed over; an error of etcd itself is not retried elsewhere.
    let both = client.at(&[dead, endpoint]);
    assert_eq!(both.members().await.unwrap(), members);
    let error = both.promote(members[0].id).await.unwrap_err();
    assert!(error.says("can only promote a learner member"), "{error:?}");
    assert!(
        client.at(&[dead]).members().await.unwrap_err().to_string().contains(&dead.to_string())
    );
    assert!(client.at(&[]).members().await.is_err());

    // A learner is announced once and can be removed.
    let (learner, all) = client.add_learner(&["https://127.0.0.1:1".to_owned()]).await.unwrap();
    assert!(learner.learner && learner.name.is_empty());
    assert_eq!(all.len(), 2);
    assert!(client.add_learner(&["https://127.0.0.1:1".to_owned()]).await.is_err());
    client.update_member(learner.id, &["https://127.0.0.1:2".to_owned()]).await.unwrap();
    client.remove_member(learner.id).await.unwrap();
    assert_eq!(client.members().await.unwrap().len(), 1);

    // One holder at a time, until its lease ends.
    let lease = client.lease(Duration::from_secs(60)).await.unwrap();
    let rival = client.lease(Duration::from_secs(60)).await.unwrap();
    assert!(client.claim("lock", b"a", lease).await.unwrap());
    assert!(!client.claim("lock", b"b", rival).await.unwrap());
    assert_eq!(client.value("lock").await.unwrap().as_deref(), Some(b"a".as_slice()));
    client.end(lease).await.unwrap();
    assert!(client.claim("lock", b"b", rival).await.unwrap());

    let mut snapshot = client.snapshot().await.unwrap();
    let mut size = 0;
    while let Some(piece) = snapshot.next().await.unwrap() {
        size += piece.len();
    }
    assert!(size > 16384, "a snapshot of {size} bytes");

    // Who comes with another authority's certificate gets nothing.
    let (certificate, key) = (stranger.certificate_pem(), stranger.key_pem().unwrap());
    let credentials = Credentials { authority: &ca, certificate: &certificate, key: &key };
    assert!(Client::new(&[endpoint], &credentials).unwrap().members().await.is_err());
    let broken = Credentials { authority: &ca, certificate: "nonsense", key: "" };
    assert!(Client::new(&[endpoint], &broken).is_err());
}
