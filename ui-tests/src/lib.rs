//! The attribute of the forms' plain twins: see `tests/forms/runner.rs`.

use proc_macro::TokenStream;

/// Returns the item as it is.
#[proc_macro_attribute]
pub fn plain(_arguments: TokenStream, item: TokenStream) -> TokenStream {
    item
}
