//! What a person sees who wrote something wrong.

mod refused_channels;
mod refused_emissions;
mod refused_meters;

use super::{load_gateway, load_gateway_with, load_hub, place, profile_files, render, render_json};
use crate::model::id::AssetId;
use crate::model::problem::{Problems, Severity};
use crate::model::record::Level;
use crate::model::time::Grain;
use crate::profile::Library;

const GATEWAY: &str = include_str!("../../config/gateway.toml");
const HUB: &str = include_str!("../../config/hub.toml");

/// Returns line, column and message of every error.
fn errors(text: &str, problems: &Problems) -> Vec<(usize, usize, String)> {
    let errors = problems.0.iter().filter(|problem| problem.severity == Severity::Error);
    errors
        .map(|problem| {
            let at = place(text, problem.span.clone().unwrap_or(0..0).start);
            (at.line, at.column, problem.message.clone())
        })
        .collect()
}

fn gateway_errors(text: &str) -> Vec<(usize, usize, String)> {
    let (gateway, problems) = load_gateway("gateway.toml", text);
    let found = errors(text, &problems);
    assert_eq!(gateway.is_some(), found.is_empty());
    found
}

/// Asserts that after a replacement in the example there is exactly one error, here and with these words.
fn one_error(from: &str, to: &str, needle: &str, words: &[&str]) {
    assert!(GATEWAY.contains(from), "{from}");
    let text = GATEWAY.replacen(from, to, 1);
    let (_, problems) = load_gateway("gateway.toml", &text);
    let found = errors(&text, &problems);
    let [(line, column, message)] = found.as_slice() else { panic!("{to}: {found:#?}") };
    let expected = place(&text, text.find(to).unwrap() + to.find(needle).unwrap());
    assert_eq!((*line, *column), (expected.line, expected.column), "{message}");
    let shown = render(&problems, "gateway.toml", &text, false);
    for word in words {
        assert!(shown.contains(word), "{word}: {shown}");
    }
}

/// A site to which the tables of refusals add what can't be.
const SITE: &str = r#"[gateway]
id         = "tt-0042"
enterprise = "9900000016"
park       = "tan-thuan"
site       = "tt-main"
timezone   = "Asia/Ho_Chi_Minh"
data_dir   = "data"

[[source]]
type  = "mqtt"
name  = "m"
url   = "mqtt://127.0.0.1:1883"
topic = [{ filter = "m/{point}", format = "json", value = "$.v", time = "$.ts" }]
point = [
  { name = "kwh", kind = "counter", unit = "kWh" },
  { name = "kwh2", kind = "counter", unit = "kWh" },
  { name = "gas", kind = "counter", unit = "m3" },
  { name = "coal", kind = "counter", unit = "t" },
  { name = "water", kind = "counter", unit = "m3" },
  { name = "temperature", unit = "Cel" },
  { name = "state", kind = "state", states = { "1" = "producing" } },
  { name = "so2", unit = "mg/Nm3" },
  { name = "raw", unit = "mg/m3" },
  { name = "ph", unit = "1" },
  { name = "o2", unit = "%" },
  { name = "flow", unit = "Nm3/h" },
]

[[asset]]
id       = "site"
boundary = { electricity = ["m.kwh"] }

[[asset]]
id     = "press-1"
parent = "site"

[calendar]
shifts = [{ name = "ca-1", from = "06:00", to = "14:00" }]

"#;

/// An error as a person meets it: line, column, message.
type Shown = (usize, usize, String);

/// Returns every error of what is added to [`SITE`], and where the mark § stands in it.
fn problems_of(said: &str) -> (Vec<Shown>, (usize, usize)) {
    let marked = format!("{SITE}{said}\n");
    let mark = marked.find('§').unwrap();
    let text = marked.replacen('§', "", 1);
    let at = place(&text, mark);
    let (_, problems) = load_gateway("gateway.toml", &text);
    assert!(problems.0.iter().all(|problem| !problem.help.is_empty()), "{said}: nothing says what to do");
    (errors(&text, &problems), (at.line, at.column))
}

/// Asserts that what is added to [`SITE`] is refused with this message alone, at the mark §.
fn refused(said: &str, message: &str) {
    let (found, (line, column)) = problems_of(said);
    assert_eq!(found, [(line, column, message.to_owned())], "{said}");
}

#[test]
fn the_site_of_the_tables_of_refusals_is_accepted() {
    assert_eq!(load_gateway("gateway.toml", SITE).1, Problems::default());
}

