//! Every text of the pages, in Vietnamese and English. The types make a text without one of them impossible.

use crate::engine::kpi::{Family, KpiDefinition};

/// The reader's language. It travels in the link, `?lang=en`; nothing is stored in the browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Language {
    /// Vietnamese, unless another is asked for.
    #[default]
    Vi,
    /// English.
    En,
}

impl Language {
    /// Both, Vietnamese first.
    pub(super) const ALL: [Self; 2] = [Self::Vi, Self::En];

    /// Returns the language of a `lang` parameter; Vietnamese for anything unknown.
    pub(super) fn from_parameter(text: Option<&str>) -> Self {
        Self::ALL.into_iter().find(|language| Some(language.code()) == text).unwrap_or_default()
    }

    /// Returns the BCP 47 code.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Vi => "vi",
            Self::En => "en",
        }
    }

    /// Returns the other language: where the link in the page's head leads.
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Vi => Self::En,
            Self::En => Self::Vi,
        }
    }

    /// Returns one of two texts.
    pub(super) const fn pick<'a>(self, vi: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Vi => vi,
            Self::En => en,
        }
    }

    /// Returns the texts.
    pub(super) const fn texts(self) -> &'static Texts {
        match self {
            Self::Vi => &VI,
            Self::En => &EN,
        }
    }

    /// Returns the name of a family of KPIs.
    pub(super) const fn family(self, family: Family) -> &'static str {
        match self {
            Self::Vi => family.name_vi(),
            Self::En => family.name_en(),
        }
    }

    /// Returns what a KPI says.
    pub(super) const fn definition(self, definition: &KpiDefinition) -> &'static str {
        match self {
            Self::Vi => definition.definition_vi,
            Self::En => definition.definition_en,
        }
    }

    /// Returns the name of a KPI.
    pub(super) const fn kpi(self, definition: &KpiDefinition) -> &'static str {
        match self {
            Self::Vi => definition.name_vi,
            Self::En => definition.name_en,
        }
    }
}

