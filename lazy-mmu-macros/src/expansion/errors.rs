//! All that is wrong with a use of the attribute, reported together.

#[derive(Default)]
pub(crate) struct Errors(Option<syn::Error>);

impl Errors {
    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// All of them in one, if there is any.
    pub(crate) fn into_error(self) -> Option<syn::Error> {
        self.0
    }
}
