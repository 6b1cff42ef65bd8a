//! Control groups, version 1 and 2, as files.
//!
//! A [`Group`] is one logical group: a directory in each hierarchy of version 1, or the one
//! directory of version 2. All paths come from the kernel's own tables read under a root
//! directory, so that tests can run on made-up trees.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use thiserror::Error;

/// The version-1 controllers a node uses, and the named hierarchy that process managers use.
pub const V1_HIERARCHIES: [&str; 9] =
    ["cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "name=systemd"];

/// The version-2 controllers a node needs.
pub const V2_CONTROLLERS: [&str; 3] = ["cpu", "memory", "pids"];

/// Why an operation on a group failed.
#[derive(Debug, Error)]
pub enum CgroupError {
    /// A kernel table could not be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A value could not be set.
    #[error("cannot write {value:?} to {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The value.
        value: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A group could not be made.
    #[error("cannot make the cgroup {path}")]
    Create {
        /// The directory.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A group could not be removed.
    #[error("cannot remove the cgroup {path}")]
    Remove {
        /// The directory.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// No hierarchy that could be used is mounted.
    #[error("no usable cgroup hierarchy is mounted")]
    NotMounted,
}

/// Which interface governs a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// One hierarchy per controller.
    V1,
    /// One hierarchy for all.
    V2,
}

/// One hierarchy's directory of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// Its controllers, joined by commas, or `name=NAME`; empty for version 2.
    pub hierarchy: String,
    /// Where.
    pub path: PathBuf,
}

impl Directory {
    /// Whether this is the hierarchy of version 2.
    #[must_use]
    pub fn is_unified(&self) -> bool {
        self.hierarchy.is_empty()
    }
}

/// A group of processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    version: Version,
    directories: Vec<Directory>,
}

impl Group {
    /// The group this process is in.
    ///
    /// # Errors
    /// When the kernel's tables cannot be read or nothing is mounted.
    pub fn current() -> Result<Self, CgroupError> {
        let read = |path: &str| {
            fs::read_to_string(path)
                .map_err(|source| CgroupError::Read { path: path.into(), source })
        };
        let mounts = crate::mount::table().map_err(|error| CgroupError::Read {
            path: "/proc/self/mountinfo".into(),
            source: io::Error::other(error),
        })?;
        Self::from_tables(&read("/proc/self/cgroup")?, &mounts).ok_or(CgroupError::NotMounted)
    }

    /// The group described by `/proc/PID/cgroup`, seen through `mounts`.
    fn from_tables(membership: &str, mounts: &[crate::mount::MountPoint]) -> Option<Self> {
        let mut directories = Vec::new();
        for line in membership.lines() {
            let mut fields = line.splitn(3, ':').skip(1);
            let (hierarchy, path) = (fields.next()?, fields.next()?);
            let mount = mounts.iter().rev().find(|mount| match mount.kind.as_str() {
                "cgroup2" => hierarchy.is_empty(),
                "cgroup" => {
                    !hierarchy.is_empty()
                        && hierarchy
                            .split(',')
                            .all(|name| mount.super_options.split(',').any(|option| option == name))
                }
                _ => false,
            });
            let Some(mount) = mount else { continue };
            let below = Path::new(path).strip_prefix(&mount.root).unwrap_or(Path::new(""));
            let path = mount.target.join(below);
            directories.push(Directory { hierarchy: hierarchy.to_owned(), path });
        }
        Self::of(directories)
    }

    /// The group made of these directories; version 1 as soon as memory is governed by it.
    fn of(directories: Vec<Directory>) -> Option<Self> {
        let v1 = directories.iter().any(|d| d.hierarchy.split(',').any(|name| name == "memory"));
        let version = if v1 { Version::V1 } else { Version::V2 };
        let usable = v1 || directories.iter().any(Directory::is_unified);
        usable.then_some(Self { version, directories })
    }

