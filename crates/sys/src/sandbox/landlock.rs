//! Path rules by landlock, as strict as the running kernel knows.

use std::path::PathBuf;

use landlock::{
    ABI, Access as _, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus,
};

use super::{Access, Enforcement, SandboxError};

pub(super) fn restrict(paths: &[(PathBuf, Access)]) -> Result<Enforcement, SandboxError> {
    let abi = ABI::V5;
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))
        .and_then(Ruleset::create)
        .map_err(SandboxError::Paths)?;
    for (path, access) in paths {
        let fd = PathFd::new(path)
            .map_err(|source| SandboxError::Path { path: path.clone(), source })?;
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        let allowed = match access {
            Access::Read => read,
            Access::Write => read | (AccessFs::from_write(abi) & !AccessFs::Execute),
        };
        ruleset = ruleset.add_rule(PathBeneath::new(fd, allowed)).map_err(SandboxError::Paths)?;
    }
    let status = ruleset.restrict_self().map_err(SandboxError::Paths)?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Enforcement::Full,
        RulesetStatus::PartiallyEnforced => Enforcement::Partial,
        RulesetStatus::NotEnforced => Enforcement::Unsupported,
    })
}
