//! What can be said about a request before it is acted on: what it looks like to scripts, and whose fault it meets.

use super::{Ask, Company, Details, Id, Request, Sight, Transaction};

impl Company {
    /// What scripts match by.
    pub fn sight(&self, ask: &Ask) -> Sight {
        let blank = Sight {
            method: ask.method,
            call: ask.call(),
            reference: None,
            original_reference: None,
            merchant_id: None,
            order_id: None,
            token: None,
            amount: None,
        };
        match &ask.request {
            Request::Verify(v) => Sight { merchant_id: Some(v.merchant_id.clone()), ..blank },
            Request::Register(r) => Sight { merchant_id: Some(r.merchant_id.clone()), ..blank },
            Request::Subscribe(s) => Sight { merchant_id: Some(s.merchant_id.clone()), ..blank },
            Request::Balance(token) => Sight { token: Some(token.clone()), ..blank },
            Request::Approve(a) => Sight {
                reference: Some(a.reference.clone()),
                merchant_id: Some(a.merchant_id.clone()),
                order_id: Some(a.order_id.clone()),
                token: Some(a.token.clone()),
                amount: Some(a.amount.get()),
                ..blank
            },
            Request::Change(_, c) => Sight {
                reference: Some(c.reference.clone()),
                original_reference: Some(c.original_reference.clone()),
                merchant_id: Some(c.merchant_id.clone()),
                order_id: Some(c.order_id.clone()),
                token: self.transactions.get(&c.original_reference).and_then(|t| t.token.clone()),
                amount: Some(c.amount.get()),
                ..blank
            },
            Request::NetCancel(n) => {
                let original = self.transactions.get(&n.original_reference);
                Sight {
                    reference: Some(n.reference.clone()),
                    original_reference: Some(n.original_reference.clone()),
                    merchant_id: Some(n.merchant_id.clone()),
                    order_id: original.and_then(|t| t.order_id.clone()),
                    token: original.and_then(|t| t.token.clone()),
                    amount: Some(n.amount.get()),
                    ..blank
                }
            }
            Request::Inquire(reference) => {
                let about = self.transactions.get(reference);
                Sight {
                    reference: Some(reference.clone()),
                    original_reference: about.and_then(|t| t.original.clone()),
                    merchant_id: about.and_then(|t| t.merchant_id.clone()),
                    order_id: about.and_then(|t| t.order_id.clone()),
                    token: about.and_then(|t| t.token.clone()),
                    amount: about.map(|t| t.amount.get()),
                    ..blank
                }
            }
            Request::Issue(i) => Sight {
                reference: Some(i.reference.clone()),
                merchant_id: Some(i.merchant_id.clone()),
                order_id: Some(i.order_id.clone()),
                amount: Some(i.amount.get()),
                ..blank
            },
            Request::Close(c) => Sight {
                reference: Some(c.reference.clone()),
                original_reference: Some(c.original_reference.clone()),
                merchant_id: Some(c.merchant_id.clone()),
                order_id: self.transactions.get(&c.original_reference).and_then(|t| t.order_id.clone()),
                ..blank
            },
            Request::PayOut(p) => Sight {
                reference: Some(p.reference.clone()),
                original_reference: Some(p.original_reference.clone()),
                merchant_id: Some(p.merchant_id.clone()),
                order_id: Some(p.order_id.clone()),
                amount: Some(p.amount.get()),
                ..blank
            },
        }
    }

    /// The name of the fault that a request meets: that of its card, account, phone, member or customer. Nothing when it
    /// is about none.
    pub fn behaviour_of<'a>(&'a self, ask: &'a Ask) -> &'a str {
        let found = match &ask.request {
            Request::Verify(v) => v.holder.as_ref().ok().map(|holder| holder.behaviour.as_ref()),
            Request::Register(r) => r.known.as_ref().ok().map(|known| known.behaviour()),
            Request::Subscribe(s) => self.verifications.get(&s.verification).map(|v| v.holder.behaviour.as_ref()),
            Request::Balance(token) => self.behaviour_of_token(token),
            Request::Approve(a) => self.behaviour_of_token(&a.token),
            Request::Change(_, c) => self.behaviour_of_reference(&c.original_reference),
            Request::NetCancel(n) => self.behaviour_of_reference(&n.original_reference),
            Request::Inquire(reference) => self.behaviour_of_reference(reference),
            Request::Issue(i) => Some(i.behaviour.as_ref()),
            Request::Close(_) => None,
            Request::PayOut(p) => p.to.as_ref().ok().map(|to| to.behaviour.as_ref()),
        };
        found.unwrap_or_default()
    }

    fn behaviour_of_token(&self, token: &Id) -> Option<&str> {
        self.instruments.get(token).map(|instrument| instrument.known.behaviour())
    }

    fn behaviour_of_reference(&self, reference: &Id) -> Option<&str> {
        let about: &Transaction = self.transactions.get(reference)?;
        match &about.details {
            Some(Details::Issue(line)) => Some(&line.behaviour),
            Some(Details::PayOut(line)) => line.to.as_ref().map(|to| to.behaviour.as_ref()),
            Some(Details::Instalment(_) | Details::Deposit(_) | Details::Notice(_)) | None => {
                about.token.as_ref().and_then(|token| self.behaviour_of_token(token))
            }
        }
    }
}
