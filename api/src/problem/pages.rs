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
    fn every_reason_is_a_heading_of_its_codes_page_and_every_heading_is_a_reason() {
        for code in Code::ALL {
            let headings: Vec<&str> = code.page().lines().filter_map(|line| line.strip_prefix("## ")).collect();
            let reasons: Vec<&str> =
                Reason::ALL.iter().filter(|reason| reason.code() == *code).map(|reason| reason.as_str()).collect();
            assert_eq!(headings, reasons, "{code:?}");
        }
        for reason in Reason::ALL {
            let page = reason.code().page();
            let section = page.split("\n## ").find(|section| section.starts_with(reason.as_str())).unwrap();
            assert!(section.contains(&format!("Status {},", reason.status())), "{reason:?}");
            assert!(section.contains("not `retryable`") != reason.retryable(), "{reason:?}");
        }
    }

    #[test]
    fn only_codes_that_typed_clients_know() {
        let known: BTreeSet<&str> = include_str!("known_codes.txt").split_whitespace().collect();
        for code in Code::ALL {
            assert!(known.contains(code.as_str()), "{code:?}");
        }
    }
}