    /// The topmost group a node sees: its hierarchies mounted below `mount`
    /// (`/sys/fs/cgroup`), each in a directory named after it on version 1.
    ///
    /// # Errors
    /// When nothing is mounted there.
    pub fn at(mount: impl AsRef<Path>) -> Result<Self, CgroupError> {
        let mount = mount.as_ref();
        if mount.join("cgroup.procs").exists() {
            let directory = Directory { hierarchy: String::new(), path: mount.into() };
            return Ok(Self { version: Version::V2, directories: vec![directory] });
        }
        let directories = V1_HIERARCHIES
            .iter()
            .map(|name| Directory {
                hierarchy: (*name).to_owned(),
                path: mount.join(name.trim_start_matches("name=")),
            })
            .filter(|directory| directory.path.join("cgroup.procs").exists())
            .collect();
        Self::of(directories).ok_or(CgroupError::NotMounted)
    }

    /// The group whose directories were recorded earlier, for instance to clean up after a crash.
    ///
    /// # Errors
    /// When there is no directory whose hierarchy could govern a node.
    pub fn from_directories(directories: Vec<Directory>) -> Result<Self, CgroupError> {
        Self::of(directories).ok_or(CgroupError::NotMounted)
    }

    /// The nearest group, from this one upward, below which a new group can have the controllers
    /// a node needs without any existing group being changed. On version 1 that is this group.
    #[must_use]
    pub fn nearest_parent(&self) -> Option<Self> {
        if self.version == Version::V1 {
            return Some(self.clone());
        }
        let mut group = self.clone();
        loop {
            let delegated = group.delegated().ok()?;
            if V2_CONTROLLERS.iter().all(|name| delegated.iter().any(|have| have == name)) {
                return Some(group);
            }
            group = group.parent();
        }
    }

    /// Which interface governs it.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Its directories.
    #[must_use]
    pub fn directories(&self) -> &[Directory] {
        &self.directories
    }

    /// The group `name` (which may be a path) below this one; it need not exist.
    #[must_use]
    pub fn child(&self, name: impl AsRef<Path>) -> Self {
        let mut child = self.clone();
        for directory in &mut child.directories {
            directory.path.push(name.as_ref());
        }
        child
    }

    /// The group above this one.
    #[must_use]
    pub fn parent(&self) -> Self {
        let mut parent = self.clone();
        for directory in &mut parent.directories {
            directory.path.pop();
        }
        parent
    }

