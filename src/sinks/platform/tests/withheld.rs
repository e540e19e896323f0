//! Nothing that the share withholds is in any byte that leaves, whatever is shared and whatever things are called.
//!
//! Names and figures are such as occur nowhere by chance. The bytes are those of the connection: request line, headers and
//! body, compressed ones unpacked, to a platform of either dialect; and beside them what was logged meanwhile.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::tz::TimeZone;
use proptest::prelude::{ProptestConfig, Strategy, prop_assert, proptest};
use proptest::sample::{select, subsequence};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{receipt, unpacked};
use crate::engine::kpi::{self, CATALOGUE};
use crate::engine::tests::{batch, hour, plant};
use crate::ledger::fixture::{DAY, DAY_MS, key, record};
use crate::ledger::page::hash;
use crate::ledger::share::Share;
use crate::ledger::stream::{MeasuresOf, Stream};
use crate::model::fact::Measure;
use crate::model::id::{AssetId, GatewayId, StreamName, TagName};
use crate::model::record::{KpiId, KpiValue, Level, WindowRecord};
use crate::model::share::SharePolicy;
use crate::model::time::{Grain, Window};
use crate::runtime::clock::Clock;
use crate::runtime::health::{Health, Status};
use crate::sinks::forwarder::Forwarder;
use crate::sinks::platform::status::Speaker;
use crate::sinks::platform::{Platform, access};
use crate::store::{Commit, Store};

const LEVELS: [Level; 4] = [Level::Site, Level::Area, Level::Line, Level::Unit];
const GRAINS: [Grain; 3] = [Grain::Hour, Grain::Shift, Grain::Day];

/// Where everything that leaves is kept.
type Wire = Arc<Mutex<Vec<u8>>>;

/// A factory whose names are its seed's.
#[derive(Debug, Clone)]
struct Factory {
    policy: SharePolicy,
    seed: u64,
}

impl Factory {
    /// Returns a name that occurs nowhere else: twelve letters that depend on the seed.
    fn name(&self, of: &str) -> String {
        let digest = hash(format!("{}/{of}", self.seed).as_bytes());
        let letters = digest.0.iter().take(12).map(|byte| char::from(b'g' + byte % 20));
        format!("q{}", letters.collect::<String>())
    }

    /// Returns a number of fifteen digits that depends on the seed.
    fn number(&self, of: &str) -> i64 {
        let digest = hash(format!("{}/number/{of}", self.seed).as_bytes());
        let number = digest.0.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        i64::try_from(100_000_000_000_000 + number % 800_000_000_000_000).unwrap()
    }

    fn tags(&self) -> Vec<TagName> {
        (0..4)
            .map(|index| {
                TagName::new(&format!("{}.{}", self.name("source"), self.name(&format!("point {index}")))).unwrap()
            })
            .collect()
    }

    fn asset(&self, level: Level) -> AssetId {
        AssetId::new(&self.name(level.as_str())).unwrap()
    }

    /// The log: every level and grain over two days, with every KPI and every measure.
    fn log(&self) -> Vec<WindowRecord> {
        let mut log = Vec::new();
        for (level, grain, day) in
            LEVELS.iter().flat_map(|l| GRAINS.iter().flat_map(move |g| [(*l, *g, 0), (*l, *g, 1)]))
        {
            let of = |what: &str| format!("{what} {} {grain} {day}", level.as_str());
            let length_ms = if grain == Grain::Day { DAY_MS } else { 3_600_000 };
            let start = DAY + day * DAY_MS;
            let value = |id: &KpiId| KpiValue {
                value: Some(exact(self.number(&of(&format!("value {id}"))))),
                reason: None,
                flags: vec![],
                factors: vec![],
                ..record(0, 1).kpis[0].clone()
            };
            log.push(WindowRecord {
                asset: self.asset(level),
                level,
                grain,
                window: Window { start, end: start + length_ms },
                facts: Measure::ALL
                    .iter()
                    .map(|measure| (*measure, i128::from(self.number(&of(&format!("fact {}", measure.as_str()))))))
                    .collect(),
                kpis: CATALOGUE.iter().map(|kpi| KpiValue { kpi: kpi.id.clone(), ..value(&kpi.id) }).collect(),
                inputs_digest: hash(of("inputs").as_bytes()),
                ..record(0, 1)
            });
        }
        log
    }

