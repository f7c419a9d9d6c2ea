//! A merchant's people: there is always an owner, an invitation works once, and what was done is in the log.

use naru_shared::domain::id::{InvitationId, MerchantId, StaffId};
use naru_shared::domain::staff::{Role, TeamRefusal};
use naru_shared::secret::{Email, Secret};
use naru_shared::store::{Actor, Invited, NewInvitation, NewMember, NewMerchant, Refused};
use uuid::Uuid;

use crate::house::{House, TRACE};

const NOBODY: Actor<'static> = Actor { staff: None, address: Some("203.0.113.7"), trace_id: TRACE };

fn kept(of: &str) -> Secret<String> {
    Secret::new(format!("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA${of}"))
}

fn email(name: &str) -> Email {
    Email::parse(&format!("{name}@shop.example")).unwrap()
}

async fn joins(house: &House, name: &str, role: Role) -> StaffId {
    let member = NewMember {
        id: StaffId(Uuid::now_v7()),
        merchant: house.tenant.merchant,
        email: &email(name),
        name,
        role,
        password_hash: &kept("first"),
    };
    house.store.create_member(&member, &NOBODY).await.unwrap()
}

async fn signs_in(house: &House, name: &str, token: [u8; 32]) -> bool {
    let found = house.store.find_sign_in(&email(name), "shop").await.unwrap().unwrap();
    house.store.begin_staff_session(&found, None, &token, &NOBODY).await.unwrap()
}

async fn logged(house: &House, action: &str) -> String {
    house.ask(format!("select count(*) from audit_log where action = '{action}'")).await
}

#[tokio::test]
async fn owners_who_remove_each_other_at_once_never_leave_none() {
    let house = House::enter().await;
    let merchant = house.tenant.merchant;
    let mut refused = 0;
    for round in 0..12 {
        let a = joins(&house, &format!("a{round}"), Role::Owner).await;
        let b = joins(&house, &format!("b{round}"), Role::Owner).await;
        // Everybody of the rounds before goes first, so that these two are all the owners there are.
        house.run(format!("update staff set role = 'staff' where id not in ('{a}', '{b}')")).await;
        let demoted = Some(Role::ReadOnly);
        let (one, other) = tokio::join!(
            house.store.change_member(merchant, a, if round % 2 == 0 { None } else { demoted }, &NOBODY),
            house.store.change_member(merchant, b, if round % 3 == 0 { None } else { demoted }, &NOBODY),
        );
        let outcomes = [one.unwrap(), other.unwrap()];
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        refused += outcomes.iter().filter(|outcome| **outcome == Err(TeamRefusal::LastOwner)).count();
        let owners = "select count(*) from staff where role = 'owner' and removed_at is null";
        assert_eq!(house.ask(owners).await, "1");
    }
    assert_eq!(refused, 12);
    house.leave().await;
}

#[tokio::test]
async fn a_token_is_accepted_once_however_many_try_at_once() {
    let house = House::enter().await;
    let invitation = NewInvitation {
        id: InvitationId(Uuid::now_v7()),
        merchant: house.tenant.merchant,
        email: &email("kim"),
        role: Role::Staff,
        token_hash: [9; 32],
    };
    assert!(matches!(house.store.invite(&invitation, &NOBODY).await.unwrap(), Invited::Until(_)));
    assert!(house.store.is_invited(&[9; 32]).await.unwrap());
    let kept = kept("kim");
    let tries =
        (0..16).map(|_| house.store.accept_invitation(&[9; 32], StaffId(Uuid::now_v7()), "Kim", &kept, &NOBODY));
    let accepted = futures::future::join_all(tries).await;
    assert_eq!(accepted.into_iter().filter(|outcome| matches!(outcome, Ok(Some(_)))).count(), 1);
    assert!(!house.store.is_invited(&[9; 32]).await.unwrap());
    assert_eq!(house.ask("select count(*) from staff").await, "1");
    assert_eq!(house.store.invite(&invitation, &NOBODY).await.unwrap(), Invited::IsThere);
    house.leave().await;
}

#[tokio::test]
async fn a_second_invitation_takes_the_place_of_the_first_and_old_ones_are_worth_nothing() {
    let house = House::enter().await;
    let invitation = |token: u8| NewInvitation {
        id: InvitationId(Uuid::now_v7()),
        merchant: house.tenant.merchant,
        email: Box::leak(Box::new(email("kim"))),
        role: Role::Staff,
        token_hash: [token; 32],
    };
    for token in [1, 2] {
        house.store.invite(&invitation(token), &NOBODY).await.unwrap();
    }
    assert!(!house.store.is_invited(&[1; 32]).await.unwrap() && house.store.is_invited(&[2; 32]).await.unwrap());
    house.run("update staff_invitations set expires_at = now()").await;
    assert!(!house.store.is_invited(&[2; 32]).await.unwrap());
    let late = house.store.accept_invitation(&[2; 32], StaffId(Uuid::now_v7()), "Kim", &kept("kim"), &NOBODY).await;
    assert!(late.unwrap().is_none());
    assert_eq!(house.store.forget_old_invitations(10).await.unwrap(), 1);
    house.leave().await;
}

