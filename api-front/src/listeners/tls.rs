//! What both fronts prove themselves with, and speak under.

use crate::config::TlsFiles;
use crate::start::error::StartError;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::Arc;

/// What browsers remember for a year: this host is asked over TLS only.
pub(super) const STRICT_TRANSPORT: &str = "max-age=31536000";

/// Reads the files, and refuses a key that is not the certificate's.
pub fn server_config(files: &TlsFiles) -> Result<Arc<ServerConfig>, StartError> {
    let wrong = |what: &'static str, path: &Path, reason: &dyn std::fmt::Display| StartError::Tls {
        what,
        path: path.to_owned(),
        reason: reason.to_string(),
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(&files.certificate).and_then(Iterator::collect);
    let chain = chain.map_err(|error| wrong("read the certificate", &files.certificate, &error))?;
    if chain.is_empty() {
        return Err(wrong("read the certificate", &files.certificate, &"there is no certificate in it"));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| wrong("read the private key", &files.key, &error))?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| wrong("use the private key", &files.key, &error))?;
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::generate_simple_self_signed;
    use std::fs;

    #[test]
    fn files_are_refused_by_their_names_and_a_key_of_another_certificate_too() {
        let folder = tempfile::tempdir().unwrap();
        let files = TlsFiles { certificate: folder.path().join("certificate.pem"), key: folder.path().join("key.pem") };
        let told = |files: &TlsFiles| server_config(files).unwrap_err().to_string();
        assert!(told(&files).contains("certificate.pem"), "{}", told(&files));
        fs::write(&files.certificate, "nothing of the kind").unwrap();
        assert!(told(&files).contains("there is no certificate in it"), "{}", told(&files));
        let [ours, another] = [(); 2].map(|()| generate_simple_self_signed(["localhost".to_owned()]).unwrap());
        fs::write(&files.certificate, ours.cert.pem()).unwrap();
        assert!(told(&files).contains("read the private key"), "{}", told(&files));
        fs::write(&files.key, another.signing_key.serialize_pem()).unwrap();
        assert!(told(&files).contains("use the private key"), "{}", told(&files));
        fs::write(&files.key, ours.signing_key.serialize_pem()).unwrap();
        assert!(server_config(&files).is_ok());
    }
}
