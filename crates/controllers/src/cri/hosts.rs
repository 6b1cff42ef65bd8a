//! Where containerd pulls images from: one `hosts.toml` per registry.
//!
//! The node's own image cache comes first for every registry; then the mirrors of the configuration; then,
//! unless that is switched off, the registry itself.

use std::collections::{BTreeMap, BTreeSet};

use resource::cri::{RegistriesConfigSpec, RegistryMirrorConfig, RegistryTLSConfig};
use toml::{Table, Value};

/// A file below the hosts directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFile {
    /// Its path, relative to the hosts directory.
    pub path: String,
    /// Its content.
    pub content: Vec<u8>,
    /// Its permissions.
    pub mode: u32,
}

/// The directory name that stands for every registry without one of its own.
const DEFAULT: &str = "_default";

/// The files for a registry configuration. `cache` is the address of the image cache.
#[must_use]
pub fn files(config: &RegistriesConfigSpec, cache: Option<&str>) -> Vec<HostFile> {
    let wildcard = config.mirrors.get("*");
    let mut registries: BTreeSet<&str> = config.mirrors.keys().map(String::as_str).collect();
    registries.extend(config.tls.keys().map(String::as_str));
    registries.remove("*");
    let mut files = Vec::new();
    for registry in registries {
        let mirror = config.mirrors.get(registry).or(wildcard);
        files.extend(registry_files(registry, registry, mirror, &config.tls, cache));
    }
    if wildcard.is_some() || cache.is_some() {
        files.extend(registry_files(DEFAULT, "", wildcard, &config.tls, cache));
    }
    files
}

fn registry_files(
    directory: &str,
    registry: &str,
    mirror: Option<&RegistryMirrorConfig>,
    tls: &BTreeMap<String, RegistryTLSConfig>,
    cache: Option<&str>,
) -> Vec<HostFile> {
    let directory = directory_name(directory);
    let mut files = Vec::new();
    let mut text = String::new();
    let skip_fallback = mirror.is_some_and(|mirror| mirror.skip_fallback);
    let mut hosts: Vec<(String, bool)> =
        cache.map(|cache| (cache.to_owned(), false)).into_iter().collect();
    for endpoint in mirror.iter().flat_map(|mirror| &mirror.endpoints) {
        hosts.push((endpoint.endpoint.trim_end_matches('/').to_owned(), endpoint.override_path));
    }
    // Without a `server`, containerd falls back to the registry that the image names.
    let server = format!("https://{registry}");
    if skip_fallback {
        // The last host is also the server, so there is nothing left to fall back to.
        if let Some((last, _)) = hosts.last() {
            push_line(&mut text, "server", &Value::String(last.clone()));
        }
    } else if !registry.is_empty() && tls.contains_key(registry) {
        push_line(&mut text, "server", &Value::String(server.clone()));
        hosts.push((server, false));
    }
    for (host, override_path) in hosts {
        let mut table = Table::new();
        table.insert("capabilities".into(), Value::Array(vec!["pull".into(), "resolve".into()]));
        if override_path {
            table.insert("override_path".into(), true.into());
        }
        if let Some(config) = tls.get(authority(&host)) {
            files.extend(tls_files(&directory, authority(&host), config, &mut table));
        }
        text.push_str(&format!("\n[host.{}]\n{table}", Value::String(host)));
    }
    files.push(HostFile {
        path: format!("{directory}/hosts.toml"),
        content: text.trim_start().as_bytes().to_vec(),
        mode: 0o600,
    });
    files
}

fn push_line(text: &mut String, key: &str, value: &Value) {
    text.push_str(&format!("{key} = {value}\n"));
}

