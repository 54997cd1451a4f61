//! Tokens of users: JSON Web Tokens, RFC 7519, HMAC-SHA256 under a key of this installation. Pure.
//!
//! A token says who has logged in and until when. Whether it was revoked, and what the user may do now, the store says.

use super::AccountError;
use super::limits::TOKEN_TTL_S;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use protocol::calendar::Micros;
use protocol::id::Xid;
use serde::{Deserialize, Serialize};

/// Signs and proves tokens.
pub(super) struct TokenKey {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

/// A token that was proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    /// Its own id, by which it is revoked.
    pub(super) id: Xid,
    /// The user who logged in.
    pub(super) user: Xid,
    /// When.
    pub(super) issued_at: Micros,
    /// From when on it counts no more.
    pub(super) expires_at: Micros,
}

/// What is signed. `issued_us` says to the microsecond what `iat` says to the second: a token that was made in the second of a
/// password's change is from before it or from after it.
#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    jti: String,
    iat: i64,
    exp: i64,
    issued_us: i64,
}

impl TokenKey {
    pub(super) fn new(secret: &[u8; 32]) -> TokenKey {
        let mut validation = Validation::new(Algorithm::HS256);
        // Time comes from our own clock.
        validation.validate_exp = false;
        TokenKey { encoding: EncodingKey::from_secret(secret), decoding: DecodingKey::from_secret(secret), validation }
    }

    /// A token for this user, from now on.
    pub(super) fn issue(&self, id: Xid, user: Xid, now: Micros) -> Result<String, AccountError> {
        let (iat, exp) = (now.seconds(), now.plus_s(TOKEN_TTL_S).seconds());
        let claims = Claims { sub: user.to_string(), jti: id.to_string(), iat, exp, issued_us: now.0 };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding);
        token.map_err(|_| AccountError::Cryptography { operation: "sign a token" })
    }

    /// The token in a text, if it is one of ours and has not expired.
    pub(super) fn prove(&self, text: &str, now: Micros) -> Option<Token> {
        let claims = jsonwebtoken::decode::<Claims>(text, &self.decoding, &self.validation).ok()?.claims;
        let expires_at = Micros(claims.exp.checked_mul(1_000_000)?);
        let token = Token {
            id: claims.jti.parse().ok()?,
            user: claims.sub.parse().ok()?,
            issued_at: Micros(claims.issued_us),
            expires_at,
        };
        (now < expires_at).then_some(token)
    }
}

/// Whether credentials have the form of a token. API keys of ours have no dots.
pub fn looks_like_token(text: &str) -> bool {
    text.starts_with("ey") && text.bytes().filter(|byte| *byte == b'.').count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Micros = Micros(1_800_000_000_123_456);

    fn id(number: u32) -> Xid {
        Xid::from_parts(number, [3; 5], 4)
    }

    #[test]
    fn a_token_proves_who_and_when_until_it_expires() {
        let key = TokenKey::new(&[7; 32]);
        let text = key.issue(id(1), id(2), NOW).unwrap();
        assert!(looks_like_token(&text) && !looks_like_token("api_0123"));
        let token = key.prove(&text, NOW).unwrap();
        assert_eq!((token.id, token.user, token.issued_at), (id(1), id(2), NOW));
        assert_eq!(token.expires_at.seconds(), NOW.seconds() + i64::from(TOKEN_TTL_S));
        assert!(key.prove(&text, Micros(token.expires_at.0 - 1)).is_some());
        assert_eq!(key.prove(&text, token.expires_at), None);
    }

    #[test]
    fn another_key_another_algorithm_and_a_changed_text_prove_nothing() {
        let key = TokenKey::new(&[7; 32]);
        let text = key.issue(id(1), id(2), NOW).unwrap();
        assert_eq!(TokenKey::new(&[8; 32]).prove(&text, NOW), None);
        let (head, rest) = text.split_once('.').unwrap();
        let (body, _) = rest.split_once('.').unwrap();
        // {"typ":"JWT","alg":"none"}
        for forged in
            [format!("eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.{body}."), format!("{head}.{body}."), "ey..".into(), String::new()]
        {
            assert_eq!(key.prove(&forged, NOW), None, "{forged}");
        }
    }
}
