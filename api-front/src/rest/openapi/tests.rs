use super::*;
use serde_json::Value;
use std::collections::BTreeSet;

/// The paths of the router. axum tells them nowhere but in how it prints itself for a programmer.
fn routed() -> BTreeSet<String> {
    let printed = format!("{:?}", crate::rest::routes());
    let (_, paths) = printed.split_once("paths: {").expect("axum prints its paths");
    let (paths, _) = paths.split_once("} }").expect("axum prints its paths");
    let mut quoted = paths.split('"');
    let mut found = BTreeSet::new();
    while let (Some(_), Some(path)) = (quoted.next(), quoted.next()) {
        found.insert(path.to_owned());
    }
    found.into_iter().filter(|path| !path.starts_with(page::FILES)).collect()
}

fn told() -> Value {
    serde_json::from_slice(&DOCUMENT).expect("the document is JSON")
}

#[test]
fn every_route_is_told_of_and_nothing_else_is() {
    let document = told();
    let paths = document["paths"].as_object().expect("paths").keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(paths, routed());
}

#[test]
fn the_document_is_openapi_3_1_and_its_references_lead_somewhere() {
    let document = told();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")), "{}", document["openapi"]);
    let text = document.to_string();
    let references: BTreeSet<_> =
        text.split("\"#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(references.len() > 40, "{references:?}");
    for name in references {
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
}

#[test]
fn no_call_is_told_of_twice() {
    let calls = ROOMS.iter().flat_map(|(_, calls)| calls.iter());
    let all: Vec<_> = calls.map(|call| format!("{:?} {}", call.operation("", &mut Shapes::new()).summary, call.path())).collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
}
