//! The name of this process among those that share the work: what is set, or a value that is made once and kept.

use std::path::Path;

use crate::exit::Failure;

/// The file's name in the state directory.
const FILE: &str = "instance-id";

/// The instance's name; the state directory must exist.
///
/// A random one would be a new member after each restart: its tasks would move, and its old transactions would have to time out.
pub fn instance_id(configured: Option<&str>, state_dir: &Path) -> Result<String, Failure> {
    if let Some(configured) = configured {
        return Ok(configured.to_owned());
    }
    let path = state_dir.join(FILE);
    let refused = |error: std::io::Error| {
        Failure::config(format!(
            "the instance's name cannot be kept in `{}`: {error}; make the state directory writable, or set `instance_id`",
            path.display()
        ))
    };
    match std::fs::read_to_string(&path) {
        Ok(kept) if !kept.trim().is_empty() => return Ok(kept.trim().to_owned()),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(refused(error)),
    }
    let made = format!("{:08x}", rand::random::<u32>());
    let unfinished = state_dir.join(format!("{FILE}.new"));
    std::fs::write(&unfinished, format!("{made}\n")).and_then(|()| std::fs::rename(&unfinished, &path)).map_err(refused)?;
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let first = instance_id(None, dir.path()).unwrap();
        assert_eq!(instance_id(None, dir.path()).unwrap(), first);
        assert_eq!(instance_id(Some("pod-3"), dir.path()).unwrap(), "pod-3");
        let elsewhere = tempfile::tempdir().unwrap();
        assert_ne!(instance_id(None, elsewhere.path()).unwrap(), first);
    }

    #[test]
    fn a_directory_that_is_not_there_is_a_configuration_error() {
        let failure = instance_id(None, Path::new("/nonexistent/state")).unwrap_err();
        assert_eq!(failure.code, crate::exit::Code::Config);
        assert!(failure.message.contains("instance_id"), "{failure}");
    }
}
