//! Codes in words: what the API says as a code, the pages say in the reader's language.

use super::language::Language;
use crate::api::ScopeKind;
use crate::model::record::{Flag, Reason};
use crate::model::sample::Quality;
use crate::model::state::MachineState;
use crate::model::unit::ProductUnit;
use crate::runtime::health::Status;

/// Returns why there is no value.
pub(super) const fn reason(reason: Reason, language: Language) -> &'static str {
    let (vi, en) = match reason {
        Reason::NoData => ("chưa đo được gì trong kỳ", "nothing was measured"),
        Reason::NoInput => ("không có điểm đo cho chỉ số này", "no tag feeds this KPI"),
        Reason::NoProduction => ("chưa có sản phẩm", "nothing was produced"),
        Reason::NoProductionTime => ("chưa có thời gian sản xuất", "no production time"),
        Reason::NoBusyTime => ("chưa có thời gian làm việc theo kế hoạch", "no planned busy time"),
        Reason::NoPlannedRunTime => ("chưa khai báo thời gian chuẩn cho mỗi sản phẩm", "no planned run time declared"),
        Reason::NoEnergy => ("không dùng năng lượng", "no energy was used"),
        Reason::NoPublishedFactor => ("chưa có hệ số được công bố cho năm", "no factor published for the year"),
        Reason::BelowFinestGrain => ("kỳ ngắn hơn mức chỉ số cho phép", "the window is too short for this KPI"),
        Reason::NotMergeable => ("không cộng gộp được cho phạm vi này", "can't be merged for this scope"),
        Reason::NotShared => ("cơ sở không chia sẻ", "not shared by the factory"),
        Reason::TooFewValid => ("chưa đủ giá trị hợp lệ trong kỳ", "too few valid values"),
        Reason::NotCorrectable => {
            ("thiếu giá trị để quy đổi về điều kiện chuẩn", "what the correction needs was not measured")
        }
        Reason::NoLimit => ("chưa khai báo giới hạn cho kỳ", "no limit is declared for the window"),
        Reason::NoOperatingTime => ("thiết bị không chạy đơn hàng nào", "the equipment did not run"),
        Reason::NoFailure => ("không có hỏng hóc", "no failure occurred"),
        Reason::NoMaintenance => ("không ghi nhận bảo trì", "no maintenance was observed"),
        Reason::NoOrder => ("không có lệnh sản xuất nào chạy", "no order ran"),
        Reason::NoPlan => ("chưa có kế hoạch cho kỳ này", "nothing was planned"),
        Reason::NoInspection => ("chưa kiểm tra sản phẩm nào", "nothing was inspected"),
        Reason::NoMaterial => ("chưa có vật tư tiêu hao", "no material was consumed"),
        Reason::NoPersonnel => ("không có người có mặt", "nobody attended"),
        Reason::NoWastewater => ("không có nước thải", "there was no wastewater"),
        Reason::NotDeclared => ("chưa có khai báo được phê duyệt cho kỳ", "nothing is declared and approved"),
    };
    language.pick(vi, en)
}

/// Returns how far a measured value can be relied on.
pub(super) const fn quality(quality: Quality, language: Language) -> &'static str {
    let (vi, en) = match quality {
        Quality::Good => ("đo tốt", "good"),
        Quality::Uncertain => ("không chắc chắn", "uncertain"),
        Quality::DeclaredBad => ("nguồn báo giá trị hỏng", "declared bad by the source"),
        Quality::Sentinel => ("thiết bị báo không có giá trị", "the device says that it has no value"),
        Quality::NotANumber => ("không phải là số", "not a number"),
        Quality::UnknownState => ("mã trạng thái chưa khai báo", "unknown state code"),
        Quality::Calibrating => ("đang hiệu chuẩn", "calibrating"),
        Quality::DeviceFault => ("thiết bị báo lỗi", "device fault"),
        Quality::OutOfRange => ("ngoài khoảng đo khai báo", "outside the declared range"),
        Quality::FlatLine => ("đứng yên quá lâu", "unchanged for too long"),
        Quality::TooFast => ("thay đổi quá nhanh", "changed too fast"),
        Quality::Stale => ("không còn cập nhật", "no longer current"),
    };
    language.pick(vi, en)
}

