//! What a node takes from its command line, typed.
//!
//! The names and meanings are the contract's (kernel arguments, machine reference 1.1). An argument
//! that cannot be understood never stops a boot: it is left out and reported. What links are to be, in `ip=`, `vlan=`,
//! `bond=` and the like, is read by the crate `network`, which makes their specs of it.

use std::collections::BTreeMap;

use super::CommandLine;

/// Everything a node takes from its command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// `talos.platform=`: the platform's name. The environment variable `PLATFORM` goes before it.
    pub platform: Option<String>,
    /// `talos.config=`: where the machine configuration is.
    pub config: Option<ConfigSource>,
    /// `talos.config.early=`, all pieces in their order: base64 of zstd-compressed YAML.
    pub config_early: Option<String>,
    /// `talos.config.inline=`, all pieces in their order: base64 of zstd-compressed YAML.
    pub config_inline: Option<String>,
    /// `talos.config.oauth.*=` by the last part of the name, except the extra variables.
    pub oauth: BTreeMap<OauthSetting, String>,
    /// `talos.config.oauth.extra_variable=`, in their order.
    pub oauth_extra: Vec<String>,
    /// `net.ifnames=0`: interfaces keep the kernel's names.
    pub kernel_interface_names: bool,
    /// `siderolink.api=`.
    pub siderolink: Option<String>,
    /// `talos.events.sink=`: a host and port that events are sent to.
    pub events_sink: Option<String>,
    /// `talos.logging.kernel=`: URLs that the kernel's log is sent to.
    pub kernel_log: Vec<String>,
    /// `em.events_url=`: where a provider is told of the boot's progress.
    pub progress_url: Option<String>,
    /// `talos.experimental.wipe=`.
    pub wipe: Option<Wipe>,
    /// `talos.halt_if_installed=1`: stop when booted from media though the disk is installed.
    pub halt_if_installed: bool,
    /// `talos.device.settle_time=`: a duration in the words of the configuration.
    pub settle_time: Option<String>,
    /// `talos.shutdown=`.
    pub shutdown: Option<Shutdown>,
    /// `panic=`: seconds until a reboot after a fatal error; 0 is never.
    pub panic: Option<i32>,
    /// `talos.dashboard.disabled`.
    pub dashboard_disabled: bool,
    /// `talos.dashboard.console=ttyN`: the N of the virtual console.
    pub dashboard_console: Option<u8>,
    /// `talos.auditd.disabled`.
    pub auditd_disabled: bool,
    /// `talos.environment=NAME=VALUE`, in their order.
    pub environment: Vec<(String, String)>,
    /// `selinux=1`.
    pub selinux: bool,
    /// `enforcing=1`.
    pub enforcing: bool,
    /// `module.sig_enforce`: the kernel refuses unsigned modules.
    pub signed_modules: bool,
    /// `talos.fips140`.
    pub fips: Fips,
    /// `console=`: the devices the kernel writes to, without their options; the last one is
    /// `/dev/console`.
    pub consoles: Vec<String>,
}

/// Where the machine configuration is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// `none`: nowhere; the node waits for one over its API.
    None,
    /// `metal-iso`: the file `config.yaml` of the volume with this label.
    Volume,
    /// A URL, with its variables `${uuid}`, `${serial}`, `${mac}`, `${hostname}`, `${code}`.
    Url(String),
}

/// A setting of the login that fetches the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names of the standard, RFC 8628, say it all")]
pub enum OauthSetting {
    ClientId,
    ClientSecret,
    Audience,
    Scope,
    DeviceAuthorizationUrl,
    TokenUrl,
}

/// What is wiped while booting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wipe {
    /// The whole system disk.
    System,
    /// Partitions of the system disk, by label.
    Partitions(Vec<String>),
}

/// What a shutdown ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// The processors stop, the power stays on.
    Halt,
    /// The power goes off.
    PowerOff,
}

/// How strictly the cryptography follows FIPS 140-3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fips {
    /// Not at all.
    #[default]
    Off,
    /// Where it can.
    On,
    /// Everywhere, or fail.
    Strict,
}

/// An argument that is not understood. It is as if it were absent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
    /// A word that is not one of the allowed.
    #[error("kernel argument {name}={value} is ignored; allowed are: {allowed}")]
    Word {
        /// The argument.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
}

/// A command line as it is understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Understood {
    /// What it says.
    pub arguments: Arguments,
    /// What in it is not understood.
    pub problems: Vec<ArgumentError>,
}

struct Reader<'a> {
    line: &'a CommandLine,
    problems: Vec<ArgumentError>,
}

