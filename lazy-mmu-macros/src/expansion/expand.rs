//! The expansion: a function from tokens to tokens.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Expr, Item};

use super::args::Args;
use super::errors::Errors;
use super::item::Function;

/// Expands `#[lazy_mmu(args)] item`.
///
/// If there are errors, the item is emitted unchanged, so that other code which uses it has no
/// further errors.
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
                // One expression can only be replaced by one expression: a block. The item has
                // parentheses, because some expressions would parse as a statement there.
                quote!({ #error (#item) })
            } else {
                quote!(#error #item)
            }
        }
        // The item has no tokens.
        (None, None) => item,
    }
}

/// Returns whether `item` is an expression, and not an item.
fn is_expression(item: &TokenStream) -> bool {
    syn::parse2::<Item>(item.clone()).is_err() && syn::parse2::<Expr>(item.clone()).is_ok()
}
