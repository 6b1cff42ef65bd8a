//! Derive macros of the configuration language.
//!
//! `#[derive(Section)]` on a struct gives everything the language needs to know about its fields:
//! decoding, encoding, merging, redaction, deletion by path, and the field table from which schema
//! and reference documentation come. With `#[document(...)]` the struct is a whole document kind.
//! The generated code names items of the crate `config`, the only place where it is used.
//!
//! Field attributes, all inside `#[field(...)]`:
//!
//! | attribute | meaning |
//! |---|---|
//! | `name = "certSANs"` | the key, when it is not the camel case of the Rust name |
//! | `keep` | written even when empty |
//! | `replace` | a patch replaces the value instead of merging into it |
//! | `keyed` | list items with the same key merge instead of being appended |
//! | `secret` | concealed by redaction |
//! | `inline` | the fields of this section stand in the parent mapping |
//! | `required` | the field must be given (documentation and schema only; the check is in code) |
//! | `default = "6443"` | what an absent field means |
//! | `instead = "KubeletConfig"` | deprecated; the kind that replaces it |
//! | `ignored` | accepted without effect |
//! | `since = "1.12"` | the first release that knows the field, when later than its kind |
//! | `values = "a, b"` | the accepted words |
//! | `effect = "reboot"` | what a change does to a running node, when not applied at once |
//!
//! Document attributes, inside `#[document(...)]`: `kind = "..."`, `named`, `control_plane`,
//! `since = "1.14"`, `group = "network"`, `effect = "the kubelet restarts"` (for every field without its own).
#![forbid(unsafe_code)]

mod attribute;
mod section;

use proc_macro::TokenStream;

/// Makes a struct a section of the configuration language, or a document kind.
#[proc_macro_derive(Section, attributes(field, document))]
pub fn derive_section(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    section::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
