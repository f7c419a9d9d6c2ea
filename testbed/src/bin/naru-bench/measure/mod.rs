//! How payments are made and timed, whoever makes them.

mod closed;
mod counts;
mod cpu;
mod open;
mod times;

pub(crate) use closed::{Closed, closed};
pub(crate) use counts::{Counter, Counts, Statement};
pub(crate) use cpu::{Cpu, Processes};
pub(crate) use open::{Made, Open, open, payments};
pub(crate) use times::{Summary, Times};
