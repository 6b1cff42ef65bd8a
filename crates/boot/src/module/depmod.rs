//! Makes the catalogue of a kernel's modules from what each module says of itself.

use std::collections::{BTreeMap, BTreeSet};

use super::Name;
use super::catalogue::Catalogue;
use super::metadata::Metadata;

/// What a kernel comes with.
#[derive(Clone, Debug, Default)]
pub struct Kernel<'a> {
    /// `modules.order`: the files in the order of the build; where several modules are for one
    /// device, the first is tried first.
    pub order: &'a str,
    /// `modules.builtin`: the files that would be there were they not part of the kernel.
    pub builtin: &'a str,
}

/// Why no catalogue can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DepmodError {
    /// Modules need others that are not there.
    #[error("modules need others that are not there: {}", list(missing))]
    Missing {
        /// Which, and what each needs.
        missing: Vec<(Name, Name)>,
    },
    /// Modules need each other.
    #[error("modules need each other: {}", around.iter().map(Name::as_str).collect::<Vec<_>>().join(" → "))]
    Circle {
        /// The modules, the first again at the end.
        around: Vec<Name>,
    },
}

fn list(missing: &[(Name, Name)]) -> String {
    let words: Vec<String> =
        missing.iter().map(|(module, needed)| format!("{module} needs {needed}")).collect();
    words.join(", ")
}

/// Makes the catalogue of these modules, given by their files relative to the directory of the
/// lists, such as `kernel/fs/xfs/xfs.ko`.
pub fn catalogue(
    modules: &BTreeMap<String, Metadata>,
    kernel: &Kernel<'_>,
) -> Result<Catalogue, DepmodError> {
    let builtin: BTreeSet<Name> =
        kernel.builtin.lines().filter(|line| !line.is_empty()).map(Name::of_path).collect();
    let named: BTreeMap<Name, &Metadata> =
        modules.iter().map(|(path, metadata)| (Name::of_path(path), metadata)).collect();
    let mut missing = Vec::new();
    for (name, metadata) in &named {
        let needed = metadata.depends.iter();
        let absent =
            needed.filter(|needed| !named.contains_key(needed) && !builtin.contains(needed));
        missing.extend(absent.map(|needed| (name.clone(), needed.clone())));
    }
    if !missing.is_empty() {
        return Err(DepmodError::Missing { missing });
    }
    let mut listed = Vec::new();
    for path in modules.keys() {
        let mut needs = Vec::new();
        visit(&Name::of_path(path), &named, &mut needs, &mut Vec::new())?;
        // The module itself is the last one of what it needs.
        needs.pop();
        listed.push((path.clone(), needs));
    }
    let place: BTreeMap<Name, usize> =
        kernel.order.lines().enumerate().map(|(at, path)| (Name::of_path(path), at)).collect();
    let mut by_order: Vec<(&Name, &&Metadata)> = named.iter().collect();
    by_order.sort_by_key(|(name, _)| (place.get(*name).copied().unwrap_or(usize::MAX), *name));
    let aliases = by_order.iter().flat_map(|(name, metadata)| {
        metadata.aliases.iter().map(|alias| (alias.clone(), (*name).clone()))
    });
    let soft = named
        .iter()
        .filter(|(_, metadata)| !metadata.soft.is_empty())
        .map(|(name, metadata)| (name.clone(), metadata.soft.clone()))
        .collect();
    Ok(Catalogue::new(listed, aliases, soft, builtin))
}

/// Adds a module after everything it needs.
fn visit(
    name: &Name,
    modules: &BTreeMap<Name, &Metadata>,
    done: &mut Vec<Name>,
    under_way: &mut Vec<Name>,
) -> Result<(), DepmodError> {
    if done.contains(name) {
        return Ok(());
    }
    if let Some(at) = under_way.iter().position(|other| other == name) {
        let mut around = under_way.split_off(at);
        around.push(name.clone());
        return Err(DepmodError::Circle { around });
    }
    // What is part of the kernel is not among the modules.
    let Some(metadata) = modules.get(name) else { return Ok(()) };
    under_way.push(name.clone());
    for needed in &metadata.depends {
        visit(needed, modules, done, under_way)?;
    }
    under_way.pop();
    done.push(name.clone());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(depends: &[&str], aliases: &[&str]) -> Metadata {
        Metadata {
            depends: depends.iter().map(|name| Name::new(name)).collect(),
            aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
            ..Metadata::default()
        }
    }

    fn modules(list: &[(&str, &[&str])]) -> BTreeMap<String, Metadata> {
        list.iter()
            .map(|(name, depends)| (format!("kernel/{name}.ko"), module(depends, &["pci:x"])))
            .collect()
    }

    #[test]
    fn lists_have_the_form_of_the_format() {
        let modules = modules(&[("a", &["b-b", "c", "ext4"]), ("b-b", &["c"]), ("c", &[])]);
        let kernel = Kernel {
            order: "kernel/c.ko\nkernel/b-b.ko\nkernel/a.ko\n",
            builtin: "kernel/fs/ext4/ext4.ko\n",
        };
        let lists = catalogue(&modules, &kernel).unwrap().lists();
        assert_eq!(
            lists.dependencies,
            "kernel/a.ko: kernel/b-b.ko kernel/c.ko\nkernel/b-b.ko: kernel/c.ko\nkernel/c.ko:\n"
        );
        assert_eq!(lists.aliases, "alias pci:x c\nalias pci:x b_b\nalias pci:x a\n");
    }

    #[test]
    fn all_that_is_missing_is_said_at_once() {
        let error = catalogue(&modules(&[("a", &["x", "y"]), ("b", &["x"])]), &Kernel::default());
        assert_eq!(
            error.unwrap_err().to_string(),
            "modules need others that are not there: a needs x, a needs y, b needs x"
        );
    }

    #[test]
    fn circles_are_refused() {
        let modules = modules(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])]);
        let error = catalogue(&modules, &Kernel::default()).unwrap_err().to_string();
        assert_eq!(error, "modules need each other: b → c → b");
    }
}
