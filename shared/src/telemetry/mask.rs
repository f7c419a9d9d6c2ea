//! The last line of defence: what looks like a card number or a credential is masked in every log line.
//!
//! Types keep secrets out of logs ([`crate::secret`]); this catches what slipped past them: an error text of a
//! library, a panic message, a header dumped in anger.

use std::borrow::Cow;
use std::ops::Range;

use crate::secret::luhn;

/// What stands in place of a credential.
const MASKED: &str = "[masked]";

/// `line` with every card number shown as first six and last four digits, and every credential as `[masked]`.
///
/// Card numbers are runs of 12 to 19 digits with a right check digit, single separators allowed between groups.
/// Credentials are our keys and tokens, `Basic` and `Bearer` values, and passwords in URLs. UUIDs and trace ids are
/// left alone, though their digits may look like a card by chance.
#[must_use]
pub fn mask(line: &str) -> Cow<'_, str> {
    let bytes = line.as_bytes();
    let mut out = String::new();
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        if starts_word(bytes, at)
            && let Some(length) = identifier(&bytes[at..])
        {
            at += length;
            continue;
        }
        let found =
            credential(bytes, at).map(|range| (range, Cow::Borrowed(MASKED))).or_else(|| card_number(bytes, at));
        let Some((range, shown)) = found else {
            at += skip(bytes, at);
            continue;
        };
        // Every range begins and ends at an ASCII character.
        out.push_str(line.get(copied..range.start).unwrap_or_default());
        out.push_str(&shown);
        copied = range.end;
        at = range.end;
    }
    if copied == 0 {
        return Cow::Borrowed(line);
    }
    out.push_str(line.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// How far the next look is: past the rest of a group of digits, since numbers are looked for at its start.
fn skip(bytes: &[u8], at: usize) -> usize {
    match bytes[at].is_ascii_digit() {
        true => count(&bytes[at..], u8::is_ascii_digit),
        false => 1,
    }
}

fn count(bytes: &[u8], belongs: impl Fn(&u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| belongs(byte)).count()
}

fn starts_word(bytes: &[u8], at: usize) -> bool {
    bytes[at].is_ascii_alphanumeric() && (at == 0 || !bytes[at - 1].is_ascii_alphanumeric())
}

// Identifiers of ours that are left alone.

/// The length of a UUID, span id, trace id or hash that begins here and has at least one letter.
fn identifier(bytes: &[u8]) -> Option<usize> {
    let length = uuid(bytes).or_else(|| hexadecimal(bytes))?;
    let ends = !bytes.get(length).is_some_and(u8::is_ascii_alphanumeric);
    let has_letter = bytes[..length].iter().any(u8::is_ascii_alphabetic);
    (ends && has_letter).then_some(length)
}

fn uuid(bytes: &[u8]) -> Option<usize> {
    let text = bytes.get(..36)?;
    let shaped = text.iter().enumerate().all(|(place, byte)| match place {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    shaped.then_some(36)
}

fn hexadecimal(bytes: &[u8]) -> Option<usize> {
    let length = count(bytes, u8::is_ascii_hexdigit);
    matches!(length, 16 | 32 | 64).then_some(length)
}

// Credentials.

/// The part to hide of a credential that begins here.
fn credential(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let rest = &bytes[at..];
    let (shown, hidden) = match rest[0] {
        b't' | b'l' => api_key(rest)?,
        b'n' if rest.starts_with(b"naru_ct_") => (8, count(&rest[8..], is_word)),
        b'n' if rest.starts_with(b"naru_invitation_") => (16, count(&rest[16..], is_word)),
        b'b' | b'B' if starts_word(bytes, at) => authorization(rest)?,
        b':' if rest.starts_with(b"://") => url_password(rest)?,
        _ => return None,
    };
    (hidden > 0).then(|| at + shown..at + shown + hidden)
}

fn is_word(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_'
}

/// `{test|live}_{two or three letters}_…`
fn api_key(rest: &[u8]) -> Option<(usize, usize)> {
    if !(rest.starts_with(b"test_") || rest.starts_with(b"live_")) {
        return None;
    }
    let kind = count(&rest[5..], u8::is_ascii_lowercase);
    if !(2..=3).contains(&kind) || rest.get(5 + kind) != Some(&b'_') {
        return None;
    }
    let hidden = count(&rest[6 + kind..], is_word);
    (hidden >= 8).then_some((6 + kind, hidden))
}

/// `Basic …` or `Bearer …`, in any case.
fn authorization(rest: &[u8]) -> Option<(usize, usize)> {
    let shown = ["basic ", "bearer "]
        .into_iter()
        .find(|scheme| rest.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme.as_bytes())))?
        .len();
    let hidden = count(&rest[shown..], |byte| is_word(byte) || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'.' | b'~'));
    (hidden >= 8).then_some((shown, hidden))
}

