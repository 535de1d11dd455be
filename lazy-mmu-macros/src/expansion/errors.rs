//! The errors of one use of the attribute, which the compiler reports together.

/// A list of errors, combined into one.
#[derive(Default)]
pub(crate) struct Errors(Option<syn::Error>);

impl Errors {
    /// Adds an error.
    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// Returns the combined errors, or `None` if the list is empty.
    pub(crate) fn into_error(self) -> Option<syn::Error> {
        self.0
    }
}
