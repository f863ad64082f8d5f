//! Under construction.
pub mod cursor;
pub mod keyed;
