//! The far end.
fn main() {}
