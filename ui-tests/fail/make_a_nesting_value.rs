// A user does not need a value of a nesting type, because the type alone says how it was entered.
// The constructor is private (E0603).

fn main() {
    let _nesting = lazy_mmu::Outer;
}
