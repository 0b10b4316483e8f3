//! Embedding: a stub in front of a PEX, and back.
