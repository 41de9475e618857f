//! Whether a member has been in its group without a break since it began to read what it reads. What to do about a break is the
//! caller's to say.
//!
//! The C client (2.12) does not tell of each break. Where the group answers a request to *join* with "unknown member", as it does when
//! it gave the member up while that request was under way (the process stood still, or the network), the client asks to be let in
//! anew, with all partitions that it had: it is given a generation that is valid, though others may have had those partitions
//! meanwhile, and nothing is told. The group's name for the member tells: it is another one each time that it is let in.

use crate::kafka::{KafkaError, KafkaErrorKind};

/// The name under which a member reads; none before it is given anything.
#[derive(Debug, Default)]
pub(super) struct Tenure(Option<String>);

impl Tenure {
    /// The group gives partitions to the member of this name: the first ones, or more.
    pub(super) fn is_given_more(&mut self, name: &str, reads_nothing: bool) -> Result<(), KafkaError> {
        if reads_nothing {
            self.0 = Some(name.to_owned());
        }
        self.check(name)
    }

    /// Whether the member of this name is the one that began to read.
    pub(super) fn check(&self, name: &str) -> Result<(), KafkaError> {
        match &self.0 {
            Some(began) if began != name => Err(KafkaError::new(
                KafkaErrorKind::Fenced,
                format!("the group gave this member up (it is {name:?} now, and was {began:?}): its partitions may be others'"),
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tenure;

    #[test]
    fn a_new_name_is_a_break_unless_nothing_is_read() {
        let mut tenure = Tenure::default();
        assert!(tenure.check("a").is_ok(), "it reads what the group knows nothing of");
        assert!(tenure.is_given_more("a", true).is_ok());
        assert!(tenure.is_given_more("a", false).is_ok());
        assert!(tenure.check("").is_err(), "given up, and not let in yet");
        assert!(tenure.is_given_more("b", false).is_err());
        assert!(tenure.check("a").is_ok());
        assert!(tenure.is_given_more("b", true).is_ok(), "all was given back before");
        assert!(tenure.check("a").is_err());
    }
}
