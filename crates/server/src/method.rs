//! Every method of the contract: how it streams, and which roles may call it.
//!
//! The table is complete on purpose: a method that is not built yet is refused to those who may not call it
//! before it answers that it is not built. Must never: hold state.

use std::{collections::HashMap, sync::LazyLock};

use crate::role::Grants;

/// How requests and replies of a method stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One request, one reply.
    Unary,
    /// One request, many replies.
    ServerStream,
    /// Many requests, one reply.
    ClientStream,
    /// Many requests, many replies.
    Bidirectional,
}

use Kind::{Bidirectional, ClientStream, ServerStream, Unary};

/// One method.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// `/<package>.<Service>/<Rpc>`.
    pub path: &'static str,
    /// How it streams.
    pub kind: Kind,
    /// Any of these may call it.
    pub allowed: Grants,
}

impl Method {
    /// Whether a caller with these grants may call it, on a machine that has a configuration or not.
    #[must_use]
    pub fn permits(&self, grants: Grants, configured: bool) -> bool {
        let ended = configured && self.allowed == ADMIN_OR_MAINTENANCE;
        if ended { ADMIN.intersects(grants) } else { self.allowed.intersects(grants) }
    }
}

const fn method(path: &'static str, kind: Kind, allowed: Grants) -> Method {
    Method { path, kind, allowed }
}

const ADMIN: Grants = Grants::ADMIN;
/// Admits a reader because an unconfigured machine knows nobody else; only an administrator once it is configured.
const ADMIN_OR_MAINTENANCE: Grants = ADMIN.union(Grants::READER);
const OPERATE: Grants = ADMIN.union(Grants::OPERATOR);
const LOOK: Grants = OPERATE.union(Grants::READER);
const LOOK_OR_BACKUP: Grants = LOOK.union(Grants::ETCD_BACKUP);
const LOOK_OR_VERIFY: Grants = LOOK.union(Grants::IMAGE_VERIFIER);
const BACKUP: Grants = OPERATE.union(Grants::ETCD_BACKUP);
const META: Grants = ADMIN.union(Grants::META_WRITER);

/// Every method that a node serves behind apid.
pub const METHODS: &[Method] = &[
    // machine.MachineService
    method("/machine.MachineService/ApplyConfiguration", Unary, ADMIN_OR_MAINTENANCE),
    method("/machine.MachineService/Bootstrap", Unary, ADMIN),
    method("/machine.MachineService/Containers", Unary, LOOK),
    method("/machine.MachineService/Copy", ServerStream, ADMIN),
    method("/machine.MachineService/CPUFreqStats", Unary, LOOK),
    method("/machine.MachineService/CPUInfo", Unary, LOOK),
    method("/machine.MachineService/DiskStats", Unary, LOOK),
    method("/machine.MachineService/Dmesg", ServerStream, LOOK),
    method("/machine.MachineService/Events", ServerStream, LOOK),
    method("/machine.MachineService/EtcdMemberList", Unary, LOOK_OR_BACKUP),
    method("/machine.MachineService/EtcdRemoveMemberByID", Unary, ADMIN),
    method("/machine.MachineService/EtcdLeaveCluster", Unary, ADMIN),
    method("/machine.MachineService/EtcdForfeitLeadership", Unary, ADMIN),
    method("/machine.MachineService/EtcdRecover", ClientStream, ADMIN),
    method("/machine.MachineService/EtcdSnapshot", ServerStream, BACKUP),
    method("/machine.MachineService/EtcdAlarmList", Unary, LOOK_OR_BACKUP),
    method("/machine.MachineService/EtcdAlarmDisarm", Unary, OPERATE),
    method("/machine.MachineService/EtcdDefragment", Unary, OPERATE),
    method("/machine.MachineService/EtcdStatus", Unary, LOOK_OR_BACKUP),
    method("/machine.MachineService/EtcdDowngradeValidate", Unary, ADMIN),
    method("/machine.MachineService/EtcdDowngradeEnable", Unary, ADMIN),
    method("/machine.MachineService/EtcdDowngradeCancel", Unary, ADMIN),
    method("/machine.MachineService/Hostname", Unary, LOOK),
    method("/machine.MachineService/Kubeconfig", ServerStream, ADMIN),
    method("/machine.MachineService/List", ServerStream, LOOK),
    method("/machine.MachineService/DiskUsage", ServerStream, LOOK),
    method("/machine.MachineService/LoadAvg", Unary, LOOK),
    method("/machine.MachineService/Logs", ServerStream, LOOK),
    method("/machine.MachineService/LogsContainers", Unary, LOOK),
    method("/machine.MachineService/Memory", Unary, LOOK),
    method("/machine.MachineService/Mounts", Unary, LOOK),
    method("/machine.MachineService/NetworkDeviceStats", Unary, LOOK),
    method("/machine.MachineService/Processes", Unary, LOOK),
    method("/machine.MachineService/Read", ServerStream, ADMIN),
    method("/machine.MachineService/Reboot", Unary, OPERATE),
    method("/machine.MachineService/Restart", Unary, OPERATE),
    method("/machine.MachineService/Rollback", Unary, ADMIN),
    method("/machine.MachineService/Reset", Unary, ADMIN),
    method("/machine.MachineService/ServiceList", Unary, LOOK),
    method("/machine.MachineService/ServiceRestart", Unary, OPERATE),
    method("/machine.MachineService/ServiceStart", Unary, OPERATE),
    method("/machine.MachineService/ServiceStop", Unary, OPERATE),
    method("/machine.MachineService/Shutdown", Unary, OPERATE),
    method("/machine.MachineService/Stats", Unary, LOOK),
    method("/machine.MachineService/SystemStat", Unary, LOOK),
    method("/machine.MachineService/Upgrade", Unary, ADMIN),
    method("/machine.MachineService/Version", Unary, LOOK),
    method("/machine.MachineService/GenerateClientConfiguration", Unary, ADMIN),
    method("/machine.MachineService/PacketCapture", ServerStream, OPERATE),
    method("/machine.MachineService/Netstat", Unary, LOOK),
    method("/machine.MachineService/MetaWrite", Unary, META),
    method("/machine.MachineService/MetaDelete", Unary, META),
    method("/machine.MachineService/ImageList", ServerStream, LOOK),
    method("/machine.MachineService/ImagePull", Unary, OPERATE),
    // machine.ImageService
    method("/machine.ImageService/List", ServerStream, LOOK),
    method("/machine.ImageService/Pull", ServerStream, OPERATE),
    method("/machine.ImageService/Import", ClientStream, ADMIN),
    method("/machine.ImageService/Remove", Unary, ADMIN),
    method("/machine.ImageService/Verify", Unary, LOOK_OR_VERIFY),
    // machine.LifecycleService
    method("/machine.LifecycleService/Install", ServerStream, ADMIN),
    method("/machine.LifecycleService/Upgrade", ServerStream, ADMIN),
    // machine.DebugService
    method("/machine.DebugService/ContainerRun", Bidirectional, ADMIN),
    // machine.LVMService
    method("/machine.LVMService/LogicalVolumeRemove", Unary, ADMIN_OR_MAINTENANCE),
    method("/machine.LVMService/VolumeGroupRemove", Unary, ADMIN_OR_MAINTENANCE),
    method("/machine.LVMService/PhysicalVolumeRemove", Unary, ADMIN_OR_MAINTENANCE),
    // machine.MDService
    method("/machine.MDService/Destroy", Unary, ADMIN_OR_MAINTENANCE),
    // machine.StorageService
    method("/machine.StorageService/Statfs", Unary, LOOK),
    // storage.StorageService
    method("/storage.StorageService/Disks", Unary, LOOK),
    method("/storage.StorageService/BlockDeviceWipe", Unary, ADMIN_OR_MAINTENANCE),
    // time.TimeService
    method("/time.TimeService/Time", Unary, LOOK),
    method("/time.TimeService/TimeCheck", Unary, LOOK),
    // inspect.InspectService
    method("/inspect.InspectService/ControllerRuntimeDependencies", Unary, LOOK),
    // cluster.ClusterService
    method("/cluster.ClusterService/HealthCheck", ServerStream, LOOK),
    // cosi.resource.State
    method("/cosi.resource.State/Get", Unary, LOOK),
    method("/cosi.resource.State/List", ServerStream, LOOK),
    method("/cosi.resource.State/Create", Unary, ADMIN),
    method("/cosi.resource.State/Update", Unary, ADMIN),
    method("/cosi.resource.State/Destroy", Unary, ADMIN),
    method("/cosi.resource.State/Watch", ServerStream, LOOK),
    method("/cosi.resource.State/Teardown", Unary, ADMIN),
    method("/cosi.resource.State/TeardownAndDestroy", Unary, ADMIN),
];

