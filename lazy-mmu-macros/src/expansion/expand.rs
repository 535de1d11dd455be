//! The expansion, as a function from tokens to tokens.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Expr, Item};

use super::args::Args;
use super::errors::Errors;
use super::item::Function;

/// `#[lazy_mmu(args)] item`.
///
/// Whatever is wrong, the item is emitted, as it came: so that nothing else in the user's crate
/// breaks.
pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::parse(args, &mut errors);
    let function = Function::parse(&item, &mut errors);
    match (function, errors.into_error()) {
        (Some(function), None) => {
            function.with_first_statement(args.open_section(), args.names_the_section())
        }
        (_, Some(error)) => {
            let error = error.to_compile_error();
            if is_expression(&item) {
                // Where an expression stands there is room for one only; and at the start of a
                // statement, some would be taken for one.
                quote!({ #error (#item) })
            } else {
                quote!(#error #item)
            }
        }
        // No tokens at all.
        (None, None) => item,
    }
}

fn is_expression(item: &TokenStream) -> bool {
    syn::parse2::<Item>(item.clone()).is_err() && syn::parse2::<Expr>(item.clone()).is_ok()
}