    /// Returns the store with its log, the pages cut from it, samples under the tags' names, and a configuration that has
    /// all names in it.
    fn store(&self) -> Store {
        let mut tags = plant().tags.clone();
        tags.iter_mut().zip(self.tags()).for_each(|(tag, name)| tag.name = name);
        let text =
            format!("# {}\n{}", self.name("person"), self.tags().iter().map(ToString::to_string).collect::<String>());
        let mut store = Store::open_in_memory(&tags, hash(text.as_bytes()), &text).unwrap();
        let log = self.log();
        let gateway = GatewayId::new("tt-0042").unwrap();
        let mut stream = Stream::open(gateway, stream_name(), 1, self.policy.clone(), None, MEASURES_OF);
        let pages = stream.cut(DAY, hash(text.as_bytes()), &log, &key());
        let batches = [batch(0, hour())];
        store
            .commit(&Commit { now: DAY, batches: &batches, records: &log, pages: &pages, ..Commit::default() })
            .unwrap();
        store
    }

    /// Returns what must leave, and what must not: each with a word for it.
    fn sorted(&self) -> [Vec<(String, String)>; 2] {
        let [mut leaves, mut stays] = [Vec::new(), Vec::new()];
        let measures: BTreeSet<Measure> = Share::of(&self.policy, MEASURES_OF).measures().into_iter().collect();
        for tag in self.tags() {
            stays.extend(tag.as_str().split('.').map(|part| ("tag".to_owned(), part.to_owned())));
        }
        stays.push(("person".to_owned(), self.name("person")));
        for record in self.log() {
            let (level, grain) = (record.level, record.grain);
            let is_shared = level <= self.policy.level && grain == self.policy.grain;
            let asset = (format!("asset of level {}", level.as_str()), record.asset.to_string());
            if level > self.policy.level {
                stays.push(asset)
            } else {
                leaves.push(asset)
            }
            for (measure, amount) in record.facts.iter() {
                let fact = (format!("{} of {} {grain}", measure.as_str(), level.as_str()), amount.to_string());
                if is_shared && measures.contains(&measure) { leaves.push(fact) } else { stays.push(fact) }
            }
            for value in &record.kpis {
                let shown = (format!("{} of {} {grain}", value.kpi, level.as_str()), value.value.unwrap().to_string());
                if is_shared && self.policy.kpis.contains(&value.kpi) { leaves.push(shown) } else { stays.push(shown) }
            }
        }
        [leaves, stays]
    }
}

#[expect(clippy::cast_precision_loss, reason = "fifteen digits are exact")]
fn exact(number: i64) -> f64 {
    number as f64
}

const MEASURES_OF: MeasuresOf = |id| kpi::find(id.as_str()).map_or(&[], |definition| definition.reveals());

fn stream_name() -> StreamName {
    StreamName::new("hepza").unwrap()
}

fn factory() -> impl Strategy<Value = Factory> {
    let kpis: Vec<KpiId> = CATALOGUE.iter().map(|definition| definition.id.clone()).collect();
    (subsequence(kpis, 1..6), select(&LEVELS[..]), select(&GRAINS[..]), 0..u64::MAX).prop_map(
        |(mut kpis, level, grain, seed)| {
            kpis.sort();
            Factory { policy: SharePolicy { kpis, level, grain }, seed }
        },
    )
}

/// Answers like a platform of either dialect and keeps every byte that comes.
async fn serve(listener: TcpListener, wire: Wire) {
    loop {
        let (connection, _) = listener.accept().await.unwrap();
        tokio::spawn(answer(connection, Arc::clone(&wire)));
    }
}

async fn answer(mut connection: TcpStream, wire: Wire) {
    let mut buffer = Vec::new();
    loop {
        let mut read = [0; 65_536];
        let count = connection.read(&mut read).await.unwrap_or(0);
        if count == 0 {
            return;
        }
        buffer.extend_from_slice(&read[..count]);
        while let Some((head, body, length)) = request(&buffer) {
            let is_packed = head.to_ascii_lowercase().contains("content-encoding: gzip");
            let plain = if is_packed { unpacked(&body).to_vec() } else { body };
            wire.lock().unwrap().extend([head.as_bytes(), &plain, b"\n"].concat());
            let seq = head.split(' ').nth(1).and_then(|path| path.rsplit('/').next()?.parse::<u64>().ok());
            let answer = seq.map(|seq| serde_json::to_vec(&receipt(seq, hash(&plain))).unwrap()).unwrap_or_default();
            let head = format!("HTTP/1.1 201 Created\r\ncontent-length: {}\r\n\r\n", answer.len());
            connection.write_all(&[head.as_bytes(), &answer].concat()).await.unwrap();
            buffer.drain(..length);
        }
    }
}

