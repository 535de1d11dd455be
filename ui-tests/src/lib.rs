//! Nothing: the package is its tests. Cargo wants a target all the same.
