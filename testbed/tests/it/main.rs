//! What must hold of Naru as a whole, against real servers. One program, so that it is linked once; a module per
//! capability.

mod authz;
mod bad_input;
mod crash;
mod idempotency;
mod postgres;
mod problem;
mod raw;
mod worker;
mod zombie;
