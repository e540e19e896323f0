//! What is refused of `[[channel]]` and its limits, and where.

use super::refused;

#[test]
fn a_channel_that_cant_be_is_refused_at_its_place() {
    for (said, message) in [
        (
            r#"[[channel]]
id = "stack"
parameter = §"so3"
value = "m.so2""#,
            r#"`parameter` of channel "stack" is "so3", which is not known"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = §"m.so3""#,
            r#"no source has a tag "m.so3""#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = §"m.kwh""#,
            r#"`value` of channel "stack" is a tag of kind counter, expected gauge"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = §"m.temperature""#,
            r#"`value` of channel "stack" is in Cel, from which so2 can't be converted"#,
        ),
        (
            r#"[[channel]]
id = §"press-1"
parameter = "so2"
value = "m.so2""#,
            r#"channel "press-1" has the id of an asset or of another channel"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = "m.so2"
parent = §"chimney""#,
            r#"parent "chimney" of channel "stack" is not declared"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = "m.so2"
status = §"m.o2""#,
            r#"`status` of channel "stack" is in %, expected 1"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = "m.so2"
oxygen = §"m.temperature"
reference_oxygen = 7"#,
            r#"`oxygen` of channel "stack" is in Cel, expected %"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = "m.so2"
reference_oxygen = §7"#,
            r#"channel "stack" has a reference oxygen and no tag of oxygen"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = "m.so2"
oxygen = "m.o2"
reference_oxygen = §20.9"#,
            r#"reference_oxygen of channel "stack" is 20.9"#,
        ),
        (
            r#"[[channel]]
id = §"stack"
parameter = "so2"
value = "m.so2"
basis = "wet""#,
            r#"channel "stack" has no `moisture`, and it measures in wet gas, so nothing of it can be brought to 25 °C, 101.325 kPa and dry gas"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = "m.so2"
basis = §"damp""#,
            r#"`basis` of channel "stack" is "damp", which is not known"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "ph"
value = "m.ph"
basis = §"dry""#,
            r#"channel "stack" measures ph, which is corrected by nothing"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "ph"
value = "m.ph"
flow = §"m.flow""#,
            r#"channel "stack" measures ph, which has no load"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = "m.so2"
flow = §"m.o2""#,
            r#"`flow` of channel "stack" is a tag of kind gauge in %; no flow follows from it"#,
        ),
    ] {
        refused(said, message);
    }
}

#[test]
fn a_limit_that_cant_be_is_refused_at_its_place() {
    for (said, message) in [
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = "m.so2"
limit = [§{ max = 180, valid_from = "2026-03-01" }]"#,
            r#"a limit of channel "stack" says none or several of `permit`, `agreement` and `regulation`"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = "m.so2"
limit = [§{ permit = "1", agreement = "2", max = 180, valid_from = "2026-03-01" }]"#,
            r#"a limit of channel "stack" says none or several of `permit`, `agreement` and `regulation`"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = "m.so2"
limit = [§{ permit = " ", max = 180, valid_from = "2026-03-01" }]"#,
            r#"a limit of channel "stack" names no document"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = "m.so2"
limit = [§{ permit = "1", valid_from = "2026-03-01" }]"#,
            r#"a limit of channel "stack" has no `max`, and no `min` below it"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = "m.so2"
limit = [§{ permit = "1", min = 9, max = 5.5, valid_from = "2026-03-01" }]"#,
            r#"a limit of channel "stack" has no `max`, and no `min` below it"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = "m.so2"
limit = [§{ permit = "1", max = inf, valid_from = "2026-03-01" }]"#,
            r#"a limit of channel "stack" is no number"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = "m.so2"
limit = [§{ permit = "1", max = 180 }]"#,
            r#"a limit of channel "stack" has no `valid_from`"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = "m.so2"
limit = [§{ permit = "1", max = 180, valid_from = "2026-03-01", column = "B" }]"#,
            r#"a limit of channel "stack" has `column`, which only a class needs"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = "m.so2"
limit = [§{ permit = "1", max = 180, valid_from = "2026-03-01", zone = 2 }]"#,
            r#"a limit of channel "stack" has `zone`, which only a class needs"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = "m.so2"
limit = [§{ permit = "1", max = 180, valid_from = "2026-03-01", valid_until = "2026-02-01" }]"#,
            r#"a limit of channel "stack" ends on 2026-02-01 before it begins on 2026-03-01"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = "m.so2"
limit = [§{ regulation = "qcvn_19_2009", max = 180 }]"#,
            r#"a limit of channel "stack" has a figure beside its class"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = "m.so2"
limit = [§{ regulation = "qcvn_99" }]"#,
            r#"a limit of channel "stack" names "qcvn_99", of which no limits are known"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = "m.so2"
limit = [§{ regulation = "qcvn_19_2009" }]"#,
            r#"a limit of channel "stack" has no `column`"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = "m.so2"
limit = [§{ regulation = "qcvn_19_2009", column = "Z" }]"#,
            r#"a limit of channel "stack" is of qcvn_19_2009 column "Z", which has none of so2"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = "m.so2"
limit = [§{ regulation = "qcvn_19_2009", column = "B" }]"#,
            r#"a limit of channel "stack" is multiplied by kp, which goes by stack_m3_per_h"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = "m.so2"
limit = [§{ regulation = "qcvn_19_2009", column = "B", stack_m3_per_h = 20000, zone = 9 }]"#,
            r#"a limit of channel "stack" has zone = 9"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = "m.so2"
limit = [§{ regulation = "qcvn_19_2009", column = "B", stack_m3_per_h = 20000, zone = 2, lake_m3 = 5 }]"#,
            r#"a limit of channel "stack" has `lake_m3`, which changes nothing of qcvn_19_2009_so2_b"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = "m.so2"
limit = [{ permit = "1", max = 180, valid_from = "2026-03-01" }, §{ permit = "2", max = 170, valid_from = "2026-03-01" }]"#,
            r#"channel "stack" has two limits of one kind from 2026-03-01"#,
        ),
        (
            r#"[[channel]]
id = "stack"
parameter = "so2"
value = "m.so2"
limit = [{ permit = "1", max = 180, valid_from = "2026-03-01", §vaild_until = "2027-03-01" }]"#,
            r#"unknown key `vaild_until` in `limit` of channel "stack""#,
        ),
    ] {
        refused(said, message);
    }
}
