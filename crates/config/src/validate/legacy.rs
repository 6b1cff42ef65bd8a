//! The checks of the v1alpha1 document, in the order of the contract.

mod cluster;
mod device;
mod machine;

use super::Options;
use crate::finding::Findings;
use crate::v1alpha1::V1Alpha1;
use crate::view::MachineType;

pub(crate) fn check(config: &V1Alpha1, options: Options, findings: &mut Findings) {
    let Some(machine) = &config.machine else {
        findings.error("machine", "machine instructions required");
        return;
    };
    if !machine.files.is_empty() {
        findings.warning(
            "machine.files",
            "machine.files is deprecated: use EtcFileConfig or CRICustomizationConfig documents",
        );
    }
    if !crate::field::Field::is_empty(&machine.base_runtime_spec_overrides) {
        findings.warning("machine.baseRuntimeSpecOverrides", "machine.baseRuntimeSpecOverrides is deprecated: use the CRIBaseRuntimeSpecConfig document");
    }
    let role = MachineType::parse(&machine.kind);
    match &config.cluster {
        None => findings.error("cluster", "cluster instructions required"),
        Some(cluster) => cluster::check(cluster, machine, role, findings),
    }
    machine::check(config, machine, role, options, findings);
}
