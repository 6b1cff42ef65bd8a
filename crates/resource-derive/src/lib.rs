//! Derives `Message` and `Spec` for the structs of the resource model: one struct gives both
//! the protobuf form (field numbers) and the YAML form (keys). It never knows a resource.

#![forbid(unsafe_code)]

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Data, DeriveInput, Expr, Fields, Ident, LitInt, LitStr, Token, parenthesized};

/// `#[derive(Message)]`: a nested struct.
#[proc_macro_derive(Message, attributes(message, field))]
pub fn derive_message(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    run(input, false)
}

/// `#[derive(Spec)]`: a resource's spec, with its definition.
#[proc_macro_derive(Spec, attributes(spec, field))]
pub fn derive_spec(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    run(input, true)
}

fn run(input: proc_macro::TokenStream, spec: bool) -> proc_macro::TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    expand(&input, spec).unwrap_or_else(|error| error.to_compile_error()).into()
}

struct Member {
    ident: Ident,
    number: u32,
    key: String,
    omit: bool,
    inline: bool,
    flatten: bool,
    local: bool,
}

fn expand(input: &DeriveInput, spec: bool) -> syn::Result<TokenStream> {
    let Data::Struct(data) = &input.data else {
        return Err(syn::Error::new_spanned(&input.ident, "only structs carry resource fields"));
    };
    let members = match &data.fields {
        Fields::Named(fields) => {
            fields.named.iter().map(member).collect::<syn::Result<Vec<_>>>()?
        }
        Fields::Unit => Vec::new(),
        Fields::Unnamed(_) => {
            return Err(syn::Error::new_spanned(&input.ident, "fields need names"));
        }
    };
    check_unique(input, &members)?;
    let options = Options::read(input)?;
    let ident = &input.ident;
    let message = message_impl(ident, &members, options.bare);
    let definition = if spec { spec_impl(ident, &options)? } else { TokenStream::new() };
    Ok(quote! { #message #definition })
}

fn check_unique(input: &DeriveInput, members: &[Member]) -> syn::Result<()> {
    for (index, member) in members.iter().enumerate() {
        for other in members.iter().skip(index + 1) {
            if member.number != 0 && member.number == other.number {
                let text = format!("field number {} is used twice", member.number);
                return Err(syn::Error::new_spanned(&input.ident, text));
            }
        }
    }
    Ok(())
}

fn member(field: &syn::Field) -> syn::Result<Member> {
    let ident =
        field.ident.clone().ok_or_else(|| syn::Error::new_spanned(field, "fields need names"))?;
    let mut member = Member {
        key: ident.unraw().to_string(),
        ident,
        number: 0,
        omit: false,
        inline: false,
        flatten: false,
        local: false,
    };
    let Some(attribute) = field.attrs.iter().find(|a| a.path().is_ident("field")) else {
        return Err(syn::Error::new_spanned(field, "missing #[field(<number>, yaml = \"<key>\")]"));
    };
    attribute.parse_args_with(|input: ParseStream| {
        while !input.is_empty() {
            if input.peek(LitInt) {
                member.number = input.parse::<LitInt>()?.base10_parse()?;
            } else {
                let name = Ident::parse_any(input)?;
                match name.to_string().as_str() {
                    "yaml" => {
                        input.parse::<Token![=]>()?;
                        member.key = input.parse::<LitStr>()?.value();
                    }
                    "omit" => member.omit = true,
                    "inline" => member.inline = true,
                    "flatten" => member.flatten = true,
                    "local" => member.local = true,
                    _ => return Err(syn::Error::new_spanned(name, "unknown field option")),
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    })?;
    if member.number == 0 && !member.flatten && !member.local {
        return Err(syn::Error::new_spanned(field, "missing field number"));
    }
    Ok(member)
}

#[derive(Default)]
struct Options {
    type_name: Option<String>,
    namespace: Option<String>,
    aliases: Vec<String>,
    columns: Vec<(String, String)>,
    sensitive: bool,
    bare: bool,
    no_automatic_aliases: bool,
}

struct Column(String, String);

impl Parse for Column {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let inner;
        parenthesized!(inner in input);
        let name = inner.parse::<LitStr>()?.value();
        inner.parse::<Token![,]>()?;
        Ok(Self(name, inner.parse::<LitStr>()?.value()))
    }
}

impl Options {
    fn read(input: &DeriveInput) -> syn::Result<Self> {
        let mut options = Self::default();
        for attribute in &input.attrs {
            if attribute.path().is_ident("spec") || attribute.path().is_ident("message") {
                attribute.parse_args_with(|input: ParseStream| options.parse(input))?;
            }
        }
        Ok(options)
    }

    fn parse(&mut self, input: ParseStream) -> syn::Result<()> {
        while !input.is_empty() {
            let name = Ident::parse_any(input)?;
            match name.to_string().as_str() {
                "type" => {
                    input.parse::<Token![=]>()?;
                    self.type_name = Some(input.parse::<LitStr>()?.value());
                }
                "namespace" => {
                    input.parse::<Token![=]>()?;
                    self.namespace = Some(input.parse::<LitStr>()?.value());
                }
                "aliases" => {
                    input.parse::<Token![=]>()?;
                    let inner;
                    syn::bracketed!(inner in input);
                    let list = Punctuated::<LitStr, Token![,]>::parse_terminated(&inner)?;
                    self.aliases = list.iter().map(LitStr::value).collect();
                }
                "columns" => {
                    input.parse::<Token![=]>()?;
                    let inner;
                    syn::bracketed!(inner in input);
                    let list = Punctuated::<Column, Token![,]>::parse_terminated(&inner)?;
                    self.columns = list.into_iter().map(|c| (c.0, c.1)).collect();
                }
                "sensitive" => self.sensitive = true,
                "bare" => self.bare = true,
                "no_automatic_aliases" => self.no_automatic_aliases = true,
                _ => return Err(syn::Error::new_spanned(name, "unknown spec option")),
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    }
}

fn message_impl(ident: &Ident, members: &[Member], bare: bool) -> TokenStream {
    let encode = members.iter().filter(|m| !m.local).map(|m| {
        let (name, number) = (&m.ident, m.number);
        if m.flatten {
            quote! { ::resource::Message::encode(&self.#name, out); }
        } else {
            quote! { ::resource::Field::encode_field(&self.#name, #number, out); }
        }
    });
    let merge = members.iter().filter(|m| !m.flatten && !m.local).map(|m| {
        let (name, number) = (&m.ident, m.number);
        quote! { #number => {
            ::resource::Field::merge_field(&mut self.#name, wire)
                .map_err(|error| error.in_field(#number))?;
            Ok(true)
        } }
    });
    let flattened: TokenStream = members
        .iter()
        .filter(|m| m.flatten)
        .map(|m| {
            let name = &m.ident;
            quote! { if ::resource::Message::merge(&mut self.#name, number, wire)? { return Ok(true); } }
        })
        .collect();
    let yaml = if bare {
        let inner = members.iter().map(|m| {
            let name = &m.ident;
            quote! { ::resource::Field::field_yaml(&self.#name) }
        });
        quote! { #(#inner)* }
    } else {
        let entries = members.iter().map(yaml_entry);
        quote! {
            #[allow(unused_mut)]
            let mut entries: ::std::vec::Vec<(::std::string::String, ::resource::yaml::Value)> =
                ::std::vec::Vec::new();
            #(#entries)*
            ::resource::yaml::Value::Map(entries)
        }
    };
    quote! {
        impl ::resource::Message for #ident {
            fn encode(&self, out: &mut ::std::vec::Vec<u8>) { #(#encode)* let _ = out; }
            fn merge(&mut self, number: u32, wire: ::resource::Wire<'_>)
                -> ::std::result::Result<bool, ::resource::DecodeError>
            {
                #flattened
                match number { #(#merge)* _ => { let _ = wire; Ok(false) } }
            }
            fn to_yaml(&self) -> ::resource::yaml::Value { #yaml }
        }
        impl ::resource::Element for #ident {
            fn encode_element(&self, number: u32, out: &mut ::std::vec::Vec<u8>) {
                ::resource::encode_nested(self, number, out);
            }
            fn merge_element(&mut self, wire: ::resource::Wire<'_>)
                -> ::std::result::Result<(), ::resource::DecodeError>
            {
                ::resource::merge_nested(self, wire)
            }
            fn element_yaml(&self) -> ::resource::yaml::Value { ::resource::Message::to_yaml(self) }
        }
        impl ::resource::Field for #ident {
            fn encode_field(&self, number: u32, out: &mut ::std::vec::Vec<u8>) {
                if *self != Self::default() {
                    ::resource::encode_nested(self, number, out);
                }
            }
            fn merge_field(&mut self, wire: ::resource::Wire<'_>)
                -> ::std::result::Result<(), ::resource::DecodeError>
            {
                ::resource::merge_nested(self, wire)
            }
            fn field_yaml(&self) -> ::resource::yaml::Value { ::resource::Message::to_yaml(self) }
            fn is_empty_field(&self) -> bool { *self == Self::default() }
        }
    }
}

fn yaml_entry(member: &Member) -> TokenStream {
    let (name, key) = (&member.ident, &member.key);
    if member.inline || member.flatten {
        let inner = if member.flatten {
            quote! { ::resource::Message::to_yaml(&self.#name) }
        } else {
            quote! { ::resource::Field::field_yaml(&self.#name) }
        };
        return quote! {
            if let ::resource::yaml::Value::Map(inner) = #inner {
                entries.extend(inner);
            }
        };
    }
    let push = quote! { entries.push((#key.into(), ::resource::Field::field_yaml(&self.#name))); };
    if member.omit {
        quote! { if !::resource::Field::is_empty_field(&self.#name) { #push } }
    } else {
        push
    }
}

fn spec_impl(ident: &Ident, options: &Options) -> syn::Result<TokenStream> {
    let missing = |what: &str| syn::Error::new_spanned(ident, format!("missing #[spec({what})]"));
    let type_name = options.type_name.as_ref().ok_or_else(|| missing("type = \"…\""))?;
    let namespace = options.namespace.as_ref().ok_or_else(|| missing("namespace = \"…\""))?;
    let aliases = &options.aliases;
    let columns = options.columns.iter().map(|(name, path)| {
        quote! { ::resource::Column { name: #name, path: #path } }
    });
    let sensitive = options.sensitive;
    let automatic: Expr = if options.no_automatic_aliases {
        syn::parse_quote!(false)
    } else {
        syn::parse_quote!(true)
    };
    Ok(quote! {
        impl ::resource::Spec for #ident {
            const DEFINITION: ::resource::Definition = ::resource::Definition {
                type_name: #type_name,
                namespace: #namespace,
                aliases: &[#(#aliases),*],
                automatic_aliases: #automatic,
                columns: &[#(#columns),*],
                sensitive: #sensitive,
                decode: ::resource::decode_erased::<#ident>,
            };
        }
    })
}
