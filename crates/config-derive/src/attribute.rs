//! Reads the attributes of a struct and its fields.

use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Meta};

/// What `#[field(...)]` says.
#[derive(Default)]
pub(crate) struct FieldAttributes {
    pub(crate) name: Option<String>,
    pub(crate) keep: bool,
    pub(crate) replace: bool,
    pub(crate) keyed: bool,
    pub(crate) secret: bool,
    pub(crate) inline: bool,
    pub(crate) required: bool,
    pub(crate) ignored: bool,
    pub(crate) default: String,
    pub(crate) instead: String,
    pub(crate) since: String,
    pub(crate) values: String,
    pub(crate) effect: String,
    pub(crate) docs: String,
}

/// What `#[document(...)]` says.
#[derive(Default)]
pub(crate) struct DocumentAttributes {
    pub(crate) kind: String,
    pub(crate) group: String,
    pub(crate) since: String,
    pub(crate) effect: String,
    pub(crate) named: bool,
    pub(crate) control_plane: bool,
}

/// The text of the doc comments, one line per comment line.
pub(crate) fn docs(attributes: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes.iter().filter(|a| a.path().is_ident("doc")) {
        if let Meta::NameValue(pair) = &attribute.meta
            && let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value
        {
            let line = text.value();
            lines.push(line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned());
        }
    }
    lines.join("\n").trim().to_owned()
}

pub(crate) fn field(attributes: &[Attribute]) -> syn::Result<FieldAttributes> {
    let mut found = FieldAttributes { docs: docs(attributes), ..FieldAttributes::default() };
    for attribute in attributes.iter().filter(|a| a.path().is_ident("field")) {
        attribute.parse_nested_meta(|meta| {
            let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
            let text = || meta.value()?.parse::<LitStr>().map(|text| text.value());
            match name.as_str() {
                "name" => found.name = Some(text()?),
                "default" => found.default = text()?,
                "instead" => found.instead = text()?,
                "since" => found.since = text()?,
                "values" => found.values = text()?,
                "effect" => found.effect = text()?,
                "keep" => found.keep = true,
                "replace" => found.replace = true,
                "keyed" => found.keyed = true,
                "secret" => found.secret = true,
                "inline" => found.inline = true,
                "required" => found.required = true,
                "ignored" => found.ignored = true,
                _ => return Err(meta.error("unknown field attribute")),
            }
            Ok(())
        })?;
    }
    Ok(found)
}

pub(crate) fn document(attributes: &[Attribute]) -> syn::Result<Option<DocumentAttributes>> {
    let Some(attribute) = attributes.iter().find(|a| a.path().is_ident("document")) else {
        return Ok(None);
    };
    let mut found = DocumentAttributes::default();
    attribute.parse_nested_meta(|meta| {
        let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        let text = || meta.value()?.parse::<LitStr>().map(|text| text.value());
        match name.as_str() {
            "kind" => found.kind = text()?,
            "group" => found.group = text()?,
            "since" => found.since = text()?,
            "effect" => found.effect = text()?,
            "named" => found.named = true,
            "control_plane" => found.control_plane = true,
            _ => return Err(meta.error("unknown document attribute")),
        }
        Ok(())
    })?;
    if found.kind.is_empty() || found.group.is_empty() || found.since.is_empty() {
        return Err(syn::Error::new_spanned(attribute, "a document needs kind, group and since"));
    }
    Ok(Some(found))
}
