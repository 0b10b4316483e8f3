//! A launch from top to bottom: replay, else prepare, then exec.