/// The method with a path.
#[must_use]
pub fn find(path: &str) -> Option<&'static Method> {
    static BY_PATH: LazyLock<HashMap<&'static str, &'static Method>> =
        LazyLock::new(|| METHODS.iter().map(|method| (method.path, method)).collect());
    BY_PATH.get(path).copied()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use prost::Message;
    use prost_types::FileDescriptorSet;

    use super::*;

    #[test]
    fn the_table_has_exactly_the_methods_of_the_definitions() {
        let set = FileDescriptorSet::decode(api::DESCRIPTORS).unwrap();
        let mut defined = BTreeMap::new();
        for file in &set.file {
            for service in &file.service {
                for rpc in &service.method {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), rpc.name());
                    let kind = match (rpc.client_streaming(), rpc.server_streaming()) {
                        (false, false) => Unary,
                        (false, true) => ServerStream,
                        (true, false) => ClientStream,
                        (true, true) => Bidirectional,
                    };
                    defined.insert(path, kind);
                }
            }
        }
        // trustd's only method is guarded by a token, not by roles.
        assert_eq!(defined.remove("/securityapi.SecurityService/Certificate"), Some(Unary));
        let table: BTreeMap<_, _> =
            METHODS.iter().map(|method| (method.path.to_owned(), method.kind)).collect();
        assert_eq!(table.len(), METHODS.len(), "a method stands twice in the table");
        assert_eq!(table, defined);
    }

    #[test]
    fn an_administrator_may_call_everything_and_nobody_without_a_role_anything() {
        for method in METHODS {
            for configured in [false, true] {
                assert!(method.permits(Grants::ADMIN, configured), "{}", method.path);
                assert!(!method.permits(Grants::empty(), configured), "{}", method.path);
                assert!(!method.permits(Grants::IMPERSONATOR, configured), "{}", method.path);
            }
        }
    }

    /// What each role may do on a configured machine is tested on the wire, in `tests/roles.rs`.
    #[test]
    fn a_reader_may_change_only_a_machine_without_configuration() {
        let reader = |path, configured| find(path).unwrap().permits(Grants::READER, configured);
        for path in [
            "/machine.MachineService/ApplyConfiguration",
            "/machine.MDService/Destroy",
            "/storage.StorageService/BlockDeviceWipe",
        ] {
            assert!(reader(path, false) && !reader(path, true), "{path}");
        }
        assert!(!reader("/machine.MachineService/Reset", false));
    }
}
