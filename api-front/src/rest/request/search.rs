//! The bodies of the searches: conditions of the gateway document, read into conditions of the projection.
//!
//! A condition without a value is none, so that clients may send every field they know. An id, a word or a processor that is
//! none of ours equals nothing: that is an empty answer, not an error.

use crate::rest::json::{Document, Scope};
use crate::rest::limits::{BATCH_SEARCH_LIMIT, SEARCH_LIMIT, SEARCH_LIMIT_MAX, SEARCH_OFFSET_MAX};
use crate::rest::problem::Problem;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use persistence::projection::search::{BatchSearch, Column, Comparison, Condition, Moment, Search};
use protocol::calendar::Micros;
use protocol::id::Xid;
use protocol::tail::tag;
use protocol::words::{PaymentMethod, Status, Verb};

/// The number that equals no word, no processor.
const NONE_OF_OURS: i64 = -1;

/// Finds the index of a processor by its id.
pub type ProcessorIndex<'a> = &'a dyn Fn(&Xid) -> Option<u16>;

/// A search of settlement batches and the page of it that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchPage {
    /// What is searched for.
    pub search: BatchSearch,
    /// Batches at most.
    pub limit: usize,
    /// Matches that are passed over.
    pub offset: usize,
}

/// A field of a search, and what stands before the names in its object.
type Named = (&'static str, &'static str);

/// `("amount", "amount.")`
macro_rules! named {
    ($name:literal) => {
        ($name, concat!($name, "."))
    };
    ($parent:literal, $name:literal) => {
        ($name, concat!($parent, ".", $name, "."))
    };
}

/// The fields of an address in the order of their tags; the last is the vault's.
macro_rules! address {
    ($parent:literal) => {
        [
            named!($parent, "first_name"),
            named!($parent, "last_name"),
            named!($parent, "company"),
            named!($parent, "address_line_1"),
            named!($parent, "address_line_2"),
            named!($parent, "city"),
            named!($parent, "state"),
            named!($parent, "postal_code"),
            named!($parent, "country"),
            named!($parent, "phone"),
            named!($parent, "fax"),
            named!($parent, "email"),
            named!($parent, "address_id"),
        ]
    };
}

const TEXTS: [(Named, u16); 5] = [
    (named!("user_id"), tag::USER_ID),
    (named!("ip_address"), tag::IP_ADDRESS),
    (named!("po_number"), tag::PO_NUMBER),
    (named!("order_id"), tag::ORDER_ID),
    (named!("customer_id"), tag::CUSTOMER_ID),
];

const AMOUNTS: [(Named, Column); 4] = [
    (named!("amount"), Column::Amount),
    (named!("amount_authorized"), Column::AmountAuthorized),
    (named!("amount_captured"), Column::AmountCaptured),
    (named!("amount_settled"), Column::AmountSettled),
];

const MOMENTS: [(Named, Moment); 3] =
    [(named!("created_at"), Moment::Created), (named!("captured_at"), Moment::Captured), (named!("settled_at"), Moment::Settled)];

const ADDRESSES: [(Named, [Named; 13], u16); 2] = [
    (named!("billing_address"), address!("billing_address"), tag::BILLING),
    (named!("shipping_address"), address!("shipping_address"), tag::SHIPPING),
];

/// Reads the body of a search of transactions.
pub fn parse_search(bytes: &[u8], merchant: Xid, processor: ProcessorIndex<'_>) -> Result<Search, Problem> {
    let document = Document::read(bytes)?;
    let body = document.scope();
    let mut conditions = Vec::new();
    add_columns(body, processor, &mut conditions)?;
    for (field, tag) in TEXTS {
        conditions.extend(text(body, field)?.map(|(equal, value)| Condition::Text { tag, equal, value: value.to_owned() }));
    }
    for ((name, prefix), fields, first_tag) in ADDRESSES {
        let address = body.object(name, prefix)?;
        for (field, tag) in fields.into_iter().zip(first_tag..) {
            let condition = match text(address, field)? {
                None => text(body, with_its_parent(field))?,
                nested => nested,
            };
            conditions.extend(condition.map(|(equal, value)| Condition::Text { tag, equal, value: value.to_owned() }));
        }
    }
    let (limit, offset) = page(body, SEARCH_LIMIT)?;
    Ok(Search { merchant, conditions, limit, offset })
}

