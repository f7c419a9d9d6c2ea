//! A merchant with people who sit at its backoffice.

use naru_shared::api_key::{ApiKey, KeyKind};
use naru_shared::clock::{Ids as _, Random as _};
use naru_shared::domain::id::{InvitationId, MerchantId, Mode, StaffId, Tenant};
use naru_shared::domain::staff::Role;
use naru_shared::keys::{INVITATION_PREFIX, api_key_hash_key};
use naru_shared::secret::{Email, MasterSecret, OpaqueToken, Password, Secret};
use naru_shared::store::{Actor, FreshKey, Invited, NewApiKey, NewInvitation, NewMember, NewMerchant, Store};
use naru_shared::system::System;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::http::{CALL_LIMIT, Call, client};
use crate::run;

/// The password of everybody whom a test makes.
pub const PASSWORD: &str = "a password of nobody";

/// What a session's cookie is called where there is no TLS.
const STAFF_COOKIE: &str = "naru_staff";

/// Who does what a test does without the API.
const TEST: Actor<'static> = Actor { staff: None, address: None, trace_id: "00000000000000000000000000000001" };

/// A merchant of a test's own. Cheap to clone.
#[derive(Clone)]
pub struct Company {
    /// Its public id.
    pub mid: String,
    merchant: MerchantId,
    store: Store,
    key: [u8; 32],
    base: String,
    http: Client,
}

/// Somebody who works for a merchant and is signed in.
#[derive(Clone)]
pub struct Desk {
    /// Who.
    pub id: StaffId,
    /// What they sign in with, under [`PASSWORD`].
    pub email: String,
    cookie: String,
    base: String,
    http: Client,
}

/// An API key that a test issued without the API.
pub struct IssuedKey {
    /// Its id.
    pub id: String,
    /// The key itself.
    pub key: String,
}

impl Company {
    pub(crate) async fn found(store: Store, master: &MasterSecret, base: &str) -> Self {
        let mid = format!("co_{}", run::unique());
        let merchant = NewMerchant { id: MerchantId(System.ordered()), mid: &mid, name: "A company" };
        let merchant = store.create_merchant(&merchant).await.expect("Postgres answers");
        let (key, base) = (api_key_hash_key(master), base.to_owned());
        Self { mid, merchant, store, key, base, http: client(CALL_LIMIT) }
    }

    /// Somebody of this role who has just signed in.
    ///
    /// # Panics
    /// When Postgres does not answer.
    pub async fn person(&self, role: Role) -> Desk {
        let address = format!("{}-{}@shop.example", role.as_str(), System.unguessable().simple());
        let email = Email::parse(&address).expect("it is an address");
        let member = NewMember {
            id: StaffId(System.ordered()),
            merchant: self.merchant,
            email: &email,
            name: "Somebody",
            role,
            password_hash: kept().await,
        };
        let id = self.store.create_member(&member, &TEST).await.expect("Postgres answers");
        let token = OpaqueToken::generate("", &System.bytes());
        let found =
            self.store.find_sign_in(&email, &self.mid).await.expect("Postgres answers").expect("they are there");
        let begun = self.store.begin_staff_session(&found, None, &token.hash(), &TEST).await;
        assert!(begun.expect("Postgres answers"), "they could not sign in");
        let cookie = format!("{STAFF_COOKIE}={}", token.expose());
        Desk { id, email: address, cookie, base: self.base.clone(), http: self.http.clone() }
    }

    /// A key of one world.
    ///
    /// # Panics
    /// When Postgres does not answer.
    pub async fn key(&self, mode: Mode, kind: KeyKind) -> IssuedKey {
        let key = ApiKey::generate(mode, kind, &System.bytes());
        let tenant = Tenant { merchant: self.merchant, mode };
        let hint = key.hint();
        let new = NewApiKey { id: System.ordered(), tenant, kind, hash: key.hash(&self.key), hint: &hint };
        let issued = self.store.issue_api_key(&new, &TEST).await.expect("Postgres answers");
        assert!(matches!(issued, FreshKey::Made(_)), "{issued:?}");
        IssuedKey { id: new.id.to_string(), key: key.expose().to_owned() }
    }

    /// Registers an origin in one world.
    ///
    /// # Panics
    /// When Postgres does not answer.
    pub async fn origin(&self, mode: Mode, origin: &str) {
        let tenant = Tenant { merchant: self.merchant, mode };
        assert!(self.store.add_origin(tenant, origin, &TEST).await.expect("Postgres answers"));
    }

    /// Invites somebody as staff. Returns the invitation's id and token.
    ///
    /// # Panics
    /// When Postgres does not answer.
    pub async fn invite(&self, address: &str) -> (String, String) {
        let token = OpaqueToken::generate(INVITATION_PREFIX, &System.bytes());
        let new = NewInvitation {
            id: InvitationId(System.ordered()),
            merchant: self.merchant,
            email: &Email::parse(address).expect("it is an address"),
            role: Role::Staff,
            token_hash: token.hash(),
        };
        let invited = self.store.invite(&new, &TEST).await.expect("Postgres answers");
        assert!(matches!(invited, Invited::Until(_)), "{invited:?}");
        (new.id.to_string(), token.expose().to_owned())
    }

    /// Signs in as anybody may try to.
    pub fn sign_in(&self, email: &str, password: &str) -> Call {
        let request = self.http.post(format!("{}/backoffice/v1/sign-in", self.base)).header("origin", &self.base);
        Call::new(request.json(&json!({ "mid": self.mid, "email": email, "password": password })))
    }

    /// A desk that nobody sits at: what is asked there is asked without a session.
    #[must_use]
    pub fn empty_desk(&self) -> Desk {
        let nobody = StaffId(System.ordered());
        Desk {
            id: nobody,
            email: String::new(),
            cookie: String::new(),
            base: self.base.clone(),
            http: self.http.clone(),
        }
    }
}

impl Desk {
    /// The same person's desk with another session: the value of `Set-Cookie`.
    #[must_use]
    pub fn with_cookie(&self, set_cookie: &str) -> Self {
        let cookie = set_cookie.split(';').next().unwrap_or_default().to_owned();
        Self { cookie, ..self.clone() }
    }

    /// `Cookie`, as their browser sends it.
    #[must_use]
    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    /// The origin of the backoffice's own pages.
    #[must_use]
    pub fn own_origin(&self) -> &str {
        &self.base
    }

    /// A `GET` below `/backoffice/v1/`.
    pub fn get(&self, path: &str) -> Call {
        Call::new(self.request(Method::GET, &format!("/backoffice/v1/{path}")))
    }

    /// A `POST` below `/backoffice/v1/`, from a page of ours.
    pub fn post(&self, path: &str, body: &Value) -> Call {
        let request = self.request(Method::POST, &format!("/backoffice/v1/{path}")).header("origin", &self.base);
        Call::new(request.json(body))
    }

    /// A request with their cookie, which says nothing of the page it comes from.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        if self.cookie.is_empty() { request } else { request.header("cookie", &self.cookie) }
    }
}

/// What is kept of [`PASSWORD`], made once.
async fn kept() -> &'static Secret<String> {
    static KEPT: OnceCell<Secret<String>> = OnceCell::const_new();
    let make = || Password::parse(PASSWORD).expect("it is taken").hash(&System.bytes()).expect("there is memory");
    KEPT.get_or_init(async || Secret::new(make())).await
}
