//! The annotated item, taken apart only as far as the attribute must know it.
//!
//! Everything stays tokens: what the attribute need not understand it cannot change, and a half-typed body gives the
//! compiler's own error at the user's place.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Ident, Token, Visibility};

use crate::expand::Errors;

/// A function with a body.
pub(crate) struct Function {
    /// Everything before the body.
    head: TokenStream,
    /// The braces around the body. A macro that was given the body as a fragment puts it into invisible delimiters.
    body: Group,
}

impl Function {
    /// Takes `item` apart. If it is not a function that can have a section, says why in `errors`.
    pub(crate) fn parse(item: TokenStream, errors: &mut Errors) -> Option<Self> {
        let parser = |input: ParseStream<'_>| Ok(check_head(input, errors));
        match parser.parse2(item.clone()) {
            Ok(true) => {}
            Ok(false) => return None,
            Err(error) => {
                errors.push(error);
                return None;
            }
        }
        let mut head: Vec<TokenTree> = item.into_iter().collect();
        // `check_head` has seen that they are there.
        let body = head.pop().and_then(braces)?;
        Some(Self {
            head: head.into_iter().collect(),
            body,
        })
    }

    /// The function with `first` as the first statement inside its own braces.
    pub(crate) fn with_first_statement(self, first: TokenStream) -> TokenStream {
        let (inner_attributes, statements) = split_inner_attributes(self.body.stream());
        let mut stream = first;
        stream.extend(statements);
        // The user's own braces: whether temporaries of the tail expression live to the end of the statement or of
        // the body is decided by the edition of the brace's span.
        let mut body = Group::new(Delimiter::Brace, stream);
        body.set_span(self.body.span());

        let mut tokens = inner_attributes;
        tokens.extend(self.head);
        body.to_tokens(&mut tokens);
        tokens
    }
}

/// Reads the item up to its name; false if there is no point in going on.
fn check_head(input: ParseStream<'_>, errors: &mut Errors) -> bool {
    let fits = match check_function(input, errors) {
        Ok(fits) => fits,
        Err(error) => {
            errors.push(error);
            false
        }
    };
    // The parser wants everything to be read.
    let rest: TokenStream = input.parse().unwrap_or_default();
    let last = rest.into_iter().last();
    if !fits {
        return false;
    }
    match last {
        Some(TokenTree::Punct(semicolon)) if semicolon.as_char() == ';' => {
            errors.push(syn::Error::new(
                semicolon.span(),
                "`#[lazy_mmu]` needs a function with a body: put it on the implementation",
            ));
            false
        }
        Some(last) => braces(last).is_some(),
        None => false,
    }
}

/// Whether this is a function that can have a section, as far as its head tells.
fn check_function(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<bool> {
    let mut fits = true;
    for attribute in input.call(Attribute::parse_outer)? {
        let path = attribute.path();
        if path
            .segments
            .last()
            .is_some_and(|it| it.ident == "lazy_mmu")
        {
            errors.push(syn::Error::new_spanned(
                path,
                "a second `#[lazy_mmu]` on this function: one section is enough, remove one of them",
            ));
            fits = false;
        }
    }
    input.parse::<Visibility>()?;
    loop {
        if let Some(token) = input.parse::<Option<Token![const]>>()? {
            if !input.peek(Token![fn]) && !qualifies(input) {
                return Err(not_a_function(token.span));
            }
            errors.push(syn::Error::new(
                token.span,
                "a `const fn` cannot open a section: at compile time there is no thread; remove `const`",
            ));
            fits = false;
        } else if let Some(token) = input.parse::<Option<Token![async]>>()? {
            errors.push(syn::Error::new(
                token.span,
                "a section cannot be held across `.await`: open it inside, with `lazy_mmu::with`",
            ));
            fits = false;
        } else if let Some(token) = input.parse::<Option<Token![unsafe]>>()? {
            if !input.peek(Token![fn]) && !qualifies(input) {
                return Err(not_a_function(token.span));
            }
        } else if let Some(token) = input.parse::<Option<Token![extern]>>()? {
            let _: Option<syn::LitStr> = input.parse()?;
            if !input.peek(Token![fn]) {
                return Err(not_a_function(token.span));
            }
        } else {
            break;
        }
    }
    if input.parse::<Option<Token![fn]>>()?.is_none() {
        return Err(not_a_function(input.span()));
    }
    input.call(Ident::parse_any)?;
    Ok(fits)
}

/// Whether another qualifier of a function follows.
fn qualifies(input: ParseStream<'_>) -> bool {
    input.peek(Token![async]) || input.peek(Token![unsafe]) || input.peek(Token![extern])
}

fn not_a_function(span: proc_macro2::Span) -> syn::Error {
    syn::Error::new(
        span,
        "`#[lazy_mmu]` goes on a function: its body becomes the section",
    )
}

/// The brace group that `tree` is, perhaps inside the invisible delimiters of a macro's fragment.
fn braces(tree: TokenTree) -> Option<Group> {
    match tree {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group),
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            let mut inner = group.stream().into_iter();
            let only = inner.next()?;
            inner.next().is_none().then(|| braces(only))?
        }
        _ => None,
    }
}

/// Splits `#![..]` off the start of a body, as outer attributes: behind a statement they could not stand.
fn split_inner_attributes(body: TokenStream) -> (TokenStream, TokenStream) {
    let mut attributes = TokenStream::new();
    let mut rest = body.into_iter().peekable();
    let mut lookahead: Vec<TokenTree> = Vec::new();
    while let Some(TokenTree::Punct(pound)) = rest.peek() {
        if pound.as_char() != '#' {
            break;
        }
        lookahead.extend(rest.next());
        match rest.peek() {
            Some(TokenTree::Punct(bang)) if bang.as_char() == '!' => {}
            _ => break,
        }
        lookahead.extend(rest.next());
        match rest.next() {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => {
                attributes.extend(lookahead.drain(..).take(1));
                attributes.extend([TokenTree::Group(group)]);
            }
            other => {
                lookahead.extend(other);
                break;
            }
        }
    }
    let statements = lookahead.into_iter().chain(rest).collect();
    (attributes, statements)
}
