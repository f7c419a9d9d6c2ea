//! `Naru-Test-Code`, and Toss Payments' name for it: a developer says which error the sandbox is to answer with. Nothing is
//! looked at but the key, and nothing is written.

use axum::http::{HeaderMap, HeaderName};
use naru_shared::domain::id::Mode;

use crate::problem::{Code, Foreign, MoneyState, Problem};

/// The header, by both of its names.
const NAMES: [HeaderName; 2] =
    [HeaderName::from_static("naru-test-code"), HeaderName::from_static("tosspayments-test-code")];

/// Refuses a request as its sender wishes, when that is a test key's. With a live key nobody reads the header.
///
/// # Errors
/// The error of the code, or `INVALID_TEST_CODE` when it is none of Toss Payments'.
pub(crate) fn refuse_as_asked(mode: Mode, headers: &HeaderMap) -> Result<(), Problem> {
    let mut asked = NAMES.into_iter().flat_map(|name| headers.get_all(name));
    let Some(first) = asked.next() else { return Ok(()) };
    match mode {
        Mode::Live => return Ok(()),
        Mode::Test => {}
    }
    let name = first.to_str().ok().map(str::trim).filter(|_| asked.next().is_none());
    let Some(name) = name else { return Err(invalid()) };
    let problem = match (Code::named(name), Foreign::named(name)) {
        (Some(code), _) => Problem::of(code),
        (None, Some(code)) => Problem::of_foreign(code),
        (None, None) => return Err(invalid()),
    };
    metrics::counter!("naru_test_codes_total").increment(1);
    // Whatever the code says at other times: this request did nothing.
    Err(problem.money(MoneyState::NotMoved).with("reason", "TEST_CODE"))
}

fn invalid() -> Problem {
    Problem::of(Code::InvalidTestCode)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn asked(mode: Mode, values: &[(&'static str, &str)]) -> Result<(), Problem> {
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            headers.append(*name, value.parse().unwrap());
        }
        refuse_as_asked(mode, &headers)
    }

    #[test]
    fn every_code_of_toss_payments_can_be_had_with_its_status() {
        let known: BTreeSet<&str> = include_str!("problem/known_codes.txt").split_whitespace().collect();
        let ours = Code::ALL.iter().map(|code| (code.as_str(), code.status()));
        let all: Vec<_> = ours.chain(Foreign::ALL.iter().map(|code| (code.code, code.status))).collect();
        let names: BTreeSet<&str> = all.iter().map(|(code, _)| *code).collect();
        assert_eq!(names.len(), all.len(), "no code is there twice");
        assert!(known.is_subset(&names), "{:?}", known.difference(&names));
        for name in ["naru-test-code", "tosspayments-test-code"] {
            for (code, status) in &all {
                let problem = asked(Mode::Test, &[(name, code)]).unwrap_err();
                assert_eq!((problem.name(), problem.status().as_u16()), (*code, *status));
            }
        }
    }

    #[test]
    fn what_is_no_code_is_refused_and_live_keys_are_not_heard() {
        for values in [
            &[("naru-test-code", "NOT_A_CODE")][..],
            &[("naru-test-code", "")],
            &[("naru-test-code", "reject_card_company")],
            &[("naru-test-code", "NOT_FOUND"), ("tosspayments-test-code", "NOT_FOUND")],
        ] {
            assert_eq!(asked(Mode::Test, values).unwrap_err().code(), Code::InvalidTestCode, "{values:?}");
            assert_eq!(asked(Mode::Live, values), Ok(()), "{values:?}");
        }
        assert_eq!(asked(Mode::Test, &[]), Ok(()));
    }
}
