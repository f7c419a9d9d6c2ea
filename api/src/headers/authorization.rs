//! `Authorization`: who asks. Whether the key is anybody's is looked up later.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use naru_shared::api_key::{ApiKey, NotAnApiKey};
use naru_shared::secret::Secret;
use zeroize::Zeroizing;

use crate::problem::{Code, Problem, Reason};

/// What a request proves itself with.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// `Basic`: a merchant's key, well formed and with a right checksum.
    Key(ApiKey),
    /// `Bearer`: a checkout token or an operator's token.
    Bearer(Secret<String>),
}

impl Credentials {
    /// Reads `Authorization`.
    ///
    /// # Errors
    /// `KEY_MISSING`, `KEY_MALFORMED`, `INCORRECT_BASIC_AUTH_FORMAT`, `INVALID_AUTHORIZE_AUTH`.
    pub fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let value = values.next().ok_or_else(|| Problem::because(Reason::KeyMissing))?;
        if values.next().is_some() {
            return Err(Problem::of(Code::InvalidAuthorizeAuth));
        }
        let text = value.to_str().map_err(|_| Problem::because(Reason::KeyMalformed))?;
        let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text, ""));
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("basic") {
            Ok(Self::Key(basic(rest)?))
        } else if scheme.eq_ignore_ascii_case("bearer") && !rest.is_empty() {
            Ok(Self::Bearer(Secret::new(rest.to_owned())))
        } else {
            Err(Problem::of(Code::InvalidAuthorizeAuth))
        }
    }

    /// The merchant's key.
    ///
    /// # Errors
    /// `INVALID_AUTHORIZE_AUTH` when a token was sent instead.
    pub fn key(self) -> Result<ApiKey, Problem> {
        match self {
            Self::Key(key) => Ok(key),
            Self::Bearer(_) => Err(Problem::of(Code::InvalidAuthorizeAuth)),
        }
    }
}

/// `base64("<key>:")`, padded or not.
fn basic(encoded: &str) -> Result<ApiKey, Problem> {
    let malformed = || Problem::of(Code::IncorrectBasicAuthFormat);
    let bytes = STANDARD_NO_PAD.decode(encoded.trim_end_matches('=')).map_err(|_| malformed())?;
    let bytes = Zeroizing::new(bytes);
    let text = std::str::from_utf8(&bytes).map_err(|_| malformed())?;
    let (user, password) = text.split_once(':').ok_or_else(malformed)?;
    if !password.is_empty() {
        return Err(malformed());
    }
    ApiKey::parse(user).map_err(|why| match why {
        NotAnApiKey::Prefix | NotAnApiKey::Shape | NotAnApiKey::Checksum => Problem::because(Reason::KeyMalformed),
    })
}

impl<S: Sync> FromRequestParts<S> for Credentials {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::of(&parts.headers)
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use naru_shared::api_key::KeyKind;
    use naru_shared::domain::id::Mode;
    use proptest::prelude::*;

    use super::*;

    fn headers(authorization: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, authorization.parse().unwrap());
        headers
    }

    fn key(kind: KeyKind) -> ApiKey {
        ApiKey::generate(Mode::Test, kind, &[3; 24])
    }

    #[test]
    fn a_key_is_read_padded_or_not_in_any_case_of_the_scheme() {
        let key = key(KeyKind::Secret);
        let text = format!("{}:", key.expose());
        for encoded in [STANDARD.encode(&text), STANDARD_NO_PAD.encode(&text)] {
            for scheme in ["Basic", "basic", "BASIC"] {
                let read = Credentials::of(&headers(&format!("{scheme}  {encoded}"))).unwrap();
                assert_eq!(read.key().unwrap().expose(), key.expose());
            }
        }
    }

    #[test]
    fn what_is_wrong_has_its_own_problem() {
        let key = key(KeyKind::Secret);
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let table = [
            (basic(key.expose()), Code::IncorrectBasicAuthFormat, None),
            (basic(&format!("{}:password", key.expose())), Code::IncorrectBasicAuthFormat, None),
            ("Basic !!!".into(), Code::IncorrectBasicAuthFormat, None),
            ("Basic".into(), Code::IncorrectBasicAuthFormat, None),
            (basic(":"), Code::UnauthorizedKey, Some(Reason::KeyMalformed)),
            (basic("test_sk_docs_something:"), Code::UnauthorizedKey, Some(Reason::KeyMalformed)),
            ("Bearer".into(), Code::InvalidAuthorizeAuth, None),
            ("Digest abc".into(), Code::InvalidAuthorizeAuth, None),
            (key.expose().into(), Code::InvalidAuthorizeAuth, None),
        ];
        for (value, code, reason) in table {
            let problem = Credentials::of(&headers(&value)).unwrap_err();
            assert_eq!((problem.code(), problem.reason()), (code, reason), "{value}");
        }
        let missing = Credentials::of(&HeaderMap::new()).unwrap_err();
        assert_eq!(missing.reason(), Some(Reason::KeyMissing));
    }

    #[test]
    fn nothing_of_the_credentials_is_printed() {
        let key = key(KeyKind::Secret);
        let shown =
            format!("{:?} {:?}", Credentials::Key(key.clone()), Credentials::Bearer("naru_ct_x".to_owned().into()));
        assert!(!shown.contains(&key.expose()[20..]) && !shown.contains("ct_x"), "{shown}");
    }

    proptest! {
        #[test]
        fn no_header_panics(value in "\\PC*") {
            if let Ok(value) = axum::http::HeaderValue::from_bytes(value.as_bytes()) {
                let mut headers = HeaderMap::new();
                headers.insert(header::AUTHORIZATION, value);
                let _ = Credentials::of(&headers);
            }
        }
    }
}
