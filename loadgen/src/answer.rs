//! What an answer means, and the ledger in which a client keeps the answers that it got.
//!
//! The judgement is on the outside's bytes: nothing here trusts or panics on them.

use std::borrow::Cow;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::LoadError;
use crate::http::{Answer, Fault};
use crate::target::Check;

/// How one request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// 200, response code 1xx.
    Approved,
    /// 200, response code 2xx or 3xx: the issuer's or the gateway's own no.
    Declined,
    /// 200, any other code: the processor gave no decision (time-out, unavailable, still pending).
    Undecided,
    /// 503: the target sheds load.
    Refused,
    /// Any other status.
    HttpError,
    /// 200 with a body that is not what was expected.
    Malformed,
    /// No answer.
    Failed(Fault),
}

/// An answer, read.
pub(crate) struct Judged<'a> {
    pub(crate) outcome: Outcome,
    pub(crate) http_status: Option<u16>,
    pub(crate) sale: Option<Sale<'a>>,
}

/// The part of a gateway transaction that load needs.
#[derive(Deserialize)]
pub(crate) struct Sale<'a> {
    #[serde(borrow)]
    pub(crate) id: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) status: Cow<'a, str>,
    pub(crate) response_code: u16,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
    /// Nothing, where a capture, void or refund succeeded.
    #[serde(borrow)]
    data: Option<Sale<'a>>,
}

/// What an envelope says that was done.
const SUCCESS: &str = "success";

/// Judges one exchange by what its target promised.
pub(crate) fn judge<'a>(result: Result<Answer<'a>, Fault>, check: Check) -> Judged<'a> {
    let answer = match result {
        Ok(answer) => answer,
        Err(fault) => return Judged { outcome: Outcome::Failed(fault), http_status: None, sale: None },
    };
    let http_status = Some(answer.status);
    let without_sale = |outcome| Judged { outcome, http_status, sale: None };
    match (answer.status, check) {
        (503, _) => without_sale(Outcome::Refused),
        (200, Check::Status200) => without_sale(Outcome::Approved),
        (200, Check::Sale) => match serde_json::from_slice::<Envelope<'_>>(answer.body) {
            Ok(Envelope { data: Some(sale), .. }) => {
                Judged { outcome: meaning(sale.response_code), http_status, sale: Some(sale) }
            }
            Ok(Envelope { status, data: None }) if status == SUCCESS => without_sale(Outcome::Approved),
            Ok(Envelope { data: None, .. }) => without_sale(Outcome::Malformed),
            Err(_) => without_sale(Outcome::Malformed),
        },
        (_, _) => without_sale(Outcome::HttpError),
    }
}

pub(crate) fn meaning(response_code: u16) -> Outcome {
    match response_code {
        100..200 => Outcome::Approved,
        200..400 => Outcome::Declined,
        _ => Outcome::Undecided,
    }
}

/// The client's own ledger: every answer that arrived, in order of arrival, one JSON object a line.
/// After a crash of the target it says what a client was told; a line is in the file before the
/// next answer on that connection is asked for.
pub(crate) struct Ledger {
    file: File,
    path: PathBuf,
    line: Vec<u8>,
}

#[derive(Serialize)]
struct Line<'a> {
    idempotency_key: &'a str,
    id: Option<&'a str>,
    status: Option<&'a str>,
    response_code: Option<u16>,
    amount: u64,
    http_status: u16,
}

impl Ledger {
    /// Appends to what earlier runs left.
    pub(crate) fn open(path: &Path) -> Result<Self, LoadError> {
        let file = File::options().create(true).append(true).open(path);
        let file = file.map_err(|source| LoadError::Answers { path: path.to_owned(), source })?;
        Ok(Ledger { file, path: path.to_owned(), line: Vec::new() })
    }

    /// Writes nothing for a request that was not answered: the client does not know what became of
    /// it.
    pub(crate) fn append(&mut self, key: &str, amount: u64, judged: &Judged<'_>) -> Result<(), LoadError> {
        let Some(http_status) = judged.http_status else {
            return Ok(());
        };
        let line = Line {
            idempotency_key: key,
            id: judged.sale.as_ref().map(|sale| &*sale.id),
            status: judged.sale.as_ref().map(|sale| &*sale.status),
            response_code: judged.sale.as_ref().map(|sale| sale.response_code),
            amount,
            http_status,
        };
        self.line.clear();
        let rendered = serde_json::to_writer(&mut self.line, &line).map_err(std::io::Error::from);
        self.line.push(b'\n');
        // One write per line, so that a reader never sees half of one and a kill of the generator
        // loses none.
        let written = rendered.and_then(|()| self.file.write_all(&self.line));
        written.map_err(|source| LoadError::Answers { path: self.path.clone(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: u16, body: &str, check: Check) -> Outcome {
        judge(Ok(Answer { status, body: body.as_bytes() }), check).outcome
    }

    #[test]
    fn each_class_of_answer_has_its_outcome() {
        let sale =
            |code: &str| format!(r#"{{"status":"success","data":{{"x":[1],"id":"a","status":"s","response_code":{code}}}}}"#);
        let cases = [
            (200, sale("100"), Outcome::Approved),
            (200, sale("110"), Outcome::Approved),
            (200, sale("202"), Outcome::Declined),
            (200, sale("301"), Outcome::Declined),
            (200, sale("421"), Outcome::Undecided),
            (200, sale("0"), Outcome::Undecided),
            (200, sale("70000"), Outcome::Malformed),
            (200, sale("-1"), Outcome::Malformed),
            (200, "{}".into(), Outcome::Malformed),
            (200, r#"{"status":"success","data":null}"#.into(), Outcome::Approved),
            (200, r#"{"status":"failed","data":null}"#.into(), Outcome::Malformed),
            (200, "\u{0}".into(), Outcome::Malformed),
            (503, "{}".into(), Outcome::Refused),
            (400, sale("100"), Outcome::HttpError),
            (500, String::new(), Outcome::HttpError),
        ];
        for (status, body, expected) in cases {
            assert_eq!(outcome(status, &body, Check::Sale), expected, "{status} {body}");
        }
        assert_eq!(outcome(200, "anything", Check::Status200), Outcome::Approved);
        assert_eq!(outcome(404, "", Check::Status200), Outcome::HttpError);
    }
}
