//! What must hold of Naru as a whole, against real servers. One program, so that it is linked once; a module per
//! capability.

mod crash;
mod postgres;
mod worker;
mod zombie;