/// Returns what a reader must know beside a value.
pub(super) const fn flag(flag: Flag, language: Language) -> &'static str {
    let (vi, en) = match flag {
        Flag::EffectivenessAbove100 => (
            "hiệu suất trên 100 %: thời gian chuẩn quá rộng",
            "effectiveness above 100 %: planned run time too generous",
        ),
        Flag::Provisional => ("dùng hệ số của năm khác", "rests on a factor of another year"),
        Flag::CalendarAssumed => {
            ("chưa khai báo ca: mọi giờ tính là giờ làm việc", "no shifts declared: all time is planned")
        }
        Flag::Substituted => ("có phần được phân bổ qua lúc mất dữ liệu", "contains amounts spread over a gap"),
        Flag::Excluded => ("đã loại phần tăng bất khả thi", "impossible growth was left out"),
        Flag::Scope1NotDeclared => ("chưa khai báo phát thải trực tiếp", "direct emissions not declared"),
        Flag::WindowOpen => ("kỳ chưa kết thúc", "the window is still open"),
        Flag::OxygenHigh => ("O₂ trên 18 %: có thể lọt khí vào đường lấy mẫu", "O₂ above 18 %: air may leak in"),
        Flag::QuantitiesDisagree => (
            "sản lượng khác tổng đạt, phế phẩm và làm lại",
            "produced quantity is not the sum of good, scrap and rework",
        ),
        Flag::ContractsAboveImport => {
            ("hợp đồng vượt lượng điện lấy từ lưới", "contracts cover more than was drawn from the grid")
        }
        Flag::Summed => ("cộng từ các đơn vị bên dưới", "summed from the assets below"),
        Flag::NegativeRemainder => {
            ("công tơ nhánh đếm nhiều hơn công tơ tổng", "sub-meters count more than the boundary")
        }
        Flag::SourceNotDeclared => {
            ("thiếu khai báo của một nguồn phát thải", "a source of emissions has no declaration")
        }
        Flag::Declared => ("có phần theo khai báo, không phải đo", "contains declared quantities"),
    };
    language.pick(vi, en)
}

/// Returns the state of a component.
pub(super) const fn status(status: Status, language: Language) -> &'static str {
    match status {
        Status::Ok => language.pick("bình thường", "ok"),
        Status::Degraded => language.pick("đang khôi phục", "recovering"),
        Status::Failed => language.pick("cần xử lý", "needs a person"),
    }
}

/// Returns the class of a state: colour and mark.
pub(super) const fn status_class(status: Status) -> &'static str {
    match status {
        Status::Ok => "good",
        Status::Degraded => "warn",
        Status::Failed => "bad",
    }
}

/// Returns what a machine does.
pub(super) const fn state(state: MachineState, language: Language) -> &'static str {
    let (vi, en) = match state {
        MachineState::Producing => ("đang sản xuất", "producing"),
        MachineState::Setup => ("đang chuẩn bị", "setup"),
        MachineState::Fault => ("hỏng", "fault"),
        MachineState::Stopped => ("dừng", "stopped"),
        MachineState::Idle => ("chờ việc", "idle"),
        MachineState::Down => ("ngừng", "down"),
        MachineState::PlannedDown => ("dừng theo kế hoạch", "planned down"),
        MachineState::CorrectiveMaintenance => ("sửa chữa sau hỏng hóc", "corrective maintenance"),
        MachineState::PreventiveMaintenance => ("bảo trì phòng ngừa", "preventive maintenance"),
    };
    language.pick(vi, en)
}

/// Returns the class of a machine state.
pub(super) const fn state_class(state: MachineState) -> &'static str {
    match state {
        MachineState::Producing => "good",
        MachineState::Fault | MachineState::CorrectiveMaintenance | MachineState::Stopped => "bad",
        MachineState::Setup
        | MachineState::Idle
        | MachineState::Down
        | MachineState::PlannedDown
        | MachineState::PreventiveMaintenance => "quiet",
    }
}

/// Returns what a scope is.
pub(super) const fn kind(kind: ScopeKind, language: Language) -> &'static str {
    let (vi, en) = match kind {
        ScopeKind::Province => ("tỉnh, thành", "province"),
        ScopeKind::Park => ("khu công nghiệp", "park"),
        ScopeKind::Site => ("cơ sở", "site"),
        ScopeKind::Area => ("khu vực", "area"),
        ScopeKind::Line => ("chuyền", "line"),
        ScopeKind::Unit => ("máy", "machine"),
        ScopeKind::Asset => ("tài sản", "asset"),
    };
    language.pick(vi, en)
}

