//! The document that describes the API.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use pf_console::openapi;
use serde_json::Value;

use crate::support::{Console, ask};

/// The document, taken apart.
pub(crate) fn document() -> Value {
    serde_json::from_str(&openapi()).unwrap()
}

/// Every method and path of the document, with the placeholders in paths filled, and its description.
pub(crate) fn operations() -> Vec<(String, String, Value)> {
    let document = document();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let filled = path.replace("{id}", "1").replace("{fingerprint}", &"01".repeat(32));
        for (method, operation) in item.as_object().unwrap() {
            operations.push((method.to_uppercase(), filled.clone(), operation.clone()));
        }
    }
    operations
}

/// The page's types are made of the committed document: one that is old gives it wrong ones.
#[test]
fn the_committed_document_is_that_of_the_routes() {
    let committed = include_str!("../../openapi.json");
    if committed != openapi() {
        let made = concat!(env!("CARGO_TARGET_TMPDIR"), "/openapi.json");
        std::fs::write(made, openapi()).unwrap();
        panic!(
            "crates/pf-console/openapi.json is not what the routes say. If the routes are right, put {made} in its \
             place; `punktfunk-host openapi` prints the same."
        );
    }
}

#[test]
fn every_route_of_the_contract_is_there() {
    let expected = [
        "DELETE /api/v1/devices/{fingerprint}",
        "DELETE /api/v1/pairing/window",
        "DELETE /api/v1/sessions/{id}",
        "DELETE /api/v1/sign-in",
        "DELETE /api/v1/sign-ins/{id}",
        "GET /api/v1/audit",
        "GET /api/v1/devices",
        "GET /api/v1/events",
        "GET /api/v1/openapi.json",
        "GET /api/v1/pairing",
        "GET /api/v1/requests",
        "GET /api/v1/sessions",
        "GET /api/v1/sign-in",
        "GET /api/v1/sign-ins",
        "GET /api/v1/status",
        "PATCH /api/v1/devices/{fingerprint}",
        "POST /api/v1/pairing/window",
        "POST /api/v1/proof",
        "POST /api/v1/requests/{id}/approve",
        "POST /api/v1/requests/{id}/deny",
        "POST /api/v1/sign-in",
        "POST /api/v1/sign-in-links",
        "PUT /api/v1/password",
    ];
    let document = document();
    let there: BTreeSet<_> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    assert_eq!(there, expected.map(str::to_owned).into());
}

/// A script that trusts the document meets an answer that is not in it.
#[test]
fn every_refusal_is_documented_with_its_shape() {
    for (method, path, operation) in operations() {
        let responses = operation["responses"].as_object().unwrap();
        let mut needed = BTreeSet::from(["421", "500", "503"]);
        if operation["security"] != serde_json::json!([{}]) {
            needed.insert("401");
        }
        if method != "GET" {
            needed.extend(["403", "413", "415"]);
        }
        if operation.get("requestBody").is_some() {
            needed.extend(["400", "408", "422"]);
        }
        for status in needed {
            assert!(responses.contains_key(status), "{method} {path}: {status}");
        }
        for (status, response) in responses.iter().filter(|(status, _)| !status.starts_with('2')) {
            let schema = &response["content"]["application/json"]["schema"]["$ref"];
            assert_eq!(schema, "#/components/schemas/Refusal", "{method} {path}: {status}");
        }
    }
}

/// A generated client has two functions of one name.
#[test]
fn every_operation_has_a_name_of_its_own() {
    let names: Vec<_> =
        operations().into_iter().map(|(.., operation)| operation["operationId"].to_string()).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
}

#[tokio::test]
async fn the_document_is_served() {
    let console = Console::new().await;
    let cookie = console.sign_in().await;
    let answer = ask("GET", "/openapi.json").cookie(&cookie).of(&console).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.text(), openapi());
}
