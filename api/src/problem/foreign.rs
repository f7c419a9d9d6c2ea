//! Toss Payments' codes that no call of Naru answers with: only a test code brings them about. Their meaning is Toss's; each
//! says why it can't happen, and the testbed hears none in any test.

/// Declares them.
macro_rules! foreign {
    ($($code:literal, $status:literal, $korean:literal, $english:literal, $why:literal;)+) => {
        /// A code of Toss Payments' that we have no use for.
        #[derive(Debug, PartialEq, Eq)]
        pub struct Foreign {
            /// As it is on the wire.
            pub code: &'static str,
            /// The HTTP status.
            pub status: u16,
            /// What a payer may be shown, in Korean.
            pub korean: &'static str,
            /// What a payer may be shown, in English.
            pub english: &'static str,
            /// Why no call answers with it, or what is answered instead.
            pub why: &'static str,
        }

        impl Foreign {
            /// Every one.
            pub const ALL: &'static [Self] =
                &[$(Self { code: $code, status: $status, korean: $korean, english: $english, why: $why }),+];

            /// The one of that name.
            #[must_use]
            pub fn named(name: &str) -> Option<&'static Self> {
                Self::ALL.iter().find(|code| code.code == name)
            }
        }
    };
}

foreign! {
    "INVALID_REQUIRED_PARAM", 400, "필수 파라미터가 누락되었습니다.", "A required parameter is missing.",
        "a field that is missing is one that is wrong: INVALID_REQUEST, with `errors`";
    "INVALID_ORDER_ID", 400, "올바르지 않은 주문번호입니다.", "The order id is not valid.",
        "it is a field that is wrong: INVALID_REQUEST, with `errors`";
    "INVALID_ORDER_NAME", 400, "올바르지 않은 주문명입니다.", "The order name is not valid.",
        "it is a field that is wrong: INVALID_REQUEST, with `errors`";
    "INVALID_CURRENCY", 400, "올바르지 않은 통화입니다.", "The currency is not valid.",
        "it is a field that is wrong: INVALID_REQUEST, with `errors`";
    "INVALID_PAYMENT_KEY", 400, "올바르지 않은 결제키입니다.", "The payment key is not valid.",
        "INVALID_REQUEST in a body or before a change, NOT_FOUND_PAYMENT where it is only looked for";
    "INVALID_CLIENT_KEY", 400, "올바르지 않은 클라이언트 키입니다.", "The client key is not valid.",
        "every key that is nobody's is UNAUTHORIZED_KEY";
    "ALREADY_COMPLETED_PAYMENT", 400, "이미 완료된 결제 입니다.", "The payment is already completed.",
        "it is ALREADY_PROCESSED_PAYMENT";
    "DUPLICATED_REQUEST", 400, "중복된 요청입니다.", "The request is a duplicate.",
        "it is FORBIDDEN_CONSECUTIVE_REQUEST, DUPLICATED_ORDER_ID, or INVALID_REQUEST for an idempotency key";
    "BELOW_ZERO_AMOUNT", 400, "금액은 0보다 커야 합니다.", "The amount must be above zero.",
        "it is a field that is wrong: INVALID_REQUEST, with `errors`";
    "INVALID_CARD", 400, "카드 정보를 다시 확인해주세요.", "The card is not valid.",
        "which of its fields is wrong is told: INVALID_CARD_NUMBER and the like";
    "INVALID_CARD_INSTALLMENT_AMOUNT", 400, "할부금액을 다시 확인해주세요.", "The amount of the instalments is not valid.",
        "it is INVALID_CARD_INSTALLMENT_PLAN, INSTALLMENT_BELOW_AMOUNT";
    "NOT_ALLOWED_INSTALLMENT_BELOW_AMOUNT", 400, "5만원 이하의 결제는 할부가 불가능합니다.", "There are no instalments below the amount.",
        "it is INVALID_CARD_INSTALLMENT_PLAN, INSTALLMENT_BELOW_AMOUNT";
    "INVALID_REFUND_AMOUNT", 400, "환불 금액을 다시 확인해주세요.", "The refund's amount is not valid.",
        "more than is left is NOT_CANCELABLE_AMOUNT, less than a won INVALID_REQUEST";
    "EXCEED_MAX_DUE_DATE", 400, "가상계좌의 최대 유효만료 기간을 초과했습니다.", "The due date is too far away.",
        "it is a reason of INVALID_REQUEST";
    "EXCEED_MAX_VALID_HOURS", 400, "가상계좌의 최대 유효시간을 초과했습니다.", "There are more hours than allowed.",
        "it is a reason of INVALID_REQUEST";
    "INVALID_VALID_HOURS_WITH_DUE_DATE_AND_SINGLE", 400, "validHours와 dueDate는 함께 사용할 수 없습니다.", "Hours and a due date exclude each other.",
        "it is a reason of INVALID_REQUEST";
    "MAINTAINED_METHOD", 400, "현재 점검 중인 결제 수단입니다.", "The method is under maintenance.",
        "it is tried again, and then PROVIDER_ERROR; of a bank that is closed NOT_AVAILABLE_BANK";
    "PAY_PROCESS_CANCELED", 400, "사용자에 의해 결제가 취소되었습니다.", "The payer cancelled the payment.",
        "it is the `failure` of a payment, and no request is refused with it";
    "PAY_PROCESS_ABORTED", 400, "결제 진행 중 승인에 실패하였습니다.", "The payment was aborted.",
        "a payment that failed has the acquirer's cause as its code";
    "NOT_ALLOWED_POINT_USE", 400, "포인트 사용이 불가한 카드로 카드 포인트 사용에 실패했습니다.", "The card's points may not be used.",
        "a card's points are not used";
    "NOT_FOUND_TERMINAL_ID", 400, "단말기번호(Terminal Id)가 없습니다.", "There is no terminal id.",
        "there are no terminals";
    "RESTRICTED_TRANSFER_ACCOUNT", 400, "계좌는 등록 후 12시간 뒤부터 결제할 수 있습니다.", "The account can be paid from 12 hours after its registration.",
        "accounts are not registered beforehand";
    "INVALID_REGISTERED_SUBMALL", 400, "등록되지 않은 서브몰입니다.", "The submall is not registered.",
        "there are no submalls";
    "NOT_REGISTERED_BUSINESS", 400, "등록되지 않은 사업자 번호입니다.", "The business number is not registered.",
        "business numbers are looked up by nobody";
    "EXCEED_MAX_ONE_DAY_WITHDRAW_AMOUNT", 400, "1일 출금 한도를 초과했습니다.", "The account's daily limit is exceeded.",
        "it is EXCEED_MAX_ONE_DAY_AMOUNT";
    "EXCEED_MAX_ONE_TIME_WITHDRAW_AMOUNT", 400, "1회 출금 한도를 초과했습니다.", "The account's limit of one payment is exceeded.",
        "banks have one word for their limits: EXCEED_MAX_ONE_DAY_AMOUNT";
    "EXCEED_CANCEL_AMOUNT_DISCOUNT_AMOUNT", 400, "즉시할인금액보다 적은 금액은 부분취소가 불가능합니다.", "Less than the discount can't be cancelled.",
        "there are no discounts";
    "INVALID_BIRTH_DAY_FORMAT", 400, "생년월일 정보는 6자리의 yyMMdd 형식이어야 합니다.", "The birthday must be six digits.",
        "it is a field that is wrong: INVALID_REQUEST, with `errors`";
    "NOT_REGISTERED_CARD_COMPANY", 400, "카드를 사용 등록 후 이용해주세요.", "The card is not registered for use.",
        "cards need no registration with their company";
    "REJECT_TOSSPAY_INVALID_ACCOUNT", 403, "선택하신 출금 계좌가 출금이체 등록이 되어 있지 않습니다.", "The account is not registered for withdrawals.",
        "there is no Toss Pay";
    "EXCEED_MAX_REFUND_AMOUNT", 403, "환불 가능한 금액을 초과했습니다.", "More than can be refunded.",
        "it is NOT_CANCELABLE_AMOUNT";
    "NOT_CANCELABLE_PAYMENT_FOR_DORMANT_USER", 403, "휴면 처리된 회원의 결제는 취소할 수 없습니다.", "A dormant user's payment can't be cancelled.",
        "nobody is dormant";
    "NOT_FOUND_MERCHANT", 404, "존재하지 않는 상점 정보 입니다.", "There is no such merchant.",
        "a merchant is known by its key: UNAUTHORIZED_KEY";
    "NOT_FOUND_METHOD", 404, "존재하지 않는 결제 수단 입니다.", "There is no such method.",
        "a method that is none is a field that is wrong: INVALID_REQUEST, with `errors`";
    "UNKNOWN_ERROR", 500, "알 수 없는 에러가 발생했습니다.", "An unknown error occurred.",
        "a fault of ours is FAILED_INTERNAL_SYSTEM_PROCESSING";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::{Code, Reason};

    #[test]
    fn what_is_answered_instead_is_one_of_ours() {
        let is_ours = |word: &str| Code::named(word).is_some() || Reason::ALL.iter().any(|r| r.as_str() == word);
        for foreign in Foreign::ALL {
            let words = foreign.why.split(|c: char| !c.is_ascii_uppercase() && c != '_').filter(|w| w.contains('_'));
            for word in words {
                assert!(is_ours(word), "{}: {word}", foreign.code);
            }
            assert!(!foreign.why.is_empty() && Code::named(foreign.code).is_none(), "{}", foreign.code);
        }
    }
}