fn add_columns(body: Scope<'_, '_>, processor: ProcessorIndex<'_>, out: &mut Vec<Condition>) -> Result<(), Problem> {
    let id = text(body, named!("transaction_id"))?;
    out.extend(id.map(|(equal, value)| Condition::Id { equal, id: value.parse().ok() }));
    let verb = |word: &str| Verb::from_word(word).map_or(NONE_OF_OURS, |verb| verb.number().into());
    out.extend(word(body, named!("type"), Column::Verb, verb)?);
    let status = |word: &str| Status::from_word(word).map_or(NONE_OF_OURS, |status| status.number().into());
    out.extend(word(body, named!("status"), Column::Status, status)?);
    let index = |id: &str| id.parse().ok().and_then(|id| processor(&id)).map_or(NONE_OF_OURS, i64::from);
    out.extend(word(body, named!("processor_id"), Column::Processor, index)?);
    for field in [named!("payment_method"), named!("payment_type")] {
        out.extend(text(body, field)?.map(|(equal, value)| Condition::Method { equal, method: method(value) }));
    }
    for (field, column) in AMOUNTS {
        let condition = number(body, field)?;
        out.extend(condition.map(|(comparison, value)| Condition::Number { column, comparison, value: value.cast_signed() }));
    }
    let tax = number(body, named!("tax_amount"))?;
    out.extend(tax.map(|(comparison, value)| Condition::TailAmount { tag: tag::TAX_AMOUNT, comparison, value }));
    for (field, moment) in MOMENTS {
        let (from, to) = dates(body, field)?;
        out.extend((from.is_some() || to.is_some()).then_some(Condition::Between { moment, from, to }));
    }
    Ok(())
}

/// Reads the body of a search of settlement batches.
pub fn parse_batch_search(bytes: &[u8], merchant: Xid) -> Result<BatchPage, Problem> {
    let document = Document::read(bytes)?;
    let body = document.scope();
    let (from, to) = dates(body, named!("batch_date"))?;
    let id = match text(body, named!("settlement_batch_id"))? {
        None => None,
        // A text that is no id is none of ours: neither is this one.
        Some((true, value)) => Some(value.parse().unwrap_or(Xid::NONE)),
        Some((false, _)) => return Err(Problem::invalid("settlement_batch_id.operator", "must be =")),
    };
    let (limit, offset) = page(body, BATCH_SEARCH_LIMIT)?;
    Ok(BatchPage { search: BatchSearch { merchant, from, to, id }, limit: limit as usize, offset: offset as usize })
}

/// The gateway's words, and the document's other word for a bank account.
fn method(word: &str) -> Option<PaymentMethod> {
    if word == "echeck" { Some(PaymentMethod::Ach) } else { PaymentMethod::from_word(word) }
}

fn word(body: Scope<'_, '_>, field: Named, column: Column, number: impl Fn(&str) -> i64) -> Result<Option<Condition>, Problem> {
    let found = text(body, field)?;
    Ok(found.map(|(equal, value)| {
        let comparison = if equal { Comparison::Equal } else { Comparison::NotEqual };
        Condition::Number { column, comparison, value: number(value) }
    }))
}

/// The document's table names an address's fields with their parent: `billing_address.first_name`.
fn with_its_parent((_, prefix): Named) -> Named {
    (prefix.trim_end_matches('.'), prefix)
}

/// A condition on a text: whether it must be equal, and to what.
fn text<'n>(body: Scope<'n, '_>, (name, prefix): Named) -> Result<Option<(bool, &'n str)>, Problem> {
    let condition = body.object(name, prefix)?;
    let Some(value) = condition.text("value")? else { return Ok(None) };
    match operator(condition)? {
        Comparison::Equal => Ok(Some((true, value))),
        Comparison::NotEqual => Ok(Some((false, value))),
        Comparison::Less | Comparison::Greater => Err(condition.invalid("operator", "must be = or !=")),
    }
}

fn number(body: Scope<'_, '_>, (name, prefix): Named) -> Result<Option<(Comparison, u64)>, Problem> {
    let condition = body.object(name, prefix)?;
    let Some(value) = condition.amount("value")? else { return Ok(None) };
    Ok(Some((operator(condition)?, value)))
}

/// The document's signs, and the words that clients in use send for them.
fn operator(condition: Scope<'_, '_>) -> Result<Comparison, Problem> {
    match condition.text("operator")? {
        None | Some("=" | "eq") => Ok(Comparison::Equal),
        Some("!=" | "ne") => Ok(Comparison::NotEqual),
        Some("<" | "lt") => Ok(Comparison::Less),
        Some(">" | "gt") => Ok(Comparison::Greater),
        Some(_) => Err(condition.invalid("operator", "must be one of =, !=, <, >")),
    }
}

