//! Compiles the interface definitions below `proto/` without protoc, one output directory per protocol family.

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use prost::Message;

struct Family {
    feature: &'static str,
    roots: &'static [&'static str],
    /// Directories below the first root whose files are compiled; files only imported stay out of this list.
    entries: &'static [&'static str],
    /// Fields carried as reference-counted bytes: they are forwarded, not looked at.
    shared_bytes: &'static [&'static str],
}

const FAMILIES: [Family; 4] = [
    Family {
        feature: "node",
        roots: &["proto"],
        entries: &[
            "common",
            "machine",
            "storage",
            "time",
            "inspect",
            "cluster",
            "securityapi",
            "cosi",
            "google",
        ],
        shared_bytes: &[".common.Data.bytes", ".cosi.resource.Spec.proto_spec"],
    },
    Family {
        feature: "containerd",
        roots: &["proto/vendor/containerd", "proto"],
        entries: &["events", "services", "types"],
        shared_bytes: &[".containerd.services.content.v1"],
    },
    Family { feature: "cri", roots: &["proto/vendor/cri"], entries: &["."], shared_bytes: &[] },
    Family {
        feature: "etcd",
        roots: &["proto/vendor/etcd"],
        entries: &["etcd"],
        shared_bytes: &[".etcdserverpb.SnapshotResponse.blob"],
    },
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for family in &FAMILIES {
        let switch = format!("CARGO_FEATURE_{}", family.feature.to_uppercase());
        if env::var_os(switch).is_some() {
            compile(family, &out.join(family.feature))?;
        }
    }
    Ok(())
}

fn compile(family: &Family, out: &Path) -> Result<(), Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in family.entries {
        definitions(&Path::new(family.roots[0]).join(entry), &mut files)?;
    }
    files.sort();
    let descriptors = protox::compile(&files, family.roots)?;
    fs::create_dir_all(out)?;
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    let mut messages = prost_build::Config::new();
    if family.feature != "node" {
        messages.disable_comments(["."]);
    }
    let mut builder = tonic_prost_build::configure()
        .out_dir(out)
        .include_file("mod.rs")
        // Channels are the business of the crates that dial, not of the wire types.
        .build_transport(false)
        // A method that is not built answers Unimplemented by itself.
        .generate_default_stubs(true)
        .emit_rerun_if_changed(false)
        .btree_map(".");
    if family.feature != "node" {
        builder = builder.disable_comments(["."]);
    }
    for path in family.shared_bytes {
        builder = builder.bytes(path);
    }
    builder.compile_fds_with_config(descriptors, messages)?;
    Ok(())
}

fn definitions(dir: &Path, found: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            definitions(&path, found)?;
        } else if path.extension().is_some_and(|ext| ext == "proto") {
            found.push(path);
        }
    }
    Ok(())
}
