//! The modules of one kernel: what depends on what, and what is for which device.
//!
//! Read from and written as the files of modules.dep(5): `modules.dep`, `modules.alias`,
//! `modules.softdep` and `modules.builtin`.

use std::collections::{BTreeMap, BTreeSet};

use super::metadata::Soft;
use super::{Name, pattern, stem};
use crate::name::{plain, same};

/// The texts of the files, with the names they have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists {
    /// `modules.dep`: `PATH: PATH …`, what a module needs, to be loaded from the last to the first.
    pub dependencies: String,
    /// `modules.alias`: `alias PATTERN NAME`.
    pub aliases: String,
    /// `modules.softdep`: `softdep NAME pre: NAME … post: NAME …`.
    pub soft: String,
    /// `modules.builtin`: a path for each module that is part of the kernel.
    pub builtin: String,
}

/// The names of the files, in the order of the fields.
pub const FILES: [&str; 4] = ["modules.dep", "modules.alias", "modules.softdep", "modules.builtin"];

impl Lists {
    /// The lists, given a way to read each file by its name.
    pub fn of<E>(mut read: impl FnMut(&'static str) -> Result<String, E>) -> Result<Self, E> {
        let [dependencies, aliases, soft, builtin] = FILES.map(&mut read);
        Ok(Self { dependencies: dependencies?, aliases: aliases?, soft: soft?, builtin: builtin? })
    }

    /// The names of the files and their texts.
    pub fn files(&self) -> [(&'static str, &str); 4] {
        let [dependencies, aliases, soft, builtin] = FILES;
        [
            (dependencies, &self.dependencies),
            (aliases, &self.aliases),
            (soft, &self.soft),
            (builtin, &self.builtin),
        ]
    }

    /// Whether any list has a module of this name or one that goes by it, built in or not. Much less work than to read all
    /// of them, which is not needed for the many names that the kernel asks for in vain.
    pub fn mention(&self, name: &str) -> bool {
        let is_named = |path: &str| same(stem(path), name);
        let files = lines(&self.dependencies).map(|(_, line)| line.split(':').next());
        files.into_iter().flatten().any(is_named)
            || lines(&self.builtin).any(|(_, path)| is_named(path))
            || lines(&self.aliases).any(|(_, line)| {
                let rest = line.strip_prefix("alias ").unwrap_or(line);
                rest.rsplit_once(' ').is_some_and(|(pattern, _)| pattern::matches(pattern, name))
            })
    }
}

/// The modules of one kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    modules: BTreeMap<Name, Module>,
    /// By the text with which what they fit has to begin. A list for many machines has tens of thousands, of which a
    /// device's own text can begin with few.
    aliases: BTreeMap<Vec<u8>, Vec<Alias>>,
    /// How long such texts are.
    heads: BTreeSet<usize>,
    soft: BTreeMap<Name, Soft>,
    builtin: BTreeSet<Name>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Alias {
    /// The place in the list: what comes first is tried first.
    at: usize,
    pattern: String,
    module: Name,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Module {
    path: String,
    /// What it needs, in the order of loading.
    needs: Vec<Name>,
}

/// One module to load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// The module.
    pub name: &'a Name,
    /// Its file, relative to the directory of the lists.
    pub path: &'a str,
    /// Whether what is asked for cannot be had without it.
    pub required: bool,
}

/// Why the lists cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// A line is not of the form it must have.
    #[error("line {line} of {file} is not of the form `{form}`")]
    Line {
        /// The file.
        file: &'static str,
        /// The line, from one.
        line: usize,
        /// The form.
        form: &'static str,
    },
    /// A module needs a file that the list does not have.
    #[error("modules.dep: {module} needs {path}, which has no line of its own")]
    Unlisted {
        /// The module.
        module: Name,
        /// The file.
        path: String,
    },
}

/// Nothing is known by this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this kernel has no module {name}")]
pub struct UnknownModuleError {
    /// The name.
    pub name: String,
}

impl Catalogue {
    /// A catalogue of modules: file, and what each needs in the order of loading.
    pub(super) fn new(
        modules: impl IntoIterator<Item = (String, Vec<Name>)>,
        aliases: impl IntoIterator<Item = (String, Name)>,
        soft: BTreeMap<Name, Soft>,
        builtin: BTreeSet<Name>,
    ) -> Self {
        let modules = modules.into_iter();
        let modules =
            modules.map(|(path, needs)| (Name::of_path(&path), Module { path, needs })).collect();
        let mut catalogue = Self { modules, soft, builtin, ..Self::default() };
        for (at, (pattern, module)) in aliases.into_iter().enumerate() {
            let head = pattern::head(&pattern);
            catalogue.heads.insert(head.len());
            catalogue.aliases.entry(head).or_default().push(Alias { at, pattern, module });
        }
        catalogue
    }