    /// Whether it exists in every hierarchy.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.directories.iter().all(|directory| directory.path.is_dir())
    }

    /// Makes it and what is missing above it. A new version-1 `cpuset` starts with its parent's
    /// processors and memory, without which no process could join.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn create(&self) -> Result<(), CgroupError> {
        self.directories.iter().try_for_each(create_directory)
    }

    /// The `cgroup.procs` files; a process is a member when its id is written to all of them.
    #[must_use]
    pub fn procs(&self) -> Vec<PathBuf> {
        self.directories.iter().map(|directory| directory.path.join("cgroup.procs")).collect()
    }

    /// Moves a process into the group; 0 means this process.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn add(&self, pid: i32) -> Result<(), CgroupError> {
        self.procs().iter().try_for_each(|path| write(path, &pid.to_string()))
    }

    /// The processes in it, without those in groups below.
    ///
    /// # Errors
    /// When the group cannot be read.
    pub fn processes(&self) -> Result<Vec<i32>, CgroupError> {
        let mut pids = Vec::new();
        for path in self.procs() {
            let text = match fs::read_to_string(&path) {
                Ok(text) => text,
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => return Err(CgroupError::Read { path, source }),
            };
            pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
        }
        pids.sort_unstable();
        pids.dedup();
        Ok(pids)
    }

    /// Whether a process is in it or below.
    ///
    /// # Errors
    /// When a group cannot be read.
    pub fn is_populated(&self) -> Result<bool, CgroupError> {
        for group in self.with_descendants() {
            if !group.processes()?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads a setting, such as `memory.current`, from the hierarchy of `controller` (ignored on
    /// version 2).
    ///
    /// # Errors
    /// When there is no such file.
    pub fn read(&self, controller: &str, file: &str) -> Result<String, CgroupError> {
        let path = self.file(controller, file)?;
        fs::read_to_string(&path).map_err(|source| CgroupError::Read { path, source })
    }

    /// Changes a setting in the hierarchy of `controller` (ignored on version 2).
    ///
    /// # Errors
    /// When there is no such file or the kernel refuses the value.
    pub fn write(&self, controller: &str, file: &str, value: &str) -> Result<(), CgroupError> {
        write(&self.file(controller, file)?, value)
    }

    fn file(&self, controller: &str, file: &str) -> Result<PathBuf, CgroupError> {
        self.directories
            .iter()
            .find(|directory| match self.version {
                Version::V1 => directory.hierarchy.split(',').any(|name| name == controller),
                Version::V2 => directory.is_unified(),
            })
            .map(|directory| directory.path.join(file))
            .ok_or(CgroupError::NotMounted)
    }

    /// On version 2, lets groups below use every controller this one has. Only for a group that
    /// has no processes of its own. Nothing to do on version 1.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn delegate(&self) -> Result<(), CgroupError> {
        if self.version == Version::V1 {
            return Ok(());
        }
        let available = self.read("", "cgroup.controllers")?;
        let wanted: Vec<_> = available.split_whitespace().map(|name| format!("+{name}")).collect();
        if wanted.is_empty() {
            Ok(())
        } else {
            self.write("", "cgroup.subtree_control", &wanted.join(" "))
        }
    }

    /// The controllers that groups made below this one have on version 2.
    ///
    /// # Errors
    /// When the group cannot be read.
    pub fn delegated(&self) -> Result<Vec<String>, CgroupError> {
        let text = self.read("", "cgroup.subtree_control")?;
        Ok(text.split_whitespace().map(str::to_owned).collect())
    }

    /// Kills every process in it and below. They are gone a moment later, not at return.
    ///
    /// # Errors
    /// When a group cannot be read.
    pub fn kill(&self) -> Result<(), CgroupError> {
        // Version 2 kills a subtree at once, so that nothing can fork away from it.
        for directory in self.directories.iter().filter(|directory| directory.is_unified()) {
            let path = directory.path.join("cgroup.kill");
            if path.exists() {
                write(&path, "1")?;
            }
        }
        self.signal(Signal::KILL)
    }

    /// Sends a signal to every process in it and below.
    ///
    /// # Errors
    /// When a group cannot be read.
    pub fn signal(&self, signal: Signal) -> Result<(), CgroupError> {
        for group in self.with_descendants() {
            for pid in group.processes()?.into_iter().filter_map(Pid::from_raw) {
                // A process that has ended since the list was read needs no signal.
                let _ = kill_process(pid, signal);
            }
        }
        Ok(())
    }

    /// Removes it and all groups below, deepest first. There must be no process in them.
    ///
    /// # Errors
    /// When a group is still in use; a group that is already gone is fine.
    pub fn remove(&self) -> Result<(), CgroupError> {
        self.directories.iter().try_for_each(|directory| remove_tree(&directory.path))
    }

    /// This group and every one below it, in any hierarchy.
    fn with_descendants(&self) -> Vec<Self> {
        let mut groups = Vec::new();
        for directory in &self.directories {
            let mut pending = vec![directory.path.clone()];
            while let Some(path) = pending.pop() {
                pending.extend(children(&path));
                let directory = Directory { hierarchy: directory.hierarchy.clone(), path };
                groups.push(Self { version: self.version, directories: vec![directory] });
            }
        }
        groups
    }
}

fn children(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

fn create_directory(directory: &Directory) -> Result<(), CgroupError> {
    let path = &directory.path;
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        let parent = Directory { hierarchy: directory.hierarchy.clone(), path: parent.into() };
        create_directory(&parent)?;
    }
    match fs::create_dir(path) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(source) => return Err(CgroupError::Create { path: path.clone(), source }),
    }
    let is_cpuset = directory.hierarchy.split(',').any(|name| name == "cpuset");
    if let Some(parent) = path.parent().filter(|_| is_cpuset) {
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let from = parent.join(file);
            let value = fs::read_to_string(&from)
                .map_err(|source| CgroupError::Read { path: from, source })?;
            write(&path.join(file), value.trim())?;
        }
        write(&path.join("cgroup.clone_children"), "1")?;
    }
    Ok(())
}

