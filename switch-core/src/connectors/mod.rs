//! Connectors: the meaning of each processor's messages, pure. A folder a processor, the same four files in each:
//! `encode`, `decode`, `code_map`, and `session` or, of a processor that is asked by HTTP, `exchange`. Sockets are the front's.

pub mod dejavoo;
pub mod exchange;
pub mod sage;
pub mod tsys;
