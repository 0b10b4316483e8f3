//! The engine: started by the stub when no plan holds.

fn main() {}
