//! What stands in the attribute's parentheses.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Path, Token, TypePath};

use crate::expand::Errors;

/// The list that errors name.
const KNOWN: &str = "the arguments are `backend = path`, `mmu`, `mmu = name` and `crate = path`";

/// The arguments, each at most once.
#[derive(Default)]
pub(crate) struct Args {
    backend: Option<TypePath>,
    mmu: Option<Ident>,
    krate: Option<Path>,
}

impl Args {
    /// Reads as many arguments as can be read; what is wrong goes to `errors`.
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut args = Self::default();
        let parser = |input: ParseStream<'_>| {
            args.parse_list(input, errors);
            Ok(())
        };
        if let Err(error) = parser.parse2(tokens) {
            errors.push(error);
        }
        args
    }

    fn parse_list(&mut self, input: ParseStream<'_>, errors: &mut Errors) {
        while !input.is_empty() {
            if let Err(error) = self.parse_one(input) {
                errors.push(error);
            }
            // After an error the rest of that argument says nothing.
            skip_argument(input);
            let _: Option<Token![,]> = input.parse().unwrap_or_default();
        }
    }

    fn parse_one(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        if !input.peek(Ident::peek_any) {
            return Err(input.error(format_args!("expected an argument: {KNOWN}")));
        }
        let name = input.call(Ident::parse_any)?;
        if name == "backend" {
            let path = value(input, &name, "the backend's path")?;
            once(&mut self.backend, &name, path)?;
        } else if name == "mmu" {
            let binding = if input.peek(Token![=]) {
                value(input, &name, "the name to bind the section to")?
            } else {
                name.clone()
            };
            once(&mut self.mmu, &name, binding)?;
        } else if name == "crate" {
            let path = value(input, &name, "the path of the crate `lazy_mmu`")?;
            once(&mut self.krate, &name, path)?;
        } else {
            return Err(syn::Error::new(
                name.span(),
                format_args!("unknown argument `{name}`: {KNOWN}"),
            ));
        }
        if input.is_empty() || input.peek(Token![,]) {
            Ok(())
        } else {
            Err(input.error("expected `,` after this argument"))
        }
    }

    /// The first statement of the body: opens the section.
    pub(crate) fn open_section(&self) -> TokenStream {
        // `mixed_site`: the body cannot name these variables. With `call_site` it could forget the guard.
        let hidden = Span::mixed_site();
        let private = match &self.krate {
            Some(path) => quote_spanned!(hidden=> #path::__private),
            None => quote_spanned!(hidden=> ::lazy_mmu::__private),
        };
        let backend = match &self.backend {
            Some(path) => path.to_token_stream(),
            None => match &self.krate {
                Some(path) => quote_spanned!(hidden=> #path::Global),
                None => quote_spanned!(hidden=> ::lazy_mmu::Global),
            },
        };
        match &self.mmu {
            None => quote_spanned! {hidden=>
                let __section = #private::section::<#backend>();
            },
            Some(mmu) => quote_spanned! {hidden=>
                let mut __section = #private::section::<#backend>();
                let #mmu = &mut #private::view(&mut __section);
            },
        }
    }
}

/// Parses `= value` behind the argument `name`.
fn value<T: syn::parse::Parse>(input: ParseStream<'_>, name: &Ident, what: &str) -> syn::Result<T> {
    if !input.peek(Token![=]) {
        return Err(syn::Error::new(
            name.span(),
            format_args!("`{name}` needs a value: `{name} = ..`, {what}"),
        ));
    }
    let equals = input.parse::<Token![=]>()?;
    // At the end of the input there is no token to point at.
    let at = if input.is_empty() {
        equals.span
    } else {
        input.span()
    };
    input
        .parse()
        .map_err(|_| syn::Error::new(at, format_args!("expected {what}")))
}

fn once<T>(slot: &mut Option<T>, name: &Ident, value: T) -> syn::Result<()> {
    if slot.is_some() {
        return Err(syn::Error::new(
            name.span(),
            format_args!("the argument `{name}` is given twice"),
        ));
    }
    *slot = Some(value);
    Ok(())
}

/// Skips to the comma behind the current argument. One inside `<..>` of a bad path ends it too: then the rest is
/// read as arguments, and the first error is still the right one.
fn skip_argument(input: ParseStream<'_>) {
    while !input.is_empty() && !input.peek(Token![,]) {
        let _: Option<proc_macro2::TokenTree> = input.parse().ok();
    }
}
