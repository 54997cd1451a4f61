//! Shapes are types of which only the derived description is ever used.

/// Declares shapes: a line of meaning, a name, and fields as in JSON. `Option` may be absent or null.
macro_rules! shapes {
    ($($(#[$about:meta])* $name:ident { $($(#[$says:meta])* $field:ident: $kind:ty),* $(,)? })*) => {
        $(
            $(#[$about])*
            #[derive(ToSchema)]
            #[expect(dead_code, reason = "its fields are what the document tells of")]
            pub(in crate::rest) struct $name { $($(#[$says])* $field: $kind),* }
        )*
    };
}
