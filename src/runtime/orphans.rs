//! Lead partitions that a settled group has left to nobody, and the request to share out anew.
//!
//! A cooperative group moves a partition in two rounds: its old member gives it back in the first, its new one gets it in the second,
//! which the old member asks for. A static member that is restarted between the two gets what is left to it, gives nothing back, and
//! asks for nothing: the partition stays without a member until something else starts a round. So that member of the group that comes
//! first by name gives up its membership and joins anew.

use std::collections::BTreeSet;

use super::Shared;
use super::monitor::connected;
use crate::error::Error;
use crate::kafka::{Admin, GroupMember};
use crate::record::TopicPartition;

/// What was seen at the last look.
#[derive(Debug, Default)]
pub(super) struct Orphans {
    seen: BTreeSet<TopicPartition>,
}

impl Orphans {
    /// Looks, and asks for a new round about what was without a member at the last look too: a group may just have settled.
    pub(super) fn look(&mut self, shared: &Shared, admin: &mut Option<Box<dyn Admin>>) -> Result<(), Error> {
        let group = &shared.prepared.application;
        let assignment = connected(shared, admin)?.group_assignment(group, shared.settings.request_timeout)?;
        let Some(members) = assignment else {
            self.seen.clear();
            return Ok(());
        };
        let parts = shared.prepared.parts.leads_with_counts();
        let leads =
            parts.flat_map(|(topic, count)| (0..count).map(move |partition| TopicPartition::new(topic.clone(), partition)));
        let orphans = without_member(leads, &members);
        let lasting = orphans.intersection(&self.seen).next().cloned();
        self.seen = orphans;
        let names: Vec<String> = (0..shared.settings.threads).map(|thread| shared.client_id(thread)).collect();
        if let (Some(partition), Some(thread)) = (lasting, who_acts(&members, &names)) {
            tracing::warn!(group = &**group, %partition, thread, "a partition has no member: joining anew, so that the group shares out");
            self.seen.clear();
            shared.control.rejoin(thread);
        }
        Ok(())
    }
}

fn without_member(leads: impl Iterator<Item = TopicPartition>, members: &[GroupMember]) -> BTreeSet<TopicPartition> {
    let held: BTreeSet<&TopicPartition> = members.iter().flat_map(|member| &member.partitions).collect();
    leads.filter(|lead| !held.contains(lead)).collect()
}

/// Which of our threads comes first by name among all members, if one does. All processes find the same.
fn who_acts(members: &[GroupMember], ours: &[String]) -> Option<usize> {
    let first = members.iter().map(|member| &member.client_id).min()?;
    ours.iter().position(|name| name == first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(client: &str, partitions: &[i32]) -> GroupMember {
        let partitions = partitions.iter().map(|partition| TopicPartition::new("lead", *partition)).collect();
        GroupMember { client_id: client.to_owned(), partitions }
    }

    #[test]
    fn what_no_member_has_is_found_and_one_thread_of_all_acts() {
        let members = [member("app-b-0", &[2]), member("app-a-1", &[0]), member("app-a-0", &[])];
        let leads = || (0..4).map(|partition| TopicPartition::new("lead", partition));
        let orphans = without_member(leads(), &members);
        assert_eq!(orphans.into_iter().map(|orphan| orphan.partition).collect::<Vec<_>>(), [1, 3]);
        let names = |instance: &str| [0, 1].map(|thread| format!("app-{instance}-{thread}"));
        assert_eq!(who_acts(&members, &names("a")), Some(0));
        assert_eq!(who_acts(&members, &names("b")), None);
        assert_eq!(who_acts(&members[..2], &names("a")), Some(1));
        assert_eq!(who_acts(&[], &names("a")), None);
    }
}
