//! Secrets and signatures, as Standard Webhooks 1.0 has them.
//!
//! A secret is not stored: it follows from the installation's keys, whose it is, and how often it was changed. A database alone can sign
//! nothing.

use super::limits::OLDER_SECRET_S;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use persistence::sealing::Sealer;
use persistence::stores::webhooks::Endpoint;
use protocol::calendar::Micros;
use protocol::id::Xid;
use zeroize::Zeroizing;

/// Names the secrets' own key among those that are derived. Frozen.
const CONTEXT: &str = "switchyard 2026 webhook secrets";

/// Gives secrets.
#[derive(Clone)]
pub struct Secrets(Zeroizing<[u8; 32]>);

/// One secret.
#[derive(Clone)]
pub struct Secret(Zeroizing<[u8; 32]>);

impl Secrets {
    /// The secrets of an installation.
    pub fn of(sealer: &Sealer) -> Secrets {
        Secrets(sealer.derive_key(CONTEXT))
    }

    /// A merchant's: it signs what goes to addresses that came with a thing, and to endpoints whose own was never changed.
    pub fn of_merchant(&self, merchant: &Xid) -> Secret {
        self.derived(merchant, 0)
    }

    /// An endpoint's in its present generation.
    pub fn of_endpoint(&self, endpoint: &Endpoint) -> Secret {
        self.of_generation(endpoint, endpoint.generation)
    }

    /// What signs for an endpoint: its secret, and for a day after a change the older one.
    pub(super) fn signing(&self, endpoint: &Endpoint, now: Micros) -> Vec<Secret> {
        let mut signing = vec![self.of_endpoint(endpoint)];
        if endpoint.generation > 0 && now < endpoint.rotated_at.plus_s(OLDER_SECRET_S) {
            signing.push(self.of_generation(endpoint, endpoint.generation - 1));
        }
        signing
    }

    fn of_generation(&self, endpoint: &Endpoint, generation: u32) -> Secret {
        match generation {
            0 => self.of_merchant(&endpoint.merchant),
            changed => self.derived(&endpoint.id, changed),
        }
    }

    fn derived(&self, owner: &Xid, generation: u32) -> Secret {
        let mut named = [0; 16];
        named[..12].copy_from_slice(&owner.0);
        named[12..].copy_from_slice(&generation.to_le_bytes());
        Secret(Zeroizing::new(*blake3::keyed_hash(&self.0, &named).as_bytes()))
    }
}

impl Secret {
    /// `whsec_…`, as the merchant is given it.
    pub fn text(&self) -> String {
        format!("whsec_{}", STANDARD.encode(&self.0[..]))
    }

    fn signature(&self, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        signature(&self.0[..], id, timestamp_s, body)
    }
}

/// The header `webhook-signature`: one signature for each secret.
pub(super) fn signatures(secrets: &[Secret], id: &str, timestamp_s: i64, body: &[u8]) -> String {
    let each: Vec<String> = secrets.iter().map(|secret| secret.signature(id, timestamp_s, body)).collect();
    each.join(" ")
}

fn signature(key: &[u8], id: &str, timestamp_s: i64, body: &[u8]) -> String {
    let mut signed = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    signed.update(format!("{id}.{timestamp_s}.").as_bytes());
    signed.update(body);
    format!("v1,{}", STANDARD.encode(signed.sign()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The standard's own example.
    #[test]
    fn the_standards_example_is_signed_as_it_says() {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b"{\"test\": 2432232314}");
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_owner_and_each_generation_has_a_secret_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = Secrets::of(&Sealer::open_or_create(&folder.path().join("keys")).unwrap());
        let (one, two) = (Xid([1; 12]), Xid([2; 12]));
        let texts = [secrets.derived(&one, 0), secrets.derived(&one, 1), secrets.derived(&two, 0), secrets.derived(&two, 1)];
        let texts: std::collections::BTreeSet<String> = texts.iter().map(Secret::text).collect();
        assert_eq!(texts.len(), 4);
        assert!(texts.iter().all(|text| text.starts_with("whsec_") && text.len() == 50));
        let again = Secrets::of(&Sealer::open_or_create(&folder.path().join("keys")).unwrap());
        assert_eq!(again.of_merchant(&one).text(), secrets.derived(&one, 0).text());
    }
}