/// Returns head, body and length of the first request, once it is whole.
fn request(buffer: &[u8]) -> Option<(String, Vec<u8>, usize)> {
    let end = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    let length =
        head.to_ascii_lowercase().split("content-length: ").nth(1)?.split("\r\n").next()?.parse::<usize>().ok()?;
    let body = buffer.get(end..end + length)?.to_vec();
    Some((head, body, end + length))
}

/// A log that is kept.
#[derive(Clone, Default)]
struct Log(Wire);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The item of a template that names everything it can.
const TEMPLATE: &str = r#"
[template]
path = "/v1/values"
item = { key = "{key}", site = "{site}", asset = "{asset}", level = "{level}", grain = "{grain}", start = "{start}", end = "{end}", kpi = "{kpi}", value = "{value}", facts = "{facts}", factors = "{factors}", config = "{config}", inputs = "{inputs_digest}" }
"#;

/// Delivers every page, and returns what left and what was logged.
async fn deliver(factory: &Factory, keys: &str) -> (Vec<u8>, Vec<u8>) {
    let store = factory.store();
    let (wire, log) = (Wire::default(), Log::default());
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).with_writer(move || writer.clone()).finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let text = format!(
        "name = \"hepza\"\nurl = \"http://{}\"\nshare = {{ kpis = [\"electricity\"] }}\n{keys}",
        listener.local_addr().unwrap()
    );
    let config = toml::from_str(&text).unwrap();
    let (wake, health) = (watch::Sender::new(1), Health::default());
    // What the box tells of its own health goes ahead of the pages.
    let (source, detail) = (format!("source.{}", factory.name("source")), factory.tags()[0].to_string());
    health.set(&source, Status::Degraded, detail, DAY);
    let gateway = GatewayId::new("tt-0042").unwrap();
    let speaker = (keys != TEMPLATE).then(|| Speaker { gateway, key: Arc::new(key()) });
    let forwarder = Forwarder::new(
        "hepza",
        (store.reader(), Arc::new(Mutex::new(store.cursors().unwrap()))),
        wake.subscribe(),
        (Clock::manual(DAY), health.clone()),
        CancellationToken::new(),
    );
    let sink = Platform::new(&config, access(&config).unwrap(), (TimeZone::UTC, speaker), forwarder);
    let last = store.reader().heads().unwrap()[&stream_name()].seq;
    let done = async {
        while store.reader().cursor("hepza").unwrap() < last {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let all = async {
        tokio::select! {
            () = serve(listener, Arc::clone(&wire)) => unreachable!(),
            () = sink.forward() => panic!("the sink ended"),
            () = done => {}
        }
    };
    timeout(Duration::from_secs(30), all).await.unwrap_or_else(|_| panic!("never: {:?}", health.snapshot()));
    let (wire, log) = (wire.lock().unwrap().clone(), log.0.lock().unwrap().clone());
    (wire, log)
}

proptest! {
    // Each case is a log of 24 records and thousands of figures, delivered three times over a connection.
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_withheld_tag_asset_or_figure_is_in_any_byte_that_leaves(factory in factory()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let [leaves, stays] = factory.sorted();
        let is_in = |bytes: &str, (_, text): &(String, String)| bytes.contains(text.as_str());
        for keys in ["", "gzip = false", TEMPLATE] {
            let (wire, log) = runtime.block_on(deliver(&factory, keys));
            let (wire, log) = (String::from_utf8_lossy(&wire).into_owned(), String::from_utf8_lossy(&log).into_owned());
            let leak = stays.iter().find(|one| is_in(&wire, one));
            prop_assert!(leak.is_none(), "{leak:?} left: {:?}, {keys}", factory.policy);
            let noted = stays.iter().find(|one| is_in(&log, one));
            prop_assert!(noted.is_none(), "{noted:?} was logged: {:?}, {keys}", factory.policy);
            // What is shared does leave, or the search would prove nothing.
            let missing = leaves.iter().find(|one| !is_in(&wire, one));
            prop_assert!(missing.is_none(), "{missing:?} didn't leave: {:?}, {keys}", factory.policy);
        }
    }
}
