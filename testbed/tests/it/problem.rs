//! What every refusal looks like, whoever refused and why.

use naru_testbed::Answer;
use serde_json::Value;

/// The codes that clients written for Toss Payments know.
const KNOWN_CODES: &str = include_str!("../../../api/src/problem/known_codes.txt");

/// Whether a member is what it should be.
type IsGood = fn(&Value) -> bool;

/// Members that every problem has, with what they are made of.
const MEMBERS: [(&str, IsGood); 9] = [
    ("type", |value| value.as_str().is_some_and(|url| url.starts_with("http"))),
    ("title", is_text),
    ("status", Value::is_u64),
    ("detail", is_text),
    ("instance", |value| value.as_str().is_some_and(|path| path.starts_with('/'))),
    ("code", |value| value.as_str().is_some_and(|code| KNOWN_CODES.split_whitespace().any(|known| known == code))),
    ("message", is_text),
    ("retryable", Value::is_boolean),
    ("traceId", |value| value.as_str().is_some_and(|id| id.len() == 32 && id.bytes().all(|c| c.is_ascii_hexdigit()))),
];

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

/// What is wrong with `answer` as a refusal that did nothing; nothing when it is a good one.
pub(crate) fn complaint(answer: &Answer, is_documented: impl Fn(u16) -> bool) -> Option<String> {
    let status = answer.status;
    if !(400..500).contains(&status) {
        return Some(format!("is no refusal: {status}"));
    }
    if !is_documented(status) {
        return Some(format!("has the status {status}, which the document does not list"));
    }
    if answer.header("content-type") != "application/problem+json" {
        return Some(format!("is {:?}, not a problem document", answer.header("content-type")));
    }
    if let Some((member, _)) = MEMBERS.iter().find(|(member, is_good)| !is_good(answer.at(member))) {
        return Some(format!("has no good `{member}`: {}", answer.at(member)));
    }
    if answer.at("status") != status || !answer.text("type").ends_with(&format!("/problems/{}", answer.text("code"))) {
        return Some("does not agree with itself".to_owned());
    }
    if answer.text("moneyState") != "NOT_MOVED" {
        return Some(format!("says that money is {}", answer.at("moneyState")));
    }
    None
}

/// Insists that nothing is complained of; shows the first few complaints.
///
/// # Panics
/// When there are any.
pub(crate) fn insist_on_none(complaints: &[String]) {
    let shown = complaints.iter().take(30).map(String::as_str).collect::<Vec<_>>().join("\n\n");
    assert!(complaints.is_empty(), "{} complaints:\n{shown}", complaints.len());
}
