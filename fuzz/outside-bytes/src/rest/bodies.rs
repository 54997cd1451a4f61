//! Bodies of the slow side: users, keys, customers, plans, invoices.

use super::{holds_no_card, is_about_writing, rewritten};
use crate::script::Script;
use api_front::rest::bodies::{Body, bodies};

/// Any bytes as one of these bodies, which the first byte chooses. They are read or refused, the same when another writer writes them,
/// and what is refused is the client's to mend and holds no card number.
pub fn any_body(input: &[u8]) {
    let mut script = Script::new(input);
    let all: Vec<Body> = bodies().collect();
    let count = u8::try_from(all.len()).expect("few bodies");
    let (name, parse) = all[usize::from(script.below(count))];
    let body = script.bytes(input.len());
    let read = parse(body);
    if let Some(again) = rewritten(body).map(|again| parse(&again)) {
        let about_writing = [&read, &again].iter().any(|read| read.as_ref().err().is_some_and(is_about_writing));
        assert!(about_writing || read == again, "{name}: two writings, {read:?} and {again:?}");
    }
    if let Err(problem) = read {
        assert_eq!(problem.status().as_u16(), 400, "{name}: {problem}");
        holds_no_card(&problem);
    }
}
