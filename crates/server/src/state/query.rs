//! Queries as they come over the wire, turned into the store's.
//!
//! Must never: take a term it does not understand for one that matches.

use api::cosi::resource::{IdQuery, LabelQuery as WireQuery, LabelTerm as WireTerm, label_term};
use resource::Name;
use runtime::store::{LabelOperation, LabelQuery, LabelTerm, Query};
use tonic::Status;

/// Terms of a query are ANDed, queries are ORed, the id has to match besides.
pub(super) fn parse(labels: &[WireQuery], id: Option<&IdQuery>) -> Result<Query, Status> {
    let mut query = Query::everything();
    for wanted in labels {
        let terms = wanted.terms.iter().map(term).collect::<Result<Vec<_>, _>>()?;
        // A query without terms matches everything and says nothing.
        if !terms.is_empty() {
            query = query.or_labels(LabelQuery { terms });
        }
    }
    match id {
        Some(id) if !id.regexp.is_empty() => query
            .with_id_pattern(&id.regexp)
            .map_err(|error| Status::invalid_argument(crate::cause::chain(&error))),
        _ => Ok(query),
    }
}

fn term(wire: &WireTerm) -> Result<LabelTerm, Status> {
    use label_term::Operation;
    let operation = Operation::try_from(wire.op).map_err(|_| {
        Status::invalid_argument(format!("label query: unknown operation {}", wire.op))
    })?;
    let value = || -> Result<Name, Status> {
        match wire.value.as_slice() {
            [value] => Ok(Name::from(value.as_str())),
            values => Err(Status::invalid_argument(format!(
                "label query: {} of label {:?} takes one value, not {}",
                operation.as_str_name(),
                wire.key,
                values.len()
            ))),
        }
    };
    let (operation, negated) = match operation {
        Operation::Exists => (LabelOperation::Exists, false),
        Operation::NotExists => (LabelOperation::Exists, true),
        Operation::Equal => (LabelOperation::Equal(value()?), false),
        Operation::In => {
            let values = wire.value.iter().map(|value| Name::from(value.as_str())).collect();
            (LabelOperation::In(values), false)
        }
        Operation::Lt => (LabelOperation::Less(value()?), false),
        Operation::Lte => (LabelOperation::LessOrEqual(value()?), false),
        Operation::LtNumeric => (LabelOperation::LessNumeric(value()?), false),
        Operation::LteNumeric => (LabelOperation::LessOrEqualNumeric(value()?), false),
    };
    Ok(LabelTerm { key: Name::from(wire.key.as_str()), operation, invert: wire.invert != negated })
}

#[cfg(test)]
mod tests {
    use resource::Metadata;

    use super::*;

    fn wire(key: &str, op: label_term::Operation, value: &[&str], invert: bool) -> WireTerm {
        let value = value.iter().map(ToString::to_string).collect();
        WireTerm { key: key.into(), op: op.into(), value, invert }
    }

    fn labelled(id: &str, labels: &[(&str, &str)]) -> Metadata {
        let mut metadata = Metadata::new("ns".into(), "T.x", id.into());
        metadata.labels =
            labels.iter().map(|(key, value)| (Name::from(*key), Name::from(*value))).collect();
        metadata
    }

    #[test]
    fn terms_are_and_queries_are_or() {
        use label_term::Operation::{Equal, Exists, NotExists};
        let both = WireQuery {
            terms: vec![wire("a", Equal, &["1"], false), wire("b", Exists, &[], false)],
        };
        let neither = WireQuery {
            terms: vec![wire("a", NotExists, &[], false), wire("b", Exists, &[], true)],
        };
        let query = parse(&[both, neither], None).unwrap();
        for (labels, matches) in [
            (&[("a", "1"), ("b", "x")][..], true),
            (&[("a", "1")], false),
            (&[("b", "x")], false),
            (&[], true),
            (&[("c", "x")], true),
        ] {
            assert_eq!(query.matches(&labelled("x", labels)), matches, "{labels:?}");
        }
    }

    #[test]
    fn an_id_has_to_match_the_pattern() {
        let id = IdQuery { regexp: "^eth[0-9]$".into() };
        let query = parse(&[], Some(&id)).unwrap();
        assert!(query.matches(&labelled("eth0", &[])));
        assert!(!query.matches(&labelled("eth10", &[])));
        assert!(parse(&[], Some(&IdQuery::default())).unwrap().is_everything());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        use label_term::Operation::{Equal, Lt};
        for bad in [
            wire("a", Equal, &[], false),
            wire("a", Lt, &["1", "2"], false),
            WireTerm { op: 99, ..Default::default() },
        ] {
            let query = WireQuery { terms: vec![bad] };
            assert_eq!(parse(&[query], None).unwrap_err().code(), tonic::Code::InvalidArgument);
        }
        let id = IdQuery { regexp: "(".into() };
        assert_eq!(parse(&[], Some(&id)).unwrap_err().code(), tonic::Code::InvalidArgument);
    }
}
