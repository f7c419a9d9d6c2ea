//! Values against their bounds, all mistakes at once.
//!
//! A handler opens a [`Check`], asks it about each field, and builds what it needs in [`Check::finish`]:
//!
//! ```
//! # use naru_api::body::Check;
//! # let (order_id, amount) = ("order-20261122", 15_000);
//! let mut check = Check::new();
//! let order_id = check.order_id("orderId", order_id);
//! let amount = check.amount("amount", amount);
//! let order = check.finish(|| Some((order_id?, amount?)));
//! # assert!(order.is_ok());
//! ```

use std::borrow::Cow;

use naru_shared::acquirer::PhoneCompany;
use naru_shared::domain::bank::Bank;
use naru_shared::secret::{
    AccountNumber, BirthDate, CardExpiry, CardNumber, CardPassword, Cvc, Email, IdentityNumber, MemberNumber,
    MemberPassword, NotACardField, PhoneNumber, SmsCode,
};
use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime, UtcOffset};
use url::{Host, Url};

use crate::problem::{Code, FieldError, Problem, Reason};

/// Collects what is wrong with a request's fields.
#[derive(Debug, Default)]
pub struct Check {
    errors: Vec<FieldError>,
    /// Whether something is wrong that has no code of its own.
    is_plain: bool,
    /// The first that has one; said when nothing plain is wrong beside it.
    refusal: Option<Problem>,
}

impl Check {
    /// Most won of one payment. Far below what 64 bits hold, so that sums of a day's payments can't overflow.
    pub const AMOUNT_MAX: i64 = 999_999_999_999;

    /// Nothing wrong yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that `field` is wrong; `reason` says what would be right, without the value.
    pub fn wrong(&mut self, field: &str, reason: impl Into<Cow<'static, str>>) {
        self.is_plain = true;
        self.errors.push(FieldError::new(field, reason));
    }

    /// Notes that `field` is wrong in a way that has a code of its own: `problem`, unless another was first.
    fn refused(&mut self, problem: Problem, field: &str, reason: impl Into<Cow<'static, str>>) {
        self.refusal.get_or_insert(problem);
        self.errors.push(FieldError::new(field, reason));
    }

    /// What `build` makes of the checked values, if nothing was wrong.
    ///
    /// # Errors
    /// `INVALID_FIELDS`, or the code of its own that something has when nothing else is wrong; with everything that was
    /// wrong in either case.
    pub fn finish<T>(self, build: impl FnOnce() -> Option<T>) -> Result<T, Problem> {
        if self.errors.is_empty()
            && let Some(value) = build()
        {
            return Ok(value);
        }
        let refusal = self.refusal.filter(|_| !self.is_plain);
        Err(refusal.unwrap_or_else(|| Problem::because(Reason::InvalidFields)).errors(self.errors))
    }

    /// `value` when `good`, else a note.
    pub fn require<T>(&mut self, field: &str, value: T, good: bool, reason: &'static str) -> Option<T> {
        if !good {
            self.wrong(field, reason);
        }
        good.then_some(value)
    }

