//! What a request's headers say of who sends it: the extractors [`Instructor`], [`Owner`] and [`Participant`] over bearer tokens, its
//! address, and what it has already.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use emofed::protocol::{Role, sha256_hex};

use super::App;
use super::error::{RequestError, ServeError};

/// Where a request comes from. Behind a proxy it is the last entry of the forwarding header, which the proxy has
/// appended; earlier entries are the client's own claims.
pub(super) fn address(trusted_proxy: bool, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let forwarded = || headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?.rsplit(',').next();
    let claimed = trusted_proxy.then(forwarded).flatten().and_then(|address| address.trim().parse().ok());
    claimed.unwrap_or(peer)
}

/// The token of the `Authorization` header.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// Whether the client has what `etag` names (RFC 9110, 13.1.2: a list of tags, weak ones compared as strong, or `*`).
pub(super) fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let lists = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok());
    lists
        .flat_map(|tags| tags.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// An instructor of either role, by the token of the `Authorization` header. Handlers of the instructors' calls take the [`App`] out
/// of it or of [`Owner`], in place of axum's `State`, so that one without the check has nothing to work on.
pub(super) struct Instructor(pub(super) App, pub(super) Role);

impl FromRequestParts<App> for Instructor {
    type Rejection = ServeError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ServeError> {
        let token = bearer(&parts.headers).ok_or(RequestError::NotTheInstructor)?.to_owned();
        if app.admission.is_owner(&token) {
            return Ok(Self(app.clone(), Role::Owner));
        }
        let admission = app.admission.clone();
        let role = app.blocking(move |_| Ok(admission.role(&token)?)).await?;
        Ok(Self(app.clone(), role.ok_or(RequestError::NotTheInstructor)?))
    }
}

/// The instructor whose federation it is. Another one of the federation is told that it may not.
pub(super) struct Owner(pub(super) App);

impl FromRequestParts<App> for Owner {
    type Rejection = ServeError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ServeError> {
        match Instructor::from_request_parts(parts, app).await? {
            Instructor(app, Role::Owner) => Ok(Self(app)),
            Instructor(_, Role::Assistant) => Err(RequestError::NotTheOwner.into()),
        }
    }
}

/// The participant that calls, by the token of the `Authorization` header.
pub(super) struct Participant {
    /// Its random id, as in the records of updates.
    pub(super) id: String,
    /// SHA-256 of its token in hexadecimal, under which the records have it.
    pub(super) token_sha256: String,
}

impl FromRequestParts<App> for Participant {
    type Rejection = ServeError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ServeError> {
        let token = bearer(&parts.headers).ok_or(RequestError::NotAParticipant)?;
        let token_sha256 = sha256_hex(token.as_bytes());
        let key = token_sha256.clone();
        let record = app.blocking(move |federation| Ok(federation.records().participant(&key)?)).await?;
        Ok(Self { id: record.ok_or(RequestError::NotAParticipant)?.id, token_sha256 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_proxy_says_where_a_request_comes_from() {
        let peer = IpAddr::from([10, 0, 0, 1]);
        let mut headers = HeaderMap::new();
        assert_eq!(address(true, peer, &headers), peer);
        headers.append("x-forwarded-for", "203.0.113.9".parse().unwrap());
        headers.append("x-forwarded-for", "198.51.100.1, 192.0.2.7".parse().unwrap());
        assert_eq!(address(true, peer, &headers), IpAddr::from([192, 0, 2, 7]));
        assert_eq!(address(false, peer, &headers), peer);
        headers.append("x-forwarded-for", "nobody".parse().unwrap());
        assert_eq!(address(true, peer, &headers), peer);
    }

    #[test]
    fn entity_tags_come_in_lists_weak_or_as_a_star() {
        let known = |tags: &str| {
            let mut headers = HeaderMap::new();
            headers.append("if-none-match", tags.parse().unwrap());
            is_known(&headers, "\"a\"")
        };
        assert!(known("\"a\"") && known("\"b\", \"a\"") && known("W/\"a\"") && known("*"));
        assert!(!known("\"b\"") && !known("a"));
    }
}
