//! The arguments in the parentheses of the attribute.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{LitStr, Path, Token, TypePath, token};

use super::errors::Errors;

/// The list of arguments in the error texts.
const KNOWN: &str =
    "the arguments are `backend = path`, `mmu`, `mmu = name`, `join`, `paused` and `crate = path`";

/// The parsed arguments, each at most once.
#[derive(Default)]
pub(crate) struct Args {
    backend: Option<TypePath>,
    mmu: Option<Ident>,
    join: Option<Ident>,
    paused: Option<Ident>,
    krate: Option<Path>,
}

impl Args {
    /// Parses the arguments. Wrong ones go to `errors`, and the others are kept.
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

    /// Parses the list of arguments to its end.
    fn parse_list(&mut self, input: ParseStream<'_>, errors: &mut Errors) {
        while !input.is_empty() {
            if let Err(error) = self.parse_one(input) {
                errors.push(error);
            }
            // After an error, the rest of the argument would only cause further errors.
            skip_argument(input);
            let _: Option<Token![,]> = input.parse().unwrap_or_default();
        }
    }

    /// Parses one argument, without the comma behind it.
    fn parse_one(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        if !input.peek(Ident::peek_any) {
            return Err(input.error(format_args!("expected an argument: {KNOWN}")));
        }
        let name = input.call(Ident::parse_any)?;
        if name == "backend" {
            let path = value(input, &name, "the path of the backend")?;
            once(&mut self.backend, &name, path)?;
        } else if name == "mmu" {
            let named = input.peek(Token![=]) || input.peek(token::Paren);
            let binding = if named {
                value(input, &name, "a name for the section")?
            } else {
                name.clone()
            };
            once(&mut self.mmu, &name, binding)?;
            self.contradiction(&name)?;
        } else if name == "join" {
            once(&mut self.join, &name, name.clone())?;
            self.contradiction(&name)?;
        } else if name == "paused" {
            once(&mut self.paused, &name, name.clone())?;
            self.contradiction(&name)?;
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
        } else if (name == "paused" || name == "join")
            && (input.peek(Token![=]) || input.peek(token::Paren))
        {
            Err(input.error(format_args!("`{name}` does not take a value")))
        } else if input.peek(Token![:]) {
            Err(input.error(format_args!("expected `{name} = ..`")))
        } else {
            Err(input.error("expected `,` after this argument"))
        }
    }

    /// Returns an error at `second` if the arguments up to it contradict each other.
    fn contradiction(&self, second: &Ident) -> syn::Result<()> {
        let message = if self.paused.is_none() {
            return Ok(());
        } else if self.mmu.is_some() {
            "`mmu` and `paused` cannot be combined: a paused function has no section to name"
        } else if self.join.is_some() {
            "`join` and `paused` cannot be combined: a paused function does not defer"
        } else {
            return Ok(());
        };
        Err(syn::Error::new(second.span(), message))
    }

    /// Returns whether the body can name the section.
    pub(crate) fn names_the_section(&self) -> bool {
        self.mmu.is_some()
    }

    /// Returns the statements that open the section or the pause.
    pub(crate) fn open_section(&self) -> TokenStream {
        // With `mixed_site`, the body cannot name these variables. With `call_site`, it could
        // forget the guard.
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
        let section = match &self.join {
            Some(_) => quote_spanned!(hidden=> #private::joined),
            None => quote_spanned!(hidden=> #private::section),
        };
        match &self.mmu {
            _ if self.paused.is_some() => quote_spanned! {hidden=>
                let __pause = #private::pause::<#backend>();
            },
            None => quote_spanned! {hidden=>
                let __section = #section::<#backend>();
            },
            Some(mmu) => quote_spanned! {hidden=>
                let mut __section = #section::<#backend>();
                let mut __view = #private::view(&mut __section);
                let #mmu = __view.section();
            },
        }
    }
}

/// Parses `= value` behind the argument `name`. `what` describes the value in error texts.
fn value<T: syn::parse::Parse>(input: ParseStream<'_>, name: &Ident, what: &str) -> syn::Result<T> {
    if !input.peek(Token![=]) {
        return Err(syn::Error::new(
            name.span(),
            format_args!("`{name}` needs a value: write `{name} = ..` with {what}"),
        ));
    }
    let equals = input.parse::<Token![=]>()?;
    // At the end of the input there is no token that an error could point at.
    let at = if input.is_empty() {
        equals.span
    } else {
        input.span()
    };
    let instead = if input.peek(LitStr) {
        ", not a string: remove the quotes"
    } else {
        ""
    };
    let value = input.parse();
    match value {
        // If other tokens follow, the value was only the beginning of something else. An
        // identifier is the next argument, without its comma.
        Ok(value) if input.is_empty() || input.peek(Token![,]) || input.peek(Ident::peek_any) => {
            Ok(value)
        }
        _ => Err(syn::Error::new(
            at,
            format_args!("expected {what}{instead}"),
        )),
    }
}

/// Stores `value` in `slot`, or returns an error if the argument `name` was given before.
fn once<T>(slot: &mut Option<T>, name: &Ident, value: T) -> syn::Result<()> {
    if slot.is_some() {
        return Err(syn::Error::new(
            name.span(),
            format_args!("the argument `{name}` is given twice: remove one of them"),
        ));
    }
    *slot = Some(value);
    Ok(())
}

/// Skips to the comma behind the current argument. Commas inside `<..>` do not count.
fn skip_argument(input: ParseStream<'_>) {
    let mut depth = 0_usize;
    while !input.is_empty() && (depth > 0 || !input.peek(Token![,])) {
        if input.peek(Token![->]) {
            // The `>` of this token is not a closing bracket.
            let _: Option<Token![->]> = input.parse().ok();
            continue;
        }
        match input.parse() {
            Ok(TokenTree::Punct(punct)) if punct.as_char() == '<' => depth += 1,
            Ok(TokenTree::Punct(punct)) if punct.as_char() == '>' => {
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
    }
}
