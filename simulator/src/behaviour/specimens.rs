//! Which bank account, phone, member, customer and amount has which fault. The numbers go no further than this.

use super::faults::{self, Fault};
use super::{Deliver, Plan};
use crate::company::{Act, Code};

/// Accounts and members of this many digits are looked at: a prefix and the fault's four digits.
const PREFIX: &str = "99900000";
const PHONE_PREFIX: &str = "0100000";
const CUSTOMER_PREFIX: &str = "sandbox:";

/// The fault of a bank account or of a member: `99900000` and the fault's digits.
pub fn of_number(number: &str) -> &'static Fault {
    by_digits(number.strip_prefix(PREFIX))
}

/// The fault of a phone: `0100000` and the fault's digits.
pub fn of_phone(number: &str) -> &'static Fault {
    by_digits(number.strip_prefix(PHONE_PREFIX))
}

/// The fault of a virtual account's customer: `sandbox:` and the fault's name.
pub fn of_customer(name: &str) -> &'static Fault {
    name.strip_prefix(CUSTOMER_PREFIX).map_or(faults::NONE, faults::by_name)
}

fn by_digits(digits: Option<&str>) -> &'static Fault {
    digits.and_then(|digits| faults::TABLE.iter().find(|fault| fault.digits == digits)).unwrap_or(faults::NONE)
}

/// What an amount does to whoever would have paid it: of 990,001 to 990,099 the last two digits are the code of a refusal,
/// where there is one. 990,500 fails with nothing done, 990,503 is the maintenance answer, and 990,504 takes effect without
/// an answer.
pub fn of_amount(amount: i64) -> Option<Plan> {
    let plan = match amount {
        990_005 => declined(b"05"),
        990_014 => declined(b"14"),
        990_051 => declined(b"51"),
        990_057 => declined(b"57"),
        990_061 => declined(b"61"),
        990_065 => declined(b"65"),
        990_090 => declined(b"90"),
        990_091 => declined(b"91"),
        990_096 => declined(b"96"),
        990_500 => Plan::nothing(Deliver::error(500)),
        990_503 => Plan::nothing(Deliver::BUSY),
        990_504 => Plan::delivering(Deliver::Never),
        _ => return None,
    };
    Some(plan.named(format!("amount_{amount}")))
}

fn declined(code: &'static [u8; 2]) -> Plan {
    Plan::acting(Act::Decline(Code::of(code), None))
}
