//! A merchant's people: what each role may do, and that a merchant is never left without an owner.

use super::id::{Mode, StaffId};
use crate::words::words;

words! {
    /// What a person is to a merchant.
    Role {
        /// Answers for the merchant: people, live keys, everything.
        Owner = "owner",
        /// Works with it: payments, and whatever is of the sandbox.
        Staff = "staff",
        /// Looks on.
        ReadOnly = "read-only",
    }
}

/// Something that a person may want to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Look at the merchant, its people, its origins, and the hints of its keys.
    Look,
    /// Change what the merchant is called.
    RenameMerchant,
    /// Register or remove an origin.
    ChangeOrigins(Mode),
    /// Issue, roll or revoke an API key.
    ChangeKeys(Mode),
    /// Invite people, change their roles, remove them.
    ChangeStaff,
}

impl Act {
    /// Every act there is, in the order in which a person is told of them.
    pub const ALL: [Self; 7] = [
        Self::Look,
        Self::RenameMerchant,
        Self::ChangeOrigins(Mode::Test),
        Self::ChangeOrigins(Mode::Live),
        Self::ChangeKeys(Mode::Test),
        Self::ChangeKeys(Mode::Live),
        Self::ChangeStaff,
    ];

    /// As it goes over the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::RenameMerchant => "rename-merchant",
            Self::ChangeOrigins(Mode::Test) => "change-test-origins",
            Self::ChangeOrigins(Mode::Live) => "change-live-origins",
            Self::ChangeKeys(Mode::Test) => "change-test-keys",
            Self::ChangeKeys(Mode::Live) => "change-live-keys",
            Self::ChangeStaff => "change-staff",
        }
    }
}

impl Role {
    /// Whether somebody of this role may do that. The only place that says so.
    #[must_use]
    pub const fn may(self, act: Act) -> bool {
        match (self, act) {
            (Self::Owner, _) | (_, Act::Look) => true,
            (Self::Staff, Act::ChangeOrigins(mode) | Act::ChangeKeys(mode)) => matches!(mode, Mode::Test),
            (Self::Staff, Act::RenameMerchant | Act::ChangeStaff) => false,
            (Self::ReadOnly, Act::RenameMerchant | Act::ChangeOrigins(_) | Act::ChangeKeys(_) | Act::ChangeStaff) => {
                false
            }
        }
    }
}

/// Everybody who works for one merchant.
#[derive(Debug, Clone)]
pub struct Team(pub Vec<(StaffId, Role)>);

/// Why a team may not be changed like that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TeamRefusal {
    /// Nobody of that id is in it.
    NobodyThere,
    /// The merchant would have no owner any more, and nobody could ever make another.
    LastOwner,
    /// Whoever asks may not change it, or may no longer.
    NotTheirs,
}

impl Team {
    /// Insists that `actor` is in it and may change it.
    ///
    /// # Errors
    /// When they are not, or may not.
    pub fn lets_change(&self, actor: StaffId) -> Result<(), TeamRefusal> {
        let role = self.0.iter().find(|(id, _)| *id == actor).map(|(_, role)| *role);
        if role.is_some_and(|role| role.may(Act::ChangeStaff)) { Ok(()) } else { Err(TeamRefusal::NotTheirs) }
    }

    /// The role that `who` had, if they may have `next` instead; no role is to leave.
    ///
    /// # Errors
    /// When nobody of that id is there, or no owner would be left.
    pub fn change(&self, who: StaffId, next: Option<Role>) -> Result<Role, TeamRefusal> {
        let (_, was) = self.0.iter().find(|(id, _)| *id == who).ok_or(TeamRefusal::NobodyThere)?;
        let others_own = self.0.iter().any(|(id, role)| *id != who && *role == Role::Owner);
        if others_own || next == Some(Role::Owner) { Ok(*was) } else { Err(TeamRefusal::LastOwner) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    /// The whole of what roles may do: a changed rule is a changed line.
    #[test]
    fn who_may_do_what() {
        let table: Vec<String> = Act::ALL
            .iter()
            .map(|act| {
                let may = Role::ALL.iter().filter(|role| role.may(*act)).map(|role| role.as_str());
                format!("{}: {}", act.as_str(), may.collect::<Vec<_>>().join(" "))
            })
            .collect();
        assert_eq!(
            table,
            [
                "look: owner staff read-only",
                "rename-merchant: owner",
                "change-test-origins: owner staff",
                "change-live-origins: owner",
                "change-test-keys: owner staff",
                "change-live-keys: owner",
                "change-staff: owner",
            ]
        );
    }

    #[test]
    fn only_an_owner_who_is_still_there_changes_a_team() {
        let [owner, staff, gone] = [0, 1, 2].map(|n| StaffId(Uuid::from_u128(n)));
        let team = Team(vec![(owner, Role::Owner), (staff, Role::Staff)]);
        assert_eq!(team.lets_change(owner), Ok(()));
        assert_eq!([staff, gone].map(|who| team.lets_change(who)), [Err(TeamRefusal::NotTheirs); 2]);
    }

    fn role() -> impl Strategy<Value = Role> {
        prop::sample::select(Role::ALL)
    }

    proptest! {
        /// Whatever is asked of a team that has an owner, it has one afterwards.
        #[test]
        fn a_team_never_loses_its_last_owner(
            others in prop::collection::vec(role(), 0..6),
            changes in prop::collection::vec((0_u128..7, prop::option::of(role())), 1..40),
        ) {
            let first = (StaffId(Uuid::from_u128(0)), Role::Owner);
            let others = others.into_iter().zip(1..).map(|(role, n)| (StaffId(Uuid::from_u128(n)), role));
            let mut team = Team(std::iter::once(first).chain(others).collect());
            for (n, next) in changes {
                let who = StaffId(Uuid::from_u128(n));
                let there = team.0.iter().any(|(id, _)| *id == who);
                match team.change(who, next) {
                    Ok(_) => {
                        prop_assert!(there);
                        team.0.retain(|(id, _)| *id != who);
                        team.0.extend(next.map(|role| (who, role)));
                    }
                    Err(TeamRefusal::NobodyThere) => prop_assert!(!there),
                    Err(TeamRefusal::NotTheirs) => prop_assert!(false, "nobody said who asks"),
                    Err(TeamRefusal::LastOwner) => prop_assert!(there && next != Some(Role::Owner)),
                }
                prop_assert!(team.0.iter().any(|(_, role)| *role == Role::Owner));
            }
        }
    }
}
