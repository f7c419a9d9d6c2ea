//! Payers: their accounts and sessions, the cards they keep, and whose payment it is.

use futures::future::join_all;
use naru_shared::domain::event::PaymentEvent;
use naru_shared::domain::id::{CardId, Mode, PayerId, PaymentId};
use naru_shared::domain::instrument::{Card, Instrument};
use naru_shared::domain::payment::{Payment, PaymentSource, PaymentState};
use naru_shared::secret::{Email, Secret};
use naru_shared::store::{Advance, Advanced, Clock, Kept, NewCard, NewPayer, PayerAccount, StoreError};
use uuid::Uuid;

use crate::house::{House, TRACE, card};

fn hash(of: &str) -> Secret<String> {
    Secret::new(format!("$argon2id${of}"))
}

fn email(name: &str) -> Email {
    Email::parse(&format!("{name}@mail.example")).unwrap()
}

impl House {
    async fn try_sign_up(&self, name: &str, mode: Mode) -> Result<PayerId, StoreError> {
        let id = PayerId(Uuid::now_v7());
        let new = NewPayer { id, mode, email: &email(name), password_hash: &hash(name) };
        self.store.create_payer(&new, None).await.map(|()| id)
    }

    pub(crate) async fn signs_up(&self, name: &str) -> PayerId {
        self.try_sign_up(name, Mode::Test).await.unwrap()
    }

    /// Keeps the card with this fingerprint.
    pub(crate) async fn keeps(&self, payer: PayerId, fingerprint: u64) -> Result<Kept, StoreError> {
        let card = stored(fingerprint);
        let new = NewCard { id: CardId(Uuid::new_v4()), payer, card: &card, nickname: None };
        self.store.keep_card(&new).await
    }

    /// The account as it is now.
    async fn account(&self, name: &str) -> PayerAccount {
        self.store.find_payer(Mode::Test, &email(name)).await.unwrap().unwrap()
    }

    async fn is_signed_in(&self, session: &[u8; 32]) -> bool {
        self.store.find_session(session).await.unwrap().is_some()
    }

    async fn ready(&self) -> Payment {
        let id = PaymentId(Uuid::now_v7());
        let order = format!("order-{}", id.0.simple());
        self.create(id, &order, PaymentSource::Checkout, &PaymentState::ready(), None, None).await.unwrap();
        self.payment(id).await
    }

    async fn authenticates(&self, payer: PayerId, payment: &Payment) -> Option<Advanced> {
        let kept = self.keeps(payer, 1).await.unwrap();
        self.authenticates_with(payer, kept.id, payment).await
    }

    async fn authenticates_with(&self, payer: PayerId, kept: CardId, payment: &Payment) -> Option<Advanced> {
        let event = PaymentEvent::Authenticated { instrument: card() };
        let next = payment.state.on(&event).unwrap();
        let clock = Clock::InTime;
        let change =
            Advance { payment, next: &next, event: &event, clock, operation: None, key: None, trace_id: TRACE };
        self.store.authenticate_payment(&change, payer, kept).await.unwrap()
    }
}

fn stored(fingerprint: u64) -> Card {
    let Instrument::Card(card) = card() else { unreachable!("it is a card") };
    Card { fingerprint: format!("{fingerprint:064x}"), token: format!("tok_{}", Uuid::new_v4()), ..card }
}

#[tokio::test]
async fn an_address_has_one_account_in_each_world() {
    let house = House::enter().await;
    let test = house.signs_up("kim").await;
    let live = house.try_sign_up("kim", Mode::Live).await.unwrap();
    let again = house.try_sign_up("kim", Mode::Test).await.unwrap_err();
    assert!(again.is_constraint("payers_email_unique"), "{again:?}");
    for (mode, id) in [(Mode::Test, test), (Mode::Live, live)] {
        assert_eq!(house.store.find_payer(mode, &email("kim")).await.unwrap().unwrap().id, id);
    }
    assert!(house.store.find_payer(Mode::Test, &email("lee")).await.unwrap().is_none());
    house.leave().await;
}