    /// Reads the lists.
    pub fn read(lists: &Lists) -> Result<Self, CatalogueError> {
        let mut modules = Vec::new();
        let mut listed = BTreeSet::new();
        for (line, text) in lines(&lists.dependencies) {
            let form = "PATH: PATH …";
            let wrong = || CatalogueError::Line { file: "modules.dep", line, form };
            let (path, needs) = text.split_once(':').ok_or_else(wrong)?;
            let needs: Vec<&str> = needs.split_whitespace().rev().collect();
            listed.insert(path);
            modules.push((path, needs));
        }
        for (path, needs) in &modules {
            if let Some(missing) = needs.iter().find(|path| !listed.contains(*path)) {
                let module = Name::of_path(path);
                return Err(CatalogueError::Unlisted { module, path: (*missing).to_owned() });
            }
        }
        let mut aliases = Vec::new();
        for (line, text) in lines(&lists.aliases) {
            let form = "alias PATTERN NAME";
            let wrong = || CatalogueError::Line { file: "modules.alias", line, form };
            // A pattern may have spaces in it; a name has none.
            let rest = text.strip_prefix("alias ").ok_or_else(wrong)?;
            let (pattern, name) = rest.rsplit_once(' ').ok_or_else(wrong)?;
            aliases.push((pattern.to_owned(), Name::new(name)));
        }
        let mut soft: BTreeMap<Name, Soft> = BTreeMap::new();
        for (line, text) in lines(&lists.soft) {
            let form = "softdep NAME pre: NAME … post: NAME …";
            let wrong = || CatalogueError::Line { file: "modules.softdep", line, form };
            let rest = text.strip_prefix("softdep ").ok_or_else(wrong)?;
            let (name, rest) = rest.split_once(' ').ok_or_else(wrong)?;
            soft.entry(Name::new(name)).or_default().add(rest);
        }
        let modules = modules
            .into_iter()
            .map(|(path, needs)| (path.to_owned(), needs.into_iter().map(Name::of_path).collect()));
        let builtin = lines(&lists.builtin).map(|(_, path)| Name::of_path(path)).collect();
        Ok(Self::new(modules, aliases, soft, builtin))
    }

    /// Writes the lists.
    pub fn lists(&self) -> Lists {
        let mut lists = Lists::default();
        for module in self.modules.values() {
            let needs: String = module
                .needs
                .iter()
                .rev()
                .filter_map(|name| self.modules.get(name))
                .map(|needed| format!(" {}", needed.path))
                .collect();
            lists.dependencies.push_str(&format!("{}:{needs}\n", module.path));
        }
        let mut aliases: Vec<&Alias> = self.aliases.values().flatten().collect();
        aliases.sort_by_key(|alias| alias.at);
        for Alias { pattern, module, .. } in aliases {
            lists.aliases.push_str(&format!("alias {pattern} {module}\n"));
        }
        for (name, soft) in &self.soft {
            let list = |word: &str, names: &[Name]| {
                let names: String = names.iter().map(|name| format!(" {name}")).collect();
                if names.is_empty() { names } else { format!(" {word}:{names}") }
            };
            let (before, after) = (list("pre", &soft.before), list("post", &soft.after));
            lists.soft.push_str(&format!("softdep {name}{before}{after}\n"));
        }
        for name in &self.builtin {
            lists.builtin.push_str(&format!("kernel/{name}.ko\n"));
        }
        lists
    }

