//! Logs: to stderr, never card data. What is logged are ids, codes, counts and errors.

use crate::cli::LogForm;
use tracing_subscriber::EnvFilter;

/// Starts logging. `SWITCHYARD_LOG` chooses what, in the syntax of tracing's `EnvFilter`; default `info`.
pub fn start(form: LogForm) {
    let filter = EnvFilter::try_from_env("SWITCHYARD_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start in one process (a test) keeps the first subscriber.
    let started = match form {
        LogForm::Text => lines.with_ansi(false).try_init(),
        LogForm::Json => lines.json().try_init(),
    };
    drop(started);
}