#[tokio::test]
async fn a_session_ends_by_idleness_by_age_and_with_its_person() {
    let house = House::enter().await;
    let owner = joins(&house, "owner", Role::Owner).await;
    let kim = joins(&house, "kim", Role::Staff).await;
    for (token, sql, is_over) in [
        (1, "used_at = now() - interval '14 minutes 59 seconds', created_at = now() - interval '1 hour'", false),
        (2, "used_at = now() - interval '15 minutes', created_at = now() - interval '1 hour'", true),
        (3, "created_at = now() - interval '12 hours', expires_at = now()", true),
    ] {
        assert!(signs_in(&house, "kim", [token; 32]).await);
        let hash = hex(&[token; 32]);
        house.run(format!("update staff_sessions set {sql} where token_hash = '\\x{hash}'")).await;
        assert_eq!(house.store.find_staff_session(&[token; 32]).await.unwrap().is_none(), is_over, "{sql}");
    }
    // Looking is using: the first one is fresh again.
    assert_eq!(house.ask("select count(*) from staff_sessions where used_at > now() - interval '1 minute'").await, "2");
    assert_eq!(house.store.forget_old_staff_sessions(10).await.unwrap(), 2);

    let removed = house.store.change_member(house.tenant.merchant, kim, None, &NOBODY).await.unwrap();
    assert_eq!(removed, Ok(()));
    assert!(house.store.find_staff_session(&[1; 32]).await.unwrap().is_none());
    assert!(house.store.find_sign_in(&email("kim"), "shop").await.unwrap().is_none());
    assert_eq!(house.ask(format!("select password_hash from staff where id = '{kim}'")).await, "null");
    let last = house.store.change_member(house.tenant.merchant, owner, None, &NOBODY).await.unwrap();
    assert_eq!(last, Err(TeamRefusal::LastOwner));
    house.leave().await;
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn another_password_ends_every_session_and_one_that_was_compared_too_early_opens_nothing() {
    let house = House::enter().await;
    let kim = joins(&house, "kim", Role::Staff).await;
    assert!(signs_in(&house, "kim", [1; 32]).await && signs_in(&house, "kim", [2; 32]).await);
    let compared = house.store.find_sign_in(&email("kim"), "shop").await.unwrap().unwrap();
    // Kept anew it is the same password, for who compared it before, too.
    for token in [6, 7] {
        let anew = kept("anew");
        assert!(house.store.begin_staff_session(&compared, Some(&anew), &[token; 32], &NOBODY).await.unwrap());
    }
    let changes = async |token| house.store.change_staff_password(&compared, &kept("new"), &[token; 32], &NOBODY).await;
    assert!(changes(3).await.unwrap());
    let is_in = async |token: u8| house.store.find_staff_session(&[token; 32]).await.unwrap().is_some();
    assert!(is_in(3).await && !is_in(1).await && !is_in(2).await, "only the new one, not the one it was changed in");
    assert!(!changes(4).await.unwrap() && !is_in(4).await, "it was changed in between");
    assert!(!house.store.begin_staff_session(&compared, None, &[4; 32], &NOBODY).await.unwrap() && !is_in(4).await);
    // One whose commit the change did not see.
    let late = "insert into staff_sessions (token_hash, staff_id, password_version, expires_at)
        select decode(repeat('05', 32), 'hex'), id, password_version - 1, now() + interval '1 hour' from staff";
    house.run(late).await;
    assert!(!is_in(5).await);
    // A command that gives somebody another password ends their sessions, too.
    assert_eq!(joins(&house, "kim", Role::Staff).await, kim);
    assert!(!is_in(3).await);
    house.leave().await;
}

#[tokio::test]
async fn a_person_has_twenty_sessions() {
    let house = House::enter().await;
    joins(&house, "kim", Role::ReadOnly).await;
    joins(&house, "lee", Role::ReadOnly).await;
    assert!(signs_in(&house, "lee", [200; 32]).await);
    for token in 1..=25 {
        assert!(signs_in(&house, "kim", [token; 32]).await);
    }
    let is_in = async |token: u8| house.store.find_staff_session(&[token; 32]).await.unwrap().is_some();
    assert!(!is_in(5).await && is_in(6).await && is_in(25).await && is_in(200).await, "the oldest went");
    assert_eq!(house.ask("select count(*) from staff_sessions").await, "21");
    house.leave().await;
}

/// Whoever was removed or made less can neither come back by an invitation of their own nor do what waited behind that.
#[tokio::test]
async fn what_an_owner_left_behind_opens_no_door() {
    let house = House::enter().await;
    let merchant = house.tenant.merchant;
    let owner = joins(&house, "owner", Role::Owner).await;
    let by_owner = Actor { staff: Some(owner), ..NOBODY };
    let mut token = 0;
    for (round, next) in [None, Some(Role::Staff)].into_iter().enumerate() {
        let gone = joins(&house, &format!("gone{round}"), Role::Owner).await;
        let by = Actor { staff: Some(gone), ..NOBODY };
        let backdoor = email(&format!("backdoor{round}"));
        let mut invites = async |by: &Actor<'_>| {
            token += 1;
            let id = InvitationId(Uuid::now_v7());
            let role = Role::Owner;
            let new = NewInvitation { id, merchant, email: &backdoor, role, token_hash: [token; 32] };
            assert!(matches!(house.store.invite(&new, by).await.unwrap(), Invited::Until(_)));
            [token; 32]
        };
        let accepts = async |token: [u8; 32]| {
            let id = StaffId(Uuid::now_v7());
            house.store.accept_invitation(&token, id, "Back", &kept("back"), &NOBODY).await.unwrap().is_some()
        };
        let before = invites(&by).await;
        assert!(house.store.is_invited(&before).await.unwrap());
        assert_eq!(house.store.change_member(merchant, gone, next, &by_owner).await.unwrap(), Ok(()));
        assert!(!house.store.is_invited(&before).await.unwrap() && !accepts(before).await);
        let withdrawn = (round + 1).to_string();
        assert_eq!(logged(&house, "invitation.withdrawn").await, withdrawn);
        // One that was under way meanwhile is written down, and good for nothing.
        let late = invites(&by).await;
        assert!(!house.store.is_invited(&late).await.unwrap() && !accepts(late).await);
        let refused = house.store.change_member(merchant, owner, Some(Role::ReadOnly), &by).await.unwrap();
        assert_eq!(refused, Err(TeamRefusal::NotTheirs));
        // An owner's is good.
        assert!(accepts(invites(&by_owner).await).await);
    }
    house.leave().await;
}

