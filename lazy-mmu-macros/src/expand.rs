//! The expansion, as a function from tokens to tokens.

use proc_macro2::TokenStream;

use crate::args::Args;
use crate::item::Function;

/// All that is wrong, reported together.
#[derive(Default)]
pub(crate) struct Errors(Option<syn::Error>);

impl Errors {
    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            None => self.0 = Some(error),
        }
    }
}

/// `#[lazy_mmu(args)] item`.
///
/// Whatever is wrong, the item is emitted, as it came: so that nothing else in the user's crate breaks.
pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::parse(args, &mut errors);
    let function = Function::parse(item.clone(), &mut errors);
    match (function, errors.0) {
        (Some(function), None) => function.with_first_statement(args.open_section()),
        (_, Some(error)) => {
            let mut tokens = error.to_compile_error();
            tokens.extend(item);
            tokens
        }
        // Not an item that the compiler would accept: its own error is the better one.
        (None, None) => item,
    }
}
