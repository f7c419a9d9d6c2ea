//! The pages that `type` points at: `docs/problems`, as they are in the repository.

use axum::Router;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::{Code, Problem, Reason};

const INDEX: &str = include_str!("../../../docs/problems/index.md");

/// `GET /problems` and `GET /problems/{code}`.
pub fn problem_pages() -> Router {
    Router::new().route("/problems", get(|| async { markdown(INDEX) })).route("/problems/{code}", get(page))
}

async fn page(Path(name): Path<String>) -> Result<Response, Problem> {
    // Links between pages carry the file's ending.
    let name = name.strip_suffix(".md").unwrap_or(&name);
    let page = match name {
        "index" => INDEX,
        _ => Code::named(name).ok_or_else(|| Problem::because(Reason::NoSuchRoute))?.page(),
    };
    Ok(markdown(page))
}

fn markdown(text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, "text/markdown; charset=utf-8")], text).into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use naru_shared::domain::failure::{FailureCode, FailureReason};

    use super::*;

    #[test]
    fn every_page_has_its_code() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/problems");
        let files: BTreeSet<String> =
            std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        let expected: BTreeSet<String> =
            Code::ALL.iter().map(|code| format!("{}.md", code.as_str())).chain(["index.md".into()]).collect();
        assert_eq!(files, expected, "each code has a page by construction; no page may be left over");
    }

    #[test]
    fn every_page_shows_its_code_status_and_messages() {
        for code in Code::ALL {
            let page = code.page();
            assert!(page.starts_with(&format!("# {}\n", code.as_str())), "{code:?}");
            assert!(page.contains(&format!("| status | {} |", code.status())), "{code:?}");
            assert!(page.contains(code.korean()) && page.contains(code.english()), "{code:?}");
            assert!(INDEX.contains(&format!("[{0}]({0}.md) | {1} |", code.as_str(), code.status())), "{code:?}");
        }
    }

    #[test]
    fn every_page_says_what_happened_to_money() {
        for code in Code::ALL {
            let word = serde_json::to_value(code.money()).unwrap();
            let stated = format!("| `moneyState` | `{}`: ", word.as_str().unwrap());
            assert!(code.page().contains(&stated), "{code:?}");
        }
    }

    /// The codes that a failed payment has for this reason.
    fn codes_of(reason: FailureReason) -> Vec<FailureCode> {
        match reason {
            FailureReason::AcquirerDeclined => {
                FailureCode::ALL.iter().copied().filter(|code| *code != FailureCode::PayProcessCanceled).collect()
            }
            FailureReason::ApprovalDeadlinePassed
            | FailureReason::AcquirerAmountMismatch
            | FailureReason::NothingToCapture
            | FailureReason::IssueDeadlinePassed => vec![FailureCode::ProviderError],
            FailureReason::DepositedMeanwhile | FailureReason::DepositTakenBack | FailureReason::RefundAccountLost => {
                vec![FailureCode::RefundRejected]
            }
            FailureReason::ReleasedByOperator => vec![FailureCode::ProviderError, FailureCode::RefundRejected],
            // Of the payment only: no request is refused with it.
            FailureReason::PayerCanceled => vec![FailureCode::PayProcessCanceled],
        }
    }

    fn failures_of(code: Code) -> impl Iterator<Item = &'static str> {
        let fits = move |reason: &&FailureReason| codes_of(**reason).iter().any(|c| c.as_str() == code.as_str());
        FailureReason::ALL.iter().filter(fits).map(|reason| reason.as_str())
    }

    fn reasons_of(code: Code) -> Vec<&'static str> {
        let refusals = Reason::ALL.iter().filter(|reason| reason.code() == code).map(|reason| reason.as_str());
        refusals.chain(failures_of(code)).collect()
    }

    #[test]
    fn every_reason_is_a_heading_of_its_codes_page_and_every_heading_is_a_reason() {
        for code in Code::ALL {
            let headings: Vec<&str> = code.page().lines().filter_map(|line| line.strip_prefix("## ")).collect();
            assert_eq!(headings, reasons_of(*code), "{code:?}");
            let row = INDEX.lines().find(|line| line.starts_with(&format!("| [{}](", code.as_str()))).unwrap();
            let listed: Vec<&str> = row.split('|').nth(5).unwrap().split_whitespace().collect();
            let expected: Vec<String> = headings.iter().map(|heading| format!("`{heading}`")).collect();
            assert_eq!(listed, expected, "{code:?} in the index");
            for failure in failures_of(*code) {
                let section = code.page().split("\n## ").find(|section| section.starts_with(failure)).unwrap();
                assert!(section.contains(&format!("Status {},", code.status())), "{code:?} {failure}");
                assert!(section.contains("not `retryable`"), "{code:?} {failure}: what was decided stays decided");
            }
        }
        for reason in Reason::ALL {
            let page = reason.code().page();
            let section = page.split("\n## ").find(|section| section.starts_with(reason.as_str())).unwrap();
            assert!(section.contains(&format!("Status {},", reason.status())), "{reason:?}");
            assert!(section.contains("not `retryable`") != reason.retryable(), "{reason:?}");
        }
        for failure in FailureReason::ALL {
            assert!(INDEX.contains(&format!("| `{}` |", failure.as_str())), "{failure:?}");
        }
    }

    #[test]
    fn a_reason_means_one_thing() {
        for failure in FailureReason::ALL {
            let other = Reason::ALL.iter().find(|reason| reason.as_str() == failure.as_str());
            assert!(other.is_none(), "{failure:?} is also why a request is refused");
        }
    }

    /// What our own code answers with: every `Problem::of` and every reason that is given, tests apart.
    fn given() -> (BTreeSet<Code>, BTreeSet<Reason>) {
        let mut source = String::new();
        read_sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut source);
        let is_named = |before: &str, name: &str| {
            let whole = format!("{before}{name}");
            source.split(&whole).skip(1).any(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
        };
        let reasons = Reason::ALL.iter().copied().filter(|reason| is_named("Reason::", &format!("{reason:?}")));
        let reasons: BTreeSet<Reason> = reasons.collect();
        let of_reasons = reasons.iter().map(|reason| reason.code());
        let of_failures = FailureCode::ALL.iter().filter_map(|failure| Code::named(failure.as_str()));
        let said = Code::ALL.iter().copied().filter(|code| {
            ["Problem::of(Code::", "Problem::of(crate::problem::Code::"]
                .iter()
                .any(|before| is_named(before, &format!("{code:?}")))
        });
        let codes = said.chain(of_reasons).chain(of_failures).collect();
        (codes, reasons)
    }

    fn read_sources(folder: &Path, source: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_list = path.ends_with("problem/code.rs") || path.ends_with("problem/reason.rs");
            if path.is_dir() {
                read_sources(&path, source);
            } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs") && !is_list {
                let text = std::fs::read_to_string(&path).unwrap();
                source.push_str(text.split("#[cfg(test)]").next().unwrap());
            }
        }
    }

    #[test]
    fn what_nobody_answers_with_yet_is_marked() {
        let (codes, reasons) = given();
        assert!(codes.contains(&Code::IdempotentRequestProcessing) && codes.contains(&Code::NotFoundPayment));
        for code in Code::ALL {
            let today = if codes.contains(code) { "yes" } else { "reserved" };
            let row = format!("[{0}]({0}.md) | {1} | {today} |", code.as_str(), code.status());
            assert!(INDEX.contains(&row), "{code:?}: {today}");
            assert_eq!(code.page().contains("**Reserved.**"), !codes.contains(code), "{code:?}");
        }
        for reason in Reason::ALL {
            assert!(reasons.contains(reason), "nobody answers with {reason:?}");
        }
    }

    #[test]
    fn only_codes_that_typed_clients_know() {
        let known: BTreeSet<&str> = include_str!("known_codes.txt").split_whitespace().collect();
        // Toss Payments' own, told to those only who send a test code: no client in use does.
        let asked_for = [Code::InvalidTestCode];
        for code in Code::ALL {
            assert!(known.contains(code.as_str()) || asked_for.contains(code), "{code:?}");
        }
    }
}
