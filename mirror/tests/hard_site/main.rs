//! Copies the site that is hard to copy, which is served in this process, and lets its own judge
//! judge the copy.

mod comparison;
mod copied;
mod corners;
mod whole;