/// Returns what quantities are counted in.
pub(super) const fn product(unit: ProductUnit, language: Language) -> &'static str {
    match unit {
        ProductUnit::Piece => language.pick("sản phẩm", "piece"),
        ProductUnit::Kilogram => "kg",
        ProductUnit::Tonne => language.pick("tấn", "t"),
        ProductUnit::Metre => "m",
        ProductUnit::SquareMetre => "m²",
        ProductUnit::CubicMetre => "m³",
        ProductUnit::Litre => language.pick("lít", "L"),
        ProductUnit::MilligramPerNormalCubicMetre => "mg/Nm³",
        ProductUnit::MilligramPerLitre => "mg/L",
        ProductUnit::Acidity => "",
        ProductUnit::PlatinumCobalt => "Pt-Co",
        ProductUnit::Celsius => "°C",
        ProductUnit::Percent => "%",
        ProductUnit::Kilopascal => "kPa",
        ProductUnit::CubicMetrePerHour => "m³/h",
        ProductUnit::NormalCubicMetrePerHour => "Nm³/h",
    }
}

/// Returns what a count counts, or its name as it is where no words are known.
pub(super) fn count(name: &str, language: Language) -> &str {
    let (vi, en) = match name {
        "samples" => ("giá trị đo", "samples"),
        "polls" => ("lượt đọc", "polls"),
        "messages" => ("tin nhắn", "messages"),
        "requests" => ("yêu cầu", "requests"),
        "timeouts" => ("lần quá giờ", "time-outs"),
        "connects" | "connections" => ("lần kết nối", "connections"),
        "acknowledged" => ("tin đã xác nhận", "acknowledged"),
        "unacknowledged" => ("tin chờ xác nhận", "unacknowledged"),
        "granted" => ("chủ đề được nhận", "topics granted"),
        "sent_again" => ("tin gửi lại", "sent again"),
        "stale_acknowledgements" => ("xác nhận đã cũ", "stale acknowledgements"),
        "unmapped" => ("tin không thuộc điểm đo nào", "unmapped messages"),
        "skipped" => ("lượt đọc bị lỡ", "missed polls"),
        "exceptions" => ("lần thiết bị từ chối", "device exceptions"),
        "connections_lost" => ("lần mất kết nối", "connections lost"),
        "delivered_pages" => ("trang đã gửi", "pages delivered"),
        "delivered_records" => ("bản ghi đã gửi", "records delivered"),
        "delivered_values" => ("giá trị đã gửi", "values delivered"),
        "delivered_files" => ("tệp đã gửi", "files delivered"),
        "backlog_commits" => ("lần ghi chờ gửi", "commits to deliver"),
        "backlog_files" => ("tệp chờ gửi", "files to deliver"),
        "backlog_bytes" => ("byte chờ gửi", "bytes to deliver"),
        "backlog_seconds" => ("giây đã chờ gửi", "seconds of waiting"),
        "refused_statuses" => ("lần tình trạng bị từ chối", "statuses refused"),
        "statuses" => ("lần báo tình trạng", "statuses"),
        "repeated_statuses" => ("lần báo tình trạng lặp lại", "repeated statuses"),
        "failed_attempts" => ("lần gửi hỏng", "failed attempts"),
        "commits" => ("lần ghi", "commits"),
        "records" => ("bản ghi", "records"),
        "pages" => ("trang", "pages"),
        "late_samples" => ("giá trị đến muộn", "late samples"),
        "duplicate_samples" => ("giá trị trùng", "duplicates"),
        "samples_ahead_of_the_clock" => ("giá trị có giờ quá sớm", "samples ahead of the clock"),
        "counter_dips" => ("lần công tơ sụt rồi trở lại", "counter dips"),
        "counter_spikes" => ("lần công tơ vọt rồi trở lại", "counter spikes"),
        "counter_resets" => ("lần công tơ về số đầu", "counter resets"),
        "counter_rollovers" => ("lần công tơ quay vòng", "counter rollovers"),
        "counter_rises_excluded" => ("mức tăng bất khả thi đã loại", "impossible rises left out"),
        "out_of_range" => ("giá trị ngoài khoảng", "out of range"),
        "flat_line" => ("giá trị đứng yên", "flat line"),
        "too_fast" => ("giá trị đổi quá nhanh", "too fast"),
        "calibrating" => ("giá trị khi hiệu chuẩn", "while calibrating"),
        "device_fault" => ("giá trị khi thiết bị lỗi", "at device fault"),
        "uncertain" => ("giá trị không chắc chắn", "uncertain"),
        "fact_rows" => ("bản ghi đã nhận", "records held"),
        "rejected_records" => ("bản ghi không dùng được", "unusable records"),
        "repeated_pages" => ("trang gửi lại", "repeated pages"),
        "gaps" => ("trang đến sớm", "early pages"),
        "forked_pages" => ("trang mâu thuẫn", "forked pages"),
        "errors" => ("lỗi", "errors"),
        _ => return name,
    };
    language.pick(vi, en)
}
