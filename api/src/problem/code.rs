//! Toss's error codes, each with one meaning, one status and one page. A typed client loses the whole error when it meets
//! a code outside Toss's list, so what is finer goes in [`super::Reason`].

use super::MoneyState;

/// Declares the codes; a code without its page in `docs/problems` does not compile.
macro_rules! codes {
    ($($variant:ident = $code:literal, $status:literal, $money:ident, $korean:literal, $english:literal;)+) => {
        /// What Toss would call the problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(
                #[doc = $english]
                $variant,
            )+
        }

        impl Code {
            /// Every code, in the order of `docs/problems/index.md`.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// As it is on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The HTTP status, unless a reason has its own.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)+ }
            }

            /// What a request refused like this did to money, unless the handler knows better.
            #[must_use]
            pub const fn money(self) -> MoneyState {
                match self { $(Self::$variant => MoneyState::$money,)+ }
            }

            /// What a payer may be shown, in Korean.
            #[must_use]
            pub const fn korean(self) -> &'static str {
                match self { $(Self::$variant => $korean,)+ }
            }

            /// What a payer may be shown, in English.
            #[must_use]
            pub const fn english(self) -> &'static str {
                match self { $(Self::$variant => $english,)+ }
            }

            /// The page that explains it, in Markdown.
            #[must_use]
            pub const fn page(self) -> &'static str {
                match self { $(Self::$variant => include_str!(concat!("../../../docs/problems/", $code, ".md")),)+ }
            }

            /// The code of that name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str() == name)
            }
        }
    };
}

