//! Hashes and message authentication codes, the one user of the crypto library for signing.

use aws_lc_rs::{digest, hmac};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Lower-case hexadecimal SHA-256.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

/// HMAC-SHA256.
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    authenticate(hmac::HMAC_SHA256, key, message)
}

/// HMAC-SHA1, for the old dialects that know nothing better.
pub fn hmac_sha1(key: &[u8], message: &[u8]) -> Vec<u8> {
    authenticate(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key, message)
}

/// Standard base64 with padding.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Whether two texts are equal, in a time that does not depend on where they differ.
pub fn same(left: &str, right: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(left.as_bytes(), right.as_bytes()).is_ok()
}

fn authenticate(algorithm: hmac::Algorithm, key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(algorithm, key), message).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231 case 2, RFC 2202 case 2, FIPS 180 "abc".
    #[test]
    fn published_vectors() {
        let key = b"Jefe";
        let message = b"what do ya want for nothing?";
        assert_eq!(
            hex::encode(hmac_sha256(key, message)),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(hex::encode(hmac_sha1(key, message)), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