impl Reader<'_> {
    fn text(&self, name: &str) -> Option<String> {
        self.line.last(name).filter(|value| !value.is_empty()).map(str::to_owned)
    }

    fn all(&self, name: &str) -> Vec<String> {
        self.line.values(name).filter(|value| !value.is_empty()).map(str::to_owned).collect()
    }

    fn joined(&self, name: &str) -> Option<String> {
        let text: String = self.line.values(name).collect();
        (!text.is_empty()).then_some(text)
    }

    /// A switch: on without a value, or with one of the usual words for yes.
    fn switch(&mut self, name: &'static str) -> bool {
        if !self.line.has(name) {
            return false;
        }
        let last = self.line.last(name);
        match last {
            None | Some("1" | "y" | "Y" | "yes" | "true" | "on") => true,
            Some("" | "0" | "n" | "N" | "no" | "false" | "off") => false,
            Some(value) => {
                self.word(name, value.to_owned(), "0 and 1");
                false
            }
        }
    }

    fn word(&mut self, name: &'static str, value: String, allowed: &'static str) {
        self.problems.push(ArgumentError::Word { name, value, allowed });
    }

    fn wipe(&mut self) -> Option<Wipe> {
        const NAME: &str = "talos.experimental.wipe";
        let value = self.text(NAME)?;
        if value == "system" {
            return Some(Wipe::System);
        }
        let labels = value.strip_prefix("system:").unwrap_or_default();
        if labels.is_empty() || labels.split(',').any(str::is_empty) {
            self.word(NAME, value, "system and system:LABEL[,LABEL]");
            return None;
        }
        Some(Wipe::Partitions(labels.split(',').map(str::to_owned).collect()))
    }

    fn shutdown(&mut self) -> Option<Shutdown> {
        const NAME: &str = "talos.shutdown";
        match self.text(NAME)?.as_str() {
            "halt" => Some(Shutdown::Halt),
            "poweroff" => Some(Shutdown::PowerOff),
            other => {
                self.word(NAME, other.to_owned(), "halt and poweroff");
                None
            }
        }
    }

    fn panic(&mut self) -> Option<i32> {
        let value = self.text("panic")?;
        let seconds = value.parse().ok();
        if seconds.is_none() {
            self.word("panic", value, "whole seconds");
        }
        seconds
    }

    fn fips(&mut self) -> Fips {
        const NAME: &str = "talos.fips140";
        match self.line.last(NAME) {
            Some("strict") => Fips::Strict,
            _ if self.switch(NAME) => Fips::On,
            _ => Fips::Off,
        }
    }

    fn dashboard_console(&mut self) -> Option<u8> {
        const NAME: &str = "talos.dashboard.console";
        let value = self.text(NAME)?;
        let number = value.strip_prefix("tty").and_then(|number| number.parse().ok());
        if number.is_none_or(|number: u8| !(1..=63).contains(&number)) {
            self.word(NAME, value, "tty1 to tty63");
            return None;
        }
        number
    }

    fn environment(&mut self) -> Vec<(String, String)> {
        const NAME: &str = "talos.environment";
        let mut variables = Vec::new();
        for value in self.line.values(NAME) {
            match value.split_once('=').filter(|(name, _)| !name.is_empty()) {
                Some((name, value)) => variables.push((name.to_owned(), value.to_owned())),
                None => self.problems.push(ArgumentError::Word {
                    name: NAME,
                    value: value.to_owned(),
                    allowed: "NAME=VALUE",
                }),
            }
        }
        variables
    }

    fn oauth(&self) -> BTreeMap<OauthSetting, String> {
        let settings = [
            ("talos.config.oauth.client_id", OauthSetting::ClientId),
            ("talos.config.oauth.client_secret", OauthSetting::ClientSecret),
            ("talos.config.oauth.audience", OauthSetting::Audience),
            ("talos.config.oauth.scope", OauthSetting::Scope),
            ("talos.config.oauth.device_auth_url", OauthSetting::DeviceAuthorizationUrl),
            ("talos.config.oauth.token_url", OauthSetting::TokenUrl),
        ];
        let found = settings.into_iter().filter_map(|(name, key)| Some((key, self.text(name)?)));
        found.collect()
    }
}

