//! Connectors: the meaning of each processor's messages, pure. A folder a processor, the same four files in each:
//! `encode`, `decode`, `code_map`, `session`. Sockets are the front's.

pub mod exchange;
pub mod tsys;
