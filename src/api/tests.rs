//! Every route from request to response.

mod record_schema;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use super::testing::{Answer, ask, edge, get, hub, post, put, put_coded, send};
use super::{BODY_BYTES_MAX, guarded};
use crate::runtime::health::Status;
use crate::wire::figure::Figure;

/// Asserts that an answer is the RFC 9457 problem of its status, and returns its detail.
fn problem(answer: &Answer, status: StatusCode, kind: &str) -> String {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let body = answer.json();
    assert_eq!(body["type"], format!("urn:parkgate:problem:{kind}"));
    assert_eq!(body["status"], status.as_u16());
    assert!(!body["title"].as_str().unwrap().is_empty());
    body["detail"].as_str().unwrap_or_default().to_owned()
}

fn figures(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.json()["figures"].as_array().unwrap().clone()
}

const DAY: &str = "from=2026-10-05T08:00:00%2B07:00&to=2026-10-05T10:00:00%2B07:00";

#[tokio::test]
async fn a_closed_window_answers_its_record_and_an_open_one_what_was_measured_so_far() {
    let edge = edge(None);
    let uri = format!("/api/v1/values?scope=site:tt-main&kpi=electricity&grain=hour&{DAY}");
    let found = figures(&get(&edge.api, &uri).await);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0]["value"]["value"], 60.0);
    assert_eq!(
        (&found[0]["revision"], &found[0]["closed"], &found[0]["status"]),
        (&json!(2), &json!(true), &json!("closed"))
    );
    assert_eq!(found[0]["unit"], "kW.h");
    assert_eq!(found[1]["value"]["value"], 20.0);
    assert_eq!(found[1]["value"]["flags"], json!(["window_open"]));
    assert_eq!(
        (&found[1]["revision"], &found[1]["closed"], &found[1]["status"]),
        (&Value::Null, &json!(false), &json!("provisional"))
    );
    assert_eq!(found[1]["facts"]["electricity_micro_kwh"], 20_000_000);
    assert_eq!((&found[1]["sites_reporting"], &found[1]["sites_expected"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn an_answer_is_what_another_process_reads_as_figures() {
    let edge = edge(None);
    let uri = format!("/api/v1/values?scope=site:tt-main&grain=hour&{DAY}");
    let found: Vec<Figure> = figures(&get(&edge.api, &uri).await)
        .into_iter()
        .map(|figure| serde_json::from_value(figure).unwrap())
        .collect();
    assert_eq!(found.len(), 2 * crate::engine::kpi::CATALOGUE.len());
    for figure in &found {
        assert_eq!(figure.value.value.is_none(), figure.value.reason.is_some(), "{}", figure.value.kpi);
    }
}

#[tokio::test]
async fn a_value_of_another_years_factor_is_provisional_although_its_window_is_closed() {
    let edge = edge(None);
    let found =
        figures(&get(&edge.api, &format!("/api/v1/values?scope=site:tt-main&kpi=scope_2&grain=hour&{DAY}")).await);
    assert_eq!((&found[0]["closed"], &found[0]["status"]), (&json!(true), &json!("provisional")));
    assert!(found[0]["value"]["factors"][0]["year"].as_i64().unwrap() < 2026);
}

#[tokio::test]
async fn minutes_without_a_record_are_closed_once_they_are_measured() {
    let edge = edge(None);
    let uri = "/api/v1/values?scope=site:tt-main&kpi=electricity&grain=5min\
               &from=2026-10-05T09:15:00%2B07:00&to=2026-10-05T09:25:00%2B07:00";
    let found = figures(&get(&edge.api, uri).await);
    let seen: Vec<_> = found.iter().map(|figure| (&figure["value"]["value"], &figure["closed"])).collect();
    assert_eq!(seen, [(&json!(5.0), &json!(true)), (&Value::Null, &json!(false))]);
}

#[tokio::test]
async fn a_missing_value_is_null_with_the_reason_that_fits() {
    let edge = edge(None);
    let reason = async |scope: &str, kpi: &str, grain: &str, from: &str| {
        let uri =
            format!("/api/v1/values?scope={scope}&kpi={kpi}&grain={grain}&from={from}T08:00:00Z&to={from}T08:01:00Z");
        let value = figures(&get(&edge.api, &uri).await).swap_remove(0)["value"].clone();
        assert_eq!(value["value"], Value::Null);
        value["reason"].as_str().unwrap().to_owned()
    };
    assert_eq!(reason("site:tt-main", "electricity", "day", "2025-01-01").await, "no_data");
    assert_eq!(reason("site:tt-main", "availability", "day", "2025-01-01").await, "no_input");
    assert_eq!(reason("asset:tt-main/press-1", "electricity", "hour", "2025-01-01").await, "no_input");
    assert_eq!(reason("asset:tt-main/press-1", "oee", "minute", "2025-01-01").await, "below_finest_grain");
    assert_eq!(reason("site:tt-main", "electricity", "hour", "2030-01-01").await, "no_data");
}

#[tokio::test]
async fn without_a_span_the_running_window_is_answered() {
    let edge = edge(None);
    let found =
        figures(&get(&edge.api, "/api/v1/values?scope=asset:tt-main/press-1&kpi=availability&grain=hour").await);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["value"]["value"], 0.75);
    assert_eq!(found[0]["window"]["start"], "2026-10-05T02:00:00.000Z");
}

#[tokio::test]
async fn a_plus_that_was_not_percent_encoded_is_understood() {
    let edge = edge(None);
    let uri = "/api/v1/values?scope=site:tt-main&kpi=electricity&grain=hour\
               &from=2026-10-05T08:00:00+07:00&to=2026-10-05T09:00:00+07:00";
    assert_eq!(figures(&get(&edge.api, uri).await)[0]["value"]["value"], 60.0);
}

#[tokio::test]
async fn a_request_that_cant_be_understood_is_a_problem_that_says_what_to_write() {
    let edge = edge(None);
    let site = "/api/v1/values?scope=site:tt-main";
    for (uri, words) in [
        ("/api/v1/values".to_owned(), "scope"),
        (format!("{site}&grain=week"), "\"week\" is not a grain"),
        (format!("{site}&grain=hour&kpi=eoo"), "\"eoo\" is not in the catalogue: availability"),
        (format!("{site}&grain=hour&from=yesterday"), "from: \"yesterday\" is not an instant"),
        (format!("{site}&grain=hour&from=2026-10-06T00:00:00Z&to=2026-10-05T00:00:00Z"), "is not before"),
        (format!("{site}&grain=hour&form=2026-10-06T00:00:00Z"), "form"),
        ("/api/v1/values?scope=machine:x&grain=hour".to_owned(), "is not a scope"),
        (format!("{site}&grain=minute&from=2026-10-01T00:00:00Z&to=2026-10-05T00:00:00Z"), "at most 1000"),
        (format!("{site}&grain=day&from=2020-01-01T00:00:00Z&to=2026-10-05T00:00:00Z"), "at most 1000"),
        (format!("{site}&grain=year&from=1970-01-01T00:00:00Z&to=2026-10-05T00:00:00Z"), "days are asked for"),
    ] {
        let answer = get(&edge.api, &uri).await;
        let detail = problem(&answer, StatusCode::BAD_REQUEST, "bad-request");
        assert!(detail.contains(words), "{uri}: {detail}");
    }
}

#[tokio::test]
async fn a_scope_of_somewhere_else_is_not_found() {
    let edge = edge(None);
    for scope in ["site:other", "asset:tt-main/press-9", "park:tan-thuan"] {
        let answer = get(&edge.api, &format!("/api/v1/values?scope={scope}&grain=hour")).await;
        assert!(problem(&answer, StatusCode::NOT_FOUND, "not-found").contains(scope));
    }
}

#[tokio::test]
async fn whatever_is_answered_wrong_is_a_problem() {
    let edge = edge(None);
    problem(&get(&edge.api, "/api/v1/nothing").await, StatusCode::NOT_FOUND, "not-found");
    problem(&get(&edge.api, "/docs/nothing.js").await, StatusCode::NOT_FOUND, "not-found");
    let answer = ask(&edge.api, "DELETE", "/api/v1/kpis").await;
    problem(&answer, StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed");
    assert_eq!(answer.header("allow"), "GET,HEAD");
    let answer = ask(&edge.api, "PUT", "/api/v1/gateways/tt-0042/streams/hepza/1/pages/1").await;
    problem(&answer, StatusCode::NOT_FOUND, "not-found");
}

#[tokio::test]
async fn a_handler_that_panics_answers_a_problem_without_its_words() {
    let edge = edge(None);
    #[expect(unreachable_code, reason = "a handler must return something")]
    let broken = Router::new().route(
        "/broken",
        axum::routing::get(|| async {
            panic!("s3cret");
            ""
        }),
    );
    let request = Request::get("/broken").body(Body::empty()).unwrap();
    let answer = send(guarded(broken, &edge.api), request).await;
    let detail = problem(&answer, StatusCode::INTERNAL_SERVER_ERROR, "internal");
    assert!(!detail.contains("s3cret"));
}

#[tokio::test]
async fn without_the_token_nothing_is_served_and_with_it_everything() {
    let edge = edge(Some("s3cret"));
    for uri in ["/api/v1/kpis", "/api/v1/health", "/api/v1/openapi.json", "/metrics", "/docs/", "/nothing"] {
        let answer = get(&edge.api, uri).await;
        problem(&answer, StatusCode::UNAUTHORIZED, "unauthorized");
        assert_eq!(answer.headers.get_all("www-authenticate").iter().count(), 2);
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    for (authorization, status) in [
        ("Bearer s3cret", StatusCode::OK),
        ("Basic YWRtaW46czNjcmV0", StatusCode::OK),
        ("Bearer secret", StatusCode::UNAUTHORIZED),
    ] {
        let request = Request::get("/api/v1/kpis").header("authorization", authorization).body(Body::empty()).unwrap();
        assert_eq!(send(guarded(super::router(&edge.api), &edge.api), request).await.status, status);
    }
}

#[tokio::test]
async fn metrics_are_the_health_board_for_a_scraper() {
    let edge = edge(None);
    edge.api.health.count("sink.hepza", "delivered_pages", 7);
    let answer = get(&edge.api, "/metrics").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert!(
        answer.text().contains("\nparkgate_delivered_pages_total{component=\"sink.hepza\"} 7\n"),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn without_a_token_a_name_that_was_resolved_to_this_machine_is_refused() {
    let edge = edge(None);
    let request = Request::get("/api/v1/kpis").header("host", "evil.example").body(Body::empty()).unwrap();
    let answer = send(guarded(super::router(&edge.api), &edge.api), request).await;
    assert!(problem(&answer, StatusCode::FORBIDDEN, "forbidden").contains("evil.example"));
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let edge = edge(None);
    for uri in ["/api/v1/kpis", "/docs/", "/nothing"] {
        let answer = get(&edge.api, uri).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("x-frame-options"), "DENY");
    }
}

#[tokio::test]
async fn the_catalogue_says_what_each_kpi_is_and_reveals() {
    let edge = edge(None);
    let answer = get(&edge.api, "/api/v1/kpis").await;
    let kpis = answer.json()["kpis"].as_array().unwrap().clone();
    let oee = kpis.iter().find(|kpi| kpi["id"] == "oee").unwrap();
    assert_eq!(oee["finest_grain"], "15min");
    for name in [
        "name_en",
        "name_vi",
        "family",
        "definition_en",
        "definition_vi",
        "formula",
        "unit",
        "standard",
        "no_value_en",
        "no_value_vi",
    ] {
        assert!(!oee[name].as_str().unwrap().is_empty(), "{name}");
    }
    assert!(oee["measures"].as_array().unwrap().contains(&json!("apt_ms")));
}

#[tokio::test]
async fn a_box_lists_its_site_and_assets_and_itself() {
    let edge = edge(None);
    let scopes = get(&edge.api, "/api/v1/scopes").await.json();
    assert_eq!(
        scopes["scopes"],
        json!([
            { "scope": "site:tt-main", "kind": "site", "name": null, "parent": null, "product_unit": "piece" },
            { "scope": "asset:tt-main/press-1", "kind": "unit", "name": "Máy dập <1>", "parent": "site:tt-main", "product_unit": "piece" },
        ])
    );
    let gateways = get(&edge.api, "/api/v1/gateways").await.json();
    assert_eq!(gateways["gateways"][0]["gateway"], "tt-0042");
}

#[tokio::test]
async fn health_is_503_while_a_guarantee_is_lost() {
    let edge = edge(None);
    edge.health.set("store", Status::Ok, "", super::testing::now());
    edge.health.count("store", "commits", 3);
    let answer = get(&edge.api, "/api/v1/health").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["components"]["store"]["counts"]["commits"], 3);
    edge.health.set("store", Status::Failed, "disk full", super::testing::now());
    let answer = get(&edge.api, "/api/v1/health").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["components"]["store"]["detail"], "disk full");
    assert_eq!(answer.header("content-type"), "application/json");
}

#[tokio::test]
async fn a_page_gets_a_receipt_and_the_same_page_the_same_receipt() {
    let hub = hub();
    let first = put(&hub.api, &hub.pages[0], &hub.pages[0].jws).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.text());
    assert_eq!(first.json()["accepted_through"], 1);
    let again = put(&hub.api, &hub.pages[0], &hub.pages[0].jws).await;
    assert_eq!((again.status, again.body), (StatusCode::OK, first.body));
}

#[tokio::test]
async fn a_page_that_cant_be_taken_is_a_problem_the_sender_can_act_on() {
    let hub = hub();
    let pages = hub.pages.clone();
    let answer = put(&hub.api, &pages[1], &pages[1].jws).await;
    problem(&answer, StatusCode::CONFLICT, "gap");
    assert_eq!(answer.json()["accepted_through"], 0);
    problem(&put(&hub.api, &pages[0], &pages[1].jws).await, StatusCode::FORBIDDEN, "forbidden");
    let mut stranger = pages[0].clone();
    stranger.gateway = crate::model::id::GatewayId::new("stranger").unwrap();
    problem(&put(&hub.api, &stranger, &stranger.jws).await, StatusCode::FORBIDDEN, "forbidden");
    let mut garbage = pages[0].clone();
    garbage.bytes = b"{}".to_vec();
    problem(&put(&hub.api, &garbage, &garbage.jws).await, StatusCode::UNPROCESSABLE_ENTITY, "malformed");
    garbage.bytes = vec![b' '; BODY_BYTES_MAX + 1];
    problem(&put(&hub.api, &garbage, &garbage.jws).await, StatusCode::PAYLOAD_TOO_LARGE, "too-large");
    let unsigned = ask(&hub.api, "PUT", "/api/v1/gateways/tt-0042/streams/hepza/1/pages/1").await;
    assert!(problem(&unsigned, StatusCode::BAD_REQUEST, "bad-request").contains("x-jws-signature"));
    let unnumbered = ask(&hub.api, "PUT", "/api/v1/gateways/tt-0042/streams/hepza/1/pages/one").await;
    problem(&unnumbered, StatusCode::BAD_REQUEST, "bad-request");
}

#[tokio::test]
async fn what_a_gateway_says_of_itself_stands_beside_it_in_the_hub() {
    let hub = hub().delivered().await;
    let told = |gateway: &str| {
        let status = crate::wire::status::GatewayStatus {
            form: crate::wire::status::FORM,
            gateway: crate::model::id::GatewayId::new(gateway).unwrap(),
            at: super::testing::now(),
            version: "0.1.0".to_owned(),
            next_within_s: 900,
            components: vec![],
            backlog: crate::wire::status::BacklogStatus { pages: 3, bytes: 900, seconds: 60 },
        };
        serde_json::to_vec(&status).unwrap()
    };
    let uri = "/api/v1/gateways/tt-0042/status";
    let answer = super::testing::tell(&hub.api, uri, told("tt-0042")).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text());
    let listed = get(&hub.api, "/api/v1/gateways").await.json();
    let status = &listed["gateways"][0]["status"];
    assert_eq!((&status["version"], &status["backlog_pages"]), (&json!("0.1.0"), &json!(3)));
    problem(&super::testing::tell(&hub.api, uri, told("tt-0043")).await, StatusCode::UNPROCESSABLE_ENTITY, "malformed");
    problem(&ask(&hub.api, "PUT", uri).await, StatusCode::BAD_REQUEST, "bad-request");
    let stranger = super::testing::tell(&hub.api, "/api/v1/gateways/stranger/status", told("stranger")).await;
    problem(&stranger, StatusCode::FORBIDDEN, "forbidden");
}

#[tokio::test]
async fn a_compressed_page_is_unpacked_up_to_what_a_plain_one_may_have() {
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    };
    let hub = hub();
    let page = &hub.pages[0];
    let answer = put_coded(&hub.api, page, "gzip", gzip(&page.bytes)).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    let plain = put(&hub.api, page, &page.jws).await;
    assert_eq!((plain.status, plain.body), (StatusCode::OK, answer.body));
    let bomb = gzip(&vec![b' '; BODY_BYTES_MAX + 1]);
    assert!(bomb.len() < 10_000);
    let answer = put_coded(&hub.api, page, "gzip", bomb).await;
    problem(&answer, StatusCode::PAYLOAD_TOO_LARGE, "too-large");
    let answer = put_coded(&hub.api, page, "gzip", page.bytes.clone()).await;
    problem(&answer, StatusCode::BAD_REQUEST, "bad-request");
    let answer = put_coded(&hub.api, page, "br", page.bytes.clone()).await;
    problem(&answer, StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-encoding");
}

#[tokio::test]
async fn the_hub_answers_park_site_and_asset_from_the_pages_it_holds() {
    let hub = hub().delivered().await;
    for (scope, reporting, expected) in
        [("site:tt-main", 1, 1), ("park:tan-thuan", 1, 2), ("province:ho-chi-minh", 1, 2)]
    {
        let uri = format!("/api/v1/values?scope={scope}&kpi=electricity&grain=hour&{DAY}");
        let found = figures(&get(&hub.api, &uri).await);
        assert_eq!(found[0]["value"]["value"], 60.0, "{scope}");
        assert_eq!((&found[0]["sites_reporting"], &found[0]["sites_expected"]), (&json!(reporting), &json!(expected)));
    }
    let answer = get(&hub.api, "/api/v1/values?scope=park:nowhere&grain=hour").await;
    problem(&answer, StatusCode::NOT_FOUND, "not-found");
}

#[tokio::test]
async fn the_hub_lists_its_directory() {
    let hub = hub().delivered().await;
    let scopes = get(&hub.api, "/api/v1/scopes").await.json();
    let listed: Vec<_> = scopes["scopes"].as_array().unwrap().iter().map(|scope| scope["scope"].clone()).collect();
    assert_eq!(listed[..3], [json!("province:ho-chi-minh"), json!("park:tan-thuan"), json!("site:silent")]);
    assert!(listed.contains(&json!("asset:tt-main/site")));
    let gateways = get(&hub.api, "/api/v1/gateways").await.json();
    let known = &gateways["gateways"];
    assert_eq!((&known[0]["gateway"], &known[0]["connected"]), (&json!("tt-0042"), &json!(true)));
    assert_eq!((&known[0]["streams"][0]["last_page"], &known[1]["connected"]), (&json!(2), &json!(false)));
}

/// Collects every property of a schema, references and compositions followed.
fn properties(document: &Value, schema: &Value) -> Vec<(String, Value)> {
    if let Some(reference) = schema["$ref"].as_str() {
        return properties(document, document.pointer(&reference[1..]).unwrap_or_else(|| panic!("{reference}")));
    }
    let own = schema["properties"].as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone()));
    let parts = ["allOf", "oneOf"].iter().flat_map(|part| schema[*part].as_array().into_iter().flatten());
    own.chain(parts.flat_map(|part| properties(document, part))).collect()
}

