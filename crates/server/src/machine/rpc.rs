//! The machine service: each method by name, its work in the module of its subject.
//!
//! A method that is missing here answers Unimplemented by itself. Must never: hold logic of its own.

use std::sync::Arc;

use api::{common::Data, machine::*};
use futures::stream::BoxStream;
use tonic::{Request, Response, Status};

use super::{Node, access, config, events, files, kernel_log, logs, services, workloads};
use crate::{cause::chain, procfs::ProcError, role::Roles};

/// A streamed reply.
pub(super) type Stream<T> = BoxStream<'static, Result<T, Status>>;

type Reply<T> = Result<Response<T>, Status>;

/// The machine service of a node.
#[derive(Clone)]
pub(super) struct Api {
    node: Arc<Node>,
}

impl Api {
    pub(super) fn new(node: Arc<Node>) -> Self {
        Self { node }
    }

    /// Reads files of the kernel where blocking is allowed.
    async fn kernel<T: Send + 'static>(
        &self,
        read: impl FnOnce(&crate::procfs::Kernel) -> Result<T, ProcError> + Send + 'static,
    ) -> Result<T, Status> {
        let kernel = self.node.kernel();
        tokio::task::spawn_blocking(move || read(&kernel))
            .await
            .map_err(|error| Status::internal(error.to_string()))?
            .map_err(|error| Status::internal(chain(&error)))
    }
}

/// Puts the one message of a node into the list that replies are made of.
macro_rules! reply {
    ($list:ident, $message:expr) => {
        Ok(Response::new($list { messages: vec![$message] }))
    };
}

#[tonic::async_trait]
impl machine_service_server::MachineService for Api {
    async fn version(&self, _: Request<()>) -> Reply<VersionResponse> {
        reply!(VersionResponse, config::version(&self.node))
    }

    async fn hostname(&self, _: Request<()>) -> Reply<HostnameResponse> {
        reply!(HostnameResponse, config::hostname(&self.node)?)
    }

    async fn apply_configuration(
        &self,
        request: Request<ApplyConfigurationRequest>,
    ) -> Reply<ApplyConfigurationResponse> {
        let roles = request.extensions().get::<Roles>().cloned().unwrap_or_default();
        let applied = config::apply(&self.node, &roles, request.into_inner()).await?;
        reply!(ApplyConfigurationResponse, applied)
    }

    async fn bootstrap(&self, request: Request<BootstrapRequest>) -> Reply<BootstrapResponse> {
        reply!(BootstrapResponse, config::bootstrap(&self.node, request.into_inner()).await?)
    }

    async fn reboot(&self, request: Request<RebootRequest>) -> Reply<RebootResponse> {
        reply!(RebootResponse, config::reboot(&self.node, request.into_inner()).await?)
    }

    async fn shutdown(&self, request: Request<ShutdownRequest>) -> Reply<ShutdownResponse> {
        reply!(ShutdownResponse, config::shutdown(&self.node, request.into_inner()).await?)
    }

    async fn reset(&self, request: Request<ResetRequest>) -> Reply<ResetResponse> {
        reply!(ResetResponse, config::reset(&self.node, request.into_inner()).await?)
    }

    async fn service_list(&self, _: Request<()>) -> Reply<ServiceListResponse> {
        reply!(ServiceListResponse, services::list(&self.node))
    }

    async fn service_start(
        &self,
        request: Request<ServiceStartRequest>,
    ) -> Reply<ServiceStartResponse> {
        let resp = services::start(&self.node, &request.into_inner().id).await?;
        reply!(ServiceStartResponse, ServiceStart { metadata: None, resp })
    }

    async fn service_stop(
        &self,
        request: Request<ServiceStopRequest>,
    ) -> Reply<ServiceStopResponse> {
        let resp = services::stop(&self.node, &request.into_inner().id).await?;
        reply!(ServiceStopResponse, ServiceStop { metadata: None, resp })
    }

    async fn service_restart(
        &self,
        request: Request<ServiceRestartRequest>,
    ) -> Reply<ServiceRestartResponse> {
        let resp = services::restart(&self.node, &request.into_inner().id).await?;
        reply!(ServiceRestartResponse, ServiceRestart { metadata: None, resp })
    }

    async fn events(&self, request: Request<EventsRequest>) -> Reply<Stream<Event>> {
        Ok(Response::new(events::stream(&self.node, request.into_inner())?))
    }

    async fn logs(&self, request: Request<LogsRequest>) -> Reply<Stream<Data>> {
        Ok(Response::new(logs::stream(self.node.clone(), request.into_inner()).await?))
    }

    async fn logs_containers(&self, _: Request<()>) -> Reply<LogsContainersResponse> {
        reply!(LogsContainersResponse, logs::list(&self.node))
    }

    async fn dmesg(&self, request: Request<DmesgRequest>) -> Reply<Stream<Data>> {
        Ok(Response::new(kernel_log::stream(&self.node, &request.into_inner())?))
    }

    async fn kubeconfig(&self, _: Request<()>) -> Reply<Stream<Data>> {
        Ok(Response::new(access::kubeconfig(&self.node)?))
    }

    async fn generate_client_configuration(
        &self,
        request: Request<GenerateClientConfigurationRequest>,
    ) -> Reply<GenerateClientConfigurationResponse> {
        let made = access::client_configuration(&self.node, &request.into_inner())?;
        reply!(GenerateClientConfigurationResponse, made)
    }