fn remove_tree(path: &Path) -> Result<(), CgroupError> {
    for child in children(path) {
        remove_tree(&child)?;
    }
    match fs::remove_dir(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(CgroupError::Remove { path: path.into(), source })
        }
        _ => Ok(()),
    }
}

fn write(path: &Path, value: &str) -> Result<(), CgroupError> {
    fs::write(path, value).map_err(|source| CgroupError::Write {
        path: path.into(),
        value: value.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mount::MountPoint;

    fn mount(kind: &str, target: &str, root: &str, options: &str) -> MountPoint {
        MountPoint {
            id: 1,
            parent: 0,
            root: root.into(),
            target: target.into(),
            options: String::new(),
            kind: kind.into(),
            source: kind.into(),
            super_options: options.into(),
        }
    }

    #[test]
    fn version_1_hierarchies_are_found_by_their_controllers() {
        let mounts = [
            mount("cgroup", "/sys/fs/cgroup/cpu", "/", "rw,cpu,cpuacct"),
            mount("cgroup", "/sys/fs/cgroup/memory", "/box", "rw,memory"),
            mount("cgroup", "/sys/fs/cgroup/systemd", "/", "rw,xattr,name=systemd"),
            mount("cgroup2", "/sys/fs/cgroup/unified", "/", "rw"),
        ];
        let text = "9:name=systemd:/\n4:memory:/box/a\n2:cpu,cpuacct:/x\n1:net_cls:/\n0::/y\n";
        let group = Group::from_tables(text, &mounts).unwrap();
        assert_eq!(group.version(), Version::V1);
        let paths: Vec<_> = group.child("c").procs();
        assert_eq!(
            paths,
            [
                "/sys/fs/cgroup/systemd/c/cgroup.procs",
                "/sys/fs/cgroup/memory/a/c/cgroup.procs",
                "/sys/fs/cgroup/cpu/x/c/cgroup.procs",
                "/sys/fs/cgroup/unified/y/c/cgroup.procs"
            ]
            .map(PathBuf::from)
        );
    }

    #[test]
    fn version_2_is_one_directory() {
        let mounts = [mount("cgroup2", "/sys/fs/cgroup", "/", "rw,nsdelegate")];
        let group = Group::from_tables("0::/user.slice/s\n", &mounts).unwrap();
        assert_eq!(group.version(), Version::V2);
        assert_eq!(group.procs(), [PathBuf::from("/sys/fs/cgroup/user.slice/s/cgroup.procs")]);
        assert_eq!(Group::from_tables("1:cpu:/\n", &[]), None);
    }

    #[test]
    fn delegation_enables_exactly_what_is_there() {
        let root = tempfile::tempdir().unwrap();
        let file = |name: &str| root.path().join(name);
        fs::write(file("cgroup.procs"), "").unwrap();
        fs::write(file("cgroup.controllers"), "cpu memory\n").unwrap();
        let group = Group::at(root.path()).unwrap();
        group.delegate().unwrap();
        assert_eq!(fs::read_to_string(file("cgroup.subtree_control")).unwrap(), "+cpu +memory");
        fs::write(file("cgroup.controllers"), "\n").unwrap();
        fs::remove_file(file("cgroup.subtree_control")).unwrap();
        group.delegate().unwrap();
        assert!(!file("cgroup.subtree_control").exists());
    }

    #[test]
    fn a_cpuset_starts_with_its_parents_processors() {
        let root = tempfile::tempdir().unwrap();
        for name in ["cpuset", "memory"] {
            fs::create_dir(root.path().join(name)).unwrap();
            fs::write(root.path().join(name).join("cgroup.procs"), "").unwrap();
        }
        fs::write(root.path().join("cpuset/cpuset.cpus"), "0-1\n").unwrap();
        fs::write(root.path().join("cpuset/cpuset.mems"), "0\n").unwrap();
        let group = Group::at(root.path()).unwrap().child("a/b");
        group.create().unwrap();
        let value = fs::read_to_string(root.path().join("cpuset/a/b/cpuset.cpus")).unwrap();
        assert_eq!(value, "0-1");
        assert!(group.exists());
    }
}
