//! Korean banks, by the codes of the bank networks.

use crate::words::words;

words! {
    /// A bank, by its two-digit code.
    Bank {
        /// KDB산업.
        Kdb = "02",
        /// IBK기업.
        Ibk = "03",
        /// KB국민.
        Kb = "06",
        /// Sh수협.
        Suhyup = "07",
        /// NH농협.
        Nh = "11",
        /// 단위농협.
        LocalNh = "12",
        /// 우리.
        Woori = "20",
        /// SC제일.
        Sc = "23",
        /// 씨티.
        Citi = "27",
        /// iM뱅크, which was 대구.
        Im = "31",
        /// 부산.
        Busan = "32",
        /// 광주.
        Gwangju = "34",
        /// 제주.
        Jeju = "35",
        /// 전북.
        Jeonbuk = "37",
        /// 경남.
        Kyongnam = "39",
        /// 새마을금고.
        Saemaul = "45",
        /// 신협.
        Shinhyup = "48",
        /// 저축은행.
        Savings = "50",
        /// HSBC.
        Hsbc = "54",
        /// 산림조합.
        Forest = "64",
        /// 우체국.
        Post = "71",
        /// 하나.
        Hana = "81",
        /// 신한.
        Shinhan = "88",
        /// 케이뱅크.
        K = "89",
        /// 카카오뱅크.
        Kakao = "90",
        /// 토스뱅크.
        Toss = "92",
    }
}

impl Bank {
    /// What Koreans call it for short.
    #[must_use]
    pub const fn korean(self) -> &'static str {
        match self {
            Self::Kdb => "산업",
            Self::Ibk => "기업",
            Self::Kb => "국민",
            Self::Suhyup => "수협",
            Self::Nh => "농협",
            Self::LocalNh => "단위농협",
            Self::Woori => "우리",
            Self::Sc => "SC제일",
            Self::Citi => "씨티",
            Self::Im => "대구",
            Self::Busan => "부산",
            Self::Gwangju => "광주",
            Self::Jeju => "제주",
            Self::Jeonbuk => "전북",
            Self::Kyongnam => "경남",
            Self::Saemaul => "새마을",
            Self::Shinhyup => "신협",
            Self::Savings => "저축",
            Self::Hsbc => "홍콩상하이",
            Self::Forest => "산림",
            Self::Post => "우체국",
            Self::Hana => "하나",
            Self::Shinhan => "신한",
            Self::K => "케이",
            Self::Kakao => "카카오",
            Self::Toss => "토스",
        }
    }

    /// The bank that a merchant means: by its code, or by its Korean name, `은행` or `뱅크` at its end or not.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        let short = word.trim_end_matches("은행").trim_end_matches("뱅크");
        let short = match short {
            "KB국민" => "국민",
            "IBK기업" => "기업",
            "NH농협" => "농협",
            "KDB산업" => "산업",
            "Sh수협" => "수협",
            "iM" => "대구",
            "새마을금고" => "새마을",
            "산림조합" => "산림",
            "HSBC" => "홍콩상하이",
            other => other,
        };
        Self::parse(word).or_else(|| Self::ALL.iter().copied().find(|bank| bank.korean() == short))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bank_is_found_by_code_and_by_name() {
        for (word, bank) in [
            ("88", Some(Bank::Shinhan)),
            ("신한", Some(Bank::Shinhan)),
            ("신한은행", Some(Bank::Shinhan)),
            ("카카오뱅크", Some(Bank::Kakao)),
            ("토스", Some(Bank::Toss)),
            ("KB국민은행", Some(Bank::Kb)),
            ("저축은행", Some(Bank::Savings)),
            ("iM뱅크", Some(Bank::Im)),
            ("", None),
            ("99", None),
            ("은행", None),
        ] {
            assert_eq!(Bank::named(word), bank, "{word}");
        }
        for bank in Bank::ALL {
            assert_eq!(Bank::named(bank.korean()), Some(*bank));
            assert_eq!(Bank::named(bank.as_str()), Some(*bank));
        }
    }
}
