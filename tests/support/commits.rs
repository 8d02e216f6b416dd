//! P2, watched from the broker's side: every commit that it ever took, against the moment at which
//! it appended the outputs.
//!
//! Each commit is a record of `__consumer_offsets` with the time at which the broker took it, and
//! each output, in a topic with `LogAppendTime`, has the time at which the broker appended it. Of a
//! single broker it is the same clock. A worker that commits only what is acknowledged cannot have
//! a commit taken before the outputs below it were appended, so a commit that is older than one of
//! them is a breach, however short; and none is missed, since nothing is sampled.

use std::collections::BTreeMap;

use super::client::{Client, Stored};

/// Kafka's own topic of commits.
const OFFSETS: &str = "__consumer_offsets";

/// A commit as the broker took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    partition: i32,
    /// The next offset to be read.
    next: i64,
    /// Milliseconds since 1970.
    taken_at: i64,
}

/// All commits of a group for a topic, in the order in which the broker took them. Compaction takes
/// none away: it spares the segment that is being written, of a hundred megabytes.
pub(crate) fn of_group(client: &Client, group: &str, topic: &str) -> Vec<Commit> {
    let records = client.read(OFFSETS);
    let found: Vec<_> = records.iter().filter_map(|record| commit(record, group, topic)).collect();
    assert!(!found.is_empty(), "no commit of {group} for {topic} in {OFFSETS}");
    found
}

/// What a record of the topic says, if it is of this group and topic. The key: version 0 or 1,
/// group, topic, partition; the value: a version, and the offset.
fn commit(record: &Stored, group: &str, topic: &str) -> Option<Commit> {
    let mut key = record.key.as_deref()?;
    if !matches!(take::<2>(&mut key)?, [0, 0 | 1]) || text(&mut key)? != group.as_bytes() {
        return None;
    }
    if text(&mut key)? != topic.as_bytes() {
        return None;
    }
    let partition = i32::from_be_bytes(take(&mut key)?);
    let mut value = record.value.as_deref()?;
    let _version: [u8; 2] = take(&mut value)?;
    let next = i64::from_be_bytes(take(&mut value)?);
    Some(Commit { partition, next, taken_at: record.timestamp? })
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*taken)
}

fn text<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::from(u16::from_be_bytes(take(bytes)?));
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

/// No commit was taken before all inputs below it had an output in the topic.
pub(crate) fn assert_none_is_ahead(commits: &[Commit], outputs: &[Stored]) {
    let ahead = ahead(commits, outputs);
    assert!(
        ahead.is_empty(),
        "{} commits ahead of their outputs: {:#?}",
        ahead.len(),
        ahead.first()
    );
}

/// The commits that were taken too early, each with the first input that had no output then.
fn ahead(commits: &[Commit], outputs: &[Stored]) -> Vec<(Commit, i64)> {
    // When each input first had an output.
    let mut first: BTreeMap<(i32, i64), i64> = BTreeMap::new();
    for output in outputs {
        assert!(output.appended, "{} does not have the broker's time", output.position());
        let source = output.header("ipstamp-src").unwrap_or_default();
        let mut parts = source.rsplit('-').map(str::parse::<i64>);
        let (Some(Ok(offset)), Some(Ok(partition))) = (parts.next(), parts.next()) else {
            panic!("{} is from {source:?}", output.position());
        };
        let at = output.timestamp.unwrap_or(i64::MAX);
        let entry = first.entry((partition as i32, offset)).or_insert(at);
        *entry = at.min(*entry);
    }
    let early = |commit: &Commit| {
        (0..commit.next).find(|offset| {
            first.get(&(commit.partition, *offset)).is_none_or(|at| *at > commit.taken_at)
        })
    };
    // Of each partition the worst that a commit has to answer for is the same for all behind it, so
    // each offset is looked at once.
    let mut checked: BTreeMap<i32, (i64, i64)> = BTreeMap::new();
    let mut ahead = Vec::new();
    for commit in commits {
        let (upto, latest) = checked.entry(commit.partition).or_insert((0, i64::MIN));
        while *upto < commit.next {
            let at = first.get(&(commit.partition, *upto)).copied().unwrap_or(i64::MAX);
            *latest = at.max(*latest);
            *upto += 1;
        }
        if *latest > commit.taken_at
            && let Some(offset) = early(commit)
        {
            ahead.push((*commit, offset));
        }
    }
    ahead
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(source: &str, at: i64) -> Stored {
        Stored {
            topic: "out".to_owned(),
            partition: 0,
            offset: 0,
            key: None,
            value: None,
            headers: vec![(b"ipstamp-src".to_vec(), Some(source.as_bytes().to_vec()))],
            timestamp: Some(at),
            appended: true,
        }
    }

    fn commit(next: i64, taken_at: i64) -> Commit {
        Commit { partition: 3, next, taken_at }
    }

    #[test]
    fn the_monitor_sees_a_commit_before_its_output_and_no_other() {
        let outputs =
            [("in-3-0", 10), ("in-3-2", 12), ("in-3-1", 30), ("in-3-1", 11), ("in-4-0", 99)]
                .map(|(source, at)| output(source, at));
        let well = [commit(0, 1), commit(1, 10), commit(3, 12), commit(2, 40)];
        assert_eq!(ahead(&well, &outputs), []);
        let early = [commit(1, 10), commit(3, 11), commit(3, 12), commit(4, 50)];
        assert_eq!(ahead(&early, &outputs), [(commit(3, 11), 2), (commit(4, 50), 3)]);
    }

    #[test]
    fn a_commit_is_read_as_the_broker_writes_it() {
        let mut key = vec![0, 1, 0, 1, b'g', 0, 2, b'i', b'n'];
        key.extend(3_i32.to_be_bytes());
        let mut value = vec![0, 3];
        value.extend(42_i64.to_be_bytes());
        value.extend([0; 12]);
        let record = Stored { key: Some(key), value: Some(value), ..output("", 7) };
        let found = super::commit(&record, "g", "in");
        assert_eq!(found, Some(Commit { partition: 3, next: 42, taken_at: 7 }));
        assert_eq!(super::commit(&record, "other", "in"), None);
        assert_eq!(super::commit(&record, "g", "inn"), None);
    }
}
