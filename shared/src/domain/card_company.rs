//! 카드사: what issuers' two-character codes stand for, as Toss Payments names them.

/// Codes and names.
const NAMES: [(&str, &str); 19] = [
    ("11", "국민"),
    ("15", "카카오뱅크"),
    ("21", "하나"),
    ("24", "토스뱅크"),
    ("31", "BC"),
    ("33", "우리"),
    ("34", "수협"),
    ("35", "전북"),
    ("36", "씨티"),
    ("3A", "케이뱅크"),
    ("3C", "유니온페이"),
    ("41", "신한"),
    ("42", "제주"),
    ("46", "광주"),
    ("51", "삼성"),
    ("61", "현대"),
    ("71", "롯데"),
    ("91", "농협"),
    ("W1", "우리"),
];

/// The name of a card company, in Korean.
#[must_use]
pub fn name_of(code: &str) -> Option<&'static str> {
    NAMES.iter().find(|(known, _)| *known == code).map(|(_, name)| *name)
}