impl CommandLine {
    /// What the line says to a node.
    pub fn understand(&self) -> Understood {
        let mut reader = Reader { line: self, problems: Vec::new() };
        let config = reader.text("talos.config").map(|value| match value.as_str() {
            "none" => ConfigSource::None,
            "metal-iso" => ConfigSource::Volume,
            _ => ConfigSource::Url(value),
        });
        let device = |value: &str| value.split(',').next().unwrap_or_default().to_owned();
        let arguments = Arguments {
            platform: reader.text("talos.platform"),
            config,
            config_early: reader.joined("talos.config.early"),
            config_inline: reader.joined("talos.config.inline"),
            oauth: reader.oauth(),
            oauth_extra: reader.all("talos.config.oauth.extra_variable"),
            kernel_interface_names: self.last("net.ifnames") == Some("0"),
            siderolink: reader.text("siderolink.api"),
            events_sink: reader.text("talos.events.sink"),
            kernel_log: reader.all("talos.logging.kernel"),
            progress_url: reader.text("em.events_url"),
            wipe: reader.wipe(),
            halt_if_installed: reader.switch("talos.halt_if_installed"),
            settle_time: reader.text("talos.device.settle_time"),
            shutdown: reader.shutdown(),
            panic: reader.panic(),
            dashboard_disabled: reader.switch("talos.dashboard.disabled"),
            dashboard_console: reader.dashboard_console(),
            auditd_disabled: reader.switch("talos.auditd.disabled"),
            environment: reader.environment(),
            selinux: reader.switch("selinux"),
            enforcing: reader.switch("enforcing"),
            signed_modules: reader.switch("module.sig_enforce"),
            fips: reader.fips(),
            consoles: self.values("console").map(device).filter(|name| !name.is_empty()).collect(),
        };
        Understood { arguments, problems: reader.problems }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_argument_of_the_contract() {
        let line = "talos.platform=metal talos.config=https://h/?u=${uuid} talos.config.early=AA \
            talos.config.early=BB talos.config.inline=CC talos.config.oauth.client_id=me \
            talos.config.oauth.token_url=https://t talos.config.oauth.extra_variable=a \
            net.ifnames=0 siderolink.api=grpc://s?jointoken=x talos.events.sink=[::1]:99 \
            talos.logging.kernel=tcp://a:1 talos.logging.kernel=udp://b:2 em.events_url=http://e \
            talos.experimental.wipe=system:STATE,EPHEMERAL talos.halt_if_installed=1 \
            talos.device.settle_time=3m30s talos.shutdown=halt panic=0 talos.dashboard.disabled=1 \
            talos.dashboard.console=tty3 talos.auditd.disabled \
            talos.environment=HTTP_PROXY=http://p talos.environment=A= selinux=1 enforcing=1 \
            module.sig_enforce=1 talos.fips140=strict console=tty0 console=ttyS0,115200n8";
        let understood = CommandLine::from(line).understand();
        assert_eq!(understood.problems, []);
        let text = |text: &str| Some(text.to_owned());
        let expected = Arguments {
            platform: text("metal"),
            config: Some(ConfigSource::Url("https://h/?u=${uuid}".to_owned())),
            config_early: text("AABB"),
            config_inline: text("CC"),
            oauth: BTreeMap::from([
                (OauthSetting::ClientId, "me".to_owned()),
                (OauthSetting::TokenUrl, "https://t".to_owned()),
            ]),
            oauth_extra: vec!["a".to_owned()],
            kernel_interface_names: true,
            siderolink: text("grpc://s?jointoken=x"),
            events_sink: text("[::1]:99"),
            kernel_log: vec!["tcp://a:1".to_owned(), "udp://b:2".to_owned()],
            progress_url: text("http://e"),
            wipe: Some(Wipe::Partitions(vec!["STATE".to_owned(), "EPHEMERAL".to_owned()])),
            halt_if_installed: true,
            settle_time: text("3m30s"),
            shutdown: Some(Shutdown::Halt),
            panic: Some(0),
            dashboard_disabled: true,
            dashboard_console: Some(3),
            auditd_disabled: true,
            environment: vec![
                ("HTTP_PROXY".to_owned(), "http://p".to_owned()),
                ("A".to_owned(), String::new()),
            ],
            selinux: true,
            enforcing: true,
            signed_modules: true,
            fips: Fips::Strict,
            consoles: vec!["tty0".to_owned(), "ttyS0".to_owned()],
        };
        assert_eq!(understood.arguments, expected);
    }

    #[test]
    fn an_empty_line_says_nothing() {
        assert_eq!(CommandLine::new().understand(), Understood::default());
    }

    #[test]
    fn what_is_not_understood_is_reported_all_at_once_and_left_out() {
        let line = "talos.experimental.wipe=disk talos.shutdown=sleep panic=soon \
            talos.dashboard.console=ttyS0 talos.environment=NAME \
            talos.auditd.disabled=perhaps talos.platform=metal";
        let understood = CommandLine::from(line).understand();
        let expected = Arguments { platform: Some("metal".to_owned()), ..Arguments::default() };
        assert_eq!(understood.arguments, expected);
        let problems: Vec<_> = understood.problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), 6, "{problems:#?}");
        for name in ["wipe=disk", "shutdown=sleep", "panic=soon", "=ttyS0", "=NAME", "=perhaps"] {
            assert!(problems.iter().any(|problem| problem.contains(name)), "{name}: {problems:?}");
        }
    }

    #[test]
    fn words_of_switches() {
        for (line, on) in [
            ("module.sig_enforce", true),
            ("module.sig_enforce=1", true),
            ("module.sig_enforce=0", false),
            ("module.sig_enforce=1 module.sig_enforce=0", false),
        ] {
            assert_eq!(CommandLine::from(line).understand().arguments.signed_modules, on, "{line}");
        }
        let fips = |line| CommandLine::from(line).understand().arguments.fips;
        assert_eq!(fips("talos.fips140"), Fips::On);
        assert_eq!(fips("talos.fips140=0"), Fips::Off);
        let config = |line| CommandLine::from(line).understand().arguments.config;
        assert_eq!(config("talos.config=metal-iso"), Some(ConfigSource::Volume));
        assert_eq!(config("talos.config=none"), Some(ConfigSource::None));
    }
}
