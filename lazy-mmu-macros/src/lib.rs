//! The attribute `#[lazy_mmu]` of the crate `lazy-mmu`, which re-exports it. Use it from there.
//!
//! `args` reads what stands in the attribute's parentheses, `item` takes the function apart as far
//! as the attribute must know it, and `expand` puts both together. `errors` collects what is wrong.

mod args;
mod errors;
mod expand;
mod item;

use proc_macro::TokenStream;

// Its page is `lazy-mmu/src/attribute.rs`, where the examples compile. What stood here would be
// shown behind it.
#[allow(missing_docs, reason = "it is documented where it is re-exported")]
#[proc_macro_attribute]
pub fn lazy_mmu(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(args.into(), item.into()).into()
}