/// The certificate files of a host, and the keys that name them.
fn tls_files(
    directory: &str,
    host: &str,
    config: &RegistryTLSConfig,
    table: &mut Table,
) -> Vec<HostFile> {
    let mut files = Vec::new();
    let mut file = |suffix: &str, content: &[u8]| {
        let path = format!("{directory}/{}-{suffix}", directory_name(host));
        files.push(HostFile { path: path.clone(), content: content.to_vec(), mode: 0o600 });
        Value::String(format!("/etc/cri/conf.d/hosts/{path}"))
    };
    if !config.ca.0.is_empty() {
        let path = file("ca.crt", &config.ca.0);
        table.insert("ca".into(), path);
    }
    if let Some(identity) = &config.client_identity {
        let certificate = file("client.crt", &identity.crt.0);
        let key = file("client.key", &identity.key.0);
        table.insert("client".into(), Value::Array(vec![Value::Array(vec![certificate, key])]));
    }
    if config.insecure_skip_verify {
        table.insert("skip_verify".into(), true.into());
    }
    files
}

/// Host and port of a URL.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split_once('/').map_or(rest, |(authority, _)| authority)
}

/// A port is written `_5000_` in a directory name, because a colon is not portable there.
fn directory_name(registry: &str) -> String {
    match registry.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{host}_{port}_")
        }
        _ => registry.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use resource::cri::RegistryEndpointConfig;

    const CACHE: &str = "http://127.0.0.1:3172";

    fn mirror(endpoints: &[(&str, bool)], skip_fallback: bool) -> RegistryMirrorConfig {
        let endpoint = |(endpoint, override_path): &(&str, bool)| RegistryEndpointConfig {
            endpoint: (*endpoint).into(),
            override_path: *override_path,
        };
        RegistryMirrorConfig { endpoints: endpoints.iter().map(endpoint).collect(), skip_fallback }
    }

    fn config(mirrors: &[(&str, RegistryMirrorConfig)]) -> RegistriesConfigSpec {
        RegistriesConfigSpec {
            mirrors: mirrors
                .iter()
                .map(|(name, mirror)| ((*name).into(), mirror.clone()))
                .collect(),
            ..RegistriesConfigSpec::default()
        }
    }

    fn text(files: &[HostFile], path: &str) -> String {
        let file = files.iter().find(|file| file.path == path).unwrap();
        let text = String::from_utf8(file.content.clone()).unwrap();
        text.parse::<Table>().unwrap();
        text
    }

    #[test]
    fn without_mirrors_the_cache_comes_before_every_registry() {
        let files = files(&RegistriesConfigSpec::default(), Some(CACHE));
        assert_eq!(files.len(), 1);
        assert_eq!(
            text(&files, "_default/hosts.toml"),
            "[host.\"http://127.0.0.1:3172\"]\ncapabilities = [\"pull\", \"resolve\"]\n"
        );
        assert_eq!(super::files(&RegistriesConfigSpec::default(), None), []);
    }

    #[test]
    fn mirrors_come_after_the_cache_and_can_be_the_end() {
        let config = config(&[
            ("docker.io", mirror(&[("https://m.example/v2/p/", true)], false)),
            ("localhost:5000", mirror(&[("http://10.5.0.1:5000", false)], true)),
        ]);
        let files = files(&config, Some(CACHE));
        let docker = text(&files, "docker.io/hosts.toml");
        assert!(docker.find(CACHE) < docker.find("https://m.example/v2/p"), "{docker}");
        assert!(docker.contains("override_path = true") && !docker.contains("server"), "{docker}");
        let local = text(&files, "localhost_5000_/hosts.toml");
        assert!(local.starts_with("server = \"http://10.5.0.1:5000\"\n"), "{local}");
    }

    #[test]
    fn tls_material_is_written_beside_and_named() {
        let mut config = config(&[]);
        let tls = RegistryTLSConfig {
            ca: resource::types::Base64Bytes(b"CA".to_vec()),
            insecure_skip_verify: true,
            ..RegistryTLSConfig::default()
        };
        config.tls.insert("r.example".into(), tls);
        let files = files(&config, None);
        let hosts = text(&files, "r.example/hosts.toml");
        assert!(
            hosts.contains("ca = \"/etc/cri/conf.d/hosts/r.example/r.example-ca.crt\""),
            "{hosts}"
        );
        assert!(hosts.contains("skip_verify = true"), "{hosts}");
        assert!(files.iter().any(|file| file.path == "r.example/r.example-ca.crt"));
    }
}
