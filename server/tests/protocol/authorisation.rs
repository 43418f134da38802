//! Who may call what: every route of the OpenAPI document, without credentials and with the wrong kind of them.

use std::collections::BTreeSet;

use emofed::protocol::{ProblemCode, path};
use reqwest::Method;
use serde_json::Value;

use super::harness::{INSTRUCTOR, TestServer, delta, fresh, problem};

/// Routes that need no token. Joining needs the join code instead. Whoever adds a route to this list decides that everybody may
/// call it.
const PUBLIC: [&str; 8] = [
    "GET /api/v2/events",
    "GET /api/v2/manifest",
    "GET /api/v2/openapi.json",
    "GET /blobs/{sha256}",
    "GET /healthz",
    "GET /metrics",
    "GET /readyz",
    "POST /api/v2/participants",
];

/// The kind of token that a route needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Security {
    Public,
    Participant,
    Instructor,
    /// There is none in these tests: no token is right.
    Operator,
}

pub(super) struct Route {
    pub(super) method: Method,
    template: String,
    pub(super) security: Security,
}

impl Route {
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.method, self.template)
    }

    /// The path with a number, or a hash, in place of each parameter.
    pub(super) fn path(&self) -> String {
        let mut parts = self.template.split(['{', '}']);
        let mut path = parts.next().unwrap().to_owned();
        while let Some(parameter) = parts.next() {
            path += if parameter == "sha256" { HASH_OF_NOTHING } else { "1" };
            path += parts.next().unwrap();
        }
        path
    }
}

/// No blob has this name.
const HASH_OF_NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// All routes, as the aggregator describes them.
pub(super) async fn routes(server: &TestServer) -> Vec<Route> {
    let text = server.client.get(server.url("/api/v2/openapi.json")).send().await.unwrap().text().await.unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let mut routes = Vec::new();
    for (template, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let security = match &operation["security"] {
                Value::Null => Security::Public,
                security if security[0].get("participant").is_some() => Security::Participant,
                security if ["instructor", "owner"].iter().any(|role| security[0].get(role).is_some()) => {
                    Security::Instructor
                }
                security if security[0].get("operator").is_some() => Security::Operator,
                security => panic!("{method} {template}: {security}"),
            };
            let method = method.to_uppercase().parse().unwrap();
            routes.push(Route { method, template: template.clone(), security });
        }
    }
    assert!(routes.len() >= 19, "{} routes are described", routes.len());
    routes
}

#[tokio::test]
async fn every_route_that_is_not_listed_as_public_wants_its_own_kind_of_token() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let one = server.join().await;
    let routes = routes(&server).await;
    let described: BTreeSet<String> =
        routes.iter().filter(|route| route.security == Security::Public).map(Route::name).collect();
    assert_eq!(described, BTreeSet::from(PUBLIC.map(str::to_owned)));
    for route in &routes {
        let credentials = [
            ("none", None),
            ("an empty token", Some("")),
            ("an unknown token", Some("unknown")),
            ("the participant's", Some(one.token.as_str())),
            ("the instructor's", Some(INSTRUCTOR)),
        ];
        for (kind, token) in credentials {
            let is_right = match route.security {
                Security::Public => true,
                Security::Participant => token == Some(one.token.as_str()),
                Security::Instructor => token == Some(INSTRUCTOR),
                Security::Operator => false,
            };
            if is_right && route.security != Security::Public {
                continue;
            }
            let mut request = server.client.request(route.method.clone(), server.url(&route.path()));
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let answer = request.send().await.unwrap();
            let (name, status) = (route.name(), answer.status().as_u16());
            if is_right {
                assert!(!matches!(status, 401 | 403 | 405), "{name} with {kind} answers {status}");
            } else {
                assert_eq!(status, 401, "{name} with {kind}");
                assert_eq!(problem(answer).await.code, ProblemCode::Unauthorized, "{name} with {kind}");
            }
        }
    }
    // None of these calls did anything, the deletion of all participants included.
    let manifest = server.manifest().await;
    assert_eq!((manifest.model.version, manifest.round.map(|round| round.id), server.received()), (1, Some(1), 0));
    let update = server.update(1, delta(0.1)).await;
    assert_eq!(server.send(&one, &update).await.status(), 200);
}

#[tokio::test]
async fn joining_wants_the_code_whatever_token_is_sent() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    for token in ["", INSTRUCTOR] {
        let request = server.client.post(server.url(path::PARTICIPANTS)).header("content-type", "application/json");
        let answer = request.bearer_auth(token).body(r#"{"join_code":"wrong"}"#).send().await.unwrap();
        assert_eq!(answer.status(), 403);
        assert_eq!(problem(answer).await.code, ProblemCode::WrongJoinCode);
    }
    assert_eq!(server.federation.participants(), 0);
}

#[tokio::test]
async fn a_method_that_is_not_described_does_not_exist() {
    let folder = fresh();
    let server = TestServer::start(folder.path()).await;
    let routes = routes(&server).await;
    let described: BTreeSet<String> = routes.iter().map(Route::name).collect();
    for route in &routes {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            if described.contains(&format!("{method} {}", route.template)) {
                continue;
            }
            let request = server.client.request(method.clone(), server.url(&route.path()));
            let status = request.bearer_auth(INSTRUCTOR).send().await.unwrap().status();
            assert_eq!(status, 405, "{method} {}", route.template);
        }
    }
}
