//! Queries and bodies of the webhooks' calls, read and validated.

use crate::rest::json::{Document, Scope};
use crate::rest::limits::DESCRIPTION_MAX_CHARS;
use crate::rest::problem::Problem;
use crate::rest::users::text;
use crate::webhooks::limits::{EVENTS_PAGE, EVENTS_PAGE_MAX, FILTERS_MAX};
use crate::webhooks::{Again, EndpointAsked};
use persistence::stores::events::KindFilter;

/// Which page of a list.
pub(super) struct Page {
    /// Behind which number.
    pub(super) after: u64,
    /// How many at most.
    pub(super) limit: u32,
}

pub(super) fn page(query: Option<&str>) -> Result<Page, Problem> {
    let mut page = Page { after: 0, limit: EVENTS_PAGE };
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match &name[..] {
            "after" => page.after = value.parse().map_err(|_| Problem::invalid("after", "must be an event's sequence, or 0"))?,
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=EVENTS_PAGE_MAX).contains(limit));
                page.limit = limit.ok_or_else(|| Problem::invalid("limit", format!("must be from 1 to {EVENTS_PAGE_MAX}")))?;
            }
            _ => {}
        }
    }
    Ok(page)
}

/// `POST /api/webhooks`, `PATCH /api/webhooks/{id}`
pub(super) fn endpoint(bytes: &[u8]) -> Result<EndpointAsked, Problem> {
    let document = Document::read(bytes)?;
    let body = document.scope();
    Ok(EndpointAsked {
        url: body.text("url")?.map(str::to_owned),
        filters: filters(body)?,
        description: text(body, "description", DESCRIPTION_MAX_CHARS, |_| true, "text")?,
        active: match body.text("status")? {
            None => None,
            Some("active") => Some(true),
            Some("disabled") => Some(false),
            Some(_) => return Err(body.invalid("status", "must be active or disabled")),
        },
    })
}

fn filters(body: Scope<'_, '_>) -> Result<Option<Vec<KindFilter>>, Problem> {
    let Some(words) = body.texts("events", FILTERS_MAX)? else { return Ok(None) };
    let filter = |word: &&str| {
        KindFilter::from_word(word).ok_or_else(|| {
            body.invalid("events", format!("{word:?} is no kind of event; *, order.* and order.paid are examples"))
        })
    };
    let filters: Vec<KindFilter> = words.iter().map(filter).collect::<Result<_, _>>()?;
    if filters.is_empty() { Err(body.invalid("events", "must name at least one kind")) } else { Ok(Some(filters)) }
}

/// `POST /api/webhooks/{id}/resend`
pub(super) fn again(bytes: &[u8]) -> Result<Again, Problem> {
    let document = Document::read(bytes)?;
    let body = document.scope();
    match (body.text("event_id")?, body.integer("sequence")?, body.integer("after")?) {
        (None, None, None) => Ok(Again::Dead),
        (Some(id), None, None) => Ok(Again::Id(id.to_owned())),
        (None, Some(sequence), None) => Ok(Again::Event(sequence)),
        (None, None, Some(after)) => Ok(Again::After(after)),
        (Some(_), Some(_), _) => Err(body.invalid("sequence", "must be absent when event_id is given")),
        (_, _, Some(_)) => Err(body.invalid("after", "must be absent when event_id or sequence is given")),
    }
}
