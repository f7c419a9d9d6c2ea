//! Cards that payers keep: the acquirer's token, and what of the card may be shown.

use time::OffsetDateTime;
use uuid::Uuid;

use super::row::known;
use super::{Store, StoreError, read, write};
use crate::domain::id::{CardId, PayerId};
use crate::domain::instrument::{Card, CardType, OwnerType};

/// A card to be kept.
#[derive(Debug)]
pub struct NewCard<'a> {
    /// Its id, unless the payer keeps this card already.
    pub id: CardId,
    /// Whose.
    pub payer: PayerId,
    /// What the acquirer gave in exchange for it.
    pub card: &'a Card,
    /// What its payer calls it, 1 to 40 characters.
    pub nickname: Option<&'a str>,
}

/// A card that was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Its id.
    pub id: CardId,
    /// Whether the payer had not kept it before.
    pub is_new: bool,
}

/// A card that a payer keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCard {
    /// Its id.
    pub id: CardId,
    /// As it is paid with, in one payment unless said otherwise.
    pub card: Card,
    /// What its payer calls it.
    pub nickname: Option<String>,
    /// Whether it is offered first.
    pub is_default: bool,
    /// Since when it is kept.
    pub created_at: OffsetDateTime,
}

struct Row {
    id: Uuid,
    token: String,
    bin: String,
    last4: String,
    fingerprint: String,
    issuer_code: String,
    acquirer_code: String,
    card_type: String,
    owner_type: String,
    nickname: Option<String>,
    is_default: bool,
    created_at: OffsetDateTime,
}

impl Row {
    fn into_card(self) -> Result<StoredCard, StoreError> {
        const TABLE: &str = "stored_cards";
        Ok(StoredCard {
            id: CardId(self.id),
            card: Card {
                token: self.token,
                bin: self.bin,
                last4: self.last4,
                fingerprint: self.fingerprint,
                issuer_code: self.issuer_code,
                acquirer_code: self.acquirer_code,
                card_type: known(CardType::parse(&self.card_type), TABLE, "card_type", self.id)?,
                owner_type: known(OwnerType::parse(&self.owner_type), TABLE, "owner_type", self.id)?,
                installment_months: 0,
            },
            nickname: self.nickname,
            is_default: self.is_default,
            created_at: self.created_at,
        })
    }
}

impl Store {
    /// Keeps a card. One that the payer keeps already stays one: it gets the new token, for it may have been renewed, and
    /// the new nickname if there is one. The first is offered first. Nothing tells whether somebody else keeps it.
    ///
    /// # Errors
    /// [`StoreError::Constraint`] `payers_card_count` when the payer keeps 20 others.
    pub async fn keep_card(&self, new: &NewCard<'_>) -> Result<Kept, StoreError> {
        let card = new.card;
        let row = write!(
            self,
            sqlx::query!(
                r#"with card as (
                    insert into stored_cards as c (id, payer_id, token, bin, last4, fingerprint, issuer_code,
                        acquirer_code, card_type, owner_type, nickname)
                    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
                    on conflict on constraint stored_cards_once do update set token = excluded.token,
                        issuer_code = excluded.issuer_code, acquirer_code = excluded.acquirer_code,
                        card_type = excluded.card_type, owner_type = excluded.owner_type,
                        nickname = coalesce(excluded.nickname, c.nickname)
                    -- A row that was there has another id than the one we brought.
                    returning c.id, c.id = $1 as is_new
                ), counted as (
                    update payers p set card_count = p.card_count + 1, default_card = coalesce(p.default_card, card.id)
                    from card where p.id = $2 and card.is_new
                )
                select id, is_new as "is_new!" from card"#,
                new.id.0,
                new.payer.0,
                card.token,
                card.bin,
                card.last4,
                card.fingerprint,
                card.issuer_code,
                card.acquirer_code,
                card.card_type.as_str(),
                card.owner_type.as_str(),
                new.nickname,
            ),
            fetch_one
        )?;
        Ok(Kept { id: CardId(row.id), is_new: row.is_new })
    }

    /// The cards of a payer, the newest first. There are at most 20.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn cards_of(&self, payer: PayerId) -> Result<Vec<StoredCard>, StoreError> {
        let rows = read!(
            self,
            sqlx::query_as!(
                Row,
                r#"select c.id, token, bin, last4, fingerprint, issuer_code, acquirer_code, card_type, owner_type, nickname,
                    coalesce(p.default_card = c.id, false) as "is_default!", c.created_at
                from stored_cards c join payers p on p.id = c.payer_id
                where c.payer_id = $1 order by c.created_at desc, c.id"#,
                payer.0,
            ),
            fetch_all
        )?;
        rows.into_iter().map(Row::into_card).collect()
    }

    /// A card of a payer. Another's is not found.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn find_card(&self, payer: PayerId, card: CardId) -> Result<Option<StoredCard>, StoreError> {
        let row = read!(
            self,
            sqlx::query_as!(
                Row,
                r#"select c.id, token, bin, last4, fingerprint, issuer_code, acquirer_code, card_type, owner_type, nickname,
                    coalesce(p.default_card = c.id, false) as "is_default!", c.created_at
                from stored_cards c join payers p on p.id = c.payer_id
                where c.payer_id = $1 and c.id = $2"#,
                payer.0,
                card.0,
            ),
            fetch_optional
        )?;
        row.map(Row::into_card).transpose()
    }

    /// Has a card of a payer offered first. False when the payer has no such card.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn prefer_card(&self, payer: PayerId, card: CardId) -> Result<bool, StoreError> {
        let done = write!(
            self,
            sqlx::query!(
                r#"update payers p set default_card = c.id from stored_cards c
                where p.id = $1 and c.payer_id = p.id and c.id = $2"#,
                payer.0,
                card.0,
            ),
            execute
        );
        match done {
            Ok(done) => Ok(done.rows_affected() == 1),
            // It was forgotten meanwhile.
            Err(error) if error.is_constraint("payers_default_card") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Forgets a card of a payer. When it was the one that is offered first, none is until one is chosen. False when the
    /// payer has no such card.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn forget_card(&self, payer: PayerId, card: CardId) -> Result<bool, StoreError> {
        let forgotten = write!(
            self,
            sqlx::query_scalar!(
                r#"with card as (
                    delete from stored_cards where payer_id = $1 and id = $2 returning payer_id
                ), counted as (
                    update payers p set card_count = p.card_count - 1,
                        default_card = case when p.default_card <> $2 then p.default_card end
                    from card where p.id = card.payer_id
                )
                select count(*) as "forgotten!" from card"#,
                payer.0,
                card.0,
            ),
            fetch_one
        )?;
        Ok(forgotten == 1)
    }
}