    /// A field that must be there.
    pub fn present<T>(&mut self, field: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.wrong(field, "is required");
        }
        value
    }

    /// A field that may be absent: nothing when it is, `check`'s answer when it isn't. The outer option is nothing
    /// only when the field is wrong.
    pub fn optional<T, U>(
        &mut self,
        value: Option<T>,
        check: impl FnOnce(&mut Self, T) -> Option<U>,
    ) -> Option<Option<U>> {
        match value {
            None => Some(None),
            Some(value) => check(self, value).map(Some),
        }
    }

    /// `orderId`: 6 to 64 of letters, digits, `-`, `_`, `=`.
    pub fn order_id<'a>(&mut self, field: &str, text: &'a str) -> Option<&'a str> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '=');
        let good = (6..=64).contains(&text.len()) && text.chars().all(allowed);
        self.require(field, text, good, "must be 6 to 64 of letters, digits, `-`, `_` and `=`")
    }

    /// `paymentKey`: 1 to 200 of letters, digits, `-`, `_`.
    pub fn payment_key<'a>(&mut self, field: &str, text: &'a str) -> Option<&'a str> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let good = (1..=200).contains(&text.len()) && text.chars().all(allowed);
        self.require(field, text, good, "must be 1 to 200 of letters, digits, `-` and `_`")
    }

    /// `customerKey`: 2 to 300 of letters, digits, `-`, `_`, `=`, `.`, `@`.
    pub fn customer_key<'a>(&mut self, field: &str, text: &'a str) -> Option<&'a str> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '=' | '.' | '@');
        let good = (2..=300).contains(&text.len()) && text.chars().all(allowed);
        self.require(field, text, good, "must be 2 to 300 of letters, digits, `-`, `_`, `=`, `.` and `@`")
    }

    /// `orderName`: one line of 1 to 100 characters, not only spaces.
    pub fn order_name<'a>(&mut self, field: &str, text: &'a str) -> Option<&'a str> {
        let good = is_line(text, 100);
        self.require(field, text, good, "must be one line of 1 to 100 characters")
    }

    /// One line of at most so many characters, not only spaces.
    pub fn line<'a>(
        &mut self,
        field: &str,
        text: &'a str,
        characters_max: usize,
        reason: &'static str,
    ) -> Option<&'a str> {
        self.require(field, text, is_line(text, characters_max), reason)
    }

    /// `customerName` and the like: one line of 1 to 100 characters, not only spaces.
    pub fn person_name<'a>(&mut self, field: &str, text: &'a str) -> Option<&'a str> {
        self.order_name(field, text)
    }

    /// `cancelReason`: 1 to 200 characters, not only spaces; line breaks allowed.
    pub fn cancel_reason<'a>(&mut self, field: &str, text: &'a str) -> Option<&'a str> {
        let lines = text.replace(['\r', '\n', '\t'], " ");
        self.require(field, text, is_line(&lines, 200), "must be 1 to 200 characters")
    }

    /// An amount that is paid or returned: 1 to [`Check::AMOUNT_MAX`] won.
    pub fn amount(&mut self, field: &str, won: i64) -> Option<i64> {
        let good = (1..=Self::AMOUNT_MAX).contains(&won);
        self.require(field, won, good, "must be from 1 to 999999999999")
    }

    /// A part of an amount that may be nothing, such as `taxFreeAmount`: 0 to [`Check::AMOUNT_MAX`] won.
    pub fn part(&mut self, field: &str, won: i64) -> Option<i64> {
        let good = (0..=Self::AMOUNT_MAX).contains(&won);
        self.require(field, won, good, "must be from 0 to 999999999999")
    }

    /// `currency`: only won is taken.
    pub fn currency<'a>(&mut self, field: &str, text: &'a str) -> Option<&'a str> {
        self.require(field, text, text == "KRW", "must be KRW")
    }

    /// `cardInstallmentPlan`: 0, or 2 to 12 months. Toss Payments has codes for what is wrong with it.
    pub fn instalments(&mut self, field: &str, months: i64) -> Option<u8> {
        let fitting = u8::try_from(months).ok().filter(|months| matches!(months, 0 | 2..=12));
        if fitting.is_none() {
            let problem = match months > 12 {
                true => Problem::of(Code::ExceedMaxCardInstallmentPlan),
                false => Problem::of(Code::InvalidCardInstallmentPlan),
            };
            self.refused(problem, field, "must be 0 or from 2 to 12");
        }
        fitting
    }

    /// An address of the merchant's: absolute, `https` (`http` to this machine only), no user, at most 2000 characters.
    pub fn url(&mut self, field: &str, text: &str) -> Option<Url> {
        let url = Url::parse(text).ok().filter(|url| text.len() <= 2000 && is_reachable_safely(url));
        if url.is_none() {
            self.wrong(field, "must be an https URL of at most 2000 characters");
        }
        url
    }

    /// An e-mail address as far as a form can tell: one `@`, a dot in the domain, at most 254 characters.
    pub fn email<'a>(&mut self, field: &str, text: &'a str) -> Option<&'a str> {
        let good = Email::parse(text).is_some();
        self.require(field, text, good, "must be an e-mail address")
    }

    /// A mobile or fixed phone number: 8 to 15 digits, with hyphens or a leading plus if anybody likes.
    pub fn phone(&mut self, field: &str, text: &str) -> Option<String> {
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        let bare = digits.strip_prefix('+').unwrap_or(&digits);
        let good = (8..=15).contains(&bare.len()) && bare.bytes().all(|c| c.is_ascii_digit());
        self.require(field, digits, good, "must be a phone number of 8 to 15 digits")
    }

    /// A moment, ISO 8601 with offset; in UTC, where the last hours of the year 9999 west of it don't exist.
    pub fn moment(&mut self, field: &str, text: &str) -> Option<OffsetDateTime> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok();
        let moment = moment.and_then(|moment| moment.checked_to_offset(UtcOffset::UTC));
        if moment.is_none() {
            self.wrong(field, "must be a time such as 2026-11-22T15:04:05+09:00");
        }
        moment
    }

    /// A day, `yyyy-MM-dd`.
    pub fn day(&mut self, field: &str, text: &str) -> Option<Date> {
        let format = time::macros::format_description!("[year]-[month]-[day]");
        let day = Date::parse(text, format).ok();
        if day.is_none() {
            self.wrong(field, "must be a day such as 2026-11-22");
        }
        day
    }

    /// A page's size: 1 to 100.
    pub fn limit(&mut self, field: &str, count: i64) -> Option<i64> {
        self.require(field, count, (1..=100).contains(&count), "must be from 1 to 100")
    }

    /// A card number. A wrong check digit has a code of its own.
    pub fn card_number(&mut self, field: &str, text: &str) -> Option<CardNumber> {
        match CardNumber::parse(text) {
            Err(why @ NotACardField::CheckDigit) => {
                self.refused(Problem::because(Reason::WrongCheckDigit), field, why.to_string());
                None
            }
            parsed => self.card_field(field, parsed),
        }
    }

    /// The month a card is good through, from its two fields. One that is over by `now` has a code of its own.
    pub fn card_expiry(
        &mut self,
        fields: [&str; 2],
        year: &str,
        month: &str,
        now: OffsetDateTime,
    ) -> Option<CardExpiry> {
        // Each part is tried beside a good one, so that both can be named.
        let year_is_good = CardExpiry::parse(year, "01").is_ok();
        let month_is_good = CardExpiry::parse("30", month).is_ok();
        self.require(fields[0], (), year_is_good, "must be two digits");
        self.require(fields[1], (), month_is_good, "must be 01 to 12");
        let expiry = CardExpiry::parse(year, month).ok()?;
        if expiry.is_past(now) {
            for field in fields {
                self.refused(Problem::because(Reason::CardExpired), field, "is past");
            }
            return None;
        }
        Some(expiry)
    }

    /// The three or four digits on a card's back.
    pub fn cvc(&mut self, field: &str, text: &str) -> Option<Cvc> {
        self.card_field(field, Cvc::parse(text))
    }

    /// The first two digits of a card's password.
    pub fn card_password(&mut self, field: &str, text: &str) -> Option<CardPassword> {
        self.card_field(field, CardPassword::parse(text))
    }

    /// A birthday of six digits, or a business registration number of ten.
    pub fn identity_number(&mut self, field: &str, text: &str) -> Option<IdentityNumber> {
        self.card_field(field, IdentityNumber::parse(text))
    }

    /// A bank, by its code or its Korean name.
    pub fn bank(&mut self, field: &str, text: &str) -> Option<Bank> {
        let bank = Bank::named(text);
        if bank.is_none() {
            self.wrong(field, "must be the code or name of a Korean bank");
        }
        bank
    }

    /// A bank account's number.
    pub fn account_number(&mut self, field: &str, text: &str) -> Option<AccountNumber> {
        self.card_field(field, AccountNumber::parse(text))
    }

    /// A mobile phone's carrier.
    pub fn carrier(&mut self, field: &str, text: &str) -> Option<PhoneCompany> {
        let carrier = PhoneCompany::parse(text);
        if carrier.is_none() {
            self.wrong(field, "must be SKT, KT, LGU or MVNO");
        }
        carrier
    }

    /// A mobile phone's number.
    pub fn phone_number(&mut self, field: &str, text: &str) -> Option<PhoneNumber> {
        self.card_field(field, PhoneNumber::parse(text))
    }

    /// A birthday of six digits.
    pub fn birth_date(&mut self, field: &str, text: &str) -> Option<BirthDate> {
        self.card_field(field, BirthDate::parse(text))
    }

    /// A code of six digits that came to a phone.
    pub fn sms_code(&mut self, field: &str, text: &str) -> Option<SmsCode> {
        self.card_field(field, SmsCode::parse(text))
    }

    /// A member's number.
    pub fn member_number(&mut self, field: &str, text: &str) -> Option<MemberNumber> {
        self.card_field(field, MemberNumber::parse(text))
    }

    /// A member's password.
    pub fn member_password(&mut self, field: &str, text: &str) -> Option<MemberPassword> {
        self.card_field(field, MemberPassword::parse(text))
    }

    fn card_field<T>(&mut self, field: &str, parsed: Result<T, NotACardField>) -> Option<T> {
        parsed.map_err(|why| self.wrong(field, why.to_string())).ok()
    }
}

