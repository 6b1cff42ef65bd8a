//! Generates the `Section` and `Kind` implementations.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Fields, Ident, Type};

use crate::attribute::{self, DocumentAttributes, FieldAttributes};

struct Member<'a> {
    ident: &'a Ident,
    ty: &'a Type,
    key: String,
    attributes: FieldAttributes,
}

pub(crate) fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let members = members(input)?;
    let section = section(&input.ident, &attribute::docs(&input.attrs), &members);
    let kind = match attribute::document(&input.attrs)? {
        Some(document) => kind(input, &document, &members)?,
        None => TokenStream::new(),
    };
    Ok(quote! { #section #kind })
}

fn members(input: &DeriveInput) -> syn::Result<Vec<Member<'_>>> {
    let Data::Struct(data) = &input.data else {
        return Err(syn::Error::new_spanned(&input.ident, "a section is a struct"));
    };
    let fields = match &data.fields {
        Fields::Named(fields) => fields.named.iter().collect(),
        Fields::Unit => Vec::new(),
        Fields::Unnamed(_) => {
            return Err(syn::Error::new_spanned(&input.ident, "a section has named fields"));
        }
    };
    let mut members = Vec::new();
    for field in fields {
        let Some(ident) = &field.ident else { continue };
        let attributes = attribute::field(&field.attrs)?;
        if attributes.docs.is_empty() && !attributes.inline {
            return Err(syn::Error::new_spanned(ident, "a field needs a doc comment"));
        }
        let key = attributes.name.clone().unwrap_or_else(|| camel_case(&ident.to_string()));
        members.push(Member { ident, ty: &field.ty, key, attributes });
    }
    Ok(members)
}

/// `allow_scheduling_on` becomes `allowSchedulingOn`.
fn camel_case(name: &str) -> String {
    let mut out = String::new();
    for (number, word) in name.trim_start_matches("r#").split('_').enumerate() {
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if number > 0 => out.extend(first.to_uppercase()),
            Some(first) => out.push(first),
            None => {}
        }
        out.push_str(letters.as_str());
    }
    out
}

