//! The searches: extract, ask the past, view.

use super::Front;
use super::answer::ok;
use super::auth::Right;
use super::body;
use super::problem::Problem;
use super::request::{parse_batch_search, parse_search};
use super::view::{Shown, found_batches, list};
use axum::extract::{Request, State};
use axum::response::Response;
use persistence::projection::search::Found;

/// `POST /api/transaction/search`
pub(super) async fn transactions(State(front): State<Front>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Manage).await?;
    let processors = front.switch.processors();
    let index = |id: &_| processors.by_id(id).map(|processor| processor.index);
    let search = body::read(&parts.headers, body, |bytes| parse_search(bytes, caller.merchant.id, &index)).await?;
    match front.switch.past().search(search).await.map_err(Problem::Unavailable)? {
        Found::Page { total, transactions } => {
            let shown = transactions.iter().map(|stored| {
                let (transaction, tail) = stored.parts();
                Shown::present(transaction, tail, caller.merchant.compat, processors)
            });
            Ok(ok(list(shown, total)))
        }
        Found::TooBroad { rows_max } => Err(too_broad(rows_max)),
    }
}

/// `POST /api/settlement/batch/search`
pub(super) async fn batches(State(front): State<Front>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let caller = front.caller(&parts.headers, Right::Manage).await?;
    let page = body::read(&parts.headers, body, |bytes| parse_batch_search(bytes, caller.merchant.id)).await?;
    let found = front.switch.past().search_batches(page.search).await.map_err(Problem::Unavailable)?;
    let shown = &found[page.offset.min(found.len())..];
    Ok(ok(found_batches(&found, &shown[..page.limit.min(shown.len())], front.switch.processors())))
}

fn too_broad(rows_max: u64) -> Problem {
    Problem::invalid("created_at", format!("more than {rows_max} transactions would be looked at: narrow the range"))
}