/// A range of moments: `start_date` and `end_date`, each or none.
pub(in crate::rest) fn dates(body: Scope<'_, '_>, (name, prefix): Named) -> Result<(Option<Micros>, Option<Micros>), Problem> {
    let range = body.object(name, prefix)?;
    let (from, to) = (date(range, "start_date", Day::Begins)?, date(range, "end_date", Day::Ends)?);
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        return Err(range.invalid("end_date", "must not be before start_date"));
    }
    Ok((from, to))
}

/// Which moment a date without a time of day means.
#[derive(Clone, Copy)]
enum Day {
    Begins,
    Ends,
}

fn date(range: Scope<'_, '_>, name: &str, day: Day) -> Result<Option<Micros>, Problem> {
    let Some(text) = range.text(name)? else { return Ok(None) };
    let moment = text.parse::<Timestamp>().ok().map(|moment| Micros(moment.as_microsecond()));
    let moment = moment.or_else(|| whole_day(text, day));
    moment.map(Some).ok_or_else(|| range.invalid(name, "must be a moment in UTC like 2017-11-01T00:00:00Z, or a date"))
}

fn whole_day(text: &str, day: Day) -> Option<Micros> {
    let date: Date = text.parse().ok().filter(|_| text.len() == 10)?;
    let begins = date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_microsecond();
    Some(match day {
        Day::Begins => Micros(begins),
        Day::Ends => Micros(begins + 86_400_000_000 - 1),
    })
}

