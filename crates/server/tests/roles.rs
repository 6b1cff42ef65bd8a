//! Which role may call which method, asked on the wire: every method of the contract, by a caller of every role.
//!
//! The bytes of the calls are empty on purpose. What counts is who is turned away before anything is read, with the
//! contract's code and words, and that what is not built says so to those who may call it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "each test program uses a part of it")]
mod node;

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use node::{client_of, dial, start};
use server::method::{Kind, METHODS};
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::Channel,
};

/// The contract's table: services, methods, and the letters of the roles that may call them.
const CONTRACT: &str = "
machine.MachineService
  ApplyConfiguration AR  Bootstrap A  Containers AOR  Copy A  CPUFreqStats AOR  CPUInfo AOR  DiskStats AOR
  Dmesg AOR  Events AOR  EtcdMemberList AORE  EtcdRemoveMemberByID A  EtcdLeaveCluster A  EtcdForfeitLeadership A
  EtcdRecover A  EtcdSnapshot AOE  EtcdAlarmList AORE  EtcdAlarmDisarm AO  EtcdDefragment AO  EtcdStatus AORE
  EtcdDowngradeValidate A  EtcdDowngradeEnable A  EtcdDowngradeCancel A  Hostname AOR  Kubeconfig A  List AOR
  DiskUsage AOR  LoadAvg AOR  Logs AOR  LogsContainers AOR  Memory AOR  Mounts AOR  NetworkDeviceStats AOR
  Processes AOR  Read A  Reboot AO  Restart AO  Rollback A  Reset A  ServiceList AOR  ServiceRestart AO
  ServiceStart AO  ServiceStop AO  Shutdown AO  Stats AOR  SystemStat AOR  Upgrade A  Version AOR
  GenerateClientConfiguration A  PacketCapture AO  Netstat AOR  MetaWrite AM  MetaDelete AM  ImageList AOR
  ImagePull AO
machine.ImageService
  List AOR  Pull AO  Import A  Remove A  Verify AORV
machine.LifecycleService
  Install A  Upgrade A
machine.DebugService
  ContainerRun A
machine.LVMService
  LogicalVolumeRemove AR  VolumeGroupRemove AR  PhysicalVolumeRemove AR
machine.MDService
  Destroy AR
machine.StorageService
  Statfs AOR
storage.StorageService
  Disks AOR  BlockDeviceWipe AR
time.TimeService
  Time AOR  TimeCheck AOR
inspect.InspectService
  ControllerRuntimeDependencies AOR
cluster.ClusterService
  HealthCheck AOR
cosi.resource.State
  Get AOR  List AOR  Create A  Update A  Destroy A  Watch AOR  Teardown A  TeardownAndDestroy A
";

/// The letters of the roles.
const ROLES: [(char, &str); 8] = [
    ('A', "os:admin"),
    ('O', "os:operator"),
    ('R', "os:reader"),
    ('E', "os:etcd:backup"),
    ('V', "os:image:verifier"),
    ('M', "os:meta:writer"),
    ('I', "os:impersonator"),
    ('-', "acme:boss"),
];

/// Services that a node answers for; the others say that they are not built.
const BUILT: [&str; 6] = [
    "machine.MachineService",
    "time.TimeService",
    "inspect.InspectService",
    "cluster.ClusterService",
    "cosi.resource.State",
    // Refused in a container before it is looked whether they are built.
    "machine.LifecycleService",
];

/// Every method with the letters of its roles.
fn contract() -> Vec<(String, &'static str)> {
    let mut methods = Vec::new();
    let mut service = "";
    for line in CONTRACT.lines().filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [name] => service = name,
            pairs => methods
                .extend(pairs.chunks(2).map(|pair| (format!("/{service}/{}", pair[0]), pair[1]))),
        }
    }
    methods
}

/// Messages as the bytes that they are.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

/// How a call with an empty message ends; `None` when it is served and does not end by itself.
async fn ending(channel: Channel, path: &str) -> Option<Status> {
    let call = async {
        let mut client = Grpc::new(channel);
        client.ready().await.unwrap();
        let path = path.parse().unwrap();
        let request = Request::new(futures::stream::iter([Bytes::new()]));
        match client.streaming(request, path, Raw).await {
            Err(status) => Some(status),
            // The first message decides: a stream that has one is served.
            Ok(answer) => answer.into_inner().message().await.err(),
        }
    };
    tokio::time::timeout(Duration::from_millis(500), call).await.ok().flatten()
}

#[test]
fn the_contract_and_the_table_have_the_same_methods() {
    let mut contract: Vec<String> = contract().into_iter().map(|(path, _)| path).collect();
    let mut table: Vec<String> = METHODS.iter().map(|method| method.path.to_owned()).collect();
    contract.sort();
    table.sort();
    assert_eq!(contract, table);
    assert_eq!(METHODS.iter().filter(|method| method.kind == Kind::Bidirectional).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_may_call_what_the_contract_says_and_nothing_else() {
    let authority = node::authority();
    let mut running = start(&authority, "cp-1", "127.0.0.1", 0).await;
    // Whatever the node is asked to do, it does not do here.
    tokio::spawn(async move { while running.commands.recv().await.is_some() {} });
    let mut wrong = Vec::new();
    for (letter, role) in ROLES {
        let identity = client_of(&authority, &[role]);
        let channel = dial(running.address, &authority, Some(&identity)).await.unwrap();
        let calls = contract().into_iter().map(|(path, allowed)| {
            let channel = channel.clone();
            async move { (ending(channel, &path).await, path, allowed) }
        });
        for (status, path, allowed) in futures::future::join_all(calls).await {
            let denied = status.as_ref().is_some_and(|status| {
                status.code() == Code::PermissionDenied && status.message() == "not authorized"
            });
            // What a reader may change is a machine without configuration only, which this one is not.
            let may = allowed.contains(letter) && (letter, allowed) != ('R', "AR");
            if denied == may {
                wrong.push(format!("{role} {path}: {status:?}"));
            }
            let service = path.trim_start_matches('/').split('/').next().unwrap_or_default();
            let unbuilt = !BUILT.contains(&service);
            if may && unbuilt && status.as_ref().map(Status::code) != Some(Code::Unimplemented) {
                wrong.push(format!("{role} {path} is not built and does not say so: {status:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
