//! The two-character response code of ISO 8583 field 39, and the approval number of field 38.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// A response code: two digits, or `M1` (ours: maintenance or busy).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Code([u8; 2]);

/// A text that is no response code.
#[derive(Debug, thiserror::Error)]
#[error("must be two digits or capital letters")]
pub struct NotACode;

impl Code {
    /// Approved.
    pub const APPROVED: Self = Self(*b"00");
    /// Do not honour: a refusal without a reason.
    pub const DO_NOT_HONOR: Self = Self(*b"05");
    /// No such card, or not of this merchant.
    pub const INVALID_NUMBER: Self = Self(*b"14");
    /// No bank has this code.
    pub const NO_SUCH_BANK: Self = Self(*b"15");
    /// Less in the account than asked.
    pub const INSUFFICIENT_FUNDS: Self = Self(*b"51");
    /// The code by SMS (or a password) was wrong.
    pub const WRONG_PASSWORD: Self = Self(*b"55");
    /// It was wrong too often.
    pub const TOO_MANY_TRIES: Self = Self(*b"75");
    /// The request itself is wrong.
    pub const FORMAT_ERROR: Self = Self(*b"30");
    /// Past its month.
    pub const EXPIRED: Self = Self(*b"54");
    /// Not permitted.
    pub const NOT_PERMITTED: Self = Self(*b"57");
    /// More than there is.
    pub const OVER_LIMIT: Self = Self(*b"61");
    /// Something broke inside.
    pub const MALFUNCTION: Self = Self(*b"96");
    /// Maintenance, or too busy: nothing was done.
    pub const BUSY: Self = Self(*b"M1");

    /// A code known when the program is written.
    pub const fn of(characters: &[u8; 2]) -> Self {
        Self(*characters)
    }

    /// What the company's screen would say.
    pub fn message(self) -> &'static str {
        match &self.0 {
            b"00" => "정상 승인",
            b"05" => "거래 거절",
            b"14" => "번호 오류",
            b"15" => "없는 은행",
            b"30" => "전문 오류",
            b"41" => "분실 카드",
            b"43" => "도난 카드",
            b"51" => "잔액 부족",
            b"54" => "유효기간 경과",
            b"55" => "비밀번호 오류",
            b"57" => "사용 불가 거래",
            b"59" => "부정 사용 의심",
            b"61" => "한도 초과",
            b"63" => "본인 확인 번호 오류",
            b"65" => "이용 횟수 초과",
            b"75" => "인증 횟수 초과",
            b"82" => "CVC 오류",
            b"90" => "서비스 시간이 아님",
            b"91" => "발급사 응답 없음",
            b"96" => "시스템 장애",
            b"N1" => "예금주 불일치",
            b"M1" => "점검 중이거나 혼잡합니다",
            _ => "기타 거절",
        }
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("??")
    }
}

impl TryFrom<String> for Code {
    type Error = NotACode;

    fn try_from(text: String) -> Result<Self, NotACode> {
        let code: [u8; 2] = text.as_bytes().try_into().map_err(|_| NotACode)?;
        let plain = |b: &u8| b.is_ascii_digit() || b.is_ascii_uppercase();
        if code.iter().all(plain) { Ok(Self(code)) } else { Err(NotACode) }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The eight digits on the slip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ApprovalNumber(u32);

/// A text that is no approval number.
#[derive(Debug, thiserror::Error)]
#[error("must be eight digits")]
pub struct NotAnApprovalNumber;

impl ApprovalNumber {
    /// The number of the journal's `seq`-th line: scattered as real ones are, distinct for the first hundred million.
    pub fn of_line(seq: u64) -> Self {
        // The factor has no common divisor with 10^8, so no two lines of one cycle meet.
        let scattered = (seq % 100_000_000 * 48_271_009 + 11_235_813) % 100_000_000;
        Self(u32::try_from(scattered).unwrap_or_default())
    }
}

impl TryFrom<String> for ApprovalNumber {
    type Error = NotAnApprovalNumber;

    fn try_from(text: String) -> Result<Self, NotAnApprovalNumber> {
        let digits = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|_| digits).map(Self).ok_or(NotAnApprovalNumber)
    }
}

impl Serialize for ApprovalNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:08}", self.0))
    }
}
