//! Who may read which resources.
//!
//! Must never: admit a write; nobody writes resources over the API.

use resource::{Definition, meta::NamespaceSpec};
use runtime::Store;
use tonic::Status;

use crate::role::Grants;

/// Which types a socket lets out at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of them.
    Everything,
    /// These alone: a process gets to see what it needs.
    Only(&'static [&'static str]),
}

impl Scope {
    /// What apid needs.
    pub const APID: Self = Self::Only(&[
        "APIServiceConfigs.runtime.talos.dev",
        "ApiCertificates.secrets.talos.dev",
        "NodeAddresses.net.talos.dev",
        "HostnameStatuses.net.talos.dev",
    ]);
    /// What trustd needs.
    pub const TRUSTD: Self =
        Self::Only(&["OSRootSecrets.secrets.talos.dev", "TrustdCertificates.secrets.talos.dev"]);

    fn holds(self, type_name: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Only(types) => types.contains(&type_name),
        }
    }

    /// Decides about a read.
    pub(super) fn check(self, read: &Read<'_>) -> Result<(), Status> {
        let Some(definition) = read.definition.filter(|_| self.holds(read.type_name)) else {
            return Err(Status::permission_denied(format!(
                "resource type {:?} is not supported",
                read.type_name
            )));
        };
        if definition.sensitive && !read.grants.contains(Grants::ADMIN) {
            return Err(Status::permission_denied("not authorized"));
        }
        if !read.namespace_known {
            return Err(Status::permission_denied(format!(
                "namespace {:?} is not supported",
                read.namespace
            )));
        }
        Ok(())
    }
}

/// What somebody wants to read.
pub(super) struct Read<'a> {
    pub(super) type_name: &'a str,
    pub(super) namespace: &'a str,
    /// The type's definition, if it has one.
    pub(super) definition: Option<Definition>,
    /// Whether there is such a namespace.
    pub(super) namespace_known: bool,
    pub(super) grants: Grants,
}

/// Whether there is such a namespace.
pub(super) fn is_namespace(store: &Store, namespace: &str) -> bool {
    store.get::<NamespaceSpec>("meta", namespace).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_admitted_by_type_sensitivity_and_namespace() {
        let store = Store::new();
        let unsupported = |what: &str, name: &str| Err(format!("{what} {name:?} is not supported"));
        type Case<'a> = (Scope, &'a str, &'a str, Grants, Result<(), String>);
        let cases: [Case<'_>; 8] = [
            (
                Scope::Everything,
                "HostnameStatuses.net.talos.dev",
                "network",
                Grants::READER,
                Ok(()),
            ),
            (
                Scope::Everything,
                "Nothing.x",
                "network",
                Grants::ADMIN,
                unsupported("resource type", "Nothing.x"),
            ),
            (
                Scope::Everything,
                "MachineConfigs.config.talos.dev",
                "config",
                Grants::OPERATOR,
                Err("not authorized".into()),
            ),
            (Scope::Everything, "MachineConfigs.config.talos.dev", "config", Grants::ADMIN, Ok(())),
            (
                Scope::Everything,
                "HostnameStatuses.net.talos.dev",
                "nowhere",
                Grants::ADMIN,
                unsupported("namespace", "nowhere"),
            ),
            (Scope::APID, "ApiCertificates.secrets.talos.dev", "secrets", Grants::ADMIN, Ok(())),
            (
                Scope::APID,
                "OSRootSecrets.secrets.talos.dev",
                "secrets",
                Grants::ADMIN,
                unsupported("resource type", "OSRootSecrets.secrets.talos.dev"),
            ),
            (
                Scope::TRUSTD,
                "ApiCertificates.secrets.talos.dev",
                "secrets",
                Grants::ADMIN,
                unsupported("resource type", "ApiCertificates.secrets.talos.dev"),
            ),
        ];
        for (scope, type_name, namespace, grants, expected) in cases {
            let read = Read {
                type_name,
                namespace,
                definition: store.definition(type_name),
                namespace_known: is_namespace(&store, namespace),
                grants,
            };
            let decided = scope.check(&read).map_err(|status| status.message().to_owned());
            assert_eq!(decided, expected, "{type_name} in {namespace} for {grants:?}");
        }
    }
}