fn page(body: Scope<'_, '_>, usual: u32) -> Result<(u32, u64), Problem> {
    let limit = match body.integer("limit")? {
        None => usual,
        Some(limit) => u32::try_from(limit)
            .ok()
            .filter(|limit| *limit <= SEARCH_LIMIT_MAX)
            .ok_or_else(|| body.invalid("limit", format!("must be at most {SEARCH_LIMIT_MAX}")))?,
    };
    let offset = body.integer("offset")?.unwrap_or(0);
    if offset > SEARCH_OFFSET_MAX {
        return Err(body.invalid("offset", format!("must be at most {SEARCH_OFFSET_MAX}: narrow the search by created_at")));
    }
    Ok((limit, offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MERCHANT: Xid = Xid([9; 12]);

    fn parse(body: &str) -> Result<Search, Problem> {
        parse_search(body.as_bytes(), MERCHANT, &|id| (*id == MERCHANT).then_some(4))
    }

    fn conditions(body: &str) -> Vec<Condition> {
        parse(body).unwrap().conditions
    }

    fn message(body: &str) -> String {
        parse(body).unwrap_err().to_string()
    }

    /// The document's sample, as printed.
    #[test]
    fn the_documents_search_reads_as_it_means() {
        let body = r#"{"transaction_id": {"operator": "=", "value": "b84vgb2j8m0jujadi4v0"}, "amount": {"operator": "=", "value": 1112},
            "created_at": {"start_date": "2017-11-01T00:00:00Z", "end_date": "2017-11-30T00:00:00Z"},
            "billing_address": {"first_name": {"operator": "=", "value": "John"}}}"#;
        let (from, to) = (Micros(1_509_494_400_000_000), Micros(1_512_000_000_000_000));
        let expected = [
            Condition::Id { equal: true, id: "b84vgb2j8m0jujadi4v0".parse().ok() },
            Condition::Number { column: Column::Amount, comparison: Comparison::Equal, value: 1112 },
            Condition::Between { moment: Moment::Created, from: Some(from), to: Some(to) },
            Condition::Text { tag: tag::BILLING, equal: true, value: "John".into() },
        ];
        assert_eq!(conditions(body), expected);
        let search = parse(body).unwrap();
        assert_eq!((search.merchant, search.limit, search.offset), (MERCHANT, SEARCH_LIMIT, 0));
    }

    #[test]
    fn an_addresss_field_is_found_under_both_of_its_names() {
        let nested = conditions(r#"{"shipping_address": {"address_id": {"operator": "!=", "value": "b798ls2q9qq646ksu07g"}}}"#);
        let dotted = conditions(r#"{"shipping_address.address_id": {"operator": "!=", "value": "b798ls2q9qq646ksu07g"}}"#);
        let tag = tag::SHIPPING + protocol::tail::ADDRESS_ID;
        assert_eq!(nested, [Condition::Text { tag, equal: false, value: "b798ls2q9qq646ksu07g".into() }]);
        assert_eq!(nested, dotted);
        let wrong = message(r#"{"billing_address.city": {"value": 5}}"#);
        assert!(wrong.contains("invalid billing_address.city.value: must be a text"), "{wrong}");
    }

    #[test]
    fn what_is_sent_and_not_set_is_no_condition() {
        let body = r#"{"type": null, "status": {}, "order_id": {"operator": "=", "value": ""}, "amount": {"operator": ">", "value": null},
            "created_at": {"start_date": "", "end_date": null}, "billing_address": null, "shipping_address": {"email": {"value": null}}}"#;
        assert_eq!(conditions(body), []);
        assert_eq!(conditions(""), []);
    }

    #[test]
    fn words_of_clients_in_use_are_taken_for_the_signs() {
        for (sign, word) in [("=", "eq"), ("!=", "ne"), ("<", "lt"), (">", "gt")] {
            let amount = |operator: &str| conditions(&format!(r#"{{"amount": {{"operator": "{operator}", "value": 5}}}}"#));
            assert_eq!(amount(sign), amount(word));
        }
    }

    #[test]
    fn what_is_none_of_ours_equals_nothing() {
        let none = |column| vec![Condition::Number { column, comparison: Comparison::Equal, value: NONE_OF_OURS }];
        assert_eq!(conditions(r#"{"status": {"value": "lost"}}"#), none(Column::Status));
        assert_eq!(conditions(r#"{"processor_id": {"value": "nobody"}}"#), none(Column::Processor));
        assert_eq!(conditions(r#"{"transaction_id": {"value": "?"}}"#), [Condition::Id { equal: true, id: None }]);
        let ours = format!(r#"{{"processor_id": {{"operator": "!=", "value": "{MERCHANT}"}}}}"#);
        let expected = [Condition::Number { column: Column::Processor, comparison: Comparison::NotEqual, value: 4 }];
        assert_eq!(conditions(&ours), expected);
        assert_eq!(
            conditions(r#"{"payment_type": {"value": "echeck"}}"#),
            [Condition::Method { equal: true, method: Some(PaymentMethod::Ach) }]
        );
    }

    #[test]
    fn a_date_means_the_whole_day() {
        let days = conditions(r#"{"settled_at": {"start_date": "2017-11-01", "end_date": "2017-11-01"}}"#);
        let (from, to) = (Micros(1_509_494_400_000_000), Micros(1_509_580_799_999_999));
        assert_eq!(days, [Condition::Between { moment: Moment::Settled, from: Some(from), to: Some(to) }]);
    }

    #[test]
    fn a_complaint_names_the_whole_path() {
        for (body, expected) in [
            (r#"{"amount": {"operator": "~", "value": 1}}"#, "invalid amount.operator: must be one of =, !=, <, >"),
            (r#"{"amount": {"value": "x"}}"#, "invalid amount.value: must be an integer"),
            (r#"{"type": {"operator": "<", "value": "sale"}}"#, "invalid type.operator: must be = or !="),
            (r#"{"type": "sale"}"#, "invalid type: must be an object, got a text"),
            (
                r#"{"shipping_address": {"city": {"value": 5}}}"#,
                "invalid shipping_address.city.value: must be a text, got a number",
            ),
            (r#"{"created_at": {"start_date": "yesterday"}}"#, "invalid created_at.start_date: must be a moment in UTC"),
            (
                r#"{"created_at": {"start_date": "2017-11-02", "end_date": "2017-11-01"}}"#,
                "invalid created_at.end_date: must not be before start_date",
            ),
            (r#"{"limit": 101}"#, "invalid limit: must be at most 100"),
            (r#"{"offset": -1}"#, "invalid offset: must be an integer of at least 0"),
        ] {
            assert!(message(body).contains(expected), "{body}: {}", message(body));
        }
    }

    #[test]
    fn the_documents_batch_search_reads_as_it_means() {
        let body =
            r#"{"batch_date":{"start_date":"2018-12-01T00:00:00Z","end_date":"2018-12-26T23:59:59Z"},"offset":0,"limit":10}"#;
        let page = parse_batch_search(body.as_bytes(), MERCHANT).unwrap();
        let (from, to) = (Some(Micros(1_543_622_400_000_000)), Some(Micros(1_545_868_799_000_000)));
        let search = BatchSearch { merchant: MERCHANT, from, to, id: None };
        assert_eq!(page, BatchPage { search, limit: 10, offset: 0 });
        let unequal = br#"{"settlement_batch_id": {"operator": "!=", "value": "x"}}"#;
        assert!(parse_batch_search(unequal, MERCHANT).unwrap_err().to_string().contains("settlement_batch_id.operator"));
    }
}
