//! The expansion of the attribute. The fuzz target includes this module.
//!
//! * `args` parses the arguments of the attribute.
//! * `item` splits the function into its head and its body.
//! * `expand` combines the two.
//! * `errors` collects all errors of one use of the attribute.

mod args;
mod errors;
mod expand;
mod item;
#[cfg(test)]
mod tests;

pub(crate) use expand::expand;
