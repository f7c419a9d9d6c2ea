//! What is finer than a code: our own causes, each of one code, with its status, and a heading of the code's page.

use super::{Code, MoneyState};

/// Declares the reasons.
macro_rules! reasons {
    ($($variant:ident = $reason:literal, $code:ident, $status:literal, $money:ident, $retryable:literal, $about:literal;)+) => {
        /// Why, in our words.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $(
                #[doc = $about]
                $variant,
            )+
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// As it is on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $reason,)+ }
            }

            /// The code it belongs to.
            #[must_use]
            pub const fn code(self) -> Code {
                match self { $(Self::$variant => Code::$code,)+ }
            }

            /// The HTTP status.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)+ }
            }

            /// What a request refused like this did to money, unless the handler knows better.
            #[must_use]
            pub const fn money(self) -> MoneyState {
                match self { $(Self::$variant => MoneyState::$money,)+ }
            }

            /// Whether the same request can succeed and cannot act twice.
            #[must_use]
            pub const fn retryable(self) -> bool {
                match self { $(Self::$variant => $retryable,)+ }
            }
        }
    };
}

reasons! {
    InvalidFields = "INVALID_FIELDS", InvalidRequest, 400, NotMoved, false,
        "One or more fields are missing, of the wrong type, too long, out of range or malformed. `errors` lists each field by its path, with what would be right; values are never repeated.";
    UnknownFields = "UNKNOWN_FIELDS", InvalidRequest, 400, NotMoved, false,
        "The body has fields this call does not know; `errors` names them. Calls that Toss Payments also has ignore unknown fields instead and name them in the `Naru-Ignored-Fields` response header.";
    MalformedJson = "MALFORMED_JSON", InvalidRequest, 400, NotMoved, false,
        "The body is not JSON, is not an object, or has a number too large to represent.";
    DuplicateJsonKey = "DUPLICATE_JSON_KEY", InvalidRequest, 400, NotMoved, false,
        "An object in the body has the same key twice. Readers disagree on which one counts, so neither does.";
    BodyTooDeep = "BODY_TOO_DEEP", InvalidRequest, 400, NotMoved, false,
        "Objects and arrays are nested deeper than 32.";
    InvalidUtf8 = "INVALID_UTF8", InvalidRequest, 400, NotMoved, false,
        "The body is not UTF-8.";
    ControlCharacter = "CONTROL_CHARACTER", InvalidRequest, 400, NotMoved, false,
        "A string in the body has a control character. Tabs and line breaks are the only ones allowed.";
    BodyTooLarge = "BODY_TOO_LARGE", InvalidRequest, 413, NotMoved, false,
        "The body is larger than 64 KiB.";
    BodyTooSlow = "BODY_TOO_SLOW", InvalidRequest, 408, NotMoved, false,
        "The body did not arrive within 15 seconds, or broke off.";
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", InvalidRequest, 415, NotMoved, false,
        "A body must be `application/json` in UTF-8.";
    HeadersTooLarge = "HEADERS_TOO_LARGE", InvalidRequest, 431, NotMoved, false,
        "All header fields together are larger than 16 KiB.";
    InvalidQuery = "INVALID_QUERY", InvalidRequest, 400, NotMoved, false,
        "A query parameter is unknown, repeated or has a wrong value; `errors` names it.";
    MethodNotAllowed = "METHOD_NOT_ALLOWED", InvalidRequest, 405, NotMoved, false,
        "The address exists, but not with this method. The `Allow` header lists those it has.";
    IdempotencyKeyInvalid = "IDEMPOTENCY_KEY_INVALID", InvalidRequest, 400, NotMoved, false,
        "`Idempotency-Key` must be 1 to 300 printable ASCII characters, and be sent once.";
    IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED", InvalidRequest, 422, NotMoved, false,
        "This `Idempotency-Key` was used for another request. `errors` names the fields that differ from the first one. Nothing was done: use a new key for a new request.";
    AmountMismatch = "AMOUNT_MISMATCH", InvalidRequest, 400, NotMoved, false,
        "The amount is not the payment's. Compare it with your own order before you confirm: it may have been altered on the way through the browser.";
    OrderMismatch = "ORDER_MISMATCH", InvalidRequest, 400, NotMoved, false,
        "The order id is not the payment's.";
    ValidHoursWithDueDate = "INVALID_VALID_HOURS_WITH_DUE_DATE_AND_SINGLE", InvalidRequest, 400, NotMoved, false,
        "`validHours` and `dueDate` say the same: send one of them.";
    ExceedMaxValidHours = "EXCEED_MAX_VALID_HOURS", InvalidRequest, 400, NotMoved, false,
        "`validHours` is more than 2160, which is 90 days.";
    ExceedMaxDueDate = "EXCEED_MAX_DUE_DATE", InvalidRequest, 400, NotMoved, false,
        "`dueDate` is more than 90 days from now.";
    NotAVirtualAccount = "NOT_A_VIRTUAL_ACCOUNT", InvalidRequest, 409, NotMoved, false,
        "The payment has no virtual account, or not yet.";
    RefundAccountRequired = "REFUND_ACCOUNT_REQUIRED", InvalidRefundAccountInfo, 400, NotMoved, false,
        "Money that was paid into a virtual account goes back to an account of the payer's: send `refundReceiveAccount`.";
    CallbackRefused = "CALLBACK_REFUSED", ForbiddenRequest, 403, NotMoved, false,
        "A bank's callback whose signature, time or form is not right. For banks.";
    TaxFreeDoesNotFit = "TAX_FREE_DOES_NOT_FIT", InvalidRequest, 400, NotMoved, false,
        "So much of the cancel can't be free of tax, as the rest of the payment stands: from `taxFreeAmountMin` to `taxFreeAmountMax`. Leave `taxFreeAmount` out, and as little as is possible is.";
    TooManyCancels = "TOO_MANY_CANCELS", NotCancelablePayment, 403, NotMoved, false,
        "The payment was cancelled in a hundred parts already. Refused cancels don't count; the oldest of them drop out of `cancels` when there are a hundred.";
    NotCapturable = "NOT_CAPTURABLE", InvalidRequest, 400, NotMoved, false,
        "There is nothing to capture: the payment is not paid, or all of it was cancelled, or what it was paid with has no capture; or an earlier capture was given up, and its letter waits for an operator.";
    EmailTaken = "EMAIL_TAKEN", InvalidRequest, 409, NotMoved, false,
        "The e-mail address is taken: a payer of this mode has an account of it, or somebody of it works for the merchant already.";
    TooManyObjects = "TOO_MANY_OBJECTS", InvalidRequest, 409, NotMoved, false,
        "The merchant has as many of these as it may: 20 working API keys and 50 origins in each mode, 100 people and open invitations.";
    KeyEnded = "KEY_ENDED", InvalidRequest, 409, NotMoved, false,
        "The API key works no more, so nothing can take its place. Issue a new one.";
    TooManyStoredCards = "TOO_MANY_STORED_CARDS", InvalidRequest, 409, NotMoved, false,
        "A payer keeps at most 20 cards. Delete one first.";
    NoSuchCard = "NO_SUCH_CARD", NotFound, 404, NotMoved, false,
        "You keep no such card.";
    NoSuchRoute = "NO_SUCH_ROUTE", NotFound, 404, NotMoved, false,
        "No call has this path.";
    InvitationInvalid = "INVITATION_INVALID", NotFound, 404, NotMoved, false,
        "The invitation was used, withdrawn or replaced, is older than 72 hours, or never was. Ask for another.";
    KeyMissing = "KEY_MISSING", UnauthorizedKey, 401, NotMoved, false,
        "The request has no `Authorization` header.";
    KeyMalformed = "KEY_MALFORMED", UnauthorizedKey, 401, NotMoved, false,
        "The key does not look like one of ours, or its checksum does not fit: it is mistyped or cut off.";
    KeyUnknown = "KEY_UNKNOWN", UnauthorizedKey, 401, NotMoved, false,
        "The key is well formed, but nobody's: it was revoked or never issued.";
    TokenInvalid = "TOKEN_INVALID", UnauthorizedKey, 401, NotMoved, false,
        "The checkout token is not valid for this payment, or its time is over.";
    SignInRequired = "SIGN_IN_REQUIRED", UnauthorizedKey, 401, NotMoved, false,
        "Nobody is signed in, or the session is over: it was not used for a while, is too old, or was ended. Sign in.";
    SignInFailed = "SIGN_IN_FAILED", UnauthorizedKey, 401, NotMoved, false,
        "There is no account of this address with this password: a payer's in this mode, or that of somebody who works for a merchant. Which of them is wrong is not said; at the backoffice the merchant's id may be it, too.";
    CurrentPasswordWrong = "CURRENT_PASSWORD_WRONG", InvalidPassword, 403, NotMoved, false,
        "The current password is another one. Nothing was changed.";
    ForeignPage = "FOREIGN_PAGE", ForbiddenRequest, 403, NotMoved, false,
        "A call that changes something for whoever is signed in came from another site's page, or did not say where from: it needs `Sec-Fetch-Site: same-origin` or `none`, or our own `Origin`. A checkout, where cards are typed, refuses other sites' pages, too; a program that sends neither header may call it.";
    SecretKeyInBrowser = "SECRET_KEY_IN_BROWSER", ForbiddenRequest, 403, NotMoved, false,
        "A secret key came with an `Origin` header, as a browser sends it. A secret key in a page is everybody's key: take it out, have it revoked, and use a client key there. The request was refused and recorded.";
    ClientKeyNotAllowed = "CLIENT_KEY_NOT_ALLOWED", ForbiddenRequest, 403, NotMoved, false,
        "A client key can only create payments.";
    OriginNotRegistered = "ORIGIN_NOT_REGISTERED", ForbiddenRequest, 403, NotMoved, false,
        "The page's origin, `successUrl` or `failUrl` is not one the merchant has registered.";
    SandboxOnly = "SANDBOX_ONLY", ForbiddenRequest, 403, NotMoved, false,
        "Only test keys may do this: in live mode nobody sets the time.";
    RoleNotAllowed = "ROLE_NOT_ALLOWED", ForbiddenRequest, 403, NotMoved, false,
        "You are signed in, and your role may not do this. Ask an owner.";
    ProofTooOld = "PROOF_TOO_OLD", ForbiddenRequest, 403, NotMoved, false,
        "You are signed in and may do this, but it gives the merchant away: a live key, or an owner. Prove your password with `POST /backoffice/v1/prove` and ask again within five minutes.";
    LastOwner = "LAST_OWNER", ForbiddenRequest, 409, NotMoved, false,
        "The merchant would have no owner any more, and nobody could ever make another. Make somebody else an owner first.";
    TooManyCards = "TOO_MANY_CARDS", ExceedMaxAuthCount, 403, NotMoved, false,
        "Too many cards were tried for this payment, and none was accepted. A checkout is no place to find out which numbers are cards: the payer goes back to the shop and orders again.";
    WrongCheckDigit = "WRONG_CHECK_DIGIT", InvalidCardNumber, 400, NotMoved, false,
        "The number's check digit does not fit: it is mistyped. Nobody was asked. `errors` names every field that is wrong.";
    CardExpired = "CARD_EXPIRED", InvalidCardExpiration, 400, NotMoved, false,
        "The month is over in Korea. Nobody was asked. `errors` names every field that is wrong.";
    InstallmentBelowAmount = "INSTALLMENT_BELOW_AMOUNT", InvalidCardInstallmentPlan, 400, NotMoved, false,
        "Instalments are possible from 50,000 won.";
    BillingKeyDeleted = "BILLING_KEY_DELETED", InvalidBillKeyRequest, 400, NotMoved, false,
        "The billing key was deleted. Charges that were accepted before go on.";
    AuthKeyInvalid = "AUTH_KEY_INVALID", InvalidBillKeyRequest, 400, NotMoved, false,
        "The `authKey` is none of yours in this mode, was used, or is older than 10 minutes.";
    PaymentExpired = "PAYMENT_EXPIRED", NotFoundPaymentSession, 404, NotMoved, false,
        "The payment's time is over: 30 minutes for the payer to authenticate, then 10 minutes for you to confirm.";
    PaymentNotAuthenticated = "PAYMENT_NOT_AUTHENTICATED", NotFoundPaymentSession, 404, NotMoved, false,
        "The payer has not authenticated yet.";
    PaymentAborted = "PAYMENT_ABORTED", NotFoundPaymentSession, 404, NotMoved, false,
        "The payment was aborted: by the payer, or by a decline.";
    OrderIsOpen = "ORDER_IS_OPEN", DuplicatedOrderId, 400, NotMoved, false,
        "An earlier payment of this order is still open. `Location` leads to it.";
    OrderIsPaid = "ORDER_IS_PAID", DuplicatedOrderId, 400, NotMoved, false,
        "An earlier payment of this order has succeeded. `Location` leads to it.";
    ClockGoesForward = "CLOCK_GOES_FORWARD", InvalidRequest, 400, NotMoved, false,
        "The sandbox's clock is past the time in `now` already, and it never goes back. `merchantNow` says what it shows.";
    ClockTooFarAhead = "CLOCK_TOO_FAR_AHEAD", InvalidRequest, 400, NotMoved, false,
        "The sandbox's clock would be more than ten years ahead. It was not moved.";
    NotReplayable = "NOT_REPLAYABLE", InvalidRequest, 409, NotMoved, false,
        "The dead letter can't be replayed: its operation is settled or at work, or the message names none. Of an account that was opened no case is open that a look could close. For operators.";
    NotGivenUp = "NOT_GIVEN_UP", InvalidRequest, 409, NotMoved, false,
        "The letter's operation is no change of a payment that was given up or was done for another amount, or the payment takes no such end of it any more; the return of a deposit is never released, nor are the cases of an account. For operators.";
    StillOpen = "STILL_OPEN", InvalidRequest, 409, NotMoved, false,
        "What came of a call for the operation can still be asked: replay the letter, which asks. Or other work of its payment is under way: wait for that. For operators.";
    TransactionTaken = "TRANSACTION_TAKEN", InvalidRequest, 409, NotMoved, false,
        "That transaction of the acquirer stands for another operation already. For operators.";
    RateLimited = "RATE_LIMITED", CommonError, 429, NotMoved, true,
        "Too many requests in too short a time.";
    InternalError = "INTERNAL_ERROR", FailedInternalSystemProcessing, 500, Unknown, false,
        "A fault of ours. It is logged under the `traceId`.";
    Overloaded = "OVERLOADED", FailedInternalSystemProcessing, 503, NotMoved, true,
        "More requests are being worked on than we can hold. This one was refused before it was looked at.";
    BacklogFull = "BACKLOG_FULL", FailedInternalSystemProcessing, 503, NotMoved, true,
        "More payments are waiting for an acquirer than we can promise to settle in time. This one was refused before it was accepted.";
    DatabaseUnavailable = "DATABASE_UNAVAILABLE", FailedDbProcessing, 503, NotMoved, true,
        "The database did not answer, and nothing can have been written.";
    OutcomeUnreadable = "OUTCOME_UNREADABLE", FailedDbProcessing, 503, Unknown, true,
        "This `Idempotency-Key` was used, and the database did not tell what the request it came with has come to. This one wrote nothing.";
    CommitUnknown = "COMMIT_UNKNOWN", FailedPaymentInternalSystemProcessing, 503, Unknown, false,
        "The database's answer to the commit was lost: the request is accepted, or it is not. Query the payment by order id, or send the same request with the same `Idempotency-Key`.";
    OutcomeOpen = "OUTCOME_OPEN", FailedPaymentInternalSystemProcessing, 504, Unknown, false,
        "The payment was accepted and its outcome was still open, or could not be read, when the time to wait was over; or it was given up and a person looks into it. Send `Prefer: wait=N` or `respond-async` if you would rather have `202` with the payment.";
    AcquirerUnavailable = "ACQUIRER_UNAVAILABLE", FailedCardCompanyResponse, 503, NotMoved, true,
        "The card could not be registered, because the card company did not answer in time. No payment was asked for.";
}
