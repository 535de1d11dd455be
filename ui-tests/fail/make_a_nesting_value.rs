// A user does not need a value of a nesting type, because only the type gives the nesting.
// The constructor is private (E0603).

fn main() {
    let _nesting = lazy_mmu::Outer;
}
