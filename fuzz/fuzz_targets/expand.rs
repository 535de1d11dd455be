//! The attribute's expansion on arbitrary tokens. It never panics, and `check` accepts its result.
//!
//! ```text
//! cargo install cargo-fuzz
//! cargo +nightly fuzz run expand --sanitizer none -- -dict=fuzz/expand.dict
//! ```
//!
//! The first byte of an input selects the format of the other bytes:
//!
//! * Text: the arguments, a zero byte, and the item.
//! * Codes for token trees. They can contain invisible delimiters, which text cannot express.

#![no_main]

#[path = "../../lazy-mmu-macros/src/expansion/tests/check.rs"]
mod check;
#[path = "../../lazy-mmu-macros/src/expansion/mod.rs"]
mod expansion;

use check::{PUNCTUATION, WORDS};
use libfuzzer_sys::{Corpus, fuzz_target};
use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some((mode, rest)) = data.split_first() else {
        return Corpus::Reject;
    };
    let streams = if mode % 2 == 0 { texts(rest) } else { built(rest) };
    let Some((args, item)) = streams else {
        return Corpus::Reject;
    };
    check::check(&args, &item);
    Corpus::Keep
});

/// Returns the arguments and the item from text, in which a zero byte separates them.
fn texts(data: &[u8]) -> Option<(TokenStream, TokenStream)> {
    let text = std::str::from_utf8(data).ok()?;
    let (args, item) = text.split_once('\0')?;
    Some((args.parse().ok()?, item.parse().ok()?))
}

/// An open group: its delimiter, and its trees so far.
type Open = (Delimiter, Vec<TokenTree>);

/// Returns the arguments and the item from codes.
///
/// Each byte is a token, or opens or closes a group. A close at the outermost level ends the
/// arguments.
fn built(data: &[u8]) -> Option<(TokenStream, TokenStream)> {
    let mut streams = Vec::new();
    let mut stack: Vec<Open> = vec![(Delimiter::None, Vec::new())];
    for &byte in data {
        let tree: TokenTree = match byte {
            0..48 => {
                let word = WORDS.split_whitespace().nth(byte.into())?;
                Ident::new(word, Span::call_site()).into()
            }
            48..52 => {
                let word = ["fn", "type", "match", "x"][usize::from(byte) - 48];
                Ident::new_raw(word, Span::call_site()).into()
            }
            64..128 => {
                let spacing = if byte % 2 == 0 { Spacing::Alone } else { Spacing::Joint };
                let number = usize::from(byte - 64) / 2 % PUNCTUATION.len();
                Punct::new(PUNCTUATION.chars().nth(number)?, spacing).into()
            }
            128..132 if stack.len() < 32 => {
                use Delimiter::{Brace, Bracket, None, Parenthesis};
                let delimiter = [Brace, Bracket, None, Parenthesis][usize::from(byte) - 128];
                stack.push((delimiter, Vec::new()));
                continue;
            }
            160..176 => {
                close(&mut stack, &mut streams)?;
                if stack.is_empty() {
                    stack.push((Delimiter::None, Vec::new()));
                }
                continue;
            }
            192..196 => Literal::u32_suffixed(byte.into()).into(),
            196..200 => Literal::string("text").into(),
            _ => Literal::character('x').into(),
        };
        stack.last_mut()?.1.push(tree);
    }
    // The end of the input closes the open groups.
    while close(&mut stack, &mut streams).is_some() {}
    let mut streams = streams.into_iter();
    match (streams.next(), streams.next()) {
        (Some(args), Some(item)) => Some((args, item)),
        (Some(item), None) => Some((TokenStream::new(), item)),
        _ => None,
    }
}

/// Closes the innermost group. At the outermost level, its trees become a stream.
fn close(stack: &mut Vec<Open>, streams: &mut Vec<TokenStream>) -> Option<()> {
    let (delimiter, trees) = stack.pop()?;
    let stream = trees.into_iter().collect();
    match stack.last_mut() {
        Some((_, outer)) => outer.push(Group::new(delimiter, stream).into()),
        None => streams.push(stream),
    }
    Some(())
}
