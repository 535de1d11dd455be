//! The attribute `#[lazy_mmu]` of the crate `lazy-mmu`. Use the re-export in that crate.

mod expansion;

use proc_macro::TokenStream;

// The documentation is in `lazy-mmu/src/attribute.rs`, because the examples compile there. rustdoc
// would append a text that stands here.
#[allow(missing_docs, reason = "it is documented where it is re-exported")]
#[proc_macro_attribute]
pub fn lazy_mmu(args: TokenStream, item: TokenStream) -> TokenStream {
    expansion::expand(args.into(), item.into()).into()
}
