//! Bytes get where they should, whoever is slow, full, gone or broken.
