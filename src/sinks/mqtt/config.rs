//! What configuration says of a broker that gets records: `[[sink]] type = "mqtt"`.

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use crate::model::broker::Address;
use crate::model::id::StreamName;
use crate::model::problem::Problems;
use crate::model::record::WindowRecord;
use crate::model::time::Period;
use crate::runtime::secret::Secret;
use crate::sinks::http::check_timeout;

/// The topic of a record where none is configured.
const TOPIC: &str = "parkgate/{site}/{asset}/{grain}";

/// What a topic may be made of.
const PLACEHOLDERS: [&str; 3] = ["{site}", "{asset}", "{grain}"];

/// A broker of the factory or the park that gets the record log.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MqttSink {
    /// Name of the sink.
    pub name: Spanned<StreamName>,
    /// `mqtt://host[:1883]` or `mqtts://host[:8883]`.
    pub url: Spanned<String>,
    /// Version of the protocol: `5`, or `311` for 3.1.1; 5 where not given.
    pub version: Option<Spanned<i64>>,
    /// Client identifier; `parkgate-<gateway>-to-<sink>` where not given. Two clients with one identifier throw each other
    /// out.
    pub client_id: Option<Spanned<String>>,
    /// User name at the broker.
    pub username: Option<Spanned<String>>,
    /// Password at the broker.
    pub password: Option<Secret>,
    /// PEM file of the authority that signed the broker's certificate; the public authorities where not given.
    pub ca_file: Option<Spanned<PathBuf>>,
    /// PEM file of the certificate that the box shows to the broker, with those between it and its authority.
    pub cert_file: Option<Spanned<PathBuf>>,
    /// PEM file of that certificate's private key.
    pub key_file: Option<Spanned<PathBuf>>,
    /// Topic of a record, with `{site}`, `{asset}` and `{grain}` in it; `parkgate/{site}/{asset}/{grain}` where not given.
    pub topic: Option<Spanned<String>>,
    /// Whether the broker keeps the newest record of each topic for whoever subscribes later.
    #[serde(default)]
    pub retain: bool,
    /// Longest wait for the broker's acknowledgements; 30 s where not given.
    pub timeout: Option<Spanned<Period>>,
}

impl MqttSink {
    /// Says whether MQTT 3.1.1 is spoken.
    pub fn is_v311(&self) -> bool {
        self.version.as_ref().is_some_and(|version| *version.get_ref() == 311)
    }

    /// Returns the topic of a record.
    pub fn topic_of(&self, record: &WindowRecord) -> String {
        let pattern = self.topic.as_ref().map_or(TOPIC, |topic| topic.get_ref());
        let values = [record.site.as_str(), record.asset.as_str(), record.grain.as_str()];
        PLACEHOLDERS.iter().zip(values).fold(pattern.to_owned(), |topic, (name, value)| topic.replace(name, value))
    }

    /// Says what is wrong with this sink by itself.
    pub fn check(&self, problems: &mut Problems) {
        let name = self.name.get_ref();
        check_timeout(name, self.timeout.as_ref(), problems);
        if let Some(version) = self.version.as_ref().filter(|version| ![5, 311].contains(version.get_ref())) {
            let message = format!("MQTT version {} is not supported", version.get_ref());
            problems.error(version.span(), message, "write 5 or 311");
        }
        if let (None, Some(username)) = (&self.password, &self.username) {
            problems.warning(
                username.span(),
                format!("sink \"{name}\" has a user name without a password"),
                "write password = { env = \"NAME\" } if the broker asks for one",
            );
        }
        match Address::parse(self.url.get_ref()) {
            Ok(address) => self.check_files(address.tls, problems),
            Err(message) => {
                problems.error(self.url.span(), message, "write mqtt://host:1883 or mqtts://host:8883");
            }
        }
        if let Some(topic) = &self.topic
            && let Err(message) = check_topic(topic.get_ref())
        {
            problems.error(topic.span(), message, format!("write a topic like \"{TOPIC}\""));
        }
    }

    fn check_files(&self, tls: bool, problems: &mut Problems) {
        for (key, file) in [("ca_file", &self.ca_file), ("cert_file", &self.cert_file), ("key_file", &self.key_file)] {
            if let Some(file) = file.as_ref().filter(|_| !tls) {
                let message = format!("{key} means nothing without TLS");
                problems.error(file.span(), message, "write url = \"mqtts://…\", or remove it");
            }
        }
        let (alone, missing) = match (&self.cert_file, &self.key_file) {
            (Some(cert), None) => (cert, "key_file"),
            (None, Some(key)) => (key, "cert_file"),
            _ => return,
        };
        problems.error(alone.span(), format!("a client certificate needs {missing} too"), format!("add {missing}"));
    }
}

/// A record's place must be in its topic, and nothing that only a subscription may hold.
fn check_topic(topic: &str) -> Result<(), String> {
    let rest = PLACEHOLDERS.iter().fold(topic.to_owned(), |rest, name| rest.replace(name, ""));
    if topic.is_empty() || topic.starts_with('$') {
        return Err(format!("\"{topic}\" is no topic that a client may publish to"));
    }
    if let Some(letter) = rest.chars().find(|letter| "+#{}\0".contains(*letter)) {
        return Err(format!(
            "topic \"{topic}\" holds '{letter}', and only {{site}}, {{asset}} and {{grain}} stand for something"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::MqttSink;
    use crate::ledger::fixture;
    use crate::model::problem::Problems;

    fn sink(rest: &str) -> MqttSink {
        toml::from_str(&format!("name = \"floor\"\nurl = \"mqtt://127.0.0.1\"\n{rest}")).unwrap()
    }

    fn problems(rest: &str) -> Vec<String> {
        let mut problems = Problems::default();
        sink(rest).check(&mut problems);
        problems.0.into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn a_record_goes_to_the_topic_of_its_place() {
        let record = fixture::record(0, 1);
        let whole = format!("parkgate/{}/{}/{}", record.site, record.asset, record.grain);
        assert_eq!(sink("").topic_of(&record), whole);
        let own = sink("topic = \"kpi/{asset}\"");
        assert_eq!(own.topic_of(&record), format!("kpi/{}", record.asset));
    }

    #[test]
    fn what_no_broker_would_take_is_said_before_it_is_tried() {
        assert!(problems("version = 311\ntopic = \"kpi/{site}\"").is_empty());
        for (rest, expected) in [
            ("version = 4", "MQTT version 4 is not supported"),
            ("topic = \"kpi/+\"", "holds '+'"),
            ("topic = \"kpi/{area}\"", "holds '{'"),
            ("topic = \"$SYS/kpi\"", "no topic that a client may publish to"),
            ("topic = \"\"", "no topic that a client may publish to"),
            ("ca_file = \"a.pem\"", "ca_file means nothing without TLS"),
            ("username = \"a\"", "a user name without a password"),
        ] {
            let said = problems(rest);
            assert!(said.iter().any(|message| message.contains(expected)), "{rest}: {said:?}");
        }
    }
}
