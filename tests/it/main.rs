//! The whole binary over real HTTP, and the rules of the house.

mod architecture;
mod demo;
mod fake;
mod faults;
mod golden;
mod harness;
mod reference;
