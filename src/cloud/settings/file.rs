//! Files that a config names: read whole, up to a size. What is no regular file is left alone: a pipe may keep whoever
//! opens it waiting for good.
//!
//! What is in them is not looked at here.

use std::fs::{File, metadata};
use std::io::{Error, ErrorKind, Read as _, Result};
use std::path::Path;

/// No file with a secret or with certificates is larger, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// A file's bytes.
///
/// # Errors
/// When it cannot be read, is no regular file or too large.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    if !metadata(path)?.is_file() {
        return Err(Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    let length = File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if u64::try_from(length).is_ok_and(|length| length <= LARGEST) {
        Ok(bytes)
    } else {
        Err(Error::other(format!("it is larger than {LARGEST} bytes")))
    }
}

/// A file's text.
///
/// # Errors
/// As [`read`], and when it is no text; nothing of it is shown.
pub(in crate::cloud) fn read_text(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?).map_err(|_| Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_of_a_sane_size_is_not_read() {
        let path = std::env::temp_dir().join(format!("settings-file-{}", std::process::id()));
        File::create(&path).unwrap().set_len(LARGEST).unwrap();
        assert_eq!(read(&path).unwrap().len(), 1024 * 1024);
        File::create(&path).unwrap().set_len(LARGEST + 1).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("larger than 1048576 bytes"));
        std::fs::write(&path, b"hunter2\xff").unwrap();
        let error = read_text(&path).unwrap_err();
        assert!(error.to_string().contains("not UTF-8") && !format!("{error:?}").contains("hunter2"));
        std::fs::remove_file(&path).unwrap();
        for odd in ["/", "/dev/zero"] {
            assert!(read(Path::new(odd)).unwrap_err().to_string().contains("no regular file"), "{odd}");
        }
        assert_eq!(read(&path).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_pipe_keeps_nobody_waiting() {
        let path = std::env::temp_dir().join(format!("settings-pipe-{}", std::process::id()));
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let refused = read(&path);
        std::fs::remove_file(&path).unwrap();
        assert!(refused.unwrap_err().to_string().contains("no regular file"));
    }
}
