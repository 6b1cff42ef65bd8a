//! Every type of the contract is there, under its names, with its sensitivity.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use resource::DEFINITIONS;
use resource::meta::{NAMESPACES, ResourceDefinitionSpec};

/// Type, default namespace, `S` when sensitive, short names.
const TYPES: &str = include_str!("types.txt");

fn table() -> Vec<[&'static str; 4]> {
    let row = |line: &'static str| {
        let mut cells = line.split('|');
        [(); 4].map(|()| cells.next().unwrap())
    };
    TYPES.lines().map(row).collect()
}

#[test]
fn there_are_199_types_of_which_38_are_sensitive() {
    assert_eq!(DEFINITIONS.len(), 199);
    assert_eq!(DEFINITIONS.iter().filter(|definition| definition.sensitive).count(), 38);
    let names: BTreeSet<&str> = DEFINITIONS.iter().map(|found| found.type_name).collect();
    assert_eq!(names.len(), 199);
}

#[test]
fn each_type_has_the_names_of_the_contract() {
    let table = table();
    assert_eq!(table.len(), 199);
    for [type_name, namespace, sensitive, aliases] in table {
        let Some(found) = resource::definition(type_name) else { panic!("{type_name} is missing") };
        assert_eq!(found.namespace, namespace, "{type_name}");
        assert_eq!(found.sensitive, sensitive == "S", "{type_name}");
        assert_eq!(found.aliases().join(" "), aliases, "{type_name}");
        let known = NAMESPACES.iter().any(|(name, _)| *name == namespace);
        assert!(known, "{namespace} is no namespace");
    }
}

#[test]
fn a_definition_as_a_resource_says_it_all() {
    let links = resource::definition("LinkStatuses.net.talos.dev").unwrap();
    let spec = ResourceDefinitionSpec::from(links);
    assert_eq!(spec.display_type, "LinkStatus");
    assert_eq!(
        spec.all_aliases,
        [
            "linkstatuses",
            "linkstatuses.net",
            "linkstatuses.net.talos",
            "link",
            "links",
            "linkstatus",
            "ls"
        ]
    );
    let text = resource::yaml::to_string(&resource::Message::to_yaml(&spec));
    let expected = "type: LinkStatuses.net.talos.dev\n\
        displayType: LinkStatus\n\
        defaultNamespace: network\n\
        aliases:\n    - link\n    - links\n    - linkstatus\n    - ls\n\
        allAliases:\n    - linkstatuses\n    - linkstatuses.net\n    - linkstatuses.net.talos\n    \
        - link\n    - links\n    - linkstatus\n    - ls\n\
        printColumns:\n    - name: Alias\n      jsonPath: '{.alias}'\n    \
        - name: Type\n      jsonPath: '{.type}'\n    \
        - name: Kind\n      jsonPath: '{.kind}'\n    \
        - name: Hw Addr\n      jsonPath: '{.hardwareAddr}'\n    \
        - name: Oper State\n      jsonPath: '{.operationalState}'\n    \
        - name: Link State\n      jsonPath: '{.linkState}'\n";
    assert_eq!(text, expected);
}

#[test]
fn every_definition_reads_an_empty_spec() {
    for definition in resource::DEFINITIONS.iter().chain(resource::EXTENSIONS) {
        let spec = (definition.decode)(&[]).unwrap();
        assert!(spec.proto().is_empty(), "{}", definition.type_name);
        assert!(!spec.yaml().is_empty());
    }
}
