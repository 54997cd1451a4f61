//! Every sample of the gateway document, in its order, on one switch: sent as printed, with its dates moved to the future, and
//! answered with every field that is printed, of the printed type and, where the switch does not draw it, of the printed value.
//!
//! `gateway.json` holds the samples. The ids in them are the document's: whoever makes a thing learns what the switch called it,
//! and every later sample is sent and compared with that in its place.

mod compare;

use compare::{Names, differences};
use serde_json::Value;
use tests::client::Client;
use tests::http::Response;
use tests::switch::keys;
use tests::{Options, Switch};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("Content-Type", "application/json");

/// A sample request and what is printed as its answer.
struct Sample {
    name: String,
    method: String,
    path: String,
    /// Whose credentials it is sent with.
    sender: String,
    body: Value,
    answer: Value,
    /// Paths of printed values that are another sale's, another host's or another sentence's; their types count all the same.
    differs: Vec<String>,
}

impl Sample {
    fn all() -> Vec<Sample> {
        let document: Value = serde_json::from_str(include_str!("gateway.json")).expect("the samples are JSON");
        document.as_array().expect("the samples are a list").iter().map(Sample::read).collect()
    }

    fn read(sample: &Value) -> Sample {
        let text = |name: &str| sample[name].as_str().unwrap_or_default().to_owned();
        let request = text("request");
        let (method, path) = request.split_once(' ').expect("a request is a method and a path");
        let below = if path.starts_with("/operator") { "" } else { "/api" };
        let differs = sample["differs"].as_array().into_iter().flatten();
        Sample {
            name: text("name"),
            method: method.to_owned(),
            path: format!("{below}{path}"),
            sender: text("as"),
            body: sample["body"].clone(),
            answer: sample["answer"].clone(),
            differs: differs.map(|path| path.as_str().expect("a path is a text").to_owned()).collect(),
        }
    }

    /// A thing is made where a POST names none that was made before.
    fn makes(&self, names: &Names) -> bool {
        self.method == "POST" && names.put_into(&self.path) == self.path
    }

    fn send(&self, client: &Client, names: &Names) -> Response {
        let body = match &self.body {
            Value::Null => String::new(),
            Value::String(form) => names.put_into(form),
            json => names.put_into(&json.to_string()),
        };
        let kind = if self.body.is_string() { FORM } else { JSON };
        let path = names.put_into(&self.path);
        let key = match self.sender.as_str() {
            "" => client.key.clone(),
            "browser" => keys::PUBLIC.to_owned(),
            "operator" => keys::OPERATOR.to_owned(),
            "user" => format!("Bearer {}", names.put_into("<token>")),
            "stranger" => return client.stranger(&self.method, &path, &[kind], body.as_bytes()),
            nobody => panic!("{}: {nobody} sends it?", self.name),
        };
        client.stranger(&self.method, &path, &[kind, ("Authorization", &key)], body.as_bytes())
    }
}

#[test]
fn each_sample_of_the_document_is_answered_as_printed() {
    let switch = Switch::start(Options::default());
    let (client, mut names, mut wrong) = (switch.client(), Names::default(), Vec::new());
    for sample in Sample::all() {
        let response = sample.send(&client, &names);
        if response.status != 200 {
            wrong.push(format!("{}: {} {}", sample.name, response.status, response.text()));
            continue;
        }
        let answer = response.json();
        names.learn(&sample.answer, &answer, sample.makes(&names));
        let found = differences(&sample.answer, &answer, &names, &sample.differs);
        wrong.extend(found.into_iter().map(|difference| format!("{}: {difference}", sample.name)));
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}