    async fn list(&self, request: Request<ListRequest>) -> Reply<Stream<FileInfo>> {
        Ok(Response::new(files::list(&self.node, request.into_inner())?))
    }

    async fn read(&self, request: Request<ReadRequest>) -> Reply<Stream<Data>> {
        Ok(Response::new(files::read(&self.node, &request.into_inner()).await?))
    }

    async fn copy(&self, request: Request<CopyRequest>) -> Reply<Stream<Data>> {
        Ok(Response::new(files::copy(&self.node, &request.into_inner()).await?))
    }

    async fn disk_usage(&self, request: Request<DiskUsageRequest>) -> Reply<Stream<DiskUsageInfo>> {
        Ok(Response::new(files::disk_usage(&self.node, request.into_inner())?))
    }

    async fn memory(&self, _: Request<()>) -> Reply<MemoryResponse> {
        let meminfo = Some(self.kernel(|kernel| kernel.memory()).await?);
        reply!(MemoryResponse, Memory { metadata: None, meminfo })
    }

    async fn cpu_info(&self, _: Request<()>) -> Reply<CpuInfoResponse> {
        let cpu_info = self.kernel(|kernel| kernel.cpu_info()).await?;
        reply!(CpuInfoResponse, CpUsInfo { metadata: None, cpu_info })
    }

    async fn cpu_freq_stats(&self, _: Request<()>) -> Reply<CpuFreqStatsResponse> {
        let cpu_freq_stats = self.kernel(|kernel| kernel.cpu_frequencies()).await?;
        reply!(CpuFreqStatsResponse, CpUsFreqStats { metadata: None, cpu_freq_stats })
    }

    async fn system_stat(&self, _: Request<()>) -> Reply<SystemStatResponse> {
        reply!(SystemStatResponse, self.kernel(|kernel| kernel.system_stat()).await?)
    }

    async fn load_avg(&self, _: Request<()>) -> Reply<LoadAvgResponse> {
        reply!(LoadAvgResponse, self.kernel(|kernel| kernel.load_average()).await?)
    }

    async fn processes(&self, _: Request<()>) -> Reply<ProcessesResponse> {
        let processes = self.kernel(|kernel| kernel.processes()).await?;
        reply!(ProcessesResponse, Process { metadata: None, processes })
    }

    async fn mounts(&self, _: Request<()>) -> Reply<MountsResponse> {
        let stats = self.kernel(|kernel| kernel.mounts()).await?;
        reply!(MountsResponse, Mounts { metadata: None, stats })
    }

    async fn disk_stats(&self, _: Request<()>) -> Reply<DiskStatsResponse> {
        let (total, devices) = self.kernel(|kernel| kernel.disk_stats()).await?;
        reply!(DiskStatsResponse, DiskStats { metadata: None, total: Some(total), devices })
    }

    async fn network_device_stats(&self, _: Request<()>) -> Reply<NetworkDeviceStatsResponse> {
        let (total, devices) = self.kernel(|kernel| kernel.network_devices()).await?;
        let stats = NetworkDeviceStats { metadata: None, total: Some(total), devices };
        reply!(NetworkDeviceStatsResponse, stats)
    }

    async fn containers(&self, request: Request<ContainersRequest>) -> Reply<ContainersResponse> {
        let containers = workloads::containers(&self.node, &request.into_inner()).await?;
        reply!(ContainersResponse, Container { metadata: None, containers })
    }

    async fn stats(&self, request: Request<StatsRequest>) -> Reply<StatsResponse> {
        let stats = workloads::stats(&self.node, &request.into_inner()).await?;
        reply!(StatsResponse, Stats { metadata: None, stats })
    }

    async fn restart(&self, request: Request<RestartRequest>) -> Reply<RestartResponse> {
        workloads::restart(&self.node, &request.into_inner()).await?;
        reply!(RestartResponse, Restart { metadata: None })
    }

    async fn etcd_member_list(
        &self,
        request: Request<EtcdMemberListRequest>,
    ) -> Reply<EtcdMemberListResponse> {
        let members = crate::etcd::members(&self.node.store, &request.into_inner()).await?;
        reply!(EtcdMemberListResponse, members)
    }

    async fn etcd_status(&self, _: Request<()>) -> Reply<EtcdStatusResponse> {
        reply!(EtcdStatusResponse, crate::etcd::status(&self.node.store).await?)
    }

    async fn etcd_alarm_list(&self, _: Request<()>) -> Reply<EtcdAlarmListResponse> {
        let member_alarms = crate::etcd::alarms(&self.node.store).await?;
        reply!(EtcdAlarmListResponse, EtcdAlarm { metadata: None, member_alarms })
    }

    async fn etcd_alarm_disarm(&self, _: Request<()>) -> Reply<EtcdAlarmDisarmResponse> {
        let member_alarms = crate::etcd::disarm(&self.node.store).await?;
        reply!(EtcdAlarmDisarmResponse, EtcdAlarmDisarm { metadata: None, member_alarms })
    }

    async fn etcd_defragment(&self, _: Request<()>) -> Reply<EtcdDefragmentResponse> {
        crate::etcd::defragment(&self.node.store).await?;
        reply!(EtcdDefragmentResponse, EtcdDefragment { metadata: None })
    }

    async fn etcd_snapshot(&self, _: Request<EtcdSnapshotRequest>) -> Reply<Stream<Data>> {
        Ok(Response::new(crate::etcd::snapshot(&self.node.store).await?))
    }
}