fn is_line(text: &str, characters_max: usize) -> bool {
    let allowed = |c: char| !c.is_control() && !turns_text(c);
    !text.trim().is_empty() && text.chars().count() <= characters_max && text.chars().all(allowed)
}

/// Whether `c` makes what follows run the other way, so that a payer is shown something else than is written (`00051`
/// for `15000`). Arabic and Hebrew need none of these.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_reachable_safely(url: &Url) -> bool {
    let this_machine = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return false,
    };
    let nobody = url.username().is_empty() && url.password().is_none();
    nobody && (url.scheme() == "https" || (url.scheme() == "http" && this_machine))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    /// Whether `check` accepts the value.
    fn accepts<T>(check: impl FnOnce(&mut Check) -> Option<T>) -> bool {
        let mut all = Check::new();
        let value = check(&mut all);
        assert_eq!(value.is_some(), all.errors.is_empty(), "a value or an error");
        assert_eq!(all.errors.is_empty(), !all.is_plain && all.refusal.is_none(), "an error with or without a code");
        value.is_some()
    }

    #[test]
    fn texts() {
        let long = |n: usize| "가".repeat(n);
        let ids = [
            ("order1", true),
            ("a-b_c=", true),
            (&"x".repeat(64), true),
            ("short", false),
            (&"x".repeat(65), false),
            ("order 1", false),
            ("order.1", false),
            ("주문번호12", false),
            ("", false),
            ("order'1", false),
        ];
        for (text, good) in ids {
            assert_eq!(accepts(|c| c.order_id("orderId", text).map(str::len)), good, "{text}");
        }
        for (text, good) in [
            ("토스 티셔츠 외 2건", true),
            (&long(100), true),
            (&long(101), false),
            ("", false),
            ("  ", false),
            ("a\nb", false),
            ("שלום", true),
            ("a\u{202e}b", false),
        ] {
            assert_eq!(accepts(|c| c.order_name("orderName", text).map(str::len)), good, "{text}");
        }
        for (text, good) in
            [("단순\n변심", true), (&long(200), true), (&long(201), false), (" \n", false), ("a\u{202e}b", false)]
        {
            assert_eq!(accepts(|c| c.cancel_reason("cancelReason", text).map(str::len)), good, "{text}");
        }
        for (text, good) in [
            ("a@b.kr", true),
            ("a@b@c.kr", false),
            ("a@kr", false),
            ("@b.kr", false),
            ("a b@c.kr", false),
            ("a@.kr", false),
            ("홍@b.kr", false),
        ] {
            assert_eq!(accepts(|c| c.email("customerEmail", text).map(str::len)), good, "{text}");
        }
        for (text, good) in [
            ("010-1234-5678", true),
            ("+821012345678", true),
            ("1234567", false),
            ("010+12345678", false),
            ("call me", false),
        ] {
            assert_eq!(accepts(|c| c.phone("phone", text)), good, "{text}");
        }
    }

    #[test]
    fn numbers() {
        for (won, good) in
            [(1, true), (999_999_999_999, true), (0, false), (-1, false), (1_000_000_000_000, false), (i64::MIN, false)]
        {
            assert_eq!(accepts(|c| c.amount("amount", won)), good, "{won}");
        }
        assert!(accepts(|c| c.part("taxFreeAmount", 0)));
        for (months, good) in [(0, true), (2, true), (12, true), (1, false), (13, false), (-2, false), (258, false)] {
            assert_eq!(accepts(|c| c.instalments("cardInstallmentPlan", months)), good, "{months}");
        }
    }

    #[test]
    fn addresses_and_times() {
        let urls = [
            ("https://shop.example/ok?x=1", true),
            ("http://localhost:3000/", true),
            ("http://127.0.0.1/", true),
            ("http://[::1]:3000/", true),
            ("http://shop.example/", false),
            ("https://user:pw@shop.example/", false),
            ("javascript:alert(1)", false),
            ("//shop.example", false),
            ("/relative", false),
            ("https://", false),
        ];
        for (text, good) in urls {
            assert_eq!(accepts(|c| c.url("successUrl", text)), good, "{text}");
        }
        for (text, good) in [
            ("2026-11-22T15:04:05+09:00", true),
            ("2026-11-22T15:04:05Z", true),
            ("2026-11-22T15:04:05", false),
            ("2026-02-30T00:00:00Z", false),
            ("9999-12-31T23:59:59Z", true),
            ("9999-12-31T23:59:59-23:59", false),
            ("0000-01-01T00:00:00+23:59", true),
            ("now", false),
        ] {
            assert_eq!(accepts(|c| c.moment("approveBefore", text)), good, "{text}");
        }
        for (text, good) in [("2026-11-22", true), ("2026-11-31", false), ("22.11.2026", false)] {
            assert_eq!(accepts(|c| c.day("startDate", text)), good, "{text}");
        }
    }

    #[test]
    fn every_mistake_is_named_at_once_and_no_value_repeated() {
        let mut check = Check::new();
        let order = check.order_id("orderId", "!");
        let amount = check.amount("amount", 0);
        let card = check.card_number("cardNumber", "4242424242424241");
        let expiry = check.card_expiry(["cardExpirationYear", "cardExpirationMonth"], "2030", "13", NOW);
        let absent = check.optional(None::<&str>, |check, text| check.email("customerEmail", text));
        let problem = check.finish(|| Some((order?, amount?, card?, expiry?, absent?))).unwrap_err();
        let named: Vec<&str> = problem.field_errors().iter().map(|error| error.field.as_str()).collect();
        assert_eq!(named, ["orderId", "amount", "cardNumber", "cardExpirationYear", "cardExpirationMonth"]);
        assert!(problem.field_errors().iter().all(|error| !error.reason.contains("4242")));
        assert_eq!(
            problem.reason(),
            Some(Reason::InvalidFields),
            "a code of its own is of no use beside what has none"
        );
    }

    const NOW: OffsetDateTime = datetime!(2026-11-30 15:00 UTC);

    #[test]
    fn what_has_a_code_of_its_own_is_told_by_it() {
        /// What is typed, and why it is refused, with which fields.
        type Case = (&'static str, &'static str, i64, Option<Reason>, Code, &'static [&'static str]);
        const EXPIRY: [&str; 2] = ["cardExpirationYear", "cardExpirationMonth"];
        const NUMBER_AND_EXPIRY: [&str; 3] = ["cardNumber", EXPIRY[0], EXPIRY[1]];
        let cases: [Case; 7] = [
            ("4242424242424241", "12", 0, Some(Reason::WrongCheckDigit), Code::InvalidCardNumber, &["cardNumber"]),
            ("4242424242424242", "11", 0, Some(Reason::CardExpired), Code::InvalidCardExpiration, &EXPIRY),
            ("4242424242424242", "12", 1, None, Code::InvalidCardInstallmentPlan, &["cardInstallmentPlan"]),
            ("4242424242424242", "12", 13, None, Code::ExceedMaxCardInstallmentPlan, &["cardInstallmentPlan"]),
            // The first of two, and every field that is wrong.
            (
                "4242424242424241",
                "11",
                13,
                Some(Reason::WrongCheckDigit),
                Code::InvalidCardNumber,
                &["cardNumber", "cardExpirationYear", "cardExpirationMonth", "cardInstallmentPlan"],
            ),
            // What is no card number at all is a field like any other.
            ("4242", "12", 0, Some(Reason::InvalidFields), Code::InvalidRequest, &["cardNumber"]),
            ("4242", "11", 0, Some(Reason::InvalidFields), Code::InvalidRequest, &NUMBER_AND_EXPIRY),
        ];
        for (typed, month, months, reason, code, fields) in cases {
            let mut check = Check::new();
            let card = check.card_number("cardNumber", typed);
            let good_through = check.card_expiry(EXPIRY, "26", month, NOW);
            let months = check.instalments("cardInstallmentPlan", months);
            let problem = check.finish(|| Some((card?, good_through?, months?))).unwrap_err();
            assert_eq!((problem.reason(), problem.code()), (reason, code), "{typed} {month}");
            let named: Vec<&str> = problem.field_errors().iter().map(|error| error.field.as_str()).collect();
            assert_eq!(named, fields, "{typed} {month}");
        }
    }
}
