//! Browsers that somebody is signed in with: their cookies, whether a request came from a page of ours, and from which address.

mod address;
mod cookie;
mod own_page;
mod place;

pub use address::Address;
pub use cookie::{Cookies, InsecureCookies, SessionCookie};
pub use own_page::{NoOtherPage, OwnPage};
pub use place::{network, written};
