//! Facts about the running system that never change while it runs: version, boot id, command line, environment.

use std::path::Path;

use ::runtime::controller::{
    Context, ControllerError, Input, Next, Output, RegisterError, Runtime,
};
use resource::hardware::SystemInformationSpec;
use resource::runtime::{
    BootIDSpec, EnvironmentSpec, KernelCmdlineSpec, PlatformMetadataSpec, SecurityStateSpec,
    VersionSpec,
};

use crate::plain::plain;
use crate::{Node, node::Platform};

type Outcome = Result<Next, ControllerError>;

/// Adds the controllers that publish facts.
pub(super) fn register(
    controllers: &mut Runtime,
    node: &Node,
    version: &'static str,
) -> Result<(), RegisterError> {
    controllers.register(plain(
        "runtime.VersionController",
        Vec::new(),
        vec![Output::exclusive::<VersionSpec>()],
        move |context: &Context| -> Outcome {
            context.modify::<VersionSpec>("runtime", "version", |spec| {
                "Ichor".clone_into(&mut spec.name);
                version.clone_into(&mut spec.version);
            })?;
            Ok(Next::OnChange)
        },
    ))?;
    let metadata = platform_metadata(&node.platform);
    controllers.register(plain(
        "network.PlatformConfigController.Metadata",
        Vec::new(),
        vec![Output::shared::<PlatformMetadataSpec>()],
        move |context: &Context| -> Outcome {
            context.modify::<PlatformMetadataSpec>("runtime", "platformmetadata", |spec| {
                spec.clone_from(&metadata);
            })?;
            Ok(Next::OnChange)
        },
    ))?;
    controllers.register(plain(
        "runtime.SecurityStateController",
        Vec::new(),
        vec![Output::exclusive::<SecurityStateSpec>()],
        |context: &Context| -> Outcome {
            context.modify::<SecurityStateSpec>("runtime", "securitystate", |_| {})?;
            Ok(Next::OnChange)
        },
    ))?;
    controllers.register(plain(
        "runtime.EnvironmentController",
        vec![Input::weak::<KernelCmdlineSpec>("runtime")],
        vec![Output::exclusive::<EnvironmentSpec>()],
        |context: &Context| -> Outcome {
            let variables = context
                .get::<KernelCmdlineSpec>("runtime", "cmdline")
                .map(|cmdline| environment(&cmdline.spec.cmdline))
                .unwrap_or_default();
            context.modify::<EnvironmentSpec>("runtime", "machined", |spec| {
                spec.variables.clone_from(&variables);
            })?;
            Ok(Next::OnChange)
        },
    ))?;
    // The kernel of a container is another system's: its boot and its command line are not this node's.
    if !node.platform.in_container() {
        let boot_id = node.paths.at("/proc/sys/kernel/random/boot_id");
        let cmdline = node.paths.at("/proc/cmdline");
        controllers.register(plain(
            "runtime.BootIDController",
            Vec::new(),
            vec![Output::exclusive::<BootIDSpec>()],
            move |context: &Context| -> Outcome {
                let text = read(&boot_id)?;
                context.modify::<BootIDSpec>("runtime", "boot-id", |spec| {
                    text.clone_into(&mut spec.boot_id);
                })?;
                Ok(Next::OnChange)
            },
        ))?;
        controllers.register(plain(
            "runtime.KernelCmdlineController",
            Vec::new(),
            vec![Output::exclusive::<KernelCmdlineSpec>()],
            move |context: &Context| -> Outcome {
                let text = read(&cmdline)?;
                context.modify::<KernelCmdlineSpec>("runtime", "cmdline", |spec| {
                    text.clone_into(&mut spec.cmdline);
                })?;
                Ok(Next::OnChange)
            },
        ))?;
        let firmware = node.paths.at("/sys/class/dmi/id");
        controllers.register(plain(
            "hardware.SystemInfoController",
            Vec::new(),
            vec![Output::exclusive::<SystemInformationSpec>()],
            move |context: &Context| -> Outcome {
                let Some(found) = system_information(&firmware) else {
                    return Ok(Next::OnChange);
                };
                context.modify::<SystemInformationSpec>(
                    "hardware",
                    "systeminformation",
                    |spec| {
                        spec.clone_from(&found);
                    },
                )?;
                Ok(Next::OnChange)
            },
        ))?;
    }
    Ok(())
}

/// A file of the kernel could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}")]
struct ReadError {
    path: String,
    #[source]
    source: std::io::Error,
}

fn read(path: &Path) -> Result<String, ReadError> {
    std::fs::read_to_string(path)
        .map(|text| text.trim().to_owned())
        .map_err(|source| ReadError { path: path.display().to_string(), source })
}

/// What the firmware says the machine is (SMBIOS, as the kernel writes it below `/sys/class/dmi/id`); nothing when it says
/// nothing.
fn system_information(firmware: &Path) -> Option<SystemInformationSpec> {
    let said = |name: &str| read(&firmware.join(name)).unwrap_or_default();
    firmware.exists().then(|| SystemInformationSpec {
        manufacturer: said("sys_vendor"),
        product_name: said("product_name"),
        version: said("product_version"),
        bios_version: said("bios_version"),
        serialnumber: said("product_serial"),
        uuid: said("product_uuid"),
        sku_number: said("product_sku"),
        wake_up_type: String::new(),
    })
}

fn platform_metadata(platform: &Platform) -> PlatformMetadataSpec {
    PlatformMetadataSpec {
        platform: platform.name.clone(),
        instance_type: platform.instance_type.clone(),
        ..PlatformMetadataSpec::default()
    }
}

/// The `talos.environment=K=V` arguments of a kernel command line.
fn environment(cmdline: &str) -> Vec<String> {
    cmdline
        .split_ascii_whitespace()
        .filter_map(|argument| argument.strip_prefix("talos.environment="))
        .filter(|variable| variable.contains('='))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_firmware_says_what_the_machine_is() {
        let root = tempfile::tempdir().unwrap();
        let firmware = root.path().join("id");
        assert_eq!(system_information(&firmware), None, "a machine without such firmware");
        std::fs::create_dir(&firmware).unwrap();
        let uuid = "acfb26d5-5c35-49e8-8e4f-8fb15b6e79eb";
        for (name, text) in [("sys_vendor", "QEMU\n"), ("product_uuid", &format!("{uuid}\n"))] {
            std::fs::write(firmware.join(name), text).unwrap();
        }
        let found = system_information(&firmware).unwrap();
        assert_eq!((found.manufacturer.as_str(), found.uuid.as_str()), ("QEMU", uuid));
        assert_eq!(found.product_name, "", "not every machine says everything");
    }

    #[test]
    fn the_environment_comes_from_the_command_line() {
        let cmdline = "console=tty0 talos.environment=http_proxy=http://p:1 talos.environment=bad";
        assert_eq!(environment(cmdline), ["http_proxy=http://p:1"]);
    }
}