#[tokio::test]
async fn a_session_lasts_while_it_is_used_and_no_longer_than_half_a_day() {
    let house = House::enter().await;
    let payer = house.signs_up("kim").await;
    let session = [1; 32];
    assert!(house.store.begin_session(&house.account("kim").await, &session, None).await.unwrap());
    let found = house.store.find_session(&session).await.unwrap().unwrap();
    assert_eq!((found.payer, found.mode, found.email.expose()), (payer, Mode::Test, "kim@mail.example"));
    let seen = "select round(extract(epoch from now() - seen_at) / 60) from payer_sessions";
    for (column, ago, lasts) in [
        ("seen_at", "29 minutes", true),
        ("seen_at", "31 minutes", false),
        ("created_at", "11 hours 59 minutes", true),
        ("created_at", "12 hours 1 minute", false),
    ] {
        house.run("update payer_sessions set seen_at = now(), created_at = now()").await;
        house.run(format!("update payer_sessions set {column} = now() - interval '{ago}'")).await;
        assert_eq!(house.is_signed_in(&session).await, lasts, "{column} {ago}");
        if lasts {
            assert_eq!(house.ask(seen).await, "0", "using it is noted");
        }
    }
    house.run("update payer_sessions set seen_at = now() - interval '31 minutes', created_at = now()").await;
    assert!(!house.is_signed_in(&session).await && house.ask(seen).await == "31", "asking does not wake it up");
    assert_eq!(house.store.forget_old_sessions(10).await.unwrap(), 1);
    house.leave().await;
}

#[tokio::test]
async fn sessions_end_at_once_and_are_not_many() {
    let house = House::enter().await;
    let (kim, _) = (house.signs_up("kim").await, house.signs_up("lee").await);
    let (kims, lees) = (house.account("kim").await, house.account("lee").await);
    assert!(house.store.begin_session(&lees, &[200; 32], None).await.unwrap());
    for n in 1..=25 {
        assert!(house.store.begin_session(&kims, &[n; 32], None).await.unwrap());
    }
    assert_eq!(house.ask(format!("select count(*) from payer_sessions where payer_id = '{kim}'")).await, "20");
    assert!(!house.is_signed_in(&[5; 32]).await && house.is_signed_in(&[6; 32]).await, "the oldest went");
    assert_eq!(house.store.end_session(&[25; 32]).await.unwrap(), 1);
    assert_eq!(house.store.end_session(&[25; 32]).await.unwrap(), 0);
    assert!(!house.is_signed_in(&[25; 32]).await);
    assert!(house.store.begin_session(&kims, &[30; 32], Some(&[24; 32])).await.unwrap());
    assert!(!house.is_signed_in(&[24; 32]).await && house.is_signed_in(&[30; 32]).await, "one took the other's place");

    let account = house.store.find_payer(Mode::Test, &email("kim")).await.unwrap().unwrap();
    assert!(house.store.change_password(&account, &hash("other"), Some(&[31; 32])).await.unwrap());
    assert!(!house.is_signed_in(&[30; 32]).await && house.is_signed_in(&[31; 32]).await, "only the new one");
    let late = house.store.change_password(&account, &hash("third"), Some(&[32; 32])).await.unwrap();
    assert!(!late && !house.is_signed_in(&[32; 32]).await, "the password it was read with is not the current one");
    assert!(house.is_signed_in(&[31; 32]).await);

    assert_eq!(house.store.end_sessions(kim).await.unwrap(), 1);
    assert!(!house.is_signed_in(&[31; 32]).await);
    assert!(house.is_signed_in(&[200; 32]).await, "somebody else's is not touched");
    house.leave().await;
}

/// Whatever is written in which order: a session is of the password that was compared, and of no other.
#[tokio::test]
async fn a_password_that_was_compared_too_early_opens_nothing() {
    let house = House::enter().await;
    house.signs_up("kim").await;
    let compared = house.account("kim").await;
    assert!(house.store.begin_session(&compared, &[1; 32], None).await.unwrap());
    // Kept anew it is the same password, for who compared it before, too.
    assert!(house.store.change_password(&compared, &hash("anew"), None).await.unwrap());
    assert!(house.store.begin_session(&compared, &[2; 32], None).await.unwrap());
    assert!(house.is_signed_in(&[1; 32]).await && house.is_signed_in(&[2; 32]).await);

    let current = house.account("kim").await;
    assert!(house.store.change_password(&current, &hash("other"), Some(&[3; 32])).await.unwrap());
    assert!(!house.store.begin_session(&compared, &[4; 32], Some(&[3; 32])).await.unwrap());
    assert!(!house.is_signed_in(&[4; 32]).await && house.is_signed_in(&[3; 32]).await, "nor does it end any");
    // One whose commit the change did not see.
    let late = "insert into payer_sessions (token_hash, payer_id, password_version)
        select decode(repeat('05', 32), 'hex'), id, password_version - 1 from payers";
    house.run(late).await;
    assert!(!house.is_signed_in(&[5; 32]).await);
    house.leave().await;
}