#[test]
fn the_examples_are_accepted_without_a_word() {
    assert_eq!(load_gateway("gateway.toml", GATEWAY).1, Problems::default());
    assert_eq!(load_hub("hub.toml", HUB).1, Problems::default());
}

#[test]
fn every_demo_configuration_is_accepted() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/config/demo");
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let (name, text) = (path.display().to_string(), std::fs::read_to_string(&path).unwrap());
        let problems = if text.contains("[hub]") { load_hub(&name, &text).1 } else { load_gateway(&name, &text).1 };
        assert!(!problems.has_errors(), "{}", render(&problems, &name, &text, false));
    }
}

const DOZEN: &str = r#"[gateway]
id         = "TT 42"
enterprise = "9900000017"
park       = "tan-thuan"
site       = "tt-main"
timezon    = "Asia/Ho_Chi_Minh"

[[source]]
type  = "modbus"
name  = "press"
url   = "tcp://192.168.10.31:502"
unit  = "seven"
token = 12
point = [
  { name = "state", address = "40101", type = "uint16", states = { 1 = "producing" } },
  { name = "total", adress = "40103", type = "uint32", kind = "counter" },
]

[[source]]
type = "opcua"
name = "line"

[[asset]]
id    = "site"
level = "factory"

[[asset]]
id     = "press-1"
state  = "press.stat"
planned_run_time_per_unit = "1.2"

[calendar]
shifts = [{ name = "a", from = "06:00", to = "14:00" }, { name = "b", from = "13:00", to = "25:00" }]
holidays = "vm"

[[sink]]
type  = "platform"
name  = "hepza"
url   = "https://hub.example.gov.vn"
share = { kpis = ["oee", "electricty"], grain = "weekly" }

[record]
"#;

