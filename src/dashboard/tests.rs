//! Every page from request to response.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};

use super::application;
use super::assets::FILES;
use crate::api::Api;
use crate::api::testing::{Answer, edge, hub, now, post, send};
use crate::runtime::health::Status;

async fn get(api: &Arc<Api>, uri: &str) -> Answer {
    send(application(api), Request::get(uri).body(Body::empty()).unwrap()).await
}

async fn page(api: &Arc<Api>, uri: &str) -> String {
    let answer = get(api, uri).await;
    assert_eq!(answer.status, StatusCode::OK, "{uri}: {}", answer.text());
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    answer.text()
}

/// Returns the text of a page without its tags, white space joined.
fn visible(html: &str) -> String {
    let mut text = String::new();
    for part in html.split('<') {
        text.push(' ');
        text.push_str(part.split_once('>').map_or(part, |(_, after)| after));
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

const SOURCE: &str = "/source?scope=site:tt-main&kpi=scope_2&grain=hour&at=2026-10-05T01:00:00.000Z";

#[tokio::test]
async fn the_box_shows_its_figures_in_both_languages_with_coverage_and_status() {
    let edge = edge(None);
    let vi = visible(&page(&edge.api, "/").await);
    for words in [
        "Điện năng",
        "20,00 kWh",
        "80,00 kWh",
        "tạm tính",
        "100 %",
        "Máy dập &#60;1&#62;",
        "75,0 %",
        "Giờ nhà máy 09:20:00 05/10/2026",
    ] {
        assert!(vi.contains(words), "{words}: {vi}");
    }
    let en = visible(&page(&edge.api, "/?lang=en").await);
    for words in ["20.00 kWh", "provisional", "Running hour 09:00 – 10:00, 2026-10-05", "2026-10-05 09:20:00"] {
        assert!(en.contains(words), "{words}: {en}");
    }
}

#[tokio::test]
async fn a_missing_value_is_a_dash_with_the_reason_in_words() {
    let edge = edge(None);
    assert!(visible(&page(&edge.api, "/").await).contains("— không có điểm đo cho chỉ số này"));
    assert!(visible(&page(&edge.api, "/?lang=en").await).contains("— no tag feeds this KPI"));
}

#[tokio::test]
async fn health_is_said_in_words() {
    let edge = edge(None);
    assert!(page(&edge.api, "/").await.contains("Mọi bộ phận hoạt động bình thường"));
    edge.health.set("source.meter", Status::Degraded, "no answer from 192.168.10.20:502", now());
    edge.health.set("sink.hepza", Status::Failed, "the stream forked", now());
    edge.health.count("source.meter", "samples", 12_345);
    // Its cursor counts commits, of which there are far more than records in the log.
    edge.health.gauge("sink.history.samples", "backlog_commits", 7);
    edge.health.gauge("sink.history.samples", "backlog_seconds", 90);
    let shown = visible(&page(&edge.api, "/").await);
    for words in [
        "Cần người xử lý",
        "meter đang khôi phục no answer from 192.168.10.20:502",
        "12.345 giá trị đo",
        "hepza cần xử lý the stream forked",
        "7 lần ghi chờ gửi 90 giây đã chờ gửi",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
}

#[tokio::test]
async fn the_hub_shows_parks_sites_connection_and_how_many_report() {
    let hub = hub().delivered().await;
    let shown = visible(&page(&hub.api, "/?period=last_hour").await);
    for words in [
        "KCX Tân Thuận",
        "Cơ sở có số liệu: 1 trên 2",
        "Thép &#60;Sài Gòn&#62; đang kết nối",
        "60,00 kWh đã chốt 100 %",
        "May Bình Chánh chưa từng kết nối",
        "2 hepza",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let current = page(&hub.api, "/?lang=en&period=last_hour").await;
    assert!(current.contains("period=last_hour\" aria-current=\"page\""));
    assert!(current.contains("href=\"/?lang=vi&#38;period=last_hour\""), "the other language keeps the window");
}

#[tokio::test]
async fn each_figure_leads_to_its_formula_facts_factors_and_pages() {
    let hub = hub().delivered().await;
    let shown = visible(&page(&hub.api, SOURCE).await);
    for words in [
        "electricity_micro_kwh 60.000.000",
        "vn_grid_",
        "tt-0042 · hepza 1 · trang 2–2 · 1 bản ghi",
        "dùng hệ số của năm khác",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let html = page(&hub.api, SOURCE).await;
    let json = html.split("href=\"").find(|part| part.starts_with("/api/v1/values")).unwrap();
    let json = json.split('"').next().unwrap().replace("&#38;", "&");
    let answer = get(&hub.api, &json).await;
    assert_eq!(
        answer.json()["figures"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|figure| figure["value"]["kpi"] == "scope_2")
            .count(),
        1
    );
    assert_eq!(answer.json()["figures"][0]["origins"][0]["last_page"], 2);
}

#[tokio::test]
async fn every_figure_of_an_overview_links_to_where_it_comes_from() {
    for api in [edge(None).api, hub().delivered().await.api] {
        let html = page(&api, "/").await;
        let links: Vec<String> = html
            .split("href=\"")
            .filter(|part| part.starts_with("/source"))
            .map(|part| part.split('"').next().unwrap().replace("&#38;", "&"))
            .collect();
        let cells = html.matches("<td><a class=\"value\"").count() + html.matches("<td><a class=\"none\"").count();
        assert!(cells > 10 && links.len() == cells, "{} of {cells}", links.len());
        for link in links {
            assert_eq!(get(&api, &link).await.status, StatusCode::OK, "{link}");
        }
    }
}

#[tokio::test]
async fn the_script_gets_the_main_part_alone_and_it_is_what_the_page_shows() {
    let edge = edge(None);
    let whole = page(&edge.api, "/?lang=en").await;
    assert!(whole.contains("data-live=\"/live?lang=en\""));
    let part = page(&edge.api, "/live?lang=en").await;
    assert!(!part.contains("<html") && whole.contains(part.trim()));
}

#[tokio::test]
async fn no_page_refers_to_another_host_or_holds_a_script_or_style_of_its_own() {
    let (edge, hub) = (edge(None), hub().delivered().await);
    let mut served = Vec::new();
    for uri in ["/", "/?lang=en", "/live", SOURCE] {
        served.push(page(&edge.api, uri).await);
        served.push(page(&hub.api, uri).await);
    }
    for html in &served {
        assert!(!html.contains(" style=") && !html.contains("<style") && !html.contains("onclick"), "{html}");
        assert!(html.matches("<script").count() == html.matches("<script src=\"/").count(), "{html}");
    }
    for (path, kind, content) in FILES {
        let answer = get(&edge.api, path).await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, kind));
        served.push(content.replace("http://www.w3.org/2000/svg", ""));
    }
    for text in served {
        assert!(!text.contains("http://") && !text.contains("https://") && !text.contains("=\"//"), "{text}");
    }
}

#[tokio::test]
async fn names_are_escaped_and_a_page_asked_for_wrongly_is_a_problem() {
    let hub = hub().delivered().await;
    assert!(!page(&hub.api, "/").await.contains("<Sài Gòn>"));
    let answer = get(&hub.api, "/source?scope=site:tt-main&kpi=%3Cscript%3E&grain=hour&at=2026-10-05T01:00:00Z").await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::BAD_REQUEST, "application/problem+json"));
    assert_eq!(get(&hub.api, "/source?scope=site:tt-main").await.header("content-type"), "application/problem+json");
}

#[tokio::test]
async fn a_table_names_its_rows_and_columns_and_headings_descend() {
    for api in [edge(None).api, hub().delivered().await.api] {
        let html = page(&api, "/").await;
        assert_eq!(html.matches("<h1").count(), 1);
        assert_eq!(html.matches("<th").count() - html.matches("<thead").count(), html.matches("<th scope=").count());
        assert!(html.contains("<html lang=\"vi\">") && html.contains("class=\"skip\" href=\"#main\""));
    }
}

#[tokio::test]
async fn declarations_and_a_bill_beside_the_measurement_are_shown_in_both_languages() {
    let edge = edge(None);
    let empty = visible(&page(&edge.api, "/declarations").await);
    assert!(empty.contains("Số liệu khai báo") && empty.contains("Chưa có gì."), "{empty}");
    // An hour of 60 kWh, billed as 90.
    let body = r#"{"person": "Lê An", "declaration": {"kind": "electricity_bill", "document": "HD-<1>", "unit": "kWh",
        "period": "2026-10-05T08:00/2026-10-05T09:00", "quantity": 90}}"#;
    assert_eq!(post(&edge.api, "/api/v1/declarations", body).await.status, StatusCode::CREATED);
    let html = page(&edge.api, "/declarations?lang=en").await;
    assert!(html.contains("HD-&#60;1&#62;") && !html.contains("Lê An"), "{html}");
    assert!(visible(&html).contains("waits for a second person"), "{html}");
    let bill = visible(&page(&edge.api, "/declarations/1").await);
    assert!(bill.contains("hóa đơn bằng 3/2 số đo") && bill.contains("33,3 %"), "{bill}");
    assert!(visible(&page(&edge.api, "/declarations/1?lang=en").await).contains("billed is 3/2 of measured"));
    assert_eq!(get(&edge.api, "/declarations/2").await.status, StatusCode::NOT_FOUND);
    assert_eq!(get(&hub().api, "/declarations").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_factory_sees_what_left_and_what_stayed_in_both_languages() {
    let empty = visible(&page(&edge(None).api, "/egress?lang=en").await);
    assert!(empty.contains("What left the factory") && empty.contains("Nothing yet."), "{empty}");
    let edge = edge(None).with_pages();
    let vi = visible(&page(&edge.api, "/egress").await);
    for words in [
        "Dữ liệu đã gửi ra ngoài",
        "hepza/1/2",
        "1 bản ghi",
        "chính sách",
        "đã xác nhận",
        "chưa xác nhận",
        "không thành",
    ] {
        assert!(vi.contains(words), "{words}: {vi}");
    }
    let en = visible(&page(&edge.api, "/egress?lang=en").await);
    for words in [
        "Down to level site",
        "Electricity use electricity electricity_micro_kwh",
        "receiver is &#60;busy&#62; (503)",
        "hepza 1 nothing stayed",
        "hub.example.gov.vn:443",
    ] {
        assert!(en.contains(words), "{words}: {en}");
    }
    assert!(page(&edge.api, "/").await.contains("href=\"/egress?lang=vi\""));
}

#[tokio::test]
async fn what_waits_for_the_factory_stands_first_with_the_command_that_confirms_it() {
    let mut edge = edge(None).with_pages();
    let stream = crate::model::id::StreamName::new("hepza").unwrap();
    let mut share = edge.store.reader().stated_share(&stream).unwrap().unwrap();
    share.policy.level = crate::model::record::Level::Line;
    edge.store.ask(&[(&stream, &share)], now()).unwrap();
    let en = visible(&page(&edge.api, "/egress?lang=en").await);
    assert!(en.contains("Nothing of it leaves before somebody confirms it. Destination hepza"), "{en}");
    assert!(
        en.contains("Down to level line To confirm it, run on the box: parkgate egress confirm --sink hepza"),
        "{en}"
    );
    assert!(visible(&page(&edge.api, "/egress").await).contains("Chờ nhà máy xác nhận"));
}
