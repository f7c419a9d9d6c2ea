//! From the wire to bytes: the right type, not too many, not too slow.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};

use crate::problem::{Problem, Reason};

/// Most bytes of a body.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// Most time for a body to arrive.
pub const BODY_TIME_MAX: Duration = Duration::from_secs(15);

/// Most bytes that are read of a body only to be thrown away: who is still sending when the connection ends does not hear
/// why it did.
const DISCARDED_BYTES_MAX: usize = 1024 * 1024;

/// Most time for that.
const DISCARDED_TIME_MAX: Duration = Duration::from_secs(1);

/// Has the body arrive before anybody asks who sent it: whoever signs out, is removed or loses a key meanwhile has no say any
/// more when it is all there. What is wrong with a body is left to who reads it.
pub(crate) async fn arrive(request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let arrived = tokio::time::timeout(BODY_TIME_MAX, gather(announced(&parts.headers), body)).await;
    let body = arrived.unwrap_or_else(|_| {
        // To who reads it as if the client had broken off.
        Body::from_stream(stream::iter([Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::TimedOut))]))
    });
    next.run(Request::from_parts(parts, body)).await
}

/// As much of a body as is read at all, and whatever follows.
async fn gather(announced: Option<usize>, body: Body) -> Body {
    if announced.is_some_and(|length| length > BODY_BYTES_MAX) {
        return body;
    }
    let mut pieces = body.into_data_stream();
    let mut gathered = BytesMut::new();
    while gathered.len() <= BODY_BYTES_MAX {
        match pieces.next().await {
            Some(Ok(piece)) => gathered.extend_from_slice(&piece),
            Some(Err(error)) => {
                return Body::from_stream(stream::iter([Ok(gathered.freeze()), Err(error)]));
            }
            None => return Body::from(gathered.freeze()),
        }
    }
    Body::from_stream(stream::iter([Ok(gathered.freeze())]).chain(pieces))
}

fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok())
}

/// The whole body.
pub(super) async fn receive(request: Request) -> Result<BytesMut, Problem> {
    receive_within(BODY_TIME_MAX, request).await
}

async fn receive_within(time_max: Duration, request: Request) -> Result<BytesMut, Problem> {
    let (parts, body) = request.into_parts();
    let bytes = tokio::time::timeout(time_max, collect(&parts.headers, body))
        .await
        .map_err(|_| Problem::because(Reason::BodyTooSlow))??;
    // Whoever sends nothing need not say of what type.
    if bytes.is_empty() || is_json(&parts.headers) {
        return Ok(bytes);
    }
    Err(Problem::because(Reason::UnsupportedMediaType))
}

async fn collect(headers: &HeaderMap, body: Body) -> Result<BytesMut, Problem> {
    let mut pieces = body.into_data_stream();
    if let Some(length) = announced(headers)
        && length > BODY_BYTES_MAX
    {
        if length <= DISCARDED_BYTES_MAX {
            discard(pieces).await;
        }
        return Err(Problem::because(Reason::BodyTooLarge));
    }
    let mut bytes = BytesMut::new();
    while let Some(piece) = pieces.next().await {
        // The client broke off, or sent chunks that are none.
        let piece = piece.map_err(|_| Problem::because(Reason::BodyTooSlow))?;
        if bytes.len() + piece.len() > BODY_BYTES_MAX {
            discard(pieces).await;
            return Err(Problem::because(Reason::BodyTooLarge));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// Hears a client out that sends more than it may, within bounds.
async fn discard(mut pieces: BodyDataStream) {
    let hear_out = async {
        let mut discarded = 0;
        while let Some(Ok(piece)) = pieces.next().await {
            discarded += piece.len();
            if discarded > DISCARDED_BYTES_MAX {
                return;
            }
        }
    };
    // Whoever takes longer may find the connection ended.
    let _ = tokio::time::timeout(DISCARDED_TIME_MAX, hear_out).await;
}

/// `application/json`, in UTF-8 if it says anything about that.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let mut parts = value.to_str().unwrap_or_default().split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    kind.eq_ignore_ascii_case("application/json")
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
                let charset = value.trim().trim_matches('"');
                charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
            }
            _ => true,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(content_type: Option<&str>, body: Body) -> Request {
        let mut request = Request::post("/").body(body).unwrap();
        if let Some(kind) = content_type {
            request.headers_mut().insert(header::CONTENT_TYPE, kind.parse().unwrap());
        }
        request
    }

    #[tokio::test]
    async fn a_body_must_be_json_in_utf_8_and_no_body_may_be_anything() {
        let table = [
            (Some("application/json"), "{}", true),
            (Some("Application/JSON; charset=UTF-8"), "{}", true),
            (Some("application/json;charset=\"utf-8\""), "{}", true),
            (Some("application/json; charset=euc-kr"), "{}", false),
            (Some("application/x-www-form-urlencoded"), "a=1", false),
            (Some("text/plain"), "{}", false),
            (Some("application/jsonp"), "{}", false),
            (None, "{}", false),
            (None, "", true),
            (Some("text/plain"), "", true),
        ];
        for (kind, body, accepted) in table {
            let received = receive(post(kind, Body::from(body))).await;
            assert_eq!(received.is_ok(), accepted, "{kind:?} {body}");
        }
    }

    #[tokio::test]
    async fn too_much_is_refused_whether_announced_or_not() {
        let json = Some("application/json");
        let most = vec![b' '; BODY_BYTES_MAX];
        assert!(receive(post(json, Body::from(most))).await.is_ok());

        let mut announced = post(json, Body::empty());
        announced.headers_mut().insert(header::CONTENT_LENGTH, "65537".parse().unwrap());
        let streamed =
            Body::from_stream(futures::stream::iter((0..66).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1000]))));
        for request in [announced, post(json, streamed)] {
            assert_eq!(receive(request).await.unwrap_err().reason(), Some(Reason::BodyTooLarge));
        }
    }

    #[tokio::test]
    async fn a_body_that_drips_is_given_up() {
        let drips = futures::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            Some((Ok::<_, std::io::Error>(vec![b' ']), ()))
        });
        let request = post(Some("application/json"), Body::from_stream(drips));
        let problem = receive_within(Duration::from_millis(50), request).await.unwrap_err();
        assert_eq!(problem.reason(), Some(Reason::BodyTooSlow));
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_refused() {
        let broken = futures::stream::iter([Ok(vec![b'{']), Err(std::io::Error::other("reset"))]);
        let problem = receive(post(Some("application/json"), Body::from_stream(broken))).await.unwrap_err();
        assert_eq!(problem.reason(), Some(Reason::BodyTooSlow));
    }
}