/// Asserts that the schema names exactly the fields that are sent, all the way down.
fn conforms(document: &Value, schema: &Value, sent: &Value, path: &str) {
    match sent {
        Value::Object(fields) => {
            let known = properties(document, schema);
            if known.is_empty() {
                return;
            }
            for (name, value) in fields {
                let (_, inner) = known
                    .iter()
                    .find(|(known, _)| known == name)
                    .unwrap_or_else(|| panic!("{path}.{name} is not in the document"));
                conforms(document, inner, value, &format!("{path}.{name}"));
            }
        }
        Value::Array(items) => items.iter().for_each(|item| conforms(document, &schema["items"], item, path)),
        _ => {}
    }
}

#[tokio::test]
async fn the_openapi_document_describes_what_is_sent() {
    let hub = hub().delivered().await;
    let edge = edge(None);
    edge.health.count("store", "commits", 3);
    let document = get(&hub.api, "/api/v1/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["license"]["identifier"], "Apache-2.0");
    assert!(!document["info"]["description"].as_str().unwrap().is_empty());
    for path in ["kpis", "reference", "scopes", "gateways", "health"] {
        let schema = &document["paths"][format!("/api/v1/{path}")]["get"]["responses"]["200"]["content"]["application/json"]
            ["schema"];
        for api in [&edge.api, &hub.api] {
            conforms(&document, schema, &get(api, &format!("/api/v1/{path}")).await.json(), path);
        }
    }
    let schema =
        &document["paths"]["/api/v1/values"]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
    for api in [&edge.api, &hub.api] {
        let answer = get(api, &format!("/api/v1/values?scope=site:tt-main&grain=hour&{DAY}")).await.json();
        conforms(&document, schema, &answer, "values");
    }
}

#[tokio::test]
async fn every_path_of_the_document_is_routed_and_declares_its_errors() {
    for (api, routes) in [(edge(None).api, 15), (hub().api, 9)] {
        let document = get(&api, "/api/v1/openapi.json").await.json();
        let paths = document["paths"].as_object().unwrap();
        assert_eq!(paths.len(), routes, "{:?}", paths.keys());
        for (path, methods) in paths {
            let filled =
                ["gateway", "stream", "epoch", "seq", "channel", "id"].iter().fold(path.clone(), |path, name| {
                    path.replace(&format!("{{{name}}}"), if ["epoch", "seq", "id"].contains(name) { "1" } else { "x" })
                });
            for (method, operation) in methods.as_object().unwrap() {
                let answer = ask(&api, &method.to_uppercase(), &filled).await;
                let status = answer.status.as_u16().to_string();
                assert!(operation["responses"].get(&status).is_some(), "{method} {path} answered {status}");
                for declared in ["400", "401", "403", "413", "500", "503"] {
                    assert!(operation["responses"].get(declared).is_some(), "{method} {path} hides {declared}");
                }
                assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn the_documentation_pages_need_nothing_from_elsewhere() {
    let edge = edge(None);
    let answer = get(&edge.api, "/docs").await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/docs/"));
    let index = get(&edge.api, "/docs/").await;
    assert_eq!(index.status, StatusCode::OK);
    assert!(!index.text().contains("://"), "{}", index.text());
    for asset in ["swagger-ui-bundle.js", "swagger-ui.css", "swagger-initializer.js"] {
        assert!(index.text().contains(asset), "{asset}");
        assert_eq!(get(&edge.api, &format!("/docs/{asset}")).await.status, StatusCode::OK, "{asset}");
    }
    let script = get(&edge.api, "/docs/swagger-initializer.js").await.text();
    assert!(script.contains("/api/v1/openapi.json") && !script.contains("://"), "{script}");
}

#[tokio::test]
async fn a_declaration_goes_from_one_person_to_another_and_no_name_comes_back() {
    let edge = edge(None);
    let post = |uri: &'static str, body: &'static str| post(&edge.api, uri, body);
    let body = r#"{"person": "Lê An", "declaration": {"kind": "waste", "stream": "recycled", "period": "2026-09", "quantity": 12.5, "unit": "t", "document": "BB-1"}}"#;
    let entered = post("/api/v1/declarations", body).await;
    assert_eq!(entered.status, StatusCode::CREATED, "{}", entered.text());
    assert_eq!((&entered.json()["id"], &entered.json()["standing"]), (&1.into(), &"waiting".into()));
    assert_eq!(post("/api/v1/declarations", body).await.status, StatusCode::CONFLICT, "twice the same");
    for (uri, body, status) in [
        ("/api/v1/declarations/1/approve", r#"{"person": " lê  AN"}"#, StatusCode::FORBIDDEN),
        ("/api/v1/declarations/1/approve", r#"{"person": ""}"#, StatusCode::BAD_REQUEST),
        ("/api/v1/declarations/9/approve", r#"{"person": "Bình"}"#, StatusCode::NOT_FOUND),
        ("/api/v1/declarations/1/approve", r#"{"person": "Bình"}"#, StatusCode::OK),
        ("/api/v1/declarations/1/approve", r#"{"person": "Chi"}"#, StatusCode::CONFLICT),
        ("/api/v1/declarations", r#"{"person": "An", "declaration": {"kind": "waste"}}"#, StatusCode::BAD_REQUEST),
        ("/api/v1/declarations", "{", StatusCode::BAD_REQUEST),
    ] {
        let answer = post(uri, body).await;
        assert_eq!(answer.status, status, "{uri} {body}: {}", answer.text());
    }
    let listed = get(&edge.api, "/api/v1/declarations").await;
    assert_eq!(listed.json()["declarations"][0]["standing"], "approved");
    assert!(!listed.text().contains("Lê An") && !listed.text().contains("Bình"), "{}", listed.text());
    let comparison = get(&edge.api, "/api/v1/declarations/1/comparison").await;
    assert_eq!(comparison.status, StatusCode::NOT_FOUND, "waste is no bill");
}

#[tokio::test]
async fn a_declared_bill_is_compared_with_what_was_measured() {
    let edge = edge(None);
    // An hour of 60 kWh, billed as 90.
    let body = r#"{"person": "An", "declaration": {"kind": "electricity_bill", "period": "2026-10-05T08:00/2026-10-05T09:00", "quantity": 90, "unit": "kWh", "document": "HD-1"}}"#;
    let entered = post(&edge.api, "/api/v1/declarations", body).await;
    assert_eq!(entered.status, StatusCode::CREATED, "{}", entered.text());
    let compared = get(&edge.api, "/api/v1/declarations/1/comparison").await.json();
    assert_eq!((&compared["verdict"], &compared["measured_kwh"]), (&"partly".into(), &"60".into()), "{compared}");
    assert_eq!(compared["difference_kwh"], "30");
    assert_eq!(compared["explanations"][0]["cause"], "ct_ratio");
    assert_eq!(compared["explanations"][0]["evidence"]["billed_to_measured"], "3/2");
}

#[tokio::test]
async fn what_left_a_box_is_told_with_its_answers_and_what_stayed_inside() {
    let edge = edge(None).with_pages();
    let all = get(&edge.api, "/api/v1/egress").await.json();
    let [records, policy] = [&all["pages"][0], &all["pages"][1]];
    assert_eq!((&records["kind"], &records["seq"], &records["records"]), (&json!("records"), &json!(2), &json!(1)));
    assert_eq!(
        (&policy["kind"], &policy["acknowledged"], &records["acknowledged"]),
        (&json!("policy"), &json!(true), &json!(false))
    );
    assert_eq!(all["policies"][0]["policy"]["grain"], "hour");
    assert!(all["policies"][0]["reveals"]["electricity"].as_array().unwrap().contains(&json!("electricity_micro_kwh")));
    assert_eq!(all["withheld"][0]["released_records"], 1);
    let outcomes: Vec<&Value> = all["exchanges"].as_array().unwrap().iter().map(|one| &one["outcome"]).collect();
    assert_eq!(outcomes, ["acknowledged", "failed"], "the newest first");
    assert_eq!((&all["next_page"], &all["next_exchange"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn a_long_list_of_what_left_goes_on_where_the_answer_before_ended() {
    let edge = edge(None).with_pages();
    let first = get(&edge.api, "/api/v1/egress?sink=hepza&limit=1").await.json();
    let (page, exchange) = (&first["next_page"], &first["next_exchange"]);
    assert_eq!((first["pages"].as_array().unwrap().len(), first["exchanges"].as_array().unwrap().len()), (1, 1));
    let uri = format!("/api/v1/egress?sink=hepza&limit=1&before_page={page}&before_exchange={exchange}");
    let rest = get(&edge.api, &uri).await.json();
    assert_eq!((&rest["pages"][0]["seq"], &rest["exchanges"][0]["outcome"]), (&json!(1), &json!("failed")));
    assert_eq!(
        (&rest["next_page"], &rest["next_exchange"], &rest["withheld"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    let only = get(&edge.api, &format!("/api/v1/egress?limit=1&before_page={page}")).await.json();
    assert_eq!((only["pages"].as_array().unwrap().len(), only["exchanges"].as_array().unwrap().len()), (1, 0));
}

#[tokio::test]
async fn what_left_is_told_of_the_time_and_the_sink_asked_for_and_by_no_hub() {
    let edge = edge(None).with_pages();
    let before = get(&edge.api, "/api/v1/egress?until=2026-10-05T09:00:00%2B07:00").await.json();
    assert_eq!((&before["pages"], &before["exchanges"]), (&json!([]), &json!([])));
    assert_eq!(before["withheld"][0]["released_records"], 1, "a record of before, though its page was cut later");
    let after = get(&edge.api, "/api/v1/egress?since=2026-10-05T09:00:00%2B07:00").await.json();
    assert_eq!((after["pages"].as_array().unwrap().len(), &after["withheld"][0]["released_records"]), (2, &json!(0)));
    for (uri, words) in [
        ("limit=0", "limit 0 is not within 1 to 500"),
        ("since=2026-10-05", "since: "),
        ("since=2024-10-05T00:00:00Z", "more than 366 days are asked for"),
        ("since=2026-10-05T09:00:00Z&until=2026-10-05T09:00:00Z", "is not before until"),
        ("sinks=hepza", "unknown field"),
    ] {
        let detail =
            problem(&get(&edge.api, &format!("/api/v1/egress?{uri}")).await, StatusCode::BAD_REQUEST, "bad-request");
        assert!(detail.contains(words), "{uri}: {detail}");
    }
    let unknown = get(&edge.api, "/api/v1/egress?sink=hep").await;
    let detail = problem(&unknown, StatusCode::NOT_FOUND, "not-found");
    assert_eq!(detail, "nothing was sent to a sink \"hep\"; known are hepza");
    assert_eq!(get(&hub().api, "/api/v1/egress").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_wider_share_is_confirmed_by_what_was_seen_and_the_name_does_not_come_back() {
    let mut edge = edge(None).with_pages();
    let stream = crate::model::id::StreamName::new("hepza").unwrap();
    let mut share = edge.store.reader().stated_share(&stream).unwrap().unwrap();
    share.policy.level = crate::model::record::Level::Line;
    edge.store.ask(&[(&stream, &share)], super::testing::now()).unwrap();
    let waiting = get(&edge.api, "/api/v1/egress").await.json()["waiting"][0].clone();
    assert_eq!((&waiting["newly"]["level"], &waiting["newly"]["kpis"]), (&json!("line"), &json!([])));
    let uri = "/api/v1/egress/confirm";
    let word =
        |sink: &str, share: &Value, person: &str| json!({ "sink": sink, "share": share, "person": person }).to_string();
    let seen = &waiting["share"];
    for (body, status) in [
        (word("hepza", seen, " "), StatusCode::BAD_REQUEST),
        (word("other", seen, "An"), StatusCode::NOT_FOUND),
        (word("hepza", &json!("00".repeat(32)), "An"), StatusCode::CONFLICT),
        (word("hepza", &json!("zz"), "An"), StatusCode::BAD_REQUEST),
        (word("hepza", seen, "Lê An"), StatusCode::OK),
        (word("hepza", seen, "Lê An"), StatusCode::NOT_FOUND),
    ] {
        assert_eq!(post(&edge.api, uri, &body).await.status, status, "{body}");
    }
    let told = get(&edge.api, "/api/v1/egress").await;
    assert!(!told.text().contains("Lê An"), "{}", told.text());
    let told = told.json();
    assert_eq!((&told["waiting"], &told["confirmed"][0]["share"]), (&json!([]), seen));
    assert_eq!(
        (&told["confirmed"][0]["is_stated"], &told["confirmed"][0]["is_withdrawn"]),
        (&json!(false), &json!(false))
    );
    let form = send_plain(&edge.api, uri, &word("hepza", seen, "An")).await;
    assert_eq!(form.status, StatusCode::BAD_REQUEST, "a form of another site's page can't confirm");
}

async fn send_plain(api: &std::sync::Arc<super::Api>, uri: &str, body: &str) -> Answer {
    let request = Request::post(uri).header("content-type", "text/plain").body(Body::from(body.to_owned())).unwrap();
    send(guarded(super::router(api), api), request).await
}
