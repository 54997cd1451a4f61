//! A table of rules or routes that is being edited: from the JSON in force to a form's fields and back, and each entry as a sentence.
//!
//! A draft is JSON of the shape that the operator's API takes, so that what is accepted is decided in one place, the tables' own.

use super::act::Form;
use crate::operator::TableKind;
use serde_json::{Map, Value, json};

/// Places of a draft that are read from a form, for each of its lists. The tables' own bounds are narrower.
const PLACES_MAX: usize = 1_024;

/// A table that is being edited.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Draft {
    pub(super) kind: TableKind,
    pub(super) entries: Vec<Value>,
}

/// The word for a table's list in JSON.
pub(super) const fn list_word(kind: TableKind) -> &'static str {
    match kind {
        TableKind::Rules => "rules",
        TableKind::Routes => "routes",
    }
}

/// What a button of the editor does to the draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edit {
    Add,
    Remove(usize),
    Up(usize),
    Down(usize),
    AddCondition(usize),
    AddShare(usize),
}

impl Edit {
    /// From the button's value: `up.3`.
    pub(super) fn parse(text: &str) -> Option<Edit> {
        let (word, place) = text.split_once('.').unwrap_or((text, ""));
        let place = place.parse();
        Some(match (word, place) {
            ("add", _) => Edit::Add,
            ("remove", Ok(place)) => Edit::Remove(place),
            ("up", Ok(place)) => Edit::Up(place),
            ("down", Ok(place)) => Edit::Down(place),
            ("condition", Ok(place)) => Edit::AddCondition(place),
            ("share", Ok(place)) => Edit::AddShare(place),
            _ => return None,
        })
    }
}

impl Draft {
    /// Of a table as it is kept.
    pub(super) fn of_text(kind: TableKind, text: &str) -> Draft {
        let mut table: Value = serde_json::from_str(text).unwrap_or_default();
        let entries = match table[list_word(kind)].take() {
            Value::Array(entries) => entries,
            _ => Vec::new(),
        };
        Draft { kind, entries }
    }

    /// As the operator's API takes it.
    pub(super) fn text(&self) -> String {
        json!({ list_word(self.kind): self.entries }).to_string()
    }

    /// What a form says. Conditions without a field and shares without a processor are left out, unless `keeps_blanks`.
    pub(super) fn of_form(kind: TableKind, form: &Form, keeps_blanks: bool) -> Draft {
        let has = |place: &usize| form.0.contains_key(&format!("{place}.name"));
        let entries = (0..PLACES_MAX).take_while(has).map(|place| entry(kind, form, place, keeps_blanks)).collect();
        Draft { kind, entries }
    }

    /// Does what a button says. A place that is not there changes nothing.
    pub(super) fn edit(&mut self, edit: Edit) {
        let places = self.entries.len();
        match edit {
            Edit::Add => self.entries.push(blank_entry(self.kind)),
            Edit::Remove(place) if place < places => drop(self.entries.remove(place)),
            Edit::Up(place) if (1..places).contains(&place) => self.entries.swap(place, place - 1),
            Edit::Down(place) if place + 1 < places => self.entries.swap(place, place + 1),
            Edit::AddCondition(place) if place < places => push(&mut self.entries[place]["if"], blank_condition()),
            Edit::AddShare(place) if place < places => push(&mut self.entries[place]["to"], blank_share()),
            Edit::Remove(_) | Edit::Up(_) | Edit::Down(_) | Edit::AddCondition(_) | Edit::AddShare(_) => {}
        }
    }

    /// Each entry in a sentence. `name_of` knows processors and merchants by their ids.
    pub(super) fn sentences(&self, name_of: impl Fn(&str) -> String) -> Vec<String> {
        self.entries.iter().map(|entry| sentence(self.kind, entry, &name_of)).collect()
    }
}

fn push(list: &mut Value, item: Value) {
    if let Value::Array(items) = list {
        items.push(item);
    } else {
        *list = json!([item]);
    }
}

fn blank_condition() -> Value {
    json!({"field": "", "op": "=", "value": ""})
}

fn blank_share() -> Value {
    json!({"processor_id": "", "weight": 1})
}

fn blank_entry(kind: TableKind) -> Value {
    match kind {
        TableKind::Rules => json!({"name": "", "stage": "pre", "if": [blank_condition()], "then": "deny"}),
        TableKind::Routes => json!({"name": "", "if": [], "to": [blank_share()], "fail_over": []}),
    }
}

