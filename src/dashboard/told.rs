//! Declarations and bills in words.

use super::language::Language;
use crate::engine::bill::{Cause, Verdict};
use crate::model::declared::DeclaredKind;
use crate::store::Standing;

/// Returns what is declared.
pub(super) const fn kind(kind: &DeclaredKind, language: Language) -> &'static str {
    let (vi, en) = match kind {
        DeclaredKind::Fuel { .. } => ("nhiên liệu", "fuel"),
        DeclaredKind::Refrigerant { .. } => ("môi chất lạnh nạp bổ sung", "refrigerant topped up"),
        DeclaredKind::Process { .. } => ("nguyên liệu có phát thải của quá trình", "process input"),
        DeclaredKind::Steam { .. } => ("hơi mua ngoài", "purchased steam"),
        DeclaredKind::Contract { .. } => ("điện theo hợp đồng hoặc chứng chỉ", "contracted electricity"),
        DeclaredKind::Waste { .. } => ("chất thải", "waste"),
        DeclaredKind::ElectricityBill(_) => ("hóa đơn tiền điện", "electricity bill"),
    };
    language.pick(vi, en)
}

/// Returns where a declaration stands.
pub(super) const fn standing(standing: Standing, language: Language) -> &'static str {
    let (vi, en) = match standing {
        Standing::Waiting => ("chờ người thứ hai phê duyệt", "waits for a second person"),
        Standing::Approved => ("đã phê duyệt", "approved"),
        Standing::Replaced => ("đã được thay thế", "replaced"),
        Standing::Withdrawn => ("đã rút lại", "withdrawn"),
    };
    language.pick(vi, en)
}

/// Returns how a bill stands to the measurement.
pub(super) const fn verdict(verdict: Verdict, language: Language) -> &'static str {
    let (vi, en) = match verdict {
        Verdict::Agrees => ("khớp trong sai số của công tơ", "agrees within the accuracy of meters"),
        Verdict::Explained => ("chênh lệch đã rõ nguyên nhân", "the difference is explained"),
        Verdict::Partly => ("chênh lệch mới rõ một phần hoặc chưa chắc chắn", "explained in part, or not for sure"),
        Verdict::Unexplained => ("chênh lệch chưa rõ nguyên nhân", "the difference is not explained"),
        Verdict::NotMeasured => ("không có số đo trong kỳ của hóa đơn", "nothing was measured in the bill's period"),
    };
    language.pick(vi, en)
}

/// Returns one cause with its figures; `number` writes an amount of 10⁻⁶.
pub(super) fn cause(cause: &Cause, language: Language, number: impl Fn(i128) -> String) -> String {
    match cause {
        Cause::Gap { missing_minutes, substituted, excluded } => {
            let (substituted, excluded) = (number(*substituted), number(*excluded));
            match language {
                Language::Vi => format!(
                    "thiếu số đo: {missing_minutes} phút không đọc được, {substituted} kWh đã phân bổ qua lúc mất dữ liệu, \
                     {excluded} kWh bị loại"
                ),
                Language::En => format!(
                    "gaps in the measurement: {missing_minutes} minutes without a reading, {substituted} kWh spread over \
                     gaps, {excluded} kWh left out"
                ),
            }
        }
        Cause::CtRatio { numerator, denominator } => match language {
            Language::Vi => format!("tỷ số biến dòng (TI) khai báo sai: hóa đơn bằng {numerator}/{denominator} số đo"),
            Language::En => format!("transformer ratio set wrong: billed is {numerator}/{denominator} of measured"),
        },
        Cause::UnmeteredFeeder { mean_micro_kw, is_constant } => {
            let power = number(*mean_micro_kw);
            match (language, is_constant) {
                (Language::Vi, true) => format!("có lộ chưa đo: công suất thiếu đều {power} kW"),
                (Language::Vi, false) => format!("có lộ chưa đo: thiếu theo tỷ lệ không đổi, trung bình {power} kW"),
                (Language::En, true) => format!("a feeder without a meter: {power} kW lack all the time"),
                (Language::En, false) => {
                    format!("a feeder without a meter: a constant share lacks, {power} kW on average")
                }
            }
        }
        Cause::ReadingDate { days } => match (language, *days > 0) {
            (Language::Vi, true) => format!("ghi chỉ số muộn {days} ngày so với kỳ trên hóa đơn"),
            (Language::Vi, false) => format!("ghi chỉ số sớm {} ngày so với kỳ trên hóa đơn", days.abs()),
            (Language::En, true) => format!("read {days} days later than the bill says"),
            (Language::En, false) => format!("read {} days earlier than the bill says", days.abs()),
        },
        Cause::TariffHours { schedule } => match language {
            Language::Vi => format!("hóa đơn chia khung giờ theo biểu \"{schedule}\""),
            Language::En => format!("the bill's bands follow the hours of \"{schedule}\""),
        },
    }
}
