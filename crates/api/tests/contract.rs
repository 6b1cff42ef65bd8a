//! The wire contract as a listing: every service, message, field number and type. A number that changes breaks clients
//! that nobody here wrote, so it has to be changed in this listing too, on purpose.
#![cfg(feature = "node")]

use prost::Message;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};

fn type_name(field: &FieldDescriptorProto) -> String {
    let named = || field.type_name().trim_start_matches('.').to_owned();
    let name = match field.r#type() {
        Type::Message | Type::Enum | Type::Group => named(),
        Type::Double => "double".to_owned(),
        Type::Float => "float".to_owned(),
        Type::Int64 => "int64".to_owned(),
        Type::Uint64 => "uint64".to_owned(),
        Type::Int32 => "int32".to_owned(),
        Type::Uint32 => "uint32".to_owned(),
        Type::Bool => "bool".to_owned(),
        Type::String => "string".to_owned(),
        Type::Bytes => "bytes".to_owned(),
        other => format!("{other:?}"),
    };
    let repeated = field.label() == Label::Repeated;
    let optional = field.proto3_optional();
    format!(
        "{}{name}",
        if repeated {
            "[]"
        } else if optional {
            "?"
        } else {
            ""
        }
    )
}

fn message(prefix: &str, message: &DescriptorProto, lines: &mut Vec<String>) {
    let name = format!("{prefix}.{}", message.name());
    let is_entry = message.options.as_ref().is_some_and(|options| options.map_entry());
    if !is_entry {
        let fields: Vec<String> = message
            .field
            .iter()
            .map(|field| format!("{}={} {}", field.name(), field.number(), type_name(field)))
            .collect();
        lines.push(format!("{name} {{{}}}", fields.join(", ")));
    }
    for nested in &message.nested_type {
        self::message(&name, nested, lines);
    }
    for nested in &message.enum_type {
        enumeration(&name, nested, lines);
    }
}

fn enumeration(prefix: &str, found: &EnumDescriptorProto, lines: &mut Vec<String>) {
    let values: Vec<String> =
        found.value.iter().map(|value| format!("{}={}", value.name(), value.number())).collect();
    lines.push(format!("enum {prefix}.{} {{{}}}", found.name(), values.join(", ")));
}

#[test]
fn the_contract_is_as_listed() {
    let set = FileDescriptorSet::decode(api::DESCRIPTORS).unwrap();
    let mut lines = Vec::new();
    for file in set.file.iter().filter(|file| !file.package().starts_with("google.protobuf")) {
        for service in &file.service {
            for rpc in &service.method {
                let stream = |streams: bool| if streams { "stream " } else { "" };
                lines.push(format!(
                    "/{}.{}/{} {}{} -> {}{}",
                    file.package(),
                    service.name(),
                    rpc.name(),
                    stream(rpc.client_streaming()),
                    rpc.input_type().trim_start_matches('.'),
                    stream(rpc.server_streaming()),
                    rpc.output_type().trim_start_matches('.'),
                ));
            }
        }
        for found in &file.message_type {
            message(file.package(), found, &mut lines);
        }
        for found in &file.enum_type {
            enumeration(file.package(), found, &mut lines);
        }
    }
    lines.sort();
    insta::assert_snapshot!(lines.join("\n"));
}
