//! `naru-api`: takes requests in, writes them down, and tells what became of them.
//!
//! A request passes [`limits`], says who it is ([`auth`]), is read ([`body`], [`headers`]), and reaches a handler of one
//! audience: [`merchant`], [`checkout`] (whoever pays), [`payer`] (who pays and has an account), [`backoffice`] (the merchant's people), [`ops`]. What it queues is carried out by the worker; whoever waits for it
//! is woken by the [`hub`] and answered by [`answer`] or [`sse`]. Whatever is refused is a [`problem`].

pub mod answer;
pub mod app;
pub mod auth;
pub mod backlog;
pub mod backoffice;
pub mod body;
pub mod browser;
pub mod callbacks;
pub mod checkout;
pub mod context;
pub mod cursor;
mod declines;
pub mod fingerprint;
pub mod headers;
pub mod hub;
pub mod key_uses;
pub mod limits;
pub mod merchant;
pub mod openapi;
pub mod ops;
pub mod passwords;
pub mod payer;
pub mod problem;
mod proving;
pub mod rates;
pub mod routes;
pub mod sse;
mod test_code;
pub mod together;
pub mod turns;
pub mod unavailable;
pub mod view;