macro_rules! texts {
    ($($name:ident: $vi:literal / $en:literal;)*) => {
        /// The texts of one language.
        #[derive(Debug)]
        pub(super) struct Texts { $(pub(super) $name: &'static str,)* }
        const VI: Texts = Texts { $($name: $vi,)* };
        const EN: Texts = Texts { $($name: $en,)* };
        #[cfg(test)]
        const BOTH: &[(&str, &str, &str)] = &[$((stringify!($name), $vi, $en),)*];
    };
}

texts! {
    loaded_at: "Trang được tải lúc" / "Page loaded at";
    skip: "Đến nội dung chính" / "Skip to main content";
    other_language: "English" / "Tiếng Việt";
    api_documentation: "Tài liệu API" / "API documentation";
    health_data: "Tình trạng (JSON)" / "Health (JSON)";
    overview: "Tổng quan" / "Overview";
    site: "Cơ sở" / "Site";
    gateway: "Thiết bị" / "Gateway";
    plant_time: "Giờ nhà máy" / "Plant time";
    hub_time: "Giờ hệ thống" / "System time";
    stale: "Mất kết nối với máy chủ. Số liệu bên dưới có thể đã cũ; trang sẽ tự thử lại." / "The server can't be reached. Figures below may be old; the page keeps trying.";
    no_script: "Trình duyệt không chạy JavaScript: hãy tải lại trang để xem số liệu mới." / "Without JavaScript, reload the page for newer figures.";

    all_well: "Mọi bộ phận hoạt động bình thường" / "Everything works as it should";
    degraded: "Có bộ phận đang tự khôi phục, không mất dữ liệu" / "Something is recovering by itself; no data is lost";
    failed: "Cần người xử lý: một cam kết không còn được bảo đảm" / "A person is needed: a guarantee is lost";
    status: "Tình trạng" / "Status";
    since: "Từ lúc" / "Since";
    counts: "Đã đếm" / "Counted";
    component: "Bộ phận" / "Component";
    nothing_yet: "Chưa có gì." / "Nothing yet.";

    moving: "Dữ liệu đang chạy" / "Data on the move";
    samples: "giá trị đo" / "samples";
    records: "bản ghi" / "records";
    pages: "trang đã ký" / "signed pages";
    pages_held: "trang đã nhận" / "pages held";
    fact_rows: "bản ghi đã nhận" / "records held";

    thresholds: "Ngưỡng kiểm kê khí nhà kính" / "Thresholds of the greenhouse-gas inventory";
    threshold_watch: "Theo dõi ngưỡng" / "Threshold watch";
    threshold: "Ngưỡng" / "Threshold";
    year_to_date: "Lũy kế từ đầu năm" / "Year to date";
    projection: "Ước tính cả năm" / "Projection of the year";
    year_measured: "Phần năm đã đo" / "Share of the year measured";
    threshold_reached: "đã đạt ngưỡng" / "reached";
    threshold_projected: "dự kiến đạt ngưỡng" / "projected to reach it";
    threshold_below: "dưới ngưỡng" / "below";
    threshold_unknown: "chưa đủ số liệu" / "not enough data";
    projection_method: "Ước tính = lũy kế × độ dài năm ÷ thời gian đã đo; giả định thời gian chưa có số liệu giống thời gian đã đo. Cần ít nhất 28 ngày đo." / "Projection = to date × length of the year ÷ measured time; it assumes that time without data is like the time that was measured. At least 28 days are needed.";
    depends_on_basis: "Kết luận về TOE phụ thuộc cách quy đổi điện: xem cả hai dòng." / "The answer for TOE depends on how electricity is counted: see both rows.";

    site_kpis: "Chỉ số của cơ sở" / "KPIs of the site";
    kpi: "Chỉ số" / "KPI";
    running_hour: "Giờ đang chạy" / "Running hour";
    today: "Hôm nay" / "Today";
    yesterday: "Hôm qua" / "Yesterday";
    this_hour: "Giờ này" / "This hour";
    last_hour: "Giờ trước" / "Last hour";
    this_month: "Tháng này" / "This month";
    period: "Kỳ" / "Window";
    coverage: "Mức đầy đủ dữ liệu" / "Coverage";
    closed: "đã chốt" / "closed";
    provisional: "tạm tính" / "provisional";
    source_link: "nguồn gốc số liệu" / "provenance";
    hint: "Bấm vào một con số để xem nguồn gốc số liệu; vạch màu là mức đầy đủ dữ liệu." / "Select a figure to see its provenance; the bar is its coverage.";

    assets: "Máy móc và chuyền" / "Assets";
    asset: "Máy, chuyền" / "Asset";
    state: "Trạng thái máy" / "Machine state";
    no_state: "không theo dõi trạng thái" / "state not tracked";

    channels: "Khí thải và nước thải" / "Stacks and outfalls";
    channel: "Kênh quan trắc" / "Channel";
    limit: "Giới hạn hôm nay" / "Limit today";
    no_limit: "chưa khai báo" / "none declared";

    sources: "Nguồn dữ liệu" / "Sources";
    source: "Nguồn" / "Source";
    sinks: "Nơi nhận" / "Destinations";
    sink: "Nơi nhận" / "Destination";
    undeliverable: "bản ghi chưa gửi được" / "undeliverable";
    backlog_pages: "trang chờ gửi" / "pages to deliver";
    backlog_records: "bản ghi chờ gửi" / "records to deliver";
    everything_sent: "đã gửi hết" / "all delivered";
    others: "Bên trong thiết bị" / "Inside the box";
    hub_inside: "Bên trong hệ thống" / "Inside the hub";

    province: "Tỉnh, thành" / "Province";
    park_total: "Toàn khu" / "Whole park";
    sites_reporting: "Cơ sở có số liệu" / "Sites reporting";
    of: "trên" / "of";
    gateways: "Thiết bị của các cơ sở" / "Gateways of the sites";
    connection: "Kết nối" / "Connection";
    connected: "đang kết nối" / "connected";
    not_connected: "mất kết nối" / "not connected";
    never_connected: "chưa từng kết nối" / "never connected";
    last_seen: "Lần cuối nhận" / "Last heard of";
    kind_source: "nguồn dữ liệu" / "sources";
    kind_sink: "đích gửi" / "destinations";
    kind_store: "lưu trữ" / "storage";
    kind_clock: "đồng hồ" / "clock";
    kind_gateway: "bên trong thiết bị" / "inside the box";
    recovering: "đang tự khôi phục" / "recovering";
    needs_a_person: "cần người xử lý" / "need a person";
    ago: "trước" / "ago";
    last_page: "Trang cuối" / "Last page no.";
    key: "Khóa" / "Key";
    forked: "chuỗi trang bị mâu thuẫn, đã dừng nhận" / "the chain of pages is contradicted, stream stopped";
    more_sites: "Danh sách dài hơn trang này; API có đầy đủ." / "There are more than this page shows; the API has all.";

    shares: "Số liệu gồm" / "Made of";
    measured_share: "đo được" / "measured";
    substituted_share: "bù cho khoảng mất số liệu" / "spread over gaps";
    declared_share: "khai báo" / "declared";
    excluded_share: "ngoài ra đã loại" / "left out beside it";
    source_title: "Nguồn gốc số liệu" / "Provenance";
    value: "Giá trị" / "Value";
    formula: "Công thức" / "Formula";
    method: "Phiên bản công thức" / "Method version";
    standard: "Tiêu chuẩn" / "Standard";
    revision: "Lần sửa" / "Revision";
    no_revision: "tính khi đọc, không dựa trên một bản ghi duy nhất" / "computed on read, not from a single record";
    facts: "Dữ kiện đã cộng gộp" / "Merged facts";
    fact: "Dữ kiện" / "Fact";
    amount: "Số lượng" / "Amount";
    factors: "Hệ số đã dùng" / "Factors used";
    factor: "Hệ số" / "Factor";
    year: "Năm" / "Year";
    version: "Phiên bản (SHA-256)" / "Version (SHA-256)";
    no_factors: "Không dùng hệ số nào." / "No factor is used.";
    no_facts: "Không có dữ kiện nào trong kỳ này." / "There are no facts in this window.";
    notes: "Lưu ý" / "Notes";
    as_json: "Số liệu này qua API (JSON)" / "This figure by the API (JSON)";
    delivered_by: "Thiết bị đã ký và gửi" / "Signed and delivered by";
    measured_by: "Điểm đo đã dùng" / "Measured by these tags";
    page_numbers: "trang" / "pages";
    carried: "bản ghi" / "records";
    no_data: "không có dữ liệu mới" / "no fresh data";
    reported: "Thiết bị của cơ sở báo" / "Reported by the site's box";
    about: "Của" / "About";
    back: "Về trang tổng quan" / "Back to the overview";

    declarations: "Số liệu khai báo" / "Declared quantities";
    declarations_hint: "Số liệu khai báo chỉ được tính sau khi người thứ hai phê duyệt; không bao giờ được coi là số đo." / "A declared quantity counts once a second person has approved it, and never as measured.";
    number: "Số" / "Number";
    declared_kind: "Nội dung" / "What";
    document: "Chứng từ" / "Document";
    more_in_api: "Còn các khai báo cũ hơn, xem qua API." / "Older ones are listed by the API.";
    bill_title: "Hóa đơn điện so với số đo" / "Electricity bill beside the measurement";
    billed: "Hóa đơn" / "Billed";
    measured: "Đo được" / "Measured";
    difference: "Chênh lệch" / "Difference";
    bill_total: "Tổng" / "Total";
    peak_band: "Cao điểm" / "Peak";
    normal_band: "Bình thường" / "Normal";
    off_peak_band: "Thấp điểm" / "Off-peak";
    explanations: "Nguyên nhân có thể" / "What can explain it";
    likely: "có cơ sở" / "likely";
    possible: "có thể" / "possible";
    unexplained: "Chưa rõ nguyên nhân" / "Not explained";

    egress: "Dữ liệu đã gửi ra ngoài" / "What left the factory";
    egress_hint: "Đếm theo nội dung các trang đã ký, không theo chính sách đã hứa." / "Counted from what the signed pages hold, not from what the policy promises.";
    egress_waiting: "Chờ nhà máy xác nhận" / "Waits for the factory's word";
    egress_waiting_hint: "Cấu hình muốn gửi thêm những mục dưới đây. Chưa mục nào được gửi cho đến khi có người xác nhận." / "The configuration asks for more. Nothing of it leaves before somebody confirms it.";
    egress_asked: "Yêu cầu từ" / "Asked for since";
    egress_confirm: "Để xác nhận, chạy trên thiết bị:" / "To confirm it, run on the box:";
    egress_agreed: "Được phép gửi" / "What may leave";
    egress_level: "Đến cấp" / "Down to level";
    egress_grain: "Kỳ được gửi" / "Grain that leaves";
    egress_reveals: "Dữ kiện đi kèm" / "Facts that go with it";
    egress_stated: "Theo trang chính sách" / "Stated by policy page";
    egress_stayed: "Ở lại trong nhà máy" / "What stayed inside";
    egress_released: "bản ghi đã có phần được gửi" / "records of which something left";
    egress_whole: "bản ghi không gửi phần nào" / "whole records that stayed";
    egress_values: "giá trị chỉ số không gửi" / "KPI values that stayed";
    egress_facts: "dữ kiện không gửi" / "facts that stayed";
    egress_nothing_stayed: "không giữ lại gì" / "nothing stayed";
    egress_pages: "Các trang, mới nhất trước" / "Pages, newest first";
    egress_page: "Trang" / "Page";
    egress_cut_at: "Lập lúc" / "Cut at";
    egress_policy_page: "chính sách" / "policy";
    egress_key_page: "khóa mới" / "another key";
    egress_acknowledged: "đã xác nhận" / "acknowledged";
    egress_not_acknowledged: "chưa xác nhận" / "not acknowledged";
    egress_exchanges: "Các lần gửi, mới nhất trước" / "Exchanges, newest first";
    egress_at: "Lúc" / "At";
    egress_what: "Nội dung" / "What";
    egress_size: "Dung lượng" / "Size";
    egress_answer: "Trả lời" / "Answer";
    egress_refused: "bị từ chối" / "refused";
    egress_failed: "không thành" / "failed";
    egress_more: "Danh sách dài hơn; API và lệnh parkgate egress có đầy đủ." / "There are more; the API and the command parkgate egress list them all.";
    signature_note: "Mã xác thực thiết bị cho thấy trang đến từ thiết bị nào và chưa bị sửa; nó không thay chữ ký số." / "The page signature shows which gateway a page came from and that it wasn't edited; it is not a legal digital signature.";
}

#[cfg(test)]
mod tests {
    use super::{BOTH, Language};

    #[test]
    fn both_languages_have_every_text() {
        for (name, vi, en) in BOTH {
            assert!(!vi.trim().is_empty() && !en.trim().is_empty(), "{name}");
            assert_ne!(vi, en, "{name}");
        }
    }

    #[test]
    fn vietnamese_is_the_default_and_the_language_travels_in_the_link() {
        assert_eq!(Language::from_parameter(None), Language::Vi);
        assert_eq!(Language::from_parameter(Some("fr")), Language::Vi);
        assert_eq!(Language::from_parameter(Some("en")), Language::En);
    }
}