fn entry(kind: TableKind, form: &Form, place: usize, keeps_blanks: bool) -> Value {
    let text = |name: &str| form.text(&format!("{place}.{name}"));
    let mut entry = Map::new();
    entry.insert("name".to_owned(), text("name").into());
    if !text("merchant_id").is_empty() {
        entry.insert("merchant_id".to_owned(), text("merchant_id").into());
    }
    let conditions = listed(form, &format!("{place}.if"), "field", keeps_blanks, |path| condition(form, path));
    entry.insert("if".to_owned(), conditions);
    match kind {
        TableKind::Rules => {
            entry.insert("stage".to_owned(), text("stage").into());
            entry.insert("then".to_owned(), text("then").into());
            if !text("code").is_empty() {
                entry.insert("code".to_owned(), number_or_text(text("code")));
            }
        }
        TableKind::Routes => {
            let share = |path: &str| {
                let (processor_id, weight) = (form.text(&format!("{path}.processor_id")), form.text(&format!("{path}.weight")));
                json!({"processor_id": processor_id, "weight": number_or_text(weight)})
            };
            entry.insert("to".to_owned(), listed(form, &format!("{place}.to"), "processor_id", keeps_blanks, share));
            let named = |path: &str| form.text(&format!("{path}.processor_id")).into();
            entry.insert("fail_over".to_owned(), listed(form, &format!("{place}.fail_over"), "processor_id", false, named));
        }
    }
    Value::Object(entry)
}

/// The items of a list in a form. One whose `key` field is empty is blank.
fn listed(form: &Form, path: &str, key: &str, keeps_blanks: bool, item: impl Fn(&str) -> Value) -> Value {
    let paths = (0..PLACES_MAX).map(|place| format!("{path}.{place}"));
    let there = paths.take_while(|path| form.0.contains_key(&format!("{path}.{key}")));
    // What was half filled in is kept, for the table to refuse: a condition that is silently left out would deny everything.
    let is_blank =
        |path: &String| form.text(&format!("{path}.{key}")).is_empty() && form.text(&format!("{path}.value")).is_empty();
    let kept = there.filter(|path| keeps_blanks || !is_blank(path));
    kept.map(|path| item(&path)).collect::<Vec<Value>>().into()
}

fn condition(form: &Form, path: &str) -> Value {
    let text = |name: &str| form.text(&format!("{path}.{name}"));
    let (field, op) = (text("field"), text("op"));
    let value = match op {
        "in" => text("value").split(',').map(|part| typed(field, part.trim())).collect::<Vec<Value>>().into(),
        _ => typed(field, text("value")),
    };
    let mut condition = json!({"field": field, "op": op, "value": value});
    if field == "velocity" {
        condition["per"] = text("per").into();
        condition["window_s"] = number_or_text(text("window_s"));
    }
    condition
}

/// Digits of a card number are a text; digits of anything else are a number.
fn typed(field: &str, text: &str) -> Value {
    match field {
        "bin" | "avs" | "cvv" => text.into(),
        _ => number_or_text(text),
    }
}

fn number_or_text(text: &str) -> Value {
    text.parse::<u64>().map_or_else(|_| text.into(), Value::from)
}

/// A condition's value as it stands in a field: items of a list apart by commas.
pub(super) fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(value_text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// A text of an entry; empty when it is not there.
pub(super) fn text<'a>(entry: &'a Value, name: &str) -> &'a str {
    entry[name].as_str().unwrap_or("")
}

/// The items of a list of an entry.
pub(super) fn items<'a>(entry: &'a Value, name: &str) -> &'a [Value] {
    entry[name].as_array().map_or(&[], Vec::as_slice)
}

fn sentence(kind: TableKind, entry: &Value, name_of: &impl Fn(&str) -> String) -> String {
    let name = text(entry, "name");
    let conditions: Vec<String> = items(entry, "if").iter().map(condition_sentence).collect();
    let when = if conditions.is_empty() { "always".to_owned() } else { format!("if {}", conditions.join(" and ")) };
    let of = match text(entry, "merchant_id") {
        "" => String::new(),
        id => format!(", payments of {}", name_of(id)),
    };
    match kind {
        TableKind::Rules => {
            let stage = if text(entry, "stage") == "post" { "after the answer" } else { "before the processor" };
            let code = entry["code"].as_u64().map_or_else(String::new, |code| format!(" with {code}"));
            format!("{name}: {stage}{of}, {when}: {}{code}", text(entry, "then"))
        }
        TableKind::Routes => {
            let share = |share: &Value| format!("{} × {}", value_text(&share["weight"]), name_of(text(share, "processor_id")));
            let to: Vec<String> = items(entry, "to").iter().map(share).collect();
            let first = (!to.is_empty()).then(|| to.join(" + "));
            let fail_over = items(entry, "fail_over").iter().map(|id| name_of(&value_text(id)));
            let places: Vec<String> = first.into_iter().chain(fail_over).collect();
            format!("{name}: {when}{of}: {}", places.join(", else "))
        }
    }
}

