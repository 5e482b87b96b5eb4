//! Verbs: one file per command; each reads as its table of contents.
