//! What a printed answer and a real one have in common, and what they must.

use serde_json::{Map, Value};

/// Fields whose texts are names that the switch draws.
const DRAWN: [&str; 5] = ["id", "api_key", "customer_id", "public_url", "token"];

/// Fields whose values are the moment's, the account's or the processor's own. Their types are the document's.
const OWN: [&str; 25] = [
    "account_type_id",
    "api_key",
    "auth_code",
    "auth_key",
    "batch_date",
    "batch_number",
    "captured_at",
    "count",
    "created_at",
    "date_due",
    "hosted_url",
    "merchant_id",
    "model",
    "processor_id",
    "processor_name",
    "processor_response_text",
    "register_id",
    "serial_number",
    "settled_at",
    "signature_data",
    "total_count",
    "tpn",
    "updated_at",
    "user_id",
    "user_name",
];

/// The document's names of things, and the switch's.
#[derive(Default)]
pub struct Names(Vec<(String, String)>);

impl Names {
    /// A text of the document with the switch's names in it.
    pub fn put_into(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (printed, ours)| text.replace(printed, ours))
    }

    /// Learns the names in an answer. One that is known stays, but where a new thing takes the name over.
    pub fn learn(&mut self, printed: &Value, answered: &Value, is_new: bool) {
        match (printed, answered) {
            (Value::Object(printed), Value::Object(answered)) => {
                for (field, printed) in printed {
                    let Some(answered) = answered.get(field) else { continue };
                    match (printed, answered) {
                        (Value::String(printed), Value::String(ours)) if DRAWN.contains(&field.as_str()) => {
                            self.name(printed, ours, is_new);
                        }
                        (printed, answered) => self.learn(printed, answered, is_new),
                    }
                }
            }
            (Value::Array(printed), Value::Array(answered)) => {
                printed.iter().zip(answered).for_each(|(printed, answered)| self.learn(printed, answered, false));
            }
            _ => {}
        }
    }

    fn name(&mut self, printed: &str, ours: &str, is_new: bool) {
        let is_known = self.0.iter().any(|(known, _)| known == printed);
        if printed.is_empty() || (is_known && !is_new) {
            return;
        }
        self.0.retain(|(known, _)| known != printed);
        self.0.push((printed.to_owned(), ours.to_owned()));
    }
}

/// What is not as printed: where, and how. Fields beyond the printed ones may be there.
pub fn differences(printed: &Value, answered: &Value, names: &Names, differs: &[String]) -> Vec<String> {
    let mut comparison = Comparison { names, differs, found: Vec::new() };
    comparison.value("", printed, answered);
    comparison.found
}

struct Comparison<'a> {
    names: &'a Names,
    differs: &'a [String],
    found: Vec<String>,
}

impl Comparison<'_> {
    fn value(&mut self, path: &str, printed: &Value, answered: &Value) {
        match (printed, answered) {
            (Value::Object(printed), Value::Object(answered)) => self.object(path, printed, answered),
            (Value::Array(printed), Value::Array(answered)) => self.list(path, printed, answered),
            (Value::String(text), Value::String(_)) if self.names.put_into(text) == answered.as_str().unwrap_or_default() => {}
            _ if printed == answered => {}
            _ if self.may_differ(path) && kind(printed) == kind(answered) => {}
            _ => self.found.push(format!("{path} is {answered}, printed {printed}")),
        }
    }

    fn object(&mut self, path: &str, printed: &Map<String, Value>, answered: &Map<String, Value>) {
        for (field, printed) in printed {
            let path = if path.is_empty() { field.clone() } else { format!("{path}.{field}") };
            match answered.get(field) {
                Some(answered) => self.value(&path, printed, answered),
                None => self.found.push(format!("{path} is not there, printed {printed}")),
            }
        }
    }

    /// What is listed is found by its id, else by its place.
    fn list(&mut self, path: &str, printed: &[Value], answered: &[Value]) {
        for (index, printed) in printed.iter().enumerate() {
            let id = printed["id"].as_str().map(|id| self.names.put_into(id));
            let same = answered.iter().find(|answered| id.is_some() && answered["id"].as_str() == id.as_deref());
            match same.or(answered.get(index)) {
                Some(answered) => self.value(&format!("{path}.{index}"), printed, answered),
                None => self.found.push(format!("{path}.{index} is not there, printed {printed}")),
            }
        }
    }

    fn may_differ(&self, path: &str) -> bool {
        let field = path.rsplit('.').next().unwrap_or(path);
        OWN.contains(&field) || self.differs.iter().any(|differs| differs == path)
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