#[test]
fn a_dozen_different_problems_are_reported_at_once_each_in_its_place() {
    let found = gateway_errors(DOZEN);
    let expected = [
        (1, 1, "`data_dir`"),
        (2, 14, "TT 42"),
        (3, 14, "check digit"),
        (6, 1, "timezon"),
        (12, 9, "`unit`"),
        (13, 9, "`token`"),
        (16, 3, "`address`"),
        (16, 21, "adress"),
        (20, 8, "opcua"),
        (25, 9, "factory"),
        (30, 29, "1.2"),
        (33, 92, "25:00"),
        (34, 12, "vm"),
        (40, 26, "electricty"),
        (40, 49, "weekly"),
        (42, 2, "record"),
    ];
    for (line, column, word) in expected {
        let is_here = |(l, c, message): &&(usize, usize, String)| *l == line && *c == column && message.contains(word);
        assert!(found.iter().any(|problem| is_here(&problem)), "{line}:{column} {word} in {found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn a_misspelt_key_is_refused_everywhere_with_a_proposal() {
    for (key, misspelt) in [
        ("enterprise =", "enterprize ="),
        ("listen =", "listn ="),
        ("ct_ratio =", "ct_ration ="),
        ("address = \"40101\"", "addres = \"40101\""),
        ("username =", "user_name ="),
        ("filter =", "filtre ="),
        ("kind = \"counter\", unit", "knd = \"counter\", unit"),
        ("boundary =", "boundry ="),
        ("export =", "exprot ="),
        ("exit   =", "exti   ="),
        ("days_off =", "day_off ="),
        ("to = \"14:00\"", "too = \"14:00\""),
        ("grains =", "grain ="),
        ("grid_factor =", "gridfactor ="),
        ("missing =", "mising ="),
        ("level = \"site\", grain", "levle = \"site\", grain"),
        ("bucket =", "buckett ="),
    ] {
        assert!(GATEWAY.contains(key), "{key}");
        let text = GATEWAY.replacen(key, misspelt, 1);
        let (gateway, problems) = load_gateway("g", &text);
        let name = misspelt.split([' ', '=']).next().unwrap();
        let wanted = key.split([' ', '=']).next().unwrap();
        let problem = problems.0.iter().find(|problem| problem.message.contains(&format!("unknown key `{name}`")));
        let problem = problem.unwrap_or_else(|| panic!("{misspelt}: {problems:#?}"));
        assert!(gateway.is_none());
        assert!(problem.help.contains(&format!("did you mean `{wanted}`?")), "{misspelt}: {}", problem.help);
        assert_eq!(&text[problem.span.clone().unwrap()], name);
    }
    for (key, misspelt) in [("province =", "provinz ="), ("data_dir ", "datadir "), ("site  =", "sit =")] {
        let (hub, problems) = load_hub("h", &HUB.replacen(key, misspelt, 1));
        assert!(hub.is_none() && problems.0.iter().any(|problem| problem.help.contains("did you mean")), "{misspelt}");
    }
}

#[test]
fn what_refers_to_nothing_is_reported_with_the_nearest_thing_there_is() {
    one_error(
        "\"press-1.total\"",
        "\"press-1.totl\"",
        "\"",
        &["no source has a tag", "did you mean \"press-1.total\"?"],
    );
    one_error("parent = \"line-1\"", "parent = \"line-2\"", "\"", &["did you mean \"line-1\"?"]);
    one_error("exit   = \"press-1\"", "exit   = \"pres-1\"", "\"", &["did you mean \"press-1\"?"]);
    one_error("\"oee\"", "\"oe\"", "\"", &["not in the catalogue", "did you mean \"oee\"?"]);
    one_error("holidays = \"vn\"", "holidays = \"vnn\"", "\"", &["did you mean \"vn\"?"]);
    one_error("\"Asia/Ho_Chi_Minh\"", "\"Asia/Ho_Chi_Min\"", "\"", &["unknown", "did you mean \"Asia/Ho_Chi_Minh\"?"]);
    one_error("[\"hour\", ", "[\"hours\", ", "\"hours", &["did you mean \"hour\"?"]);
}

#[test]
fn the_tree_has_one_site_and_no_circle() {
    one_error("parent = \"site\"", "parent = \"press-1\"", "\"", &["line-1 in press-1 in line-1"]);
    one_error("level  = \"line\"", "level  = \"site\"", "\"", &["are both the site"]);
    one_error(
        "id       = \"site\"\nlevel    = \"site\"",
        "id       = \"site\"\nlevel    = \"area\"",
        "\"site\"",
        &["no asset is the site"],
    );
}

#[test]
fn an_id_belongs_to_one_asset_and_a_name_to_one_source() {
    let asset = gateway_errors(&GATEWAY.replacen("id     = \"press-1\"", "id     = \"line-1\"", 1));
    assert!(asset.iter().any(|(_, _, message)| message.contains("declared twice")), "{asset:#?}");
    let source = gateway_errors(&GATEWAY.replacen("name     = \"floor\"", "name     = \"press-1\"", 1));
    assert!(source.iter().any(|(_, _, message)| message == "the name \"press-1\" is given twice"), "{source:#?}");
}

#[test]
fn a_tag_must_fit_what_it_is_used_for() {
    one_error("state  = \"press-1.state\"", "state  = \"press-1.total\"", "\"", &["kind counter, expected state"]);
    one_error("total  = \"press-1.total\"", "total  = \"meter-main.active_power\"", "\"", &["parts can't be counted"]);
    one_error("[\"meter-main.active_energy_import\"]", "[\"meter-main.voltage_l1\"]", "\"", &["no amount follows"]);
}

#[test]
fn a_meter_that_feeds_two_assets_is_warned_of() {
    let text =
        GATEWAY.replace("exit   = \"press-1\"", "boundary = { electricity = [\"meter-main.active_energy_import\"] }");
    let (gateway, problems) = load_gateway("g", &text);
    assert!(gateway.is_some());
    assert!(problems.0[0].message.contains("feeds two assets"), "{problems:#?}");
}

#[test]
fn without_a_calendar_round_the_clock_is_assumed_and_said() {
    let start = GATEWAY.find("[calendar]").unwrap();
    let end = GATEWAY.find("[factors]").unwrap();
    let (gateway, problems) = load_gateway("g", &format!("{}{}", &GATEWAY[..start], &GATEWAY[end..]));
    assert!(problems.0.iter().any(|problem| problem.message.contains("round the clock")), "{problems:#?}");
    let plant = gateway.unwrap().plant();
    assert!(plant.site_calendar().is_assumed());
    assert_eq!(plant.grains, [Grain::Hour, Grain::Day, Grain::Month]);
}

#[test]
fn the_plant_has_the_site_first_and_levels_from_the_place_in_the_tree() {
    let text = GATEWAY.replace("level  = \"line\"\n", "").replace("parent = \"site\"\n", "");
    let plant = load_gateway("g", &text).0.unwrap().plant();
    let assets: Vec<(&str, Option<usize>, Level)> =
        plant.assets.iter().map(|asset| (asset.id.as_str(), asset.parent, asset.level)).collect();
    assert_eq!(
        assets,
        [
            ("site", None, Level::Site),
            ("line-1", Some(0), Level::Line),
            ("press-1", Some(1), Level::Unit),
            ("boiler-1-so2", Some(0), Level::Unit)
        ]
    );
    assert_eq!(plant.assets[1].exit, Some(2));
    assert_eq!(plant.grains, [Grain::Hour, Grain::Shift, Grain::Day, Grain::Month]);
    let total = plant.assets[2].total.unwrap();
    assert_eq!(plant.tags[total.as_usize()].name.as_str(), "press-1.total");
    assert!(plant.tags.is_sorted_by(|a, b| a.name < b.name));
    assert_eq!(AssetId::new("site").unwrap(), plant.assets[0].id);
}

#[test]
fn no_secret_appears_in_what_is_said_about_a_file() {
    let cases = [
        GATEWAY.replace("password = { env = \"FLOOR_MQTT_PASSWORD\" }", "password = \"hunter22\""),
        GATEWAY.replace("password = { env = \"FLOOR_MQTT_PASSWORD\" }", "pasword = \"hunter22\""),
        GATEWAY.replace("password = { env = \"FLOOR_MQTT_PASSWORD\" }", "password = hunter22"),
        GATEWAY.replace("{ env = \"FLOOR_MQTT_PASSWORD\" }", "{ value = \"hunter22\" }"),
        GATEWAY.replace("mqtts://10.0.0.5", "mqtts://me:hunter22@10.0.0.5"),
        GATEWAY.replace("{ env = \"INFLUX_TOKEN\" }", "\"hunter22\""),
        GATEWAY.replace("token = { file = \"/etc/parkgate/hepza.token\" }", "token = [\"hunter22\"]\nurk = 1"),
    ];
    for text in cases {
        assert_ne!(text, GATEWAY);
        let (gateway, problems) = load_gateway("g", &text);
        assert!(gateway.is_none());
        let said = [render(&problems, "g", &text, true), render_json(&problems, "g", &text)].concat();
        assert!(!said.contains("hunter22"), "{said}");
        assert!(said.contains("***") || said.contains("token"), "{said}");
    }
}

#[test]
fn places_stay_right_with_crlf_and_vietnamese_before_them() {
    let text = GATEWAY
        .replace("name     = \"Nhà máy chính\"", "name = \"Nhà máy\" # ở đây\r\nlevl = \"Đường số 1\"")
        .replace("name   = \"Máy dập 1\"", "name = \"Máy dập 1\"\r\nstates = { \"Đang chạy\" = 1 }");
    let crlf = text.replace("\r\n", "\n").replace('\n', "\r\n");
    let found = gateway_errors(&crlf);
    assert_eq!(found.len(), 2, "{found:#?}");
    let (_, problems) = load_gateway("g.toml", &crlf);
    for (problem, (line, column, _)) in problems.0.iter().zip(&found) {
        let key = &crlf[problem.span.clone().unwrap()];
        assert!(["levl", "states"].contains(&key), "{key}");
        let shown = render(&problems, "g.toml", &crlf, false);
        assert!(shown.contains(&format!("g.toml:{line}:{column}")), "{line}:{column}\n{shown}");
        let written = crlf.lines().nth(line - 1).unwrap();
        assert!(written.chars().skip(column - 1).collect::<String>().starts_with(key), "{written}");
    }
}

#[test]
fn a_column_counts_characters_and_the_rendered_place_agrees() {
    let text = GATEWAY.replacen("{ name = \"press-1.scrap\"", "{ name = \"máy-1.phế\", knd = 1", 1);
    let (_, problems) = load_gateway("g.toml", &text);
    let shown = render(&problems, "g.toml", &text, false);
    let (line, column, _) =
        gateway_errors(&text).into_iter().find(|(_, _, message)| message.contains("unknown key `knd`")).unwrap();
    assert!(shown.contains(&format!("g.toml:{line}:{column}")), "{shown}");
    assert_eq!(column, 1 + "  { name = \"máy-1.phế\", ".chars().count());
}

#[test]
fn every_fault_in_the_toml_itself_is_reported_and_nothing_follows_from_it() {
    let text = GATEWAY.replacen("park       = \"tan-thuan\"", "park       = tan-thuan", 1).replacen(
        "unit     = 1",
        "unit     =",
        1,
    );
    let found = gateway_errors(&text);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found.iter().all(|(_, _, message)| message.starts_with("this is not TOML")), "{found:#?}");
}

#[test]
fn several_missing_keys_of_one_table_are_all_named() {
    let text = GATEWAY
        .replace("park       = \"tan-thuan\"\n", "")
        .replace("site       = \"tt-main\"", "#")
        .replace("data_dir   =", "#");
    let missing: Vec<String> = gateway_errors(&text).into_iter().map(|(_, _, message)| message).collect();
    assert_eq!(missing, ["[gateway] has no `park`", "[gateway] has no `site`", "[gateway] has no `data_dir`"]);
}

#[test]
fn an_empty_file_says_what_is_missing() {
    let found = gateway_errors("");
    assert!(found.iter().any(|(_, _, message)| message.contains("[gateway]")), "{found:#?}");
    let (hub, problems) = load_hub("h", "");
    assert!(hub.is_none() && problems.has_errors());
}

#[test]
fn json_lines_carry_the_place_and_the_proposal() {
    let text = GATEWAY.replacen("timezone   =", "timezon    =", 1);
    let (_, problems) = load_gateway("g.toml", &text);
    let line: serde_json::Value = serde_json::from_str(render_json(&problems, "g.toml", &text).trim()).unwrap();
    assert_eq!(line["file"], "g.toml");
    assert_eq!((line["line"].as_u64(), line["column"].as_u64()), (Some(9), Some(1)));
    assert_eq!(line["severity"], "error");
    assert_eq!(line["help"], "did you mean `timezone`?");
}

/// A profile of the user's own with one register.
const OWN: &str = r#"
name = "own"
vendor = "V"
model = "M"
confidence = "one_source"
sources = ["its manual"]
register = [{ point = "volume", table = "input", address = 7, type = "bcd48", unit = "m3", kind = "counter" }]
example = []
"#;

#[test]
fn a_profile_of_the_users_own_is_read_from_its_file_and_is_part_of_the_version() {
    let source = "\n[[source]]\ntype = \"modbus\"\nname = \"gas\"\nurl = \"tcp://gas\"\nprofile = \"./gas.toml\"\n";
    let text = GATEWAY.to_owned() + source;
    assert_eq!(profile_files(&text).into_iter().collect::<Vec<_>>(), ["./gas.toml"], "names of built-in ones are none");
    assert!(profile_files("[[source").is_empty());
    let load = |profile: Result<&str, &str>| {
        let mut library = Library::builtin();
        library.add_file("./gas.toml", profile.map(str::to_owned).map_err(str::to_owned));
        load_gateway_with("g", &text, library)
    };
    let (gateway, problems) = load(Ok(OWN));
    assert!(!problems.has_errors(), "{problems:?}");
    let gateway = gateway.unwrap();
    assert!(gateway.tags.iter().any(|tag| tag.name.as_str() == "gas.volume"));
    let moved = load(Ok(&OWN.replace("address = 7", "address = 8"))).0.unwrap();
    assert_ne!(gateway.digest, moved.digest);
    for (file, reason) in [
        (Err("No such file or directory"), "No such file or directory"),
        (Ok(OWN.replace("bcd48", "bcd47")), "is no register type"),
        (Ok(OWN.replace("address = 7", "address = 65534")), "ends beyond"),
    ] {
        let problems = load(file.as_ref().map(String::as_str).map_err(|reason| *reason)).1;
        let found = errors(&text, &problems);
        let [(_, _, message)] = found.as_slice() else { panic!("{found:#?}") };
        assert!(message.contains("profile ./gas.toml can't be used") && message.contains(reason), "{message}");
    }
}

/// A site with one meter, and what is to stand below it.
fn with_meters(meters: &str) -> Vec<String> {
    let text = format!(
        "{}\n[[meter]]\nid = \"a\"\nmedium = \"electricity\"\nplus = [\"meter-main.active_energy_import\"]\n{meters}",
        GATEWAY
    );
    let (_, problems) = load_gateway("gateway.toml", &text);
    problems.0.into_iter().map(|problem| problem.message).collect()
}

#[test]
fn meters_that_contradict_each_other_are_named() {
    let share = |id: &str, share: &str| {
        format!("[[meter]]\nid = \"{id}\"\nmedium = \"electricity\"\nparent = \"site\"\nof = \"a\"\nshare = {share}\n")
    };
    let cases = [
        (String::new(), "nothing comes of meter \"a\""),
        (share("b", "0.4"), "part of \"a\" is nobody's share"),
        (share("b", "0.6") + &share("c", "0.5"), "the shares of \"a\" come to more than the whole"),
        (share("b", "\"rest\"") + &share("c", "\"rest\""), "two meters have the rest of \"a\""),
        (share("b", "0.5").replace("electricity", "water"), "takes meter \"a\", which is one of electricity"),
        (share("b", "0.5").replace("\"site\"", "\"sitte\""), "is neither an asset nor a meter"),
        ("parent = \"site\"\n".to_owned() + &share("b", "\"rest\""), "is explained twice by tag"),
        (
            "[[meter]]\nid = \"b\"\nmedium = \"electricity\"\nplus = [\"c\"]\n[[meter]]\nid = \"c\"\nmedium = \"electricity\"\nplus = [\"b\"]\n".to_owned(),
            "meters are made of each other in a circle: b of c of b",
        ),
    ];
    for (meters, expected) in cases {
        let found = with_meters(&meters);
        assert!(found.iter().any(|message| message.contains(expected)), "{expected}: {found:#?}");
    }
    let whole = with_meters(&(share("b", "0.35") + &share("c", "\"rest\"")));
    assert_eq!(whole, Vec::<String>::new(), "shares of one whole count nothing twice");
}

#[test]
fn a_template_that_names_what_does_not_exist_is_refused_where_it_stands() {
    let share = "share = { kpis = [\"oee\", \"electricity\", \"scope_2\"], level = \"site\", grain = \"day\" }";
    let with = |item: &str| format!("{share}\ntemplate = {{ path = \"/v1\", item = {{ a = [\"{item}\"] }} }}");
    let text = GATEWAY.replacen(share, &with("{value}"), 1);
    assert_eq!(gateway_errors(&text), []);
    one_error(
        share,
        &with("{valeu}"),
        "\"{valeu}\"",
        &["sink \"hepza\"", "no field {valeu}", "did you mean \"value\"?"],
    );
}

#[test]
fn a_client_secret_in_the_file_is_refused_and_not_repeated() {
    let token = "token = { file = \"/etc/parkgate/hepza.token\" }";
    let oauth2 = "oauth2 = { url = \"https://sso.example.gov.vn/token\", client_id = \"tt-0042\", client_secret = \"tops3cret\" }";
    let text = GATEWAY.replacen(token, oauth2, 1);
    let (gateway, problems) = load_gateway("gateway.toml", &text);
    assert!(gateway.is_none());
    let shown = render(&problems, "gateway.toml", &text, false);
    assert!(shown.contains("`client_secret` stands in the file itself") && !shown.contains("tops3cret"), "{shown}");
    let referred = oauth2.replace("\"tops3cret\"", "{ env = \"HEPZA_SECRET\" }");
    assert_eq!(gateway_errors(&GATEWAY.replacen(token, &referred, 1)), []);
}

#[test]
fn a_server_for_files_is_refused_where_it_can_not_be_known_or_gives_a_password_away() {
    let url = "\"sftp://files.donre.example.gov.vn/incoming\"";
    let host_key = "host_key = \"SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU\"";
    let message = "sink \"donre-sftp\": without host_key anybody could pass for files.donre.example.gov.vn";
    let unknown = format!("{url}\nusername = \"ttmain\"\npassword = {{ env = \"P\" }}");
    let whole = &GATEWAY[GATEWAY.find(url).unwrap()..GATEWAY.find(host_key).unwrap() + host_key.len()];
    one_error(whole, &unknown, url, &[message, "ssh-keyscan -p 22 files.donre.example.gov.vn"]);
    one_error(url, "\"scp://host\"", "\"scp://host\"", &["files can't be sent by \"scp://\"", "sftp://host/folder"]);
    one_error(host_key, "host_key = \"SHA256:abc\"", "\"SHA256:abc\"", &["is no fingerprint of a host key"]);
    let text = GATEWAY.replacen(url, "\"sftp://tt:tops3cret@files/in\"", 1);
    let (gateway, problems) = load_gateway("gateway.toml", &text);
    assert!(gateway.is_none());
    let shown = render(&problems, "gateway.toml", &text, false);
    assert!(shown.contains("holds a user or a password") && !shown.contains("tops3cret"), "{shown}");
    let key = "private_key = \"-----BEGIN OPENSSH PRIVATE KEY-----\"";
    let password = "password = { file = \"/etc/parkgate/donre.password\" }";
    let text = GATEWAY.replacen(password, key, 1);
    let shown = render(&load_gateway("gateway.toml", &text).1, "gateway.toml", &text, false);
    assert!(shown.contains("`private_key` stands in the file itself") && !shown.contains("BEGIN OPENSSH"), "{shown}");
}