#[tokio::test]
async fn the_same_card_twice_is_one_and_somebody_elses_is_another() {
    let house = House::enter().await;
    let (kim, lee) = (house.signs_up("kim").await, house.signs_up("lee").await);
    let first = house.keeps(kim, 7).await.unwrap();
    let again = house.keeps(kim, 7).await.unwrap();
    assert_eq!((first.is_new, again.is_new, first.id == again.id), (true, false, true));
    let theirs = house.keeps(lee, 7).await.unwrap();
    assert!(theirs.is_new && theirs.id != first.id);
    let cards = house.store.cards_of(kim).await.unwrap();
    assert_eq!((cards.len(), cards[0].is_default), (1, true));
    assert_eq!(house.ask(format!("select card_count from payers where id = '{kim}'")).await, "1");
    // What is another's is not found, not preferred and not forgotten.
    assert!(house.store.find_card(kim, theirs.id).await.unwrap().is_none());
    assert!(!house.store.prefer_card(kim, theirs.id).await.unwrap());
    assert!(!house.store.forget_card(kim, theirs.id).await.unwrap());
    assert_eq!(house.store.cards_of(lee).await.unwrap().len(), 1);
    house.leave().await;
}

#[tokio::test]
async fn a_card_gets_the_newer_token_and_keeps_its_name() {
    let house = House::enter().await;
    let kim = house.signs_up("kim").await;
    let keep = async |nickname| {
        let card = stored(7);
        let new = NewCard { id: CardId(Uuid::new_v4()), payer: kim, card: &card, nickname };
        let kept = house.store.keep_card(&new).await.unwrap();
        let found = house.store.find_card(kim, kept.id).await.unwrap().unwrap();
        (found.nickname, found.card.token == card.token)
    };
    assert_eq!(keep(Some("빨간 카드")).await, (Some("빨간 카드".into()), true));
    assert_eq!(keep(None).await, (Some("빨간 카드".into()), true));
    assert_eq!(keep(Some("blue")).await, (Some("blue".into()), true));
    house.leave().await;
}

#[tokio::test]
async fn one_card_is_offered_first_until_it_is_forgotten() {
    let house = House::enter().await;
    let kim = house.signs_up("kim").await;
    let (a, b) = (house.keeps(kim, 1).await.unwrap().id, house.keeps(kim, 2).await.unwrap().id);
    let first = async || {
        let cards = house.store.cards_of(kim).await.unwrap();
        cards.iter().find(|card| card.is_default).map(|card| card.id)
    };
    assert_eq!(first().await, Some(a));
    assert!(house.store.prefer_card(kim, b).await.unwrap());
    assert_eq!(first().await, Some(b));
    assert!(house.store.forget_card(kim, a).await.unwrap());
    assert_eq!(first().await, Some(b));
    assert!(house.store.forget_card(kim, b).await.unwrap());
    assert!(!house.store.forget_card(kim, b).await.unwrap(), "it is gone");
    assert_eq!(first().await, None);
    let c = house.keeps(kim, 3).await.unwrap().id;
    assert_eq!(first().await, Some(c), "of no cards the first is offered first");
    assert_eq!(house.ask("select card_count from payers").await, "1");
    house.leave().await;
}

#[tokio::test]
async fn of_thirty_at_once_twenty_cards_are_kept() {
    let house = House::enter().await;
    let kim = house.signs_up("kim").await;
    let kept = join_all((0..30).map(|n| house.keeps(kim, n))).await;
    let refused = kept.iter().filter_map(|kept| kept.as_ref().err()).collect::<Vec<_>>();
    assert_eq!(refused.len(), 10, "{refused:?}");
    assert!(refused.iter().all(|error| error.is_constraint("payers_card_count")), "{refused:?}");
    let counts = "select count(*) || ' ' || (select card_count from payers) from stored_cards";
    assert_eq!(house.ask(counts).await, "20 20");
    // One that is kept already may come again; with one less there is room for one more.
    let known = house.store.cards_of(kim).await.unwrap().pop().unwrap();
    let again = u64::from_str_radix(&known.card.fingerprint, 16).unwrap();
    assert!(!house.keeps(kim, again).await.unwrap().is_new);
    assert!(house.store.forget_card(kim, known.id).await.unwrap());
    assert!(house.keeps(kim, 99).await.unwrap().is_new);
    house.leave().await;
}

