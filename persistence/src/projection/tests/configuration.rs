//! Changes of the configuration come back whole, in their order.

use super::*;
use protocol::change::{Area, CHANGE_LAYOUT, Change, ChangedBy};
use protocol::record::write_change;
use zerocopy::FromZeros;

fn push_change(tape: &mut Tape, version: u32, area: Area, parts: &[&str]) {
    for (part, text) in parts.iter().enumerate() {
        let change = Change {
            layout: CHANGE_LAYOUT.into(),
            area: area as u8,
            version: version.into(),
            id: id(version),
            part: (part as u16).into(),
            parts: (parts.len() as u16).into(),
            length: (text.len() as u32).into(),
            by: ChangedBy::of("ann").unwrap(),
            ..Change::new_zeroed()
        };
        let mut bytes = Vec::new();
        write_change(&mut bytes, tape.decided(), &change, text.as_bytes());
        tape.records.push(bytes);
    }
}

#[tokio::test]
async fn a_change_in_parts_comes_back_in_one_piece() {
    for home in homes("changes_in_parts").await {
        let mut tape = Tape::default();
        push_change(&mut tape, 1, Area::Rules, &["{\"rules\":", "[]}"]);
        push_change(&mut tape, 2, Area::Routes, &["{}"]);
        push_change(&mut tape, 3, Area::Merchant, &["{\"name\":\"shop\"}"]);
        let mut projection = Projection::open(&home.url, JOURNAL, tape.last_lsn()).await.unwrap();
        // The two parts of the first in two SQL transactions.
        projection.catch_up(&mut tape.from(1), 1).await.unwrap();
        projection.catch_up(&mut tape.from(2), u64::MAX).await.unwrap();
        let queries = Database::open(&home.url).await.unwrap().queries();
        let read = queries.changes(Deeds::All, 0, 2).await.unwrap();
        let texts: Vec<_> = read.iter().map(|change| (change.version, change.area, &change.text[..])).collect();
        assert_eq!(texts, [(1, Area::Rules, &b"{\"rules\":[]}"[..]), (2, Area::Routes, b"{}")]);
        assert_eq!((read[0].id, read[0].subject, read[0].undoes), (id(1), Xid::NONE, 0));
        assert!(read.iter().all(|change| change.by.name() == "ann"));
        assert_eq!(queries.changes(Deeds::All, 2, 100).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn changes_and_actions_are_told_apart_and_a_page_is_full_of_what_is_asked_for() {
    for home in homes("changes_and_actions").await {
        let mut tape = Tape::default();
        for (version, area) in (1..).zip([Area::Action, Area::Rules, Area::Action, Area::Merchant, Area::Processor]) {
            push_change(&mut tape, version, area, &["{\"action\":", "\"settle\"}"]);
        }
        let mut projection = Projection::open(&home.url, JOURNAL, tape.last_lsn()).await.unwrap();
        projection.catch_up(&mut tape.from(1), u64::MAX).await.unwrap();
        let queries = Database::open(&home.url).await.unwrap().queries();
        for (deeds, after, limit, expected) in [
            (Deeds::All, 0, 100, &[1, 2, 3, 4, 5][..]),
            (Deeds::All, 2, 1, &[3]),
            (Deeds::Changes, 0, 2, &[2, 4]),
            (Deeds::Changes, 2, u32::MAX, &[4, 5]),
            (Deeds::Actions, 0, 2, &[1, 3]),
            (Deeds::Actions, 3, 2, &[]),
        ] {
            let read = queries.changes(deeds, after, limit).await.unwrap();
            let versions: Vec<u32> = read.iter().map(|change| change.version).collect();
            assert_eq!(versions, expected, "{deeds:?} after {after}, {limit} at most");
            assert!(read.iter().all(|change| change.text == b"{\"action\":\"settle\"}"), "each comes whole");
        }
    }
}