    /// The modules and their files.
    pub fn modules(&self) -> impl Iterator<Item = (&Name, &str)> {
        self.modules.iter().map(|(name, module)| (name, module.path.as_str()))
    }

    /// Whether a module is part of the kernel and need not be loaded.
    pub fn is_builtin(&self, name: &Name) -> bool {
        self.builtin.contains(name)
    }

    /// The modules for a device or a feature, given by its alias (a device's `MODALIAS`, or such as
    /// `fs-xfs`), in the order in which they should be tried. Nothing if the kernel has none, or
    /// has it built in.
    pub fn matching(&self, alias: &str) -> Vec<&Name> {
        let text = plain(alias);
        let heads = self.heads.iter().filter_map(|length| text.get(..*length));
        let mut fitting: Vec<&Alias> = heads
            .filter_map(|head| self.aliases.get(head))
            .flatten()
            .filter(|one| pattern::matches(&one.pattern, alias))
            .collect();
        fitting.sort_by_key(|one| one.at);
        let mut found: Vec<&Name> = Vec::new();
        for Alias { module, .. } in fitting {
            if !found.contains(&module) && self.modules.contains_key(module) {
                found.push(module);
            }
        }
        found
    }

    /// What to load, in this order, so that the named module works. Nothing to load if it is part
    /// of the kernel.
    pub fn steps(&self, name: &Name) -> Result<Vec<Step<'_>>, UnknownModuleError> {
        if !self.modules.contains_key(name) {
            return if self.is_builtin(name) {
                Ok(Vec::new())
            } else {
                Err(UnknownModuleError { name: name.to_string() })
            };
        }
        let mut steps = Vec::new();
        self.walk(name, true, &mut steps, &mut BTreeSet::new());
        Ok(steps)
    }

    fn walk<'a>(
        &'a self,
        name: &Name,
        required: bool,
        steps: &mut Vec<Step<'a>>,
        under_way: &mut BTreeSet<Name>,
    ) {
        // What is only recommended may well be missing, and may recommend in circles.
        let Some((name, module)) = self.modules.get_key_value(name) else { return };
        if let Some(known) = steps.iter_mut().find(|step| step.name == name) {
            known.required |= required;
            return;
        }
        if !under_way.insert(name.clone()) {
            return;
        }
        let none = Soft::default();
        let soft = self.soft.get(name).unwrap_or(&none);
        for before in soft.before.iter().flat_map(|name| self.named(name)) {
            self.walk(before, false, steps, under_way);
        }
        for needed in &module.needs {
            self.walk(needed, required, steps, under_way);
        }
        if !steps.iter().any(|step| step.name == name) {
            steps.push(Step { name, path: &module.path, required });
        }
        for after in soft.after.iter().flat_map(|name| self.named(name)) {
            self.walk(after, false, steps, under_way);
        }
    }

    /// The modules that a name or an alias means.
    fn named<'a>(&'a self, name: &'a Name) -> Vec<&'a Name> {
        if self.modules.contains_key(name) { vec![name] } else { self.matching(name.as_str()) }
    }
}

