//! The expansion, which the fuzz target has as a module of its own.
//!
//! `args` reads what stands in the attribute's parentheses, `item` takes the function apart as far
//! as the attribute must know it, and `expand` puts both together. `errors` collects what is wrong.

mod args;
mod errors;
mod expand;
mod item;
#[cfg(test)]
mod tests;

pub(crate) use expand::expand;