/// `://user:password@`
fn url_password(rest: &[u8]) -> Option<(usize, usize)> {
    let authority =
        count(&rest[3..], |byte| !byte.is_ascii_whitespace() && !matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\\'));
    let authority = &rest[3..3 + authority];
    let user_info = authority.iter().rposition(|byte| *byte == b'@')?;
    let user = authority[..user_info].iter().position(|byte| *byte == b':')?;
    Some((3 + user + 1, user_info - user - 1))
}

// Card numbers.

/// The card number that begins with the group of digits that begins here, and what is shown of it.
fn card_number(bytes: &[u8], at: usize) -> Option<(Range<usize>, Cow<'static, str>)> {
    let begins = bytes[at].is_ascii_digit() && (at == 0 || !bytes[at - 1].is_ascii_digit());
    if !begins {
        return None;
    }
    let mut digits: Vec<u8> = Vec::new();
    let mut end = at;
    let mut longest: Option<(usize, usize)> = None;
    loop {
        let group = count(&bytes[end..], u8::is_ascii_digit);
        if digits.len() + group > 19 {
            break;
        }
        digits.extend_from_slice(&bytes[end..end + group]);
        end += group;
        if digits.len() >= 12 && luhn(digits.iter().copied()) {
            longest = Some((digits.len(), end));
        }
        let gap = separator(&bytes[end..]);
        let next = &bytes[end + gap..];
        let joined = gap > 0 && next.first().is_some_and(u8::is_ascii_digit);
        if !joined || identifier(next).is_some() {
            break;
        }
        end += gap;
    }
    let (length, end) = longest?;
    let shown = shown(&digits[..length]);
    Some((at..end, Cow::Owned(quoted(bytes, &(at..end), shown))))
}

/// The length of what may stand between two groups: one of ` -.+_`, or a space as URLs write it.
fn separator(bytes: &[u8]) -> usize {
    match bytes {
        [b'%', b'2', b'0', ..] => 3,
        [b' ' | b'-' | b'.' | b'+' | b'_', ..] => 1,
        _ => 0,
    }
}

/// First six, stars, last four.
fn shown(digits: &[u8]) -> String {
    digits
        .iter()
        .enumerate()
        .map(|(place, digit)| match place < 6 || place + 4 >= digits.len() {
            true => char::from(*digit),
            false => '*',
        })
        .collect()
}

/// In quotes when it stood as a bare number in JSON, so that the line stays JSON.
fn quoted(bytes: &[u8], range: &Range<usize>, shown: String) -> String {
    let before = range.start.checked_sub(1).and_then(|place| bytes.get(place));
    let after = bytes.get(range.end);
    match (before, after) {
        (Some(b':'), Some(b',' | b'}')) => format!("\"{shown}\""),
        _ => shown,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_masked_and_what_is_not() {
        let table = [
            ("card 4242424242424242 declined", "card 424242******4242 declined"),
            ("card=4242 4242 4242 4242", "card=424242******4242"),
            ("4242-4242-4242-4242/12", "424242******4242/12"),
            ("?n=4242%204242%204242%204242&x", "?n=424242******4242&x"),
            ("at 12 4242 4242 4242 4242 77", "at 12 424242******4242 77"),
            (r#"{"number":4242424242424242,"a":1}"#, r#"{"number":"424242******4242","a":1}"#),
            (r#"{"n":"378282246310005"}"#, r#"{"n":"378282*****0005"}"#),
            ("number4242424242424242x", "number424242******4242x"),
            ("4242424242424241 is no card", "4242424242424241 is no card"),
            ("order 123456789", "order 123456789"),
            ("key test_sk_naru_0123456789abcdef", "key test_sk_[masked]"),
            ("live_ck_naru_0123456789abcdef,", "live_ck_[masked],"),
            ("test_gsk_docs_0123456789abcdef", "test_gsk_[masked]"),
            ("token naru_ct_abc_def end", "token naru_ct_[masked] end"),
            ("invite naru_invitation_abc123 end", "invite naru_invitation_[masked] end"),
            ("authorization: Basic dGVzdF9zazo=", "authorization: Basic [masked]"),
            ("Authorization: bearer abc.def-ghi_j", "Authorization: bearer [masked]"),
            ("Bearer token missing", "Bearer token missing"),
            ("amqp://naru:pa:ss@broker:5672/v", "amqp://naru:[masked]@broker:5672/v"),
            ("http://127.0.0.1:8080/a@b:c", "http://127.0.0.1:8080/a@b:c"),
            ("test_card_declined and latest_run_x", "test_card_declined and latest_run_x"),
            ("2026-11-22T15:16:00.123456Z", "2026-11-22T15:16:00.123456Z"),
            ("한글 4242424242424242 결제", "한글 424242******4242 결제"),
        ];
        for (line, expected) in table {
            assert_eq!(mask(line), expected);
        }
    }

    #[test]
    fn identifiers_that_look_like_a_card_are_left_alone() {
        for line in ["0198a1b2-4242-4242-8242-424242424242", "00-4242424242424242aaaaaaaaaaaaaaaa-4bf92f3577b34da6-01"]
        {
            assert_eq!(mask(line), line);
        }
    }

    fn card() -> impl Strategy<Value = String> {
        "[0-9]{11,18}".prop_map(|digits| {
            let check = (b'0'..=b'9').find(|c| luhn(digits.bytes().chain([*c]))).unwrap();
            format!("{digits}{}", char::from(check))
        })
    }

    proptest! {
        #[test]
        fn no_card_number_survives(
            card in card(),
            separator in prop::sample::select(vec!["", " ", "-", ".", "+", "_", "%20"]),
            group in 2_usize..8,
            before in "[^0-9a-fA-F]{0,20}([ :=]([0-9]{1,3} )?)?",
            after in "([ ,][0-9]{1,3})?[^0-9a-fA-F]{0,20}",
        ) {
            // Text that hides everything, or joins the digits before, is another case.
            prop_assume!(!before.contains("://") && !before.ends_with(separator) || separator.is_empty());
            let groups: Vec<&str> = card.as_bytes().chunks(group).map(|g| std::str::from_utf8(g).unwrap()).collect();
            let line = format!("{before}{}{after}", groups.join(separator));
            let masked = mask(&line);
            let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).map(char::from).collect::<String>();
            prop_assert!(!digits(&masked).contains(&card), "{line} became {masked}");
        }

        #[test]
        fn no_key_survives(kind in "(test|live)_(sk|ck)_naru_", secret in "[0-9A-Za-z]{39}", before in ".{0,20}[^a-z]", after in "[^0-9A-Za-z_].{0,20}") {
            let line = format!("{before}{kind}{secret}{after}");
            prop_assert!(!mask(&line).contains(&secret));
        }

        #[test]
        fn no_line_panics_and_masking_twice_changes_nothing_more(line in "\\PC*") {
            let once = mask(&line).into_owned();
            prop_assert_eq!(mask(&once), once.as_str());
        }

        #[test]
        fn digits_without_a_right_check_digit_are_untouched(order in "ORD-[0-9]{1,11}") {
            prop_assert_eq!(mask(&order), order.as_str());
        }
    }
}