#[tokio::test]
async fn the_same_card_at_once_is_one() {
    let house = House::enter().await;
    let kim = house.signs_up("kim").await;
    let kept = join_all((0..8).map(|_| house.keeps(kim, 7))).await;
    let new = kept.iter().filter(|kept| kept.as_ref().is_ok_and(|kept| kept.is_new)).count();
    assert_eq!((new, kept.iter().filter(|kept| kept.is_ok()).count()), (1, 8), "{kept:?}");
    assert_eq!(house.ask("select card_count from payers").await, "1");
    house.leave().await;
}

#[tokio::test]
async fn a_payment_is_authenticated_once_in_its_world_and_time_and_by_whom_is_not_in_its_events() {
    let house = House::enter().await;
    let (kim, lee) = (house.signs_up("kim").await, house.signs_up("lee").await);
    let live = house.try_sign_up("kim", Mode::Live).await.unwrap();
    let payment = house.ready().await;
    assert!(house.authenticates(live, &payment).await.is_none(), "of the other world");
    let both = tokio::join!(house.authenticates(kim, &payment), house.authenticates(lee, &payment));
    assert_eq!(usize::from(both.0.is_some()) + usize::from(both.1.is_some()), 1, "{both:?}");
    let (winner, other) = if both.0.is_some() { (kim, lee) } else { (lee, kim) };
    let own = house.store.find_payment_of(winner, payment.checkout_id.as_str()).await.unwrap().unwrap();
    assert_eq!((own.id, own.version), (payment.id, 2));
    assert!(house.store.find_payment_of(other, payment.checkout_id.as_str()).await.unwrap().is_none());
    let told = "select string_agg(e::text, '') || string_agg(p::text, '') from payment_events e, payments p";
    let told = house.ask(told).await;
    assert!(!told.contains(&winner.to_string()) && !told.contains("mail.example"), "{told}");

    let late = house.ready().await;
    house.run(format!("update payments set expires_at = now() where id = '{}'", late.id)).await;
    assert!(house.authenticates(kim, &late).await.is_none(), "its time is over");
    assert_eq!(house.ask("select count(*) from payment_payers").await, "1");
    house.leave().await;
}

#[tokio::test]
async fn nothing_is_authenticated_with_a_card_that_is_forgotten_or_somebody_elses() {
    let house = House::enter().await;
    let (kim, lee) = (house.signs_up("kim").await, house.signs_up("lee").await);
    let (own, other) = (house.keeps(kim, 1).await.unwrap().id, house.keeps(lee, 2).await.unwrap().id);
    let payment = house.ready().await;
    assert!(house.authenticates_with(kim, other, &payment).await.is_none());
    // It was read before it was forgotten.
    house.store.forget_card(kim, own).await.unwrap();
    assert!(house.authenticates_with(kim, own, &payment).await.is_none());
    assert_eq!(house.payment(payment.id).await.version, payment.version);
    assert!(house.authenticates_with(lee, other, &payment).await.is_some());
    house.leave().await;
}

#[tokio::test]
async fn a_payer_leafs_through_own_payments_only() {
    let house = House::enter().await;
    let (kim, lee) = (house.signs_up("kim").await, house.signs_up("lee").await);
    let mut own = Vec::new();
    for n in 0..7 {
        let payment = house.ready().await;
        let payer = if n % 3 == 1 { lee } else { kim };
        house.authenticates(payer, &payment).await.unwrap();
        if payer == kim {
            own.insert(0, payment.id);
        }
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = house.store.payments_of(kim, after, 2).await.unwrap();
        seen.extend(page.iter().map(|payment| payment.id));
        after = page.last().map(|payment| payment.id);
        if page.len() < 2 {
            break;
        }
    }
    assert_eq!(seen, own);
    house.leave().await;
}