fn section(name: &Ident, docs: &str, members: &[Member<'_>]) -> TokenStream {
    let (inline, plain): (Vec<_>, Vec<_>) = members.iter().partition(|m| m.attributes.inline);
    let inline_idents: Vec<_> = inline.iter().map(|m| m.ident).collect();
    let idents: Vec<_> = plain.iter().map(|m| m.ident).collect();
    let keys: Vec<_> = plain.iter().map(|m| &m.key).collect();
    let infos = members.iter().map(info);
    let encodes = members.iter().map(|member| {
        let (ident, key) = (member.ident, &member.key);
        if member.attributes.inline {
            quote! { crate::section::Section::encode_entries(&self.#ident, out); }
        } else if member.attributes.keep {
            quote! { out.push((#key.to_owned(), crate::field::Field::encode(&self.#ident))); }
        } else {
            quote! {
                if !crate::field::Field::is_empty(&self.#ident) {
                    out.push((#key.to_owned(), crate::field::Field::encode(&self.#ident)));
                }
            }
        }
    });
    let merges = members.iter().map(|member| {
        let (ident, key) = (member.ident, &member.key);
        if member.attributes.inline {
            quote! { crate::section::Section::merge_fields(&mut self.#ident, &right.#ident)?; }
        } else if member.attributes.replace {
            quote! { crate::field::Field::replace(&mut self.#ident, &right.#ident); }
        } else if member.attributes.keyed {
            quote! {
                crate::list::merge_keyed(&mut self.#ident, &right.#ident)
                    .map_err(|error| error.under(#key))?;
            }
        } else {
            quote! {
                crate::field::Field::merge(&mut self.#ident, &right.#ident)
                    .map_err(|error| error.under(#key))?;
            }
        }
    });
    let redacts = members.iter().map(|member| {
        let ident = member.ident;
        if member.attributes.secret {
            quote! { crate::field::Field::conceal(&mut self.#ident, replacement); }
        } else {
            quote! { crate::field::Field::redact(&mut self.#ident, replacement); }
        }
    });
    quote! {
        impl crate::section::Section for #name {
            const DOCS: &'static str = #docs;
            const FIELDS: &'static [crate::section::FieldInfo] = &[#(#infos),*];

            fn decode_entry(
                &mut self,
                entry: &::yaml::Entry,
                cx: &mut crate::decode::Decoder,
            ) -> crate::section::Known {
                match entry.key.as_str() {
                    #(#keys => crate::section::Known::Yes(
                        crate::field::Field::decode(&mut self.#idents, &entry.value, cx),
                    ),)*
                    _ => {
                        #(
                            let known = crate::section::Section::decode_entry(
                                &mut self.#inline_idents, entry, cx,
                            );
                            if known != crate::section::Known::No {
                                return known;
                            }
                        )*
                        let _ = cx;
                        crate::section::Known::No
                    }
                }
            }

            fn encode_entries(&self, out: &mut Vec<(String, ::yaml::Value)>) {
                let _ = &out;
                #(#encodes)*
            }

            fn merge_fields(&mut self, right: &Self) -> Result<(), crate::merge::MergeError> {
                let _ = right;
                #(#merges)*
                Ok(())
            }

            fn redact_fields(&mut self, replacement: &str) {
                let _ = replacement;
                #(#redacts)*
            }

            fn fields_empty(&self) -> bool {
                true
                    #(&& crate::field::Field::is_unset(&self.#idents))*
                    #(&& crate::section::Section::fields_empty(&self.#inline_idents))*
            }

            fn delete_field(
                &mut self,
                key: &str,
                rest: &[crate::patch::Step],
            ) -> Result<(), crate::patch::LookupError> {
                match key {
                    #(#keys => crate::patch::delete_in(&mut self.#idents, rest),)*
                    _ => {
                        #(
                            if crate::section::has_field(
                                <_ as crate::section::Section>::fields(&self.#inline_idents), key,
                            ) {
                                return crate::section::Section::delete_field(
                                    &mut self.#inline_idents, key, rest,
                                );
                            }
                        )*
                        let _ = rest;
                        Err(crate::patch::LookupError)
                    }
                }
            }
        }
    }
}

fn info(member: &Member<'_>) -> TokenStream {
    let (ty, key) = (member.ty, &member.key);
    let FieldAttributes {
        keep,
        replace,
        keyed,
        secret,
        inline,
        required,
        ignored,
        default,
        instead,
        since,
        values,
        effect,
        docs,
        ..
    } = &member.attributes;
    quote! {
        crate::section::FieldInfo {
            name: #key,
            docs: #docs,
            shape: <#ty as crate::field::Field>::shape,
            default: #default,
            instead: #instead,
            since: #since,
            values: #values,
            effect: #effect,
            keep: #keep,
            replace: #replace,
            keyed: #keyed,
            secret: #secret,
            inline: #inline,
            required: #required,
            ignored: #ignored,
        }
    }
}

fn kind(
    input: &DeriveInput,
    document: &DocumentAttributes,
    members: &[Member<'_>],
) -> syn::Result<TokenStream> {
    let name = &input.ident;
    let DocumentAttributes { kind, group, since, effect, named, control_plane } = document;
    let has_name = members.iter().any(|member| member.key == "name");
    if *named != has_name {
        return Err(syn::Error::new_spanned(
            name,
            "a named document has a field `name`, others not",
        ));
    }
    let document_name = if *named {
        quote! { &self.name }
    } else {
        quote! { "" }
    };
    let example = format!("/examples/{kind}.yaml");
    Ok(quote! {
        impl crate::document::Kind for #name {
            const KIND: &'static str = #kind;
            const GROUP: &'static str = #group;
            const SINCE: &'static str = #since;
            const EFFECT: &'static str = #effect;
            const NAMED: bool = #named;
            const CONTROL_PLANE: bool = #control_plane;
            const EXAMPLE: &'static str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), #example));

            fn name(&self) -> &str {
                #document_name
            }
        }
    })
}
