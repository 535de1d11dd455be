//! The attribute for the plain copies of the forms: see `tests/forms/runner.rs`.

use proc_macro::{TokenStream, TokenTree};

/// Returns the function without `no_mangle`, because two functions cannot have the same symbol.
#[proc_macro_attribute]
pub fn plain(_arguments: TokenStream, function: TokenStream) -> TokenStream {
    let mut tokens: Vec<TokenTree> = function.into_iter().collect();
    let unmangled = |it: &TokenTree| it.to_string().contains("no_mangle");
    if let Some(brackets) = tokens.iter().position(unmangled) {
        tokens.drain(brackets - 1..=brackets);
    }
    tokens.into_iter().collect()
}
