//! A server that takes InfluxDB 2 writes as InfluxDB does: it refuses a batch for one malformed line, and a point that comes
//! again replaces itself field by field. `VictoriaMetrics` takes malformed lines in silence, so it can't tell.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Points by series and time as they were written, e.g. `kpi,asset=press-1 1683478800000`; their fields by name, as written.
pub(crate) type Points = BTreeMap<String, BTreeMap<String, String>>;

/// The server. Its threads end with the connections, at the latest with the test process.
pub(crate) struct LineFake {
    /// Where it listens, on loopback.
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    points: Points,
    writes: usize,
    refused: Vec<String>,
}

impl LineFake {
    /// Starts one that holds nothing.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { port, state }
    }

    /// Returns every point it holds.
    pub(crate) fn points(&self) -> Points {
        self.state.lock().unwrap().points.clone()
    }

    /// Returns how many points were written, repetitions included.
    pub(crate) fn writes(&self) -> usize {
        self.state.lock().unwrap().writes
    }

    /// Returns the lines it refused, with the reason.
    pub(crate) fn refused(&self) -> Vec<String> {
        self.state.lock().unwrap().refused.clone()
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    while let Some(body) = request(&mut reader) {
        let lines: Result<Vec<_>, String> =
            body.lines().map(|line| point(line).ok_or_else(|| format!("unable to parse '{line}'"))).collect();
        let mut state = state.lock().unwrap();
        let answer = match lines {
            Ok(points) => {
                state.writes += points.len();
                for (key, fields) in points {
                    state.points.entry(key).or_default().extend(fields);
                }
                "HTTP/1.1 204 No Content\r\n\r\n".to_owned()
            }
            Err(reason) => {
                let body = serde_json::json!({ "code": "invalid", "message": reason }).to_string();
                state.refused.push(reason);
                format!("HTTP/1.1 400 Bad Request\r\ncontent-length: {}\r\n\r\n{body}", body.len())
            }
        };
        drop(state);
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// Reads one whole request and returns its body; `None` where the connection ends first.
fn request(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let (mut length, mut line) = (0, String::new());
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.trim().parse().ok()?,
            Some(_) => {}
            None if line.trim_end().is_empty() => break,
            None => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    String::from_utf8(body).ok()
}

/// Reads one line: series, fields, time in milliseconds. `None` where it isn't exactly that.
fn point(line: &str) -> Option<(String, BTreeMap<String, String>)> {
    let parts = split(line, ' ');
    let [series, fields, time] = parts.as_slice() else { return None };
    time.parse::<i64>().ok()?;
    let tags = split(series, ',');
    let (measurement, tags) = tags.split_first()?;
    let is_tag = |tag: &&str| tag.split_once('=').is_some_and(|(name, value)| !name.is_empty() && !value.is_empty());
    if measurement.is_empty() || !tags.iter().all(is_tag) {
        return None;
    }
    let fields = split(fields, ',').into_iter().map(|field| {
        let (name, value) = field.split_once('=')?;
        is_value(value).then(|| (name.to_owned(), value.to_owned()))
    });
    Some((format!("{series} {time}"), fields.collect::<Option<_>>()?))
}

/// A finite float, an integer with `i`, a boolean, or a quoted string.
fn is_value(text: &str) -> bool {
    match text.strip_suffix('i') {
        Some(integer) if integer.parse::<i64>().is_ok() => true,
        _ if text.len() >= 2 && text.starts_with('"') => text.ends_with('"'),
        _ => text == "true" || text == "false" || text.parse::<f64>().is_ok_and(f64::is_finite),
    }
}

/// Splits where `at` is neither escaped nor between quotes.
fn split(text: &str, at: char) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (index, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            _ if c == at && !quoted => {
                parts.push(&text[start..index]);
                start = index + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[test]
fn a_line_is_taken_apart_and_a_malformed_one_is_refused() {
    let (key, fields) = point(r#"kpi,asset=a\ b value=1.5,reason="no, never",revision=2i 7"#).unwrap();
    assert_eq!(key, r"kpi,asset=a\ b 7");
    assert_eq!(fields["reason"], r#""no, never""#);
    for wrong in ["kpi value=NaN 7", "kpi value= 7", "kpi value=1", "kpi,asset= value=1 7", "kpi value=1 7 8", ""] {
        assert_eq!(point(wrong), None, "{wrong}");
    }
}