codes! {
    InvalidRequest = "INVALID_REQUEST", 400, NotMoved,
        "잘못된 요청입니다.",
        "The request is not valid.";
    InvalidApiKey = "INVALID_API_KEY", 400, NotMoved,
        "이 요청에 사용할 수 없는 키입니다.",
        "This kind of key cannot make this request.";
    InvalidTestCode = "INVALID_TEST_CODE", 400, NotMoved,
        "테스트 코드가 올바르지 않습니다.",
        "The test code is none of the error codes.";
    InvalidAuthorizeAuth = "INVALID_AUTHORIZE_AUTH", 400, NotMoved,
        "유효하지 않은 인증 방식입니다.",
        "This way of authenticating is not valid here.";
    UnauthorizedKey = "UNAUTHORIZED_KEY", 401, NotMoved,
        "인증되지 않은 시크릿 키 혹은 클라이언트 키 입니다.",
        "The key is not valid.";
    IncorrectBasicAuthFormat = "INCORRECT_BASIC_AUTH_FORMAT", 403, NotMoved,
        "잘못된 인증 형식입니다. ':' 를 포함해 인코딩해주세요.",
        "The Basic credentials are malformed: encode the key followed by a colon.";
    ForbiddenRequest = "FORBIDDEN_REQUEST", 403, NotMoved,
        "허용되지 않은 요청입니다.",
        "The request is not allowed.";
    ForbiddenConsecutiveRequest = "FORBIDDEN_CONSECUTIVE_REQUEST", 403, NotMoved,
        "반복적인 요청은 허용되지 않습니다. 잠시 후 다시 시도해주세요.",
        "The same request was made again too soon.";
    NotFound = "NOT_FOUND", 404, NotMoved,
        "존재하지 않는 정보 입니다.",
        "There is nothing here.";
    NotFoundPayment = "NOT_FOUND_PAYMENT", 404, NotMoved,
        "존재하지 않는 결제 정보 입니다.",
        "There is no such payment.";
    NotFoundPaymentSession = "NOT_FOUND_PAYMENT_SESSION", 404, NotMoved,
        "결제 시간이 만료되어 결제 진행 데이터가 존재하지 않습니다.",
        "The payment cannot be confirmed any more, or not yet.";
    NotFoundBilling = "NOT_FOUND_BILLING", 404, NotMoved,
        "존재하지 않는 빌링 결제 정보 입니다.",
        "There is no such billing key.";
    AlreadyProcessedPayment = "ALREADY_PROCESSED_PAYMENT", 400, NotMoved,
        "이미 처리된 결제 입니다.",
        "The payment was already processed.";
    DuplicatedOrderId = "DUPLICATED_ORDER_ID", 400, NotMoved,
        "이미 승인 및 취소가 진행된 중복된 주문번호 입니다. 다른 주문번호로 진행해주세요.",
        "A payment with this order id exists.";
    UnapprovedOrderId = "UNAPPROVED_ORDER_ID", 400, NotMoved,
        "아직 승인되지 않은 주문번호입니다.",
        "The order has not been approved yet.";
    NotAvailablePayment = "NOT_AVAILABLE_PAYMENT", 400, NotMoved,
        "결제가 불가능한 시간대입니다.",
        "No payment can be made at this time.";
    NotSupportedMethod = "NOT_SUPPORTED_METHOD", 400, NotMoved,
        "지원되지 않는 결제 수단입니다.",
        "The payment method is not supported.";
    ProviderError = "PROVIDER_ERROR", 400, NotMoved,
        "일시적인 오류가 발생했습니다. 잠시 후 다시 시도해주세요.",
        "The payment provider had a temporary problem.";
    CardProcessingError = "CARD_PROCESSING_ERROR", 400, NotMoved,
        "카드사에서 오류가 발생했습니다.",
        "The card company could not process the request.";
    BelowMinimumAmount = "BELOW_MINIMUM_AMOUNT", 400, NotMoved,
        "신용카드는 결제금액이 100원 이상, 계좌는 200원이상부터 결제가 가능합니다.",
        "The amount is below the minimum: 100 won by card, 200 won by account.";
    ExceedMaxAmount = "EXCEED_MAX_AMOUNT", 400, NotMoved,
        "거래금액 한도를 초과했습니다.",
        "The amount is above the limit of one transaction.";
    ExceedMaxPaymentAmount = "EXCEED_MAX_PAYMENT_AMOUNT", 400, NotMoved,
        "결제 가능 금액을 초과했습니다.",
        "The payer's amount for this time is used up.";
    ExceedMaxDailyPaymentCount = "EXCEED_MAX_DAILY_PAYMENT_COUNT", 400, NotMoved,
        "하루 결제 가능 횟수를 초과했습니다.",
        "The payer's daily number of payments is used up.";
    ExceedMaxOneDayAmount = "EXCEED_MAX_ONE_DAY_AMOUNT", 403, NotMoved,
        "일일 한도를 초과했습니다.",
        "The daily limit is exceeded.";
    ExceedMaxAuthCount = "EXCEED_MAX_AUTH_COUNT", 403, NotMoved,
        "최대 인증 횟수를 초과했습니다. 카드사로 문의해주세요.",
        "Too many failed authentications.";
    InvalidCardNumber = "INVALID_CARD_NUMBER", 400, NotMoved,
        "카드번호를 다시 확인해주세요.",
        "The card number is not valid.";
    InvalidCardExpiration = "INVALID_CARD_EXPIRATION", 400, NotMoved,
        "카드 정보를 다시 확인해주세요. (유효기간)",
        "The card's expiry date is wrong or past.";
    InvalidCardPassword = "INVALID_CARD_PASSWORD", 400, NotMoved,
        "카드 정보를 다시 확인해주세요. (비밀번호)",
        "The card's password or security code is wrong.";
    InvalidCardIdentity = "INVALID_CARD_IDENTITY", 400, NotMoved,
        "카드 정보를 다시 확인해주세요. (생년월일 혹은 사업자등록번호)",
        "The birthday or business number is not the card owner's.";
    InvalidStoppedCard = "INVALID_STOPPED_CARD", 400, NotMoved,
        "정지된 카드 입니다.",
        "The card is stopped.";
    InvalidCardLostOrStolen = "INVALID_CARD_LOST_OR_STOLEN", 400, NotMoved,
        "분실 혹은 도난 카드입니다.",
        "The card was reported lost or stolen.";
    InvalidRejectCard = "INVALID_REJECT_CARD", 400, NotMoved,
        "카드 사용이 거절되었습니다. 카드사 문의가 필요합니다.",
        "The card may not be used.";
    NotSupportedCardType = "NOT_SUPPORTED_CARD_TYPE", 400, NotMoved,
        "지원되지 않는 카드 종류입니다.",
        "This type of card is not supported.";
    InvalidCardInstallmentPlan = "INVALID_CARD_INSTALLMENT_PLAN", 400, NotMoved,
        "할부 개월 정보가 잘못되었습니다.",
        "The number of instalments is not valid.";
    ExceedMaxCardInstallmentPlan = "EXCEED_MAX_CARD_INSTALLMENT_PLAN", 400, NotMoved,
        "설정 가능한 최대 할부 개월 수를 초과했습니다.",
        "There are more instalments than allowed.";
    NotSupportedInstallmentPlanCardOrMerchant = "NOT_SUPPORTED_INSTALLMENT_PLAN_CARD_OR_MERCHANT", 400, NotMoved,
        "할부가 지원되지 않는 카드 또는 가맹점 입니다.",
        "Card or merchant has no instalments.";
    NotSupportedMonthlyInstallmentPlan = "NOT_SUPPORTED_MONTHLY_INSTALLMENT_PLAN", 400, NotMoved,
        "할부가 지원되지 않는 카드입니다.",
        "The card has no instalments.";
    RejectCardPayment = "REJECT_CARD_PAYMENT", 403, NotMoved,
        "한도초과 혹은 잔액부족으로 결제에 실패했습니다.",
        "Over the limit, or not enough balance.";
    RejectCardCompany = "REJECT_CARD_COMPANY", 403, NotMoved,
        "결제 승인이 거절되었습니다.",
        "The approval was declined.";
    RejectAccountPayment = "REJECT_ACCOUNT_PAYMENT", 403, NotMoved,
        "잔액부족으로 결제에 실패했습니다.",
        "The account's balance does not suffice.";
    InvalidAccountInfoReRegister = "INVALID_ACCOUNT_INFO_RE_REGISTER", 400, NotMoved,
        "유효하지 않은 계좌입니다. 계좌 재등록 후 시도해주세요.",
        "The account is not valid, or not the payer's.";
    FdsError = "FDS_ERROR", 403, NotMoved,
        "위험거래가 감지되어 결제가 제한됩니다.",
        "The payment was refused as suspicious.";
    InvalidPassword = "INVALID_PASSWORD", 403, NotMoved,
        "결제 비밀번호가 일치하지 않습니다.",
        "The payment password is wrong.";
    NotAvailableBank = "NOT_AVAILABLE_BANK", 403, NotMoved,
        "은행 서비스 시간이 아닙니다.",
        "The bank is closed at this hour.";
    InvalidBank = "INVALID_BANK", 400, NotMoved,
        "유효하지 않은 은행입니다.",
        "The bank is not valid.";
    InvalidRefundAccountInfo = "INVALID_REFUND_ACCOUNT_INFO", 400, NotMoved,
        "환불 계좌번호와 예금주명이 일치하지 않습니다.",
        "The refund account and its owner's name do not match.";
    InvalidRefundAccountNumber = "INVALID_REFUND_ACCOUNT_NUMBER", 400, NotMoved,
        "잘못된 환불 계좌번호입니다.",
        "The refund account number is not valid.";
    AlreadyCanceledPayment = "ALREADY_CANCELED_PAYMENT", 400, NotMoved,
        "이미 취소된 결제 입니다.",
        "The payment is already cancelled.";
    AlreadyRefundPayment = "ALREADY_REFUND_PAYMENT", 400, NotMoved,
        "이미 환불된 결제입니다.",
        "The payment is already refunded.";
    NotCancelablePayment = "NOT_CANCELABLE_PAYMENT", 403, NotMoved,
        "취소 할 수 없는 결제 입니다.",
        "The payment cannot be cancelled.";
    NotCancelableAmount = "NOT_CANCELABLE_AMOUNT", 403, NotMoved,
        "취소 할 수 없는 금액 입니다.",
        "The amount cannot be cancelled.";
    NotMatchesRefundableAmount = "NOT_MATCHES_REFUNDABLE_AMOUNT", 400, NotMoved,
        "잔액 결과가 일치하지 않습니다.",
        "The refundable amount is not what you sent.";
    NotAllowedPartialRefund = "NOT_ALLOWED_PARTIAL_REFUND", 403, NotMoved,
        "에스크로 주문, 현금 카드 결제일 때는 부분 환불이 불가합니다.",
        "The payment cannot be refunded in part.";
    NotAllowedPartialRefundWaitingDeposit = "NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT", 403, NotMoved,
        "입금 대기중인 결제는 부분 환불이 불가합니다.",
        "A payment that waits for its deposit cannot be refunded in part.";
    ExceedMaxRefundDue = "EXCEED_MAX_REFUND_DUE", 403, NotMoved,
        "환불 가능한 기간이 지났습니다.",
        "The time for a refund is over.";
    RefundRejected = "REFUND_REJECTED", 400, NotMoved,
        "환불이 거절됐습니다. 결제사에 문의 부탁드립니다.",
        "The refund was refused.";
    NotMatchesCustomerKey = "NOT_MATCHES_CUSTOMER_KEY", 403, NotMoved,
        "빌링 인증 고객키와 결제 요청 고객키가 일치하지 않습니다.",
        "The billing key belongs to another customer.";
    InvalidBillKeyRequest = "INVALID_BILL_KEY_REQUEST", 400, NotMoved,
        "빌링키 인증이 완료되지 않았거나 유효하지 않은 빌링 거래 건입니다.",
        "The billing key is not valid for this.";
    InvalidEmail = "INVALID_EMAIL", 400, NotMoved,
        "유효하지 않은 이메일 주소 형식입니다.",
        "The e-mail address is not valid.";
    IdempotentRequestProcessing = "IDEMPOTENT_REQUEST_PROCESSING", 409, Unknown,
        "이전 멱등 요청이 처리중입니다.",
        "The earlier request with this key is still being worked on.";
    CommonError = "COMMON_ERROR", 500, NotMoved,
        "일시적인 오류가 발생했습니다. 잠시 후 다시 시도해주세요.",
        "A temporary error occurred. Please try again later.";
    FailedInternalSystemProcessing = "FAILED_INTERNAL_SYSTEM_PROCESSING", 500, NotMoved,
        "내부 시스템 처리 작업이 실패했습니다. 잠시 후 다시 시도해주세요.",
        "Our system failed. Please try again later.";
    FailedPaymentInternalSystemProcessing = "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING", 500, Unknown,
        "결제가 완료되지 않았어요. 다시 시도해주세요.",
        "The outcome of the payment is not known yet.";
    UnknownPaymentError = "UNKNOWN_PAYMENT_ERROR", 500, Unknown,
        "결제에 실패했어요. 같은 문제가 반복된다면 은행이나 카드사로 문의해주세요.",
        "The payment failed for an unknown reason.";
    FailedCardCompanyResponse = "FAILED_CARD_COMPANY_RESPONSE", 500, NotMoved,
        "카드사에서 에러가 발생했습니다. 잠시 후 다시 시도해 주세요.",
        "The card company did not answer properly.";
    FailedDbProcessing = "FAILED_DB_PROCESSING", 500, NotMoved,
        "잘못된 요청 값으로 처리 중 DB 에러가 발생했습니다.",
        "The database could not be reached.";
    FailedRefundProcess = "FAILED_REFUND_PROCESS", 500, Unknown,
        "은행 응답시간 지연이나 일시적인 오류로 환불요청에 실패했습니다.",
        "The refund is not finished.";
    FailedMethodHandlingCancel = "FAILED_METHOD_HANDLING_CANCEL", 500, Unknown,
        "취소 중 결제 시 사용한 결제 수단 처리과정에서 일시적인 오류가 발생했습니다.",
        "The cancel is not finished.";
    FailedPartialRefund = "FAILED_PARTIAL_REFUND", 500, NotMoved,
        "은행 점검, 해약 계좌 등의 사유로 부분 환불이 실패했습니다.",
        "The partial refund failed.";
}