fn condition_sentence(condition: &Value) -> String {
    let (field, op, value) = (text(condition, "field"), text(condition, "op"), value_text(&condition["value"]));
    match field {
        "velocity" => {
            let (per, window) = (text(condition, "per"), value_text(&condition["window_s"]));
            format!("payments of one {per} in {window} s {op} {value}")
        }
        _ => format!("{field} {op} {value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(pairs: &[(&str, &str)]) -> Form {
        Form(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn a_form_becomes_the_json_that_the_api_takes() {
        let form = form(&[
            ("0.name", " fourth an hour "),
            ("0.stage", "pre"),
            ("0.then", "deny"),
            ("0.code", ""),
            ("0.if.0.field", "velocity"),
            ("0.if.0.op", ">"),
            ("0.if.0.value", "3"),
            ("0.if.0.per", "card"),
            ("0.if.0.window_s", "3600"),
            ("0.if.1.field", "currency"),
            ("0.if.1.op", "in"),
            ("0.if.1.value", "USD, EUR"),
            ("0.if.2.field", "bin"),
            ("0.if.2.op", "="),
            ("0.if.2.value", "4111"),
            ("0.if.3.field", ""),
            ("0.if.3.value", " "),
        ]);
        let draft = Draft::of_form(TableKind::Rules, &form, false);
        let expected = json!({"rules": [{"name": "fourth an hour", "stage": "pre", "then": "deny", "if": [
            {"field": "velocity", "op": ">", "value": 3, "per": "card", "window_s": 3600},
            {"field": "currency", "op": "in", "value": ["USD", "EUR"]},
            {"field": "bin", "op": "=", "value": "4111"}]}]});
        assert_eq!(serde_json::from_str::<Value>(&draft.text()).unwrap(), expected);
        assert_eq!(
            items(&Draft::of_form(TableKind::Rules, &form, true).entries[0], "if").len(),
            4,
            "a blank one waits to be filled in"
        );
        let told = "fourth an hour: before the processor, if payments of one card in 3600 s > 3 and currency in USD, EUR and bin = 4111: deny";
        assert_eq!(draft.sentences(str::to_owned), [told]);
        assert_eq!(Draft::of_text(TableKind::Rules, &draft.text()), draft);
        let mut half = form;
        half.0.insert("0.if.3.value".to_owned(), "2000".to_owned());
        assert_eq!(
            items(&Draft::of_form(TableKind::Rules, &half, false).entries[0], "if").len(),
            4,
            "the table refuses it by name"
        );
    }

    #[test]
    fn routes_are_read_and_told_with_their_names() {
        let form = form(&[
            ("0.name", "both"),
            ("0.to.0.processor_id", "a"),
            ("0.to.0.weight", "3"),
            ("0.to.1.processor_id", "b"),
            ("0.to.1.weight", "1"),
            ("0.to.2.processor_id", ""),
            ("0.fail_over.0.processor_id", "c"),
            ("0.fail_over.1.processor_id", ""),
        ]);
        let draft = Draft::of_form(TableKind::Routes, &form, false);
        assert_eq!(draft.sentences(|id| format!("<{id}>")), ["both: always: 3 × <a> + 1 × <b>, else <c>"]);
    }

    #[test]
    fn buttons_move_entries_and_what_is_not_there_moves_nothing() {
        let mut draft = Draft { kind: TableKind::Rules, entries: vec![json!({"name": "a"}), json!({"name": "b"})] };
        for button in ["up.1", "down.9", "up.0", "remove.9", "condition.0", "condition.7", "share.8", "nonsense", "remove.x"] {
            if let Some(edit) = Edit::parse(button) {
                draft.edit(edit);
            }
        }
        assert_eq!((text(&draft.entries[0], "name"), items(&draft.entries[0], "if").len()), ("b", 1));
        draft.edit(Edit::Remove(0));
        draft.edit(Edit::Add);
        assert_eq!((draft.entries.len(), text(&draft.entries[1], "then")), (2, "deny"));
    }
}
