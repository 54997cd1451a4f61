//! What the gateway says of what it has not done.

use utoipa::ToSchema;

/// A request that was not done.
#[derive(ToSchema)]
#[expect(dead_code, reason = "its fields are what the document tells of")]
pub(super) struct Refused {
    /// Always `failed`.
    #[schema(pattern = "^failed$")]
    status: String,
    /// What is wrong: the field first, then what is accepted.
    #[schema(example = "bad request error: invalid amount: must be at least 1")]
    msg: String,
    /// Always null.
    #[schema(value_type = Option<String>, required)]
    data: (),
}
