//! The attribute `#[lazy_mmu]` of the crate `lazy-mmu`, which re-exports it. Use it from there.

mod expansion;

use proc_macro::TokenStream;

// Its page is `lazy-mmu/src/attribute.rs`, where the examples compile. What stood here would be
// shown behind it.
#[allow(missing_docs, reason = "it is documented where it is re-exported")]
#[proc_macro_attribute]
pub fn lazy_mmu(args: TokenStream, item: TokenStream) -> TokenStream {
    expansion::expand(args.into(), item.into()).into()
}