/// The lines of a list with their numbers, without empty lines and comments.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists() -> Lists {
        Lists {
            dependencies: "kernel/a.ko: kernel/b-b.ko kernel/c.ko\nkernel/b-b.ko: kernel/c.ko\n\
                kernel/c.ko:\nkernel/s.ko:\nkernel/t.ko:\n"
                .to_owned(),
            aliases: "# comment\nalias pci:v00001AF4d* a\nalias acpi*:X:* c\nalias fs-a a\nalias al-ias s\n\
                alias pci:v0000* b_b\nalias pci:v00001AF4d* b_b\nalias of:N*T*Ca b*c c\n\
                alias pci:* gone\n"
                .to_owned(),
            soft: "softdep a pre: al-ias missing post: t\nsoftdep t pre: a\n".to_owned(),
            builtin: "kernel/fs/ext4/ext4.ko\n".to_owned(),
        }
    }

    fn names(steps: &[Step<'_>]) -> Vec<String> {
        let word = |step: &Step<'_>| if step.required { "" } else { "?" };
        steps.iter().map(|step| format!("{}{}", step.name, word(step))).collect()
    }

    #[test]
    fn what_is_needed_comes_first() {
        let catalogue = Catalogue::read(&lists()).unwrap();
        let steps = catalogue.steps(&Name::new("a")).unwrap();
        assert_eq!(names(&steps), ["s?", "c", "b_b", "a", "t?"]);
        assert_eq!(steps[2].path, "kernel/b-b.ko");
        assert_eq!(names(&catalogue.steps(&Name::new("b-b")).unwrap()), ["c", "b_b"]);
        assert_eq!(catalogue.steps(&Name::new("ext4")), Ok(Vec::new()));
        let error = catalogue.steps(&Name::new("zfs")).unwrap_err().to_string();
        assert_eq!(error, "this kernel has no module zfs");
    }

    #[test]
    fn what_the_lists_mention_is_what_can_be_had() {
        let lists = lists();
        let catalogue = Catalogue::read(&lists).unwrap();
        for name in
            ["a", "b-b", "b_b", "ext4", "fs-a", "fs_a", "al-ias", "pci:v00001AF4d1", "acpi:X:9"]
        {
            assert!(lists.mention(name), "{name}");
        }
        for name in ["zfs", "", "ko", "kernel/a.ko", "fs-aa", "crypto-cts(cbc(aes))", "acpi"] {
            assert!(!lists.mention(name), "{name}");
            assert!(catalogue.steps(&Name::new(name)).is_err(), "{name}");
            assert!(catalogue.matching(name).is_empty(), "{name}");
        }
    }

    #[test]
    fn devices_find_their_modules() {
        let catalogue = Catalogue::read(&lists()).unwrap();
        let found = |alias| -> Vec<String> {
            catalogue.matching(alias).iter().map(ToString::to_string).collect()
        };
        assert_eq!(found("pci:v00001AF4d00001000"), ["a", "b_b"]);
        assert_eq!(found("pci:v00001AF5d00001000"), ["b_b"]);
        assert_eq!(found("acpi:X:"), ["c"]);
        assert_eq!(found("fs-a"), ["a"]);
        assert_eq!(found("fs_a"), ["a"]);
        assert!(found("usb:v1").is_empty());
    }

    #[test]
    fn what_is_written_is_read_back() {
        let catalogue = Catalogue::read(&lists()).unwrap();
        assert_eq!(Catalogue::read(&catalogue.lists()).unwrap(), catalogue);
    }

    #[test]
    fn lines_that_are_none() {
        let set = |change: &dyn Fn(&mut Lists)| {
            let mut lists = lists();
            change(&mut lists);
            Catalogue::read(&lists).unwrap_err().to_string()
        };
        assert_eq!(
            set(&|lists| lists.dependencies.push_str("kernel/x.ko\n")),
            "line 6 of modules.dep is not of the form `PATH: PATH …`"
        );
        assert_eq!(
            set(&|lists| lists.dependencies.push_str("kernel/x.ko: kernel/y.ko\n")),
            "modules.dep: x needs kernel/y.ko, which has no line of its own"
        );
        assert!(set(&|lists| lists.aliases.push_str("alias x\n")).contains("modules.alias"));
        assert!(set(&|lists| lists.soft.push_str("softdep x\n")).contains("modules.softdep"));
    }
}