#[tokio::test]
async fn who_works_for_several_merchants_says_for_which() {
    let house = House::enter().await;
    let here = joins(&house, "kim", Role::Staff).await;
    let other = MerchantId(Uuid::now_v7());
    house.store.create_merchant(&NewMerchant { id: other, mid: "other", name: "Other" }).await.unwrap();
    let member = NewMember {
        id: StaffId(Uuid::now_v7()),
        merchant: other,
        email: &email("kim"),
        name: "Kim",
        role: Role::Owner,
        password_hash: &kept("first"),
    };
    let there = house.store.create_member(&member, &NOBODY).await.unwrap();
    let found = async |mid: &str| house.store.find_sign_in(&email("kim"), mid).await.unwrap().map(|found| found.staff);
    assert_eq!(found("shop").await, Some(here));
    assert_eq!(found("other").await, Some(there));
    assert_eq!(found("none").await, None);
    // Nobody of one merchant is anybody to another.
    let foreign = house.store.change_member(other, here, None, &NOBODY).await.unwrap();
    assert_eq!(foreign, Err(TeamRefusal::NobodyThere));
    house.leave().await;
}

#[tokio::test]
async fn what_is_done_is_in_the_log_with_what_it_was_and_became() {
    let house = House::enter().await;
    let kim = joins(&house, "kim", Role::Staff).await;
    let owner = joins(&house, "owner", Role::Owner).await;
    let by = Actor { staff: Some(owner), ..NOBODY };
    house.store.change_member(house.tenant.merchant, kim, Some(Role::Owner), &by).await.unwrap().unwrap();
    // What does not change is no change.
    house.store.change_member(house.tenant.merchant, kim, Some(Role::Owner), &by).await.unwrap().unwrap();
    assert_eq!(logged(&house, "staff.role_changed").await, "1");
    let row = "staff_id::text || ' ' || address || ' ' || trace_id || ' ' || subject";
    let row = house.ask(format!("select {row} from audit_log where action = 'staff.role_changed'")).await;
    assert_eq!(row, format!("{owner} 203.0.113.7 {TRACE} {kim}"));
    // The hash of what it became is the hash of what is there.
    let agrees =
        "select l.before_hash <> l.after_hash and l.after_hash = naru_audit_hash(jsonb_build_object('id', s.id,
        'merchant_id', s.merchant_id, 'email', s.email, 'name', s.name, 'role', s.role))
        from audit_log l join staff s on s.id::text = l.subject where l.action = 'staff.role_changed'";
    assert_eq!(house.ask(agrees).await, "true");
    for refused in Refused::ALL {
        house.store.note_refusal(*refused, None, "nobody", &NOBODY).await.unwrap();
        assert_eq!(logged(&house, refused.as_str()).await, "1");
    }
    house.leave().await;
}
