//! Encryption of secrets at rest: the API server's provider document.

use serde_json::{Value, json};

use crate::Object;

/// The document for keys carried by a secrets bundle: the first provider writes, all of them read.
///
/// A cluster without any key stores its secrets as they are.
pub fn from_keys(secretbox: Option<&str>, aes_cbc: Option<&str>) -> Object {
    let mut providers: Vec<Value> = Vec::new();
    if let Some(secret) = secretbox {
        providers.push(json!({ "secretbox": { "keys": [{ "name": "key2", "secret": secret }] } }));
    }
    if let Some(secret) = aes_cbc {
        providers.push(json!({ "aescbc": { "keys": [{ "name": "key1", "secret": secret }] } }));
    }
    providers.push(json!({ "identity": {} }));
    from_providers(providers.into())
}

/// The document for a list of providers that the machine configuration spells out.
pub fn from_providers(providers: Value) -> Object {
    // The kind is the contract's: the API server decodes this short name as its encryption configuration.
    json!({
        "apiVersion": "v1",
        "kind": "EncryptionConfig",
        "resources": [{ "resources": ["secrets"], "providers": providers }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strongest_key_writes() {
        insta::assert_snapshot!(from_keys(Some("S"), Some("A")), @r#"{"apiVersion":"v1","kind":"EncryptionConfig","resources":[{"resources":["secrets"],"providers":[{"secretbox":{"keys":[{"name":"key2","secret":"S"}]}},{"aescbc":{"keys":[{"name":"key1","secret":"A"}]}},{"identity":{}}]}]}"#);
        assert_eq!(from_keys(None, None)["resources"][0]["providers"], json!([{ "identity": {} }]));
    }
}
